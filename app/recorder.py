"""The flight recorder: follows the logs of canaries in progress, so that nothing depends on winning a race.

Memory is bounded twice: a log keeps its newest lines and its first error, and all of them together have one limit.
Nothing is written to disk: the lines are raw until a bundle is sealed.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, Literal, NamedTuple

import structlog

from agents.errors import Transient
from agents.evidence import LogSource, Side, Target
from agents.evidence.origin import HASH_LABEL, dig, label, mappings
from agents.evidence.recording import Recording, time_of
from agents.evidence.sealing import ERROR, FIRST_ERROR_LINES
from app.listening import Feed, Listener

Mode = Literal["off", "canary", "all"]
LINES_BEFORE = 500
"""Lines of a log from before it is followed."""
LOG_BYTES = 1024 * 1024
LONGEST_LINE = 16 * 1024
MOST_ROLLOUTS = 2000
KEPT_SECONDS = 600.0
"""How long what was recorded is kept once nothing changes in it any more and the canary is over."""

log = structlog.get_logger(__name__)


class Version(NamedTuple):
    """One version of one rollout, by what its pods carry."""

    cluster: str
    namespace: str
    hash: str


class Log:
    """The newest lines of one container's log, and its first error."""

    def __init__(self, source: LogSource) -> None:
        self.source = source
        self.lines: deque[str] = deque()
        self.first_error: list[str] = []
        self.bytes = 0
        self.changed_at = 0.0
        self.latest = ""
        self._heard: tuple[str, frozenset[str]] = ("", frozenset())
        self.task: asyncio.Task[None] | None = None

    def reopen(self) -> None:
        """A new stream begins with lines that an earlier one told already: up to this time, and these of that time."""
        last = frozenset(line for line in self.lines if time_of(line) == self.latest)
        self._heard = (self.latest, last)

    def add(self, line: str, at: float) -> int:
        """One line, and by how much more is held now. The lines of one trace can all have the same time."""
        line = line[:LONGEST_LINE]
        time, before = time_of(line), self.bytes
        until, last = self._heard
        if time and (time < until or (time == until and line in last)):
            return 0
        self.latest = max(time, self.latest)
        if len(self.first_error) < FIRST_ERROR_LINES and (self.first_error or ERROR.search(line)):
            self.first_error.append(line)
            self.bytes += len(line)
        self.lines.append(line)
        self.bytes += len(line)
        self.changed_at = at
        while self.bytes > LOG_BYTES and self.lines:
            self.shed()
        return self.bytes - before

    def clear(self) -> int:
        """Let go of everything; how much that was."""
        size, self.bytes = self.bytes, 0
        self.lines.clear()
        self.first_error.clear()
        return size

    def shed(self) -> int:
        """Let go of the oldest line; its size."""
        size = len(self.lines.popleft()) if self.lines else 0
        self.bytes -= size
        return size

    @property
    def text(self) -> str:
        first = set(self.lines)
        return "".join(f"{line}\n" for line in (*(one for one in self.first_error if one not in first), *self.lines))


class Recorder:
    """Follows what the settings say: nothing, canaries, or stable pods too while a canary is in progress."""

    def __init__(
        self, feed: Feed, mode: Mode, namespaces: tuple[str, ...], most_streams: int = 100, most_bytes: int = 64 << 20
    ) -> None:
        self._feed = feed
        self._mode = mode
        self._most_streams = most_streams
        self._most_bytes = most_bytes
        self._versions: dict[Version, tuple[str, Side]] = {}
        """Versions in progress: the rollout's name, and which side the version is."""
        self._logs: dict[tuple[str, str, str, str], Log] = {}
        """By cluster, namespace, pod and container."""
        self._pods: dict[tuple[str, str, str], dict[str, Any]] = {}
        """Of versions in progress alone: a cluster has thousands of others."""
        self._arrivals: set[asyncio.Task[None]] = set()
        self.bytes = 0
        """Characters of log that are held."""
        self.listeners = [
            Listener(feed, cluster, "pod", namespace, HASH_LABEL, self._seer(cluster))
            for cluster in (feed.names if mode != "off" else ())
            for namespace in namespaces
        ]

    @property
    def streams(self) -> int:
        """Logs that are followed now."""
        return sum(one.task is not None and not one.task.done() for one in self._logs.values())

    async def run(self) -> None:
        """Until cancelled; then nothing is followed any more."""
        try:
            await asyncio.gather(*(listener.keep_listening() for listener in self.listeners), self._keep_house())
        finally:
            tasks = [*self._arrivals, *(one.task for one in self._logs.values() if one.task is not None)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def see_rollout(self, cluster: str, rollout: dict[str, Any]) -> None:
        """Learn which versions are in progress; the pods of a new one that are running already are followed at once."""
        status, metadata = dig(rollout, "status"), dig(rollout, "metadata")
        canary, stable = str(status.get("currentPodHash") or ""), str(status.get("stableRS") or "")
        namespace, name = str(metadata.get("namespace")), str(metadata.get("name"))
        if self._mode == "off" or not canary or not stable:
            return
        wanted: dict[Version, tuple[str, Side]] = {}
        if canary != stable:
            wanted[Version(cluster, namespace, canary)] = name, "canary"
            if self._mode == "all":
                wanted[Version(cluster, namespace, stable)] = name, "stable"
        for version, (owner, _) in list(self._versions.items()):
            if version[:2] == (cluster, namespace) and owner == name and version not in wanted:
                del self._versions[version]
        for version, what in wanted.items():
            if version not in self._versions and len(self._versions) < MOST_ROLLOUTS:
                self._versions[version] = what
                arrival = asyncio.create_task(self._arrive(version, name))
                self._arrivals.add(arrival)
                arrival.add_done_callback(self._arrivals.discard)

    def recording(self, target: Target) -> Recording:
        """What was heard of a canary that failed, and of its stable twin where that was followed as well."""
        sides: dict[str, Side] = {target.canary_hash: "canary", target.stable_hash: "stable"}
        pods: list[dict[str, Any]] = []
        logs: dict[LogSource, str] = {}
        for (cluster, namespace, name), pod in self._pods.items():
            side = sides.get(label(pod) or "")
            if (cluster, namespace) != (target.cluster, target.namespace) or side is None:
                continue
            if not _is_of(pod, target.rollout):
                continue
            mine = [one for key, one in self._logs.items() if key[:3] == (cluster, namespace, name) and one.lines]
            logs |= {one.source.model_copy(update={"side": side}): one.text for one in mine}
            if mine or side == "canary":
                pods.append(pod)
        return Recording(logs=logs, pods=tuple(pods))

    async def _arrive(self, version: Version, rollout: str) -> None:
        """The pods that a version has already, which the watch may have told of before it was in progress."""
        target = Target(
            cluster=version.cluster,
            namespace=version.namespace,
            rollout=rollout,
            canary_hash=version.hash,
            stable_hash=version.hash,
        )
        for pod in (await self._feed.objects(target, "pod")).objects:
            self._see_pod(version.cluster, pod)

    def _seer(self, cluster: str) -> Any:
        async def see(pod: dict[str, Any]) -> None:
            self._see_pod(cluster, pod)

        return see

    def _see_pod(self, cluster: str, pod: dict[str, Any]) -> None:
        """Keep a pod's state, and follow every container of it that runs, if its version is in progress."""
        metadata = dig(pod, "metadata")
        namespace, name = str(metadata.get("namespace")), str(metadata.get("name"))
        version = self._versions.get(Version(cluster, namespace, label(pod) or ""))
        if version is None or not _is_of(pod, version[0]):
            return
        self._pods[cluster, namespace, name] = pod
        for container, restarts in _running(pod).items():
            source = LogSource(side=version[1], pod=name, container=container, previous=True)
            earlier = (cluster, namespace, name, f"{container}.previous")
            if restarts and earlier not in self._logs and (cluster, namespace, name, container) not in self._logs:
                before = self._logs[earlier] = Log(source)
                before.changed_at = _clock()
                before.task = asyncio.create_task(self._recall(cluster, namespace, before))
            key = (cluster, namespace, name, container)
            known = self._logs.get(key)
            if known is None:
                known = self._logs[key] = Log(source.model_copy(update={"previous": False}))
                known.changed_at = _clock()
            if known.task is None or known.task.done():
                work = self._follow if self._has_room() else self._recall  # what there is now is read in any case
                known.task = asyncio.create_task(work(cluster, namespace, known))

    async def _follow(self, cluster: str, namespace: str, known: Log) -> None:
        """One stream, to its end: the container's, or that of the connection, after which the pod is seen again."""
        known.reopen()
        try:
            async with aclosing(self._feed.follow_log(cluster, namespace, known.source, LINES_BEFORE)) as lines:
                async for line in lines:
                    self.bytes += known.add(line, _clock())
                    if self.bytes > self._most_bytes:
                        self._shed()
        except Transient as error:
            log.info("a log cannot be followed", item=known.source.item_id, reason=str(error))

    async def _recall(self, cluster: str, namespace: str, before: Log) -> None:
        """What a container wrote so far: before its last restart, or where nothing more may be followed."""
        before.reopen()
        target = Target(cluster=cluster, namespace=namespace, rollout="", canary_hash="", stable_hash="")
        for line in (await self._feed.log(target, before.source)).text.splitlines():
            self.bytes += before.add(line, _clock())
        if self.bytes > self._most_bytes:
            self._shed()

    def _has_room(self) -> bool:
        """Whether one more stream may be opened; the one that has been silent for longest makes room for it.

        One that has told nothing yet is not silent: it has only just been opened.
        """
        running = [one for one in self._logs.values() if one.task is not None and not one.task.done()]
        if len(running) < self._most_streams:
            return True
        told = [one for one in running if one.lines]
        quietest = min(told, key=lambda one: one.changed_at, default=None)
        if quietest is None or quietest.task is None:
            return False
        quietest.task.cancel()
        quietest.task = None
        return True

    def _shed(self) -> None:
        """Let go of lines of the logs that have been silent for longest, a tenth of the limit at once."""
        enough = self._most_bytes * 9 // 10
        for one in sorted(self._logs.values(), key=lambda one: one.changed_at):
            while self.bytes > enough and one.lines:
                self.bytes -= one.shed()
            if self.bytes > enough:
                self.bytes -= one.clear()

    async def _keep_house(self) -> None:
        """Forget what is over: first the streams of versions that are done with, later what they held."""
        while True:
            await asyncio.sleep(KEPT_SECONDS / 10)
            self.forget(_clock() - KEPT_SECONDS)

    def forget(self, before: float) -> None:
        """Drop what did not change since `before` of versions that are no longer in progress."""
        for place, pod in list(self._pods.items()):
            if Version(*place[:2], label(pod) or "") in self._versions:
                continue
            logs = {key: one for key, one in self._logs.items() if key[:3] == place}
            if any(one.changed_at >= before for one in logs.values()):
                continue
            for key, one in logs.items():
                if one.task is not None:
                    one.task.cancel()
                self.bytes -= one.clear()
                del self._logs[key]
            del self._pods[place]


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _is_of(pod: Mapping[str, Any], rollout: str) -> bool:
    owners = [owner.get("name") for owner in mappings(dig(pod, "metadata").get("ownerReferences"))]
    return f"{rollout}-{label(pod)}" in owners


def _running(pod: Mapping[str, Any]) -> dict[str, int]:
    """Containers that have a log by now, with how often they were restarted.

    One that waits to be started again still has the log of its last run.
    """
    status = dig(pod, "status")
    groups = ("initContainerStatuses", "containerStatuses")
    begun = {"running", "terminated"}
    return {
        str(one.get("name")): int(one.get("restartCount") or 0)
        for group in groups
        for one in mappings(status.get(group))
        if (dig(one, "state").keys() | dig(one, "lastState").keys()) & begun
    }
