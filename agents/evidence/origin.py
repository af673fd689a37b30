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
        containers = _dig(replica_set, "spec", "template", "spec").get("containers") or []
        images = tuple(str(container.get("image")) for container in containers)
    for thing, found_by in (
        (replica_set, "annotations of the ReplicaSet"),
        (rollout, "annotations of the Rollout"),
    ):
        annotations = _dig(thing or {}, "metadata", "annotations")
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

    The canary came with the first deployment at or after its ReplicaSet's creation, the stable version with the one
    before (argo-contract 3.2, 3.3).
    """
    target = bundle.target
    name = _application_name(bundle)
    for application in bundle.objects("application"):
        if name is None or _dig(application, "metadata").get("name") != name:
            continue
        source = _dig(application, "spec", "source")
        if not source.get("repoURL") or source.get("chart"):
            return None
        history = sorted(
            (entry for entry in _dig(application, "status").get("history") or [] if entry.get("revision")),
            key=lambda entry: str(entry.get("deployedAt")),
        )
        at = _canary_deployment(history, _created(bundle, target.canary_hash))
        if at is None or at == 0:
            return None
        return ManifestSource(
            repo=str(source["repoURL"]),
            path=str(source.get("path") or ""),
            stable=str(history[at - 1]["revision"]),
            canary=str(history[at]["revision"]),
        )
    return None


def label(thing: Mapping[str, Any]) -> str | None:
    """The pod template hash that an object belongs to."""
    value = _dig(thing, "metadata", "labels").get(HASH_LABEL)
    return str(value) if value is not None else None


def _application_name(bundle: Bundle) -> str | None:
    """From the tracking id, which must name this very Rollout: annotations get copied."""
    target = bundle.target
    for rollout in bundle.objects("rollout"):
        tracking = str(_dig(rollout, "metadata", "annotations").get(TRACKING) or "")
        name, _, rest = tracking.partition(":")
        if rest == f"argoproj.io/Rollout:{target.namespace}/{target.rollout}":
            return name.rpartition("_")[2]
    return None


def _canary_deployment(history: Sequence[Mapping[str, Any]], created: datetime | None) -> int | None:
    if not history:
        return None
    if created is not None:
        for at, entry in enumerate(history):
            deployed = parse_time(entry.get("deployedAt"))
            if deployed is not None and deployed >= created - SYNC_SLACK:
                return at
    return len(history) - 1


def _created(bundle: Bundle, pod_hash: str) -> datetime | None:
    for replica_set in bundle.objects("replicaset"):
        if label(replica_set) == pod_hash:
            return parse_time(_dig(replica_set, "metadata").get("creationTimestamp"))
    return None


def parse_time(value: Any) -> datetime | None:
    """A Kubernetes timestamp, in UTC; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _dig(thing: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    """The mapping at a path of keys, empty where anything on the way is missing or something else."""
    here: Any = thing
    for key in keys:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here if isinstance(here, Mapping) else {}
