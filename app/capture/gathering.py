"""Asking a cluster for everything at once, within a deadline; what has come by then is kept, the rest is a named gap.

Pods come first, because they name the logs, and logs are what is gone first: a crash loop's within 0.3 s of the
webhook (FINDINGS 1). Everything else runs beside them.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agents.evidence import FIRST, LATER, Cluster, Kind, LogSource, LogText, Objects, Side, Status, Target
from agents.evidence.origin import dig, mappings
from agents.evidence.recording import Ending, Recording, endings, join
from agents.evidence.relations import is_of_job, relate, side_of
from agents.incident import NAME

DEADLINE_SECONDS = 10.0
SETTLE_SECONDS = 8.0
"""How long the Rollout is read again until it tells of the abort: that comes 14 to 67 ms after the webhook, but 10 s
after it where another receiver holds the controller up (FINDINGS 1 and 3)."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
MOST_PODS: Mapping[Side, int] = {"canary": 40, "stable": 20, "none": 10}
"""Pods of each side whose logs are asked for."""
AGAIN: tuple[Kind, ...] = ("analysisrun", "pod", "event")
"""Read again once the abort is visible: the first answer is from before it."""
IS_NAME = re.compile(NAME)
SETTLED = frozenset({"Degraded", "Healthy"})
INCONCLUSIVE = frozenset({"InconclusiveAnalysisRun", "InconclusiveExperiment"})


class Gathering:
    """What one capture has found so far. `run` may be cancelled at any moment; `finish` names what is missing then."""

    def __init__(self, cluster: Cluster, target: Target) -> None:
        self._cluster = cluster
        self.target = target
        self.objects: dict[Kind, Objects] = {}
        self.logs: dict[LogSource, LogText] = {}
        self.left_out: dict[Side, int] = {}
        self._asked: set[Kind] = set()
        self._opened: dict[LogSource, None] = {}

    async def gather(self, seconds: float = DEADLINE_SECONDS) -> None:
        """Everything, or what has come after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._run()
        except TimeoutError:
            pass
        reason = f"no answer within {seconds:g} s"
        for kind in self._asked - self.objects.keys():
            self.objects[kind] = Objects(status="failed", reason=reason)
        for source in self._opened:
            self.logs.setdefault(source, LogText(status="failed", reason=reason))

    def add(self, recording: Recording) -> None:
        """What was recorded while the pods still ran, where it says more than they do now."""
        self._append("pod", new_states(self._found("pod"), recording.pods))
        known = {_uid(event) for event in self._found("event")}
        self._append("event", [event for event in recording.events if _uid(event) not in known])
        for source, text in recording.logs.items():
            self.logs[source] = join(self.logs.get(source), text)

    def _found(self, kind: Kind) -> tuple[dict[str, Any], ...]:
        return self.objects[kind].objects if kind in self.objects else ()

    def _append(self, kind: Kind, things: Sequence[dict[str, Any]]) -> None:
        """Behind what was found: of two states of one object the later one comes first."""
        if not things:
            return
        found = self.objects.get(kind, Objects(status="empty"))
        status: Status = "ok" if found.status in {"ok", "empty"} else "truncated"
        self.objects[kind] = Objects(status=status, reason=found.reason, objects=(*found.objects, *things))

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as work:
            async with asyncio.TaskGroup() as first:
                for kind in FIRST:
                    first.create_task(self._ask(kind, work))
            found = {kind: self.objects[kind].objects for kind in FIRST}
            self.target = self.target.model_copy(update={"related": relate(found, self.target)})
            settling = work.create_task(self._settle())
            async with asyncio.TaskGroup() as later:
                for kind in LATER:
                    later.create_task(self._ask(kind, work))
                for kind in self._incomplete():
                    later.create_task(self._ask(kind, work))
            await self._ask_for_late_jobs(work)
            if await settling:
                for kind in AGAIN:
                    work.create_task(self._ask_first(kind))

    async def _ask_for_late_jobs(self, work: asyncio.TaskGroup) -> None:
        """An experiment's AnalysisRuns were not in the first answer: their Jobs are not known before the second."""
        before = self.target.related
        found = {kind: self.objects[kind].objects for kind in FIRST}
        related = relate(found, self.target)
        if before is None or related.analysis_uids == before.analysis_uids:
            return
        self.target = self.target.model_copy(update={"related": related})
        async with asyncio.TaskGroup() as late:
            late.create_task(self._ask("job", work))
            late.create_task(self._ask("pod", work))

    def _incomplete(self) -> Iterable[Kind]:
        """Kinds whose first answer could not hold everything."""
        related = self.target.related
        if related is None:
            return
        if related.selector:
            yield "replicaset"
        if related.names.get("experiment") or related.analysis_uids:
            yield "pod"
        if related.names.get("analysisrun"):
            yield "analysisrun"

    async def _ask(self, kind: Kind, work: asyncio.TaskGroup) -> None:
        self._asked.add(kind)
        answer = await self._cluster.objects(self.target, kind)
        self._keep(kind, answer)
        if kind == "pod":
            self._open_logs(answer.objects, work)

    async def _ask_first(self, kind: Kind) -> None:
        """The first question once more; where it fails now, the first answer stands."""
        related = self.target.related if kind == "event" else None
        answer = await self._cluster.objects(self.target.model_copy(update={"related": related}), kind)
        if answer.objects:
            self._keep(kind, answer)

    def _open_logs(self, pods: Iterable[dict[str, Any]], work: asyncio.TaskGroup) -> None:
        counts: dict[Side, int] = dict.fromkeys(MOST_PODS, 0)
        for pod in sorted(pods, key=lambda pod: side_of(pod, self.target) != "canary"):
            side = side_of(pod, self.target)
            if side == "none" and not is_of_job(pod, self.target):
                continue
            sources = [source for source in log_sources(pod, side, self.target.namespace) if source not in self._opened]
            if sources and counts[side] >= MOST_PODS[side]:
                self.left_out[side] = self.left_out.get(side, 0) + 1
                continue
            counts[side] += bool(sources)
            for source in sources:
                self._opened[source] = None
                work.create_task(self._read(source))

    async def _read(self, source: LogSource) -> None:
        self.logs[source] = await self._cluster.log(self.target, source)

    async def _settle(self) -> bool:
        """Read the Rollout until it tells how this canary ended; True if that was not so at first."""
        loop = asyncio.get_running_loop()
        until, pause, waited = loop.time() + SETTLE_SECONDS, FIRST_PAUSE, False
        while not is_settled(self.objects["rollout"].objects, self.target) and loop.time() < until:
            waited = True
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            answer = await self._cluster.objects(self.target, "rollout")
            if answer.objects:
                self._keep("rollout", answer)
        return waited

    def _keep(self, kind: Kind, answer: Objects) -> None:
        """Add an answer to what is known of its kind; an object that is known already is replaced."""
        before = self.objects.get(kind)
        if before is None:
            self.objects[kind] = answer
            return
        merged = {_identity(thing, at): thing for at, thing in enumerate((*before.objects, *answer.objects))}
        parts = [part for part in (before, answer) if part.status not in {"ok", "empty"}]
        status = before.status if parts else "ok" if merged else "empty"
        if parts:
            status = "truncated" if merged else parts[0].status
        reason = parts[0].reason if parts else None
        self.objects[kind] = Objects(status=status, reason=reason, objects=tuple(merged.values()))


def log_sources(pod: Mapping[str, Any], side: Side, namespace: str) -> Iterable[LogSource]:
    """Every container of a pod, and what ran in it before its last restart; `namespace` is the rollout's."""
    name = name_of(dig(pod, "metadata").get("name"))
    spec, status = dig(pod, "spec"), dig(pod, "status")
    own = str(dig(pod, "metadata").get("namespace") or namespace)
    elsewhere = own if own != namespace else ""
    groups = ("initContainers", "containers", "ephemeralContainers")
    states = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    restarted = [one.get("name") for group in states for one in mappings(status.get(group)) if one.get("restartCount")]
    for group in groups:
        for container in mappings(spec.get(group)):
            inner = name_of(container.get("name"))
            if name is None or inner is None:
                continue
            source = LogSource(side=side, pod=name, container=inner, namespace=elsewhere)
            yield source
            if inner in restarted:
                yield source.model_copy(update={"previous": True})


def name_of(value: Any) -> str | None:
    """A name, if it is one that Kubernetes allows: it becomes part of a path in the bundle."""
    return value if isinstance(value, str) and IS_NAME.fullmatch(value) else None


def is_settled(rollouts: Iterable[Mapping[str, Any]], target: Target) -> bool:
    """Whether the Rollout tells how the canary ended. One that is on to another version will not tell any more."""
    for rollout in rollouts:
        status = dig(rollout, "status")
        if status.get("currentPodHash", target.canary_hash) != target.canary_hash:
            return True
        reasons = {pause.get("reason") for pause in mappings(status.get("pauseConditions"))}
        if status.get("abortedAt") or status.get("phase") in SETTLED or reasons & INCONCLUSIVE:
            return True
        return status.get("phase") is None and status.get("abort") is not True
    return True


def new_states(found: Iterable[Mapping[str, Any]], recorded: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Recorded states of pods that are not there any more, or that tell of an end which is not told of any more."""
    told: dict[str, frozenset[Ending]] = {str(dig(pod, "metadata").get("name")): endings(pod) for pod in found}
    new = []
    for pod in recorded:
        name, ended = str(dig(pod, "metadata").get("name")), endings(pod)
        if name not in told or ended - told[name]:
            new.append(pod)
            told[name] = told.get(name, frozenset()) | ended
    return new


def _uid(thing: Mapping[str, Any]) -> str:
    metadata = dig(thing, "metadata")
    return str(metadata.get("uid") or metadata.get("name"))


def _identity(thing: Mapping[str, Any], at: int) -> str:
    metadata = dig(thing, "metadata")
    return str(metadata.get("uid") or metadata.get("name") or f"#{at}")
