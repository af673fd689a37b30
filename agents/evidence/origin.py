"""Which code is that: read from the captured objects alone, with how it was found and how far that can be trusted.

Each version's ReplicaSet keeps the annotations of its time, and those of its pod template; what the pod template says
was written with the image, what the Rollout says is the newest version's. Nothing here is verified against a
repository yet: `agents.provenance` does that.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.evidence.nouns import Trust, Version

HASH_LABEL = "rollouts-pod-template-hash"
OURS = ("selfheal.io/source-repo", "selfheal.io/source-revision")
PATH = "selfheal.io/source-path"
OCI = ("org.opencontainers.image.source", "org.opencontainers.image.revision")
OPENSHIFT = ("app.openshift.io/vcs-uri", "app.openshift.io/vcs-ref")
"""Beware: people also write the GitOps repository and a branch there, which is why it counts for less."""


class SourceClaim(BaseModel):
    """What something says about the code of a version. Either part may be missing, and either may be wrong."""

    model_config = ConfigDict(frozen=True)

    repo: str | None
    revision: str | None
    path: str | None = None
    found_by: str
    confidence: Trust
    for_us: bool = False
    """Written down for this service: then even a branch means something."""


def annotation_claims(
    pod_hash: str, replica_set: Mapping[str, Any] | None, rollout: Mapping[str, Any] | None
) -> Iterator[SourceClaim]:
    """What the annotations say, the most trusted first. `rollout` is read for the version that it describes now."""
    if dig(rollout, "status").get("currentPodHash", pod_hash) != pod_hash:
        rollout = None  # read again after a newer version came: its annotations are that one's
    own, pods = (
        dig(replica_set, "metadata", "annotations"),
        dig(replica_set, "spec", "template", "metadata", "annotations"),
    )
    newest, template = (
        dig(rollout, "metadata", "annotations"),
        dig(rollout, "spec", "template", "metadata", "annotations"),
    )
    trusted: Trust = "high"
    for annotations, found_by, (keys, confidence) in (
        (own, "annotations of the ReplicaSet", (OURS, trusted)),
        (newest, "annotations of the Rollout", (OURS, trusted)),
        (pods, "annotations of the pod template", (OURS, trusted)),
        (template, "annotations of the Rollout's pod template", (OURS, trusted)),
        *(
            (annotations, f"{names} annotations of the {place}", known)
            for names, known in (("image", (OCI, "medium")), ("OpenShift", (OPENSHIFT, "low")))
            for annotations, place in (
                (pods, "pod template"),
                (own, "ReplicaSet"),
                (template, "Rollout's pod template"),
            )
        ),
    ):
        repo, revision = (str(annotations[key]) if annotations.get(key) else None for key in keys)
        if repo is not None:
            path = str(annotations[PATH]) if annotations.get(PATH) else None
            yield SourceClaim(
                repo=repo,
                revision=revision,
                path=path,
                found_by=found_by,
                confidence=confidence,
                for_us=keys == OURS,
            )


def version_of(pod_hash: str, replica_sets: Iterable[Mapping[str, Any]], rollout: Mapping[str, Any] | None) -> Version:
    """One side, from its ReplicaSet's annotations; `rollout` (the canary side only) fills what that lacks."""
    replica_set = next((one for one in replica_sets if label(one) == pod_hash), None)
    containers = mappings(dig(replica_set, "spec", "template", "spec").get("containers"))
    version = Version(hash=pod_hash, images=tuple(str(container.get("image")) for container in containers))
    claim = next(annotation_claims(pod_hash, replica_set, rollout), None)
    if claim is None:
        return version
    return version.model_copy(
        update={
            "repo": claim.repo,
            "commit": claim.revision,
            "path": claim.path,
            "found_by": claim.found_by,
            "confidence": claim.confidence,
        }
    )


def label(thing: Mapping[str, Any]) -> str | None:
    """The pod template hash that an object belongs to."""
    value = dig(thing, "metadata", "labels").get(HASH_LABEL)
    return str(value) if value is not None else None


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
