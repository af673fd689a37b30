"""Which code and which manifests is that: read from the captured objects alone, with how it was found.

Annotations come first (each version's ReplicaSet keeps the ones of its time); the Argo CD Application names the
GitOps repository and what was deployed when. Nothing here is verified against a repository yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.evidence.nouns import Bundle, Version

HASH_LABEL = "rollouts-pod-template-hash"
REPO, REVISION, PATH = "selfheal.io/source-repo", "selfheal.io/source-revision", "selfheal.io/source-path"
TRACKING = "argocd.argoproj.io/tracking-id"
SYNC_SLACK = timedelta(minutes=1)
"""Argo CD notes `deployedAt` when the sync is over; the ReplicaSet can be a little older or younger."""


class ManifestSource(BaseModel):
    """The GitOps repository, the folder in it, and the revisions that brought the two versions."""

    model_config = ConfigDict(frozen=True)

    repo: str
    path: str
    stable: str
    canary: str


def version_of(pod_hash: str, replica_sets: Iterable[Mapping[str, Any]], rollout: Mapping[str, Any] | None) -> Version:
    """One side, from its ReplicaSet's annotations; `rollout` (the canary side only) fills what that lacks."""
    replica_set = next((one for one in replica_sets if label(one) == pod_hash), None)
    images: tuple[str, ...] = ()
    if replica_set is not None:
        containers = mappings(dig(replica_set, "spec", "template", "spec").get("containers"))
        images = tuple(str(container.get("image")) for container in containers)
    if dig(rollout, "status").get("currentPodHash", pod_hash) != pod_hash:
        rollout = None  # read again after a newer version came: its annotations are that one's
    for thing, found_by in (
        (replica_set, "annotations of the ReplicaSet"),
        (rollout, "annotations of the Rollout"),
    ):
        annotations = dig(thing, "metadata", "annotations")
        if annotations.get(REPO):
            return Version(
                hash=pod_hash,
                images=images,
                repo=str(annotations[REPO]),
                commit=str(annotations[REVISION]) if annotations.get(REVISION) else None,
                path=str(annotations[PATH]) if annotations.get(PATH) else None,
                found_by=found_by,
                confidence="high",
            )
    return Version(hash=pod_hash, images=images)


def manifest_source(bundle: Bundle) -> ManifestSource | None:
    """What the Argo CD Application says; None unless it provably deploys this Rollout from one Git folder.

    The canary came with the deployment next to its ReplicaSet's creation. The stable version's manifests are those of
    the deployment before the first one that brought a version later than it: other canaries may have failed in between
    (argo-contract 3.2, 3.3).
    """
    target = bundle.target
    name = _application_name(bundle)
    for application in bundle.objects("application"):
        if name is None or dig(application, "metadata").get("name") != name:
            continue
        source = dig(application, "spec", "source")
        if not source.get("repoURL") or source.get("chart"):
            return None
        history = sorted(
            (entry for entry in mappings(dig(application, "status").get("history")) if entry.get("revision")),
            key=lambda entry: str(entry.get("deployedAt")),
        )
        created = {
            hash_: when for one in bundle.objects("replicaset") if (hash_ := label(one)) and (when := _created(one))
        }
        canary, stable = _deployments(history, created, target.canary_hash, target.stable_hash)
        if stable < 0:
            return None
        return ManifestSource(
            repo=str(source["repoURL"]),
            path=str(source.get("path") or ""),
            stable=str(history[stable]["revision"]),
            canary=str(history[canary]["revision"]),
        )
    return None


def label(thing: Mapping[str, Any]) -> str | None:
    """The pod template hash that an object belongs to."""
    value = dig(thing, "metadata", "labels").get(HASH_LABEL)
    return str(value) if value is not None else None


def _application_name(bundle: Bundle) -> str | None:
    """From the tracking id, which must name this very Rollout: annotations get copied."""
    target = bundle.target
    for rollout in bundle.objects("rollout"):
        tracking = str(dig(rollout, "metadata", "annotations").get(TRACKING) or "")
        name, _, rest = tracking.partition(":")
        if rest == f"argoproj.io/Rollout:{target.namespace}/{target.rollout}":
            return name.rpartition("_")[2]
    return None


def _deployments(
    history: Sequence[Mapping[str, Any]], created: Mapping[str, datetime], canary: str, stable: str
) -> tuple[int, int]:
    """Where in the history the two versions' manifests stand; the second is negative if that is not known."""
    since = created.get(stable)
    brought = created.get(canary)
    if brought is not None and since is not None and brought < since:
        brought = None  # an old version that was deployed again: its ReplicaSet is as old as it was
    at = _deployment(history, brought) if brought is not None else len(history) - 1
    later = [_deployment(history, when) for when in created.values() if since is not None and when > since]
    return at, min([at, *later]) - 1


def _deployment(history: Sequence[Mapping[str, Any]], created: datetime) -> int:
    """The deployment that brought a ReplicaSet: the nearest in time, else the first one after it, else the last."""
    moments = [parse_time(entry.get("deployedAt")) for entry in history]
    known = [(at, moment) for at, moment in enumerate(moments) if moment is not None]
    near = [(abs(moment - created), at) for at, moment in known if abs(moment - created) <= SYNC_SLACK]
    if near:
        return min(near)[1]
    return next((at for at, moment in known if moment >= created), len(history) - 1)


def _created(thing: Mapping[str, Any]) -> datetime | None:
    return parse_time(dig(thing, "metadata").get("creationTimestamp"))


def parse_time(value: Any) -> datetime | None:
    """A Kubernetes timestamp, in UTC; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def dig(thing: Any, *keys: str) -> Mapping[str, Any]:
    """The mapping at a path of keys, empty where anything on the way is missing or something else."""
    here: Any = thing
    for key in keys:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here if isinstance(here, Mapping) else {}


def mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    """The mappings of a list, empty where it is none: objects come from people, too."""
    return tuple(one for one in value if isinstance(one, Mapping)) if isinstance(value, list) else ()
