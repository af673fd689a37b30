"""The `Cluster` port: what capture asks a cluster, or a folder that serves as one."""

from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

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
]
KINDS: tuple[Kind, ...] = (
    "rollout",
    "replicaset",
    "pod",
    "analysisrun",
    "event",
    "configmap",
    "application",
)


class Target(BaseModel):
    """Which rollout to look at: what a cluster needs to find its objects."""

    model_config = ConfigDict(frozen=True)

    cluster: str
    namespace: str
    rollout: str
    canary_hash: str
    stable_hash: str


class Objects(BaseModel):
    """The answer to a list of one kind: Kubernetes objects as the API returns them."""

    model_config = ConfigDict(frozen=True)

    status: Status
    reason: str | None = None
    objects: tuple[dict[str, Any], ...] = ()


class LogText(BaseModel):
    """The answer to a log request. `text` is raw: it must pass `seal` before it is stored anywhere."""

    model_config = ConfigDict(frozen=True)

    status: Status
    reason: str | None = None
    text: str = ""


class LogSource(BaseModel):
    """One container's log, current or previous."""

    model_config = ConfigDict(frozen=True)

    side: Side
    pod: str
    container: str
    previous: bool = False

    @property
    def item_id(self) -> str:
        """The item's id in the bundle, which is its path without the extension."""
        return f"logs/{self.side}/{self.pod}/{self.container}{'.previous' if self.previous else ''}"


class Cluster(Protocol):
    """What capture reads from; one instance serves every cluster that is configured."""

    async def find(self, cluster: str, namespace: str, rollout: str) -> Objects:
        """The Rollout of that name as it is now, for callers that know only the name."""
        ...

    async def objects(self, target: Target, kind: Kind) -> Objects:
        """The objects of one kind that belong to the rollout; both sides, oldest first."""
        ...

    async def log(self, target: Target, source: LogSource) -> LogText:
        """A container's log, with the timestamps that the kubelet puts before each line where it has them."""
        ...
