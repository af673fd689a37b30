"""Which manifests is that: the Argo CD Application that deploys a Rollout, and what it deployed when.

An Application counts if the Rollout's tracking id names it, or if it lists the Rollout among its resources; a label
alone is no proof, since Helm charts set the same one (argo-contract 3.2, 3.3).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.evidence.cluster import Target
from agents.evidence.nouns import Bundle
from agents.evidence.origin import dig, label, mappings, parse_time

TRACKING = "argocd.argoproj.io/tracking-id"
INSTANCE = "app.kubernetes.io/instance"
IN_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")
NEAR_SECONDS = 60
"""Argo CD notes `deployedAt` when the sync is over; the ReplicaSet can be a little older or younger."""


class ManifestSource(BaseModel):
    """The GitOps repository, the folder in it, and the revisions that brought the two versions."""

    model_config = ConfigDict(frozen=True)

    repo: str
    path: str
    stable: str
    canary: str


class Unlocated(BaseModel):
    """Why the manifests of a Rollout are not known."""

    model_config = ConfigDict(frozen=True)

    reason: str


def manifest_source(bundle: Bundle) -> ManifestSource | None:
    """What the Argo CD Application says; None unless it provably deploys this Rollout from one Git folder."""
    found = locate_manifests(bundle)
    return found if isinstance(found, ManifestSource) else None


def locate_manifests(bundle: Bundle) -> ManifestSource | Unlocated:
    """The manifests, or what is in the way.

    The canary came with the deployment next to its ReplicaSet's creation. The stable version's manifests are those of
    the deployment before the first one that brought a version later than it: other canaries may have failed in between.
    """
    application = application_of(bundle)
    if isinstance(application, Unlocated):
        return application
    if dig(application, "spec", "sourceHydrator"):
        return Unlocated(reason="the Application hydrates its manifests: the branch that it deploys is generated")
    history = _history(application)
    created = {hash_: when for one in bundle.objects("replicaset") if (hash_ := label(one)) and (when := _created(one))}
    target = bundle.target
    if not history:
        return Unlocated(reason="the Application has deployed nothing from one Git folder")
    canary, stable = _deployments(history, created, target.canary_hash, target.stable_hash)
    if stable < 0:
        return Unlocated(reason="the Application's history does not reach back to the stable version")
    if history[canary].folder != history[stable].folder:
        return Unlocated(reason="the two versions were deployed from different folders")
    repo, path = history[canary].folder
    return ManifestSource(repo=repo, path=path, stable=history[stable].revision, canary=history[canary].revision)


class _Deployed(BaseModel):
    """One deployment: when, from which (repository, path), at which revision."""

    at: datetime | None
    folder: tuple[str, str]
    revision: str


def _history(application: Mapping[str, Any]) -> list[_Deployed]:
    """The deployments from one Git folder, oldest first, and the one under way: a sync that waits is in no history."""
    status, spec = dig(application, "status"), dig(application, "spec")
    found = []
    for entry in mappings(status.get("history")):
        deployed = _deployed(entry, spec, parse_time(entry.get("deployedAt")))
        if deployed is not None:
            found.append((str(entry.get("deployedAt")), deployed))
    ordered = [deployed for _, deployed in sorted(found, key=lambda one: one[0])]
    operation = dig(status, "operationState")
    result = dig(operation, "syncResult")
    current = _deployed(result, spec, parse_time(operation.get("finishedAt") or operation.get("startedAt")))
    if current is not None and all(current.revision != one.revision for one in ordered):
        ordered.append(current)
    return ordered


def _deployed(entry: Mapping[str, Any], spec: Mapping[str, Any], at: datetime | None) -> _Deployed | None:
    """What an entry of the history, or a sync's result, deployed from Git; None where that is not one folder."""
    sources, revisions = mappings(entry.get("sources")), entry.get("revisions")
    if not sources and isinstance(revisions, list) and revisions:
        sources = mappings(spec.get("sources"))
    if sources:
        folders = [at for at, source in enumerate(sources) if _is_folder(source) and source.get("path")]
        if len(folders) != 1 or not isinstance(revisions, list) or len(revisions) != len(sources):
            return None
        source, revision = sources[folders[0]], revisions[folders[0]]
    else:
        source, revision = dig(entry, "source") or dig(spec, "source"), entry.get("revision")
    if not _is_folder(source) or not isinstance(revision, str) or not revision:
        return None
    return _Deployed(at=at, folder=(str(source["repoURL"]), str(source.get("path") or "")), revision=revision)


def _is_folder(source: Mapping[str, Any]) -> bool:
    return bool(source.get("repoURL")) and not source.get("chart")


def application_of(bundle: Bundle) -> Mapping[str, Any] | Unlocated:
    """The one Application that deploys the Rollout."""
    applications = bundle.objects("application")
    if not applications:
        return Unlocated(reason="no Argo CD Application was captured")
    rollouts = [one for one in bundle.objects("rollout") if dig(one, "metadata").get("name") == bundle.target.rollout]
    tracked = [name for rollout in rollouts if (name := tracked_by(rollout, bundle.target))]
    if tracked:
        named = [one for one in applications if _is_called(one, tracked[0])]
        if len(named) == 1:
            return named[0]
        return Unlocated(reason=f"the Rollout is tracked by the Application {tracked[0]}, which was not captured")
    listing = [one for one in applications if _lists(one, bundle)]
    instances = {dig(rollout, "metadata", "labels").get(INSTANCE) for rollout in rollouts}
    for narrower in (
        [one for one in listing if dig(one, "metadata").get("name") in instances],
        [
            one
            for one in listing
            if set(IN_CLUSTER) & {str(value) for value in dig(one, "spec", "destination").values()}
        ],
        listing,
    ):
        if len(narrower) == 1:
            return narrower[0]
    many = "several Applications list" if listing else "no Application lists"
    return Unlocated(reason=f"the Rollout has no tracking id that names it, and {many} it among its resources")


def tracked_by(rollout: Mapping[str, Any], target: Target) -> str | None:
    """`[<namespace>_]<name>` of the tracking id, which must name this very Rollout: annotations get copied."""
    tracking = str(dig(rollout, "metadata", "annotations").get(TRACKING) or "")
    name, _, rest = tracking.partition(":")
    return name if name and rest == f"argoproj.io/Rollout:{target.namespace}/{target.rollout}" else None


def _is_called(application: Mapping[str, Any], tracked: str) -> bool:
    """Applications outside Argo CD's own namespace are tracked with theirs; neither part can hold an underscore."""
    namespace, _, name = tracked.rpartition("_")
    metadata = dig(application, "metadata")
    return metadata.get("name") == name and (not namespace or metadata.get("namespace") in {namespace, None})


def _lists(application: Mapping[str, Any], bundle: Bundle) -> bool:
    target = bundle.target
    wanted = ("argoproj.io", "Rollout", target.namespace, target.rollout)
    return any(
        (one.get("group"), one.get("kind"), one.get("namespace"), one.get("name")) == wanted
        for one in mappings(dig(application, "status").get("resources"))
    )


def _deployments(
    history: Sequence[_Deployed], created: Mapping[str, datetime], canary: str, stable: str
) -> tuple[int, int]:
    """Where in the history the two versions' manifests stand; the second is negative if that is not known."""
    since = created.get(stable)
    brought = created.get(canary)
    if brought is not None and since is not None and brought < since:
        brought = None  # an old version that was deployed again: its ReplicaSet is as old as it was
    at = _deployment(history, brought) if brought is not None else len(history) - 1
    later = [_deployment(history, when) for when in created.values() if since is not None and when > since]
    return at, min([at, *later]) - 1


def _deployment(history: Sequence[_Deployed], created: datetime) -> int:
    """The deployment that brought a ReplicaSet: the nearest in time, else the first one after it, else the last."""
    known = [(at, one.at) for at, one in enumerate(history) if one.at is not None]
    near = [
        (distance, at) for at, moment in known if (distance := abs((moment - created).total_seconds())) <= NEAR_SECONDS
    ]
    if near:
        return min(near)[1]
    return next((at for at, moment in known if moment >= created), len(history) - 1)


def _created(thing: Mapping[str, Any]) -> datetime | None:
    return parse_time(dig(thing, "metadata").get("creationTimestamp"))
