"""One failed canary: its identity, the states of an attempt at it, and the names derived from both.

Owns the key that every side effect is found by, so that a notification delivered twice, a crash and a
retry all converge on one incident, one branch and one pull request (DESIGN: "One identity").
"""

import hashlib
import re
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?"
"""What a cluster, namespace, rollout, uid or hash may look like; every Kubernetes name does. Names become parts of
paths, branches and keys, so nothing else is taken for one."""


PIN_SUFFIX = "-pin"


class Incident(BaseModel):
    """A canary of one rollout that failed, on one cluster. The cluster comes from the caller's token."""

    model_config = ConfigDict(frozen=True)

    cluster: str
    namespace: str
    rollout: str
    uid: str
    canary_hash: str
    """`status.currentPodHash`: the failed version's ReplicaSet hash."""
    revision: str
    """Annotation `rollout.argoproj.io/revision`."""
    stable_hash: str
    """`status.stableRS`: the known-good twin."""

    @property
    def key(self) -> str:
        return incident_key(self.cluster, self.namespace, self.uid, self.canary_hash, self.revision)

    @property
    def branch(self) -> str:
        return branch_name(self.rollout, self.key)


def incident_key(cluster: str, namespace: str, uid: str, canary_hash: str, revision: str) -> str:
    """32 hex digits; the parts are separated by NUL, which no Kubernetes name can contain."""
    parts = (cluster, namespace, uid, canary_hash, revision)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def branch_name(rollout: str, key: str) -> str:
    """The one branch of an incident, whatever the attempt."""
    name = re.sub(r"[^A-Za-z0-9-]+", "-", rollout).strip("-")[:60] or "rollout"
    return f"selfheal/{name}-{key[:10]}"


def pin_branch_name(rollout: str, key: str) -> str:
    """The branch of the incident's pin to the stable version, beside the one of its fix."""
    return f"{branch_name(rollout, key)}{PIN_SUFFIX}"


def attempt_id(key: str, number: int) -> str:
    """Names the workflow, the graph thread and the bundle of attempt `number` (from 1)."""
    return f"{key}-{number}"


class Promotion(BaseModel):
    """A version of a rollout that passed its canary and is the stable one now."""

    model_config = ConfigDict(frozen=True)

    cluster: str
    namespace: str
    rollout: str
    pod_hash: str
    revision: str

    def heals(self, incident: Incident) -> bool:
        """Whether the rollout has come further than where it stood when the canary failed.

        Back on the version that was stable then, nothing is healed: the next deployment fails again.
        """
        same = (self.cluster, self.namespace, self.rollout) == (incident.cluster, incident.namespace, incident.rollout)
        return same and self.pod_hash != incident.stable_hash


class State(StrEnum):
    """Where an attempt stands. Its values are the graph's node names wherever a node runs."""

    RECEIVED = "received"
    CAPTURING = "capturing"
    DIAGNOSING = "diagnosing"
    FIXING = "fixing"
    VERIFYING = "verifying"
    PUBLISHING = "publishing"
    PROPOSED = "proposed"
    REPORTED = "reported"
    FAILED = "failed"


IN_PROGRESS = frozenset(
    {
        State.RECEIVED,
        State.CAPTURING,
        State.DIAGNOSING,
        State.FIXING,
        State.VERIFYING,
        State.PUBLISHING,
    }
)
"""States in which somebody is working on the attempt; a manual trigger joins it."""

FINAL = frozenset({State.REPORTED, State.FAILED})
"""A final state never changes; a retry opens a new attempt."""

NEXT: dict[State, frozenset[State]] = {
    State.RECEIVED: frozenset({State.CAPTURING, State.FAILED}),
    State.CAPTURING: frozenset({State.DIAGNOSING, State.FAILED}),
    State.DIAGNOSING: frozenset({State.FIXING, State.PUBLISHING, State.FAILED}),
    State.FIXING: frozenset({State.VERIFYING, State.PUBLISHING, State.FAILED}),
    State.VERIFYING: frozenset({State.FIXING, State.PUBLISHING, State.FAILED}),
    State.PUBLISHING: frozenset({State.PROPOSED, State.REPORTED, State.FAILED}),
    State.PROPOSED: frozenset({State.FAILED}),
    State.REPORTED: frozenset(),
    State.FAILED: frozenset(),
}
"""The legal transitions. Entering the state one is already in is legal too: stages are repeated."""


class Attempt(BaseModel):
    """One run at an incident. `<key>-<number>` names its workflow, graph thread and bundle."""

    model_config = ConfigDict(frozen=True)

    incident: Incident
    number: int
    state: State
    opened_by: str
    """`notification:<trigger>` or the name of the API token."""
    opened_at: datetime
    aborted_at: datetime | None = None
    """The abort that this attempt is about, once known; a later one opens the next attempt."""
    detail: str | None = None
    """Why it ended as it did, in one line."""

    @property
    def id(self) -> str:
        return attempt_id(self.incident.key, self.number)
