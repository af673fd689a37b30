"""The `Cluster` port: what capture asks a cluster, or a folder that serves as one."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Side = Literal["stable", "canary", "none"]
Status = Literal["ok", "empty", "denied", "failed", "truncated", "gone"]
"""What came of asking for something. Only `ok` and `truncated` carry content; no error becomes evidence."""

Kind = Literal[
    "rollout",
    "replicaset",
    "pod",
    "analysisrun",
    "event",
    "configmap",
    "application",
    "experiment",
    "deployment",
    "service",
    "ingress",
    "horizontalpodautoscaler",
    "job",
    "analysistemplate",
    "clusteranalysistemplate",
]
FIRST: tuple[Kind, ...] = ("pod", "rollout", "replicaset", "analysisrun", "experiment")
"""Found by the rollout's name and the two hashes alone, so asked for at once; they name the rest."""
LATER: tuple[Kind, ...] = (
    "event",
    "configmap",
    "application",
    "deployment",
    "service",
    "ingress",
    "horizontalpodautoscaler",
    "job",
    "analysistemplate",
    "clusteranalysistemplate",
)
KINDS: tuple[Kind, ...] = FIRST + LATER


class Related(BaseModel):
    """What the objects of the first answer name: see `agents.evidence.relations`."""

    model_config = ConfigDict(frozen=True)

    names: Mapping[Kind, tuple[str, ...]] = Field(default_factory=dict)
    """Objects that are asked for by name."""
    selector: str = ""
    """`status.selector` of the Rollout: the label selector of all its pods, past versions and experiments included."""
    pod_labels: Mapping[str, str] = Field(default_factory=dict)
    """Labels of the pod template: a Service that selects them is the rollout's."""
    analysis_uids: tuple[str, ...] = ()
    """Uids of AnalysisRuns with a `job` metric: their Jobs and pods are labelled with them."""
    job_namespaces: tuple[str, ...] = ()
    """Other namespaces than the rollout's that those Jobs ran in, as their measurements tell."""
    sides: Mapping[str, Side] = Field(default_factory=dict)
    """Which version an experiment's ReplicaSet runs; its hash is neither of the two."""


class Target(BaseModel):
    """Which rollout to look at: what a cluster needs to find its objects."""

    model_config = ConfigDict(frozen=True)

    cluster: str
    namespace: str
    rollout: str
    canary_hash: str
    stable_hash: str
    uid: str = ""
    """Of the Rollout; empty where it is not known."""
    revision: str = ""
    related: Related | None = None
    """None in the first question, when nothing is known yet."""


class Objects(BaseModel):
    """The answer to a list of one kind: Kubernetes objects as the API returns them."""

    model_config = ConfigDict(frozen=True)

    status: Status
    reason: str | None = None
    objects: tuple[dict[str, Any], ...] = ()


class Cut(BaseModel):
    """How much of an item was kept when it was too large: lines kept, lines there were, and the rule."""

    model_config = ConfigDict(frozen=True)

    kept: int
    of: int
    how: str


class LogText(BaseModel):
    """The answer to a log request. `text` is raw: it must pass `seal` before it is stored anywhere."""

    model_config = ConfigDict(frozen=True)

    status: Status
    reason: str | None = None
    text: str = ""
    cut: Cut | None = None
    """Where lines were left out already, each place with a line that says so, and it is known how many."""


class LogSource(BaseModel):
    """One container's log, current or previous."""

    model_config = ConfigDict(frozen=True)

    side: Side
    pod: str
    container: str
    previous: bool = False
    namespace: str = ""
    """Where the pod is, if not in the rollout's namespace."""

    @property
    def item_id(self) -> str:
        """The item's id in the bundle, which is its path without the extension."""
        return f"logs/{self.side}/{self.pod}/{self.container}{'.previous' if self.previous else ''}"


class Cluster(Protocol):
    """What capture reads from; one instance serves every cluster that is configured."""

    async def find(self, cluster: str, namespace: str, rollout: str) -> Objects:
        """The Rollout of that name as it is now, for callers that know only the name."""
        ...

    async def read(self, cluster: str, kind: Kind, namespace: str, name: str) -> Objects:
        """One object by its name, for what a notification names and no rollout is known of yet."""
        ...

    async def objects(self, target: Target, kind: Kind) -> Objects:
        """The objects of one kind that belong to the rollout; both sides, oldest first.

        A kind of `LATER` is asked for with `target.related`. One of `FIRST` that is asked for with it answers with
        what the first answer could not hold: experiments' pods and runs, pods of job metrics, older ReplicaSets.
        """
        ...

    async def log(self, target: Target, source: LogSource) -> LogText:
        """A container's log, with the timestamps that the kubelet puts before each line where it has them."""
        ...
