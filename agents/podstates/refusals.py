"""What the API server says where it refuses to create a version's pods: on the ReplicaSet, and in its events.

Quota, limit ranges, admission and a few more refuse in the same place (`FailedCreate`); one analyzer each reads it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from agents.evidence import Citation
from agents.evidence.origin import dig
from agents.podstates.scene import Scene, int_in, text_in


class Refusal(NamedTuple):
    """A message of the API server, and where it stands."""

    message: str
    citation: Citation


def refusals(scene: Scene) -> Iterator[Refusal]:
    """The refusals that still stand: the ReplicaSet says so, or there is no pod at all."""
    replica_set = scene.replica_set
    conditions = dig(replica_set.object, "status").get("conditions") if replica_set else None
    standing = not scene.pods
    for at, condition in enumerate(conditions if isinstance(conditions, list) else []):
        if isinstance(condition, dict) and condition.get("type") == "ReplicaFailure" and replica_set is not None:
            standing = True
            message = text_in(condition, "message")
            if message and condition.get("status") != "False":
                yield Refusal(
                    message, Citation(ref=f"{replica_set.item}#/status/conditions/{at}/message", quote=message)
                )
    if replica_set is not None and not standing:
        status, spec = dig(replica_set.object, "status"), dig(replica_set.object, "spec")
        standing = (int_in(status, "replicas") or 0) < (int_in(spec, "replicas") or 0)
    if standing:
        for event in scene.events:
            if event.reason in {"FailedCreate", "ReplicaSetCreateError"}:
                yield Refusal(event.message, event.citation)
