"""The nouns of pod states: what is wrong with a pod, a ReplicaSet or an analysis, and which field would explain it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.evidence import Citation

StateKind = Literal[
    "crash",
    "cannot-start",
    "oom",
    "image-pull",
    "config-reference",
    "probe",
    "unschedulable",
    "quota",
    "volume",
    "permission",
    "admission",
    "evicted",
    "deadline",
    "slow-start",
    "slow",
    "dependency",
    "failed-job",
    "metric-query",
    "metric-unreachable",
]
StateCategory = Literal["config", "infrastructure", "analysis", "code"]
Sense = Literal["any", "lower", "higher", "gone", "added", "registry", "repository"]
"""How a field has to have changed; the last two are about an image: its registry, its name but for the tag."""

NEVER_RAN = 9.0
"""The container was never started: whatever the logs of others say, this is why it failed."""
KILLED = 7.0
"""It was stopped from outside: by the kernel, the kubelet or a probe."""
SAID = 5.0
"""The program itself says what is missing."""
ENDED = 3.0
"""It ended, and that is all that the state tells."""
CONSEQUENCE = 1.0
"""What follows from any other state."""


class Wanted(BaseModel):
    """A field whose change would explain a state.

    `field` is a path below the pod's `spec` in which `*` stands for one segment, and at the end `**` for any that
    follow; for another `kind` of object it is a path from the object's root.
    """

    model_config = ConfigDict(frozen=True)

    field: str
    sense: Sense = "any"
    """How it has to have changed."""
    kind: str | None = None
    """Of the object that has the field; None for the pod template."""
    name: str | None = None
    """Of that object, as it is deployed."""
    value: str | None = None
    """The value that it has to have now, or that was taken away, where only that explains the state."""
    is_weak: bool = False
    """Whether such a change often has nothing to do with it."""


class State(BaseModel):
    """Something that is wrong, as the objects, events or logs tell it."""

    model_config = ConfigDict(frozen=True)

    kind: StateKind
    category: StateCategory
    """Where the cause lies if no change explains it."""
    sentence: str
    """What is wrong, for a reader who knows Kubernetes; without a value that may be a secret."""
    evidence: tuple[Citation, ...]
    weight: float
    container: str | None = None
    subject: str = ""
    """What it is about, so that two versions can be told to have the same: a probe, a host, a key."""
    wanted: tuple[Wanted, ...] = ()
    """What would explain it, likeliest first."""
    names: tuple[str, ...] = ()
    """Literals that a change of the source which explains it would hold: a path, a file, a setting."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What makes two states the same."""
        return self.kind, self.container or "", self.subject
