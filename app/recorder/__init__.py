"""The flight recorder: follows canaries in progress, so that nothing depends on winning a race.

It hears their logs, the states of their pods and their events. Memory is bounded twice: a log keeps its newest lines
and its first error, and everything together has one limit. What it holds is raw, and in memory alone; what is kept of
a failed canary until its bundle is sealed is redacted first (`app.intake`).
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import structlog

from agents.errors import Transient
from agents.evidence import LogSource, Side, Target
from agents.evidence.origin import HASH_LABEL, dig, label, mappings
from agents.evidence.recording import Recording
from app.listening import Feed, Followed, Listener
from app.recorder.ring import LOG_BYTES, Log
from app.recorder.states import EventLog, PodHistory
from app.recorder.streams import Place, Streams

__all__ = ["LOG_BYTES", "Log", "Mode", "Recorder"]

Mode = Literal["off", "canary", "all"]
MOST_ROLLOUTS = 2000
KEPT_SECONDS = 600.0
"""How long what was recorded is kept once nothing changes in it any more and the canary is over."""
EVENTS_EVERY_SECONDS = 20.0
"""Events are listed where a pod changed since, and not watched: the role lets nobody watch them."""

log = structlog.get_logger(__name__)


class Version(NamedTuple):
    """One version of one rollout, by what its pods carry."""

    cluster: str
    namespace: str
    hash: str


class Recorder:
    """Follows what the settings say: nothing, canaries, or stable pods too while a canary is in progress."""

    def __init__(
        self, feed: Feed, mode: Mode, namespaces: tuple[str, ...], most_streams: int = 100, most_bytes: int = 64 << 20
    ) -> None:
        self._feed = feed
        self._mode = mode
        self._limits = (most_bytes, most_streams)
        self._versions: dict[Version, tuple[str, Side]] = {}
        """Versions in progress: the rollout's name, and which side the version is."""
        self._streams = Streams(feed, most_streams, self._room_for_lines)
        self._pods: dict[Place, PodHistory] = {}
        """Of versions in progress alone: a cluster has thousands of others."""
        self._by_version: dict[Version, dict[Place, float]] = {}
        """The pods of each version, with when they changed last."""
        self._events: dict[Version, EventLog] = {}
        self._changed: set[tuple[str, str]] = set()
        """Clusters and namespaces in which a pod changed since events were asked for."""
        self._states_bytes = 0
        self._arrivals: set[asyncio.Task[None]] = set()
        self.listeners = [
            Listener(feed, cluster, "pod", namespace, HASH_LABEL, self._seer(cluster))
            for cluster in (feed.names if mode != "off" else ())
            for namespace in namespaces
        ]

    @property
    def bytes(self) -> int:
        """Memory of everything that is held."""
        return self._streams.bytes + self._states_bytes

    @property
    def streams(self) -> int:
        """Logs that are followed now."""
        return self._streams.open

    @property
    def figures(self) -> Followed:
        rollouts = {(version.cluster, version.namespace, name) for version, (name, _) in self._versions.items()}
        return Followed(
            self.bytes, self._limits[0], self.streams, self._limits[1], len(rollouts), self._streams.evicted
        )

    async def run(self) -> None:
        """Until cancelled; then nothing is followed any more."""
        hearing = (listener.keep_listening() for listener in self.listeners)
        try:
            await asyncio.gather(*hearing, self._keep_house(), self._keep_asking_for_events())
        finally:
            for task in self._arrivals:
                task.cancel()
            await asyncio.gather(*self._arrivals, self._streams.close(), return_exceptions=True)

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
        events: list[dict[str, Any]] = []
        logs: dict[LogSource, str] = {}
        for hash_, side in sides.items():
            version = Version(target.cluster, target.namespace, hash_)
            for place in self._by_version.get(version, {}):
                states = self._pods[place].states()
                if not any(_is_of(pod, target.rollout) for pod in states):
                    continue
                mine = [one for one in self._streams.of(place) if one.lines]
                logs |= {one.source.model_copy(update={"side": side}): one.text for one in mine}
                if mine or side == "canary":
                    pods += states
            if version in self._events:
                events += self._events[version].events()
        return Recording(logs=logs, pods=tuple(pods), events=tuple(events))

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
        place = Place(cluster, str(metadata.get("namespace")), str(metadata.get("name")))
        version = Version(cluster, place.namespace, label(pod) or "")
        rollout, side = self._versions.get(version, ("", "none"))
        if not rollout or not _is_of(pod, rollout):
            return
        now = asyncio.get_running_loop().time()
        self._states_bytes += self._pods.setdefault(place, PodHistory()).add(pod)
        self._by_version.setdefault(version, {})[place] = now
        self._changed.add((cluster, place.namespace))
        for container, restarts in _running(pod).items():
            source = LogSource(side=side, pod=place.pod, container=container)
            if restarts and not self._streams.knows(place, container):
                self._streams.recall(place, source.model_copy(update={"previous": True}), now)
            self._streams.follow(place, source, now)
        self._streams.shed()

    def _room_for_lines(self) -> int:
        """What the states of pods and the events leave of the limit; of those, the oldest versions' events go first."""
        for events in self._events.values():
            if self._states_bytes <= self._limits[0] // 2:
                break
            self._states_bytes -= events.clear()
        return max(0, self._limits[0] - self._states_bytes)

    async def _keep_asking_for_events(self) -> None:
        while True:
            await asyncio.sleep(EVENTS_EVERY_SECONDS)
            await self.ask_for_events()

    async def ask_for_events(self) -> None:
        """List the events where a pod of a version in progress changed; one that may not be listed is no fault."""
        places, self._changed = self._changed, set()
        for cluster, namespace in sorted(places):
            try:
                events, _ = await self._feed.list_all(cluster, "event", namespace, "")
            except Transient as error:
                log.info("events cannot be heard", cluster=cluster, namespace=namespace, reason=str(error))
                continue
            self._see_events(cluster, namespace, events)

    def _see_events(self, cluster: str, namespace: str, events: Iterable[Mapping[str, Any]]) -> None:
        """Events by the name of what they are about: the Rollout, its ReplicaSets, pods, runs and experiments."""
        names: dict[str, Version] = {}
        rollouts: dict[str, Version] = {}
        for version, (rollout, side) in self._versions.items():
            if version[:2] == (cluster, namespace):
                names[f"{rollout}-{version.hash}"] = version
                if side == "canary":
                    rollouts[rollout] = version
        for event in events:
            found = _version_of(str(dig(event, "involvedObject").get("name") or ""), names, rollouts)
            if found is not None:
                self._states_bytes += self._events.setdefault(found, EventLog()).add(event)

    async def _keep_house(self) -> None:
        """Forget what is over: first the streams of versions that are done with, later what they held."""
        while True:
            await asyncio.sleep(KEPT_SECONDS / 10)
            self.forget(asyncio.get_running_loop().time() - KEPT_SECONDS)

    def forget(self, before: float) -> None:
        """Drop what did not change since `before` of versions that are no longer in progress."""
        for version, places in list(self._by_version.items()):
            if version in self._versions:
                continue
            for place, seen_at in list(places.items()):
                if any(at >= before for at in (seen_at, *(one.changed_at for one in self._streams.of(place)))):
                    continue
                self._streams.drop(place)
                self._states_bytes -= self._pods.pop(place).bytes
                del places[place]
            if not places:
                del self._by_version[version]
                events = self._events.pop(version, None)
                self._states_bytes -= events.bytes if events is not None else 0


def _version_of(about: str, names: Mapping[str, Version], rollouts: Mapping[str, Version]) -> Version | None:
    """Whose object this is: it is called as the Rollout, or `<rollout>-<hash>` and further words after a hyphen."""
    if about in rollouts:
        return rollouts[about]
    while about and about not in names:
        about = about.rpartition("-")[0]
    return names.get(about)


def _is_of(pod: Mapping[str, Any], rollout: str) -> bool:
    owners = [owner.get("name") for owner in mappings(dig(pod, "metadata").get("ownerReferences"))]
    return f"{rollout}-{label(pod)}" in owners


def _running(pod: Mapping[str, Any]) -> dict[str, int]:
    """Containers that have a log by now, with how often they were restarted.

    One that waits to be started again still has the log of its last run.
    """
    status = dig(pod, "status")
    groups = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    begun = {"running", "terminated"}
    return {
        str(one.get("name")): int(one.get("restartCount") or 0)
        for group in groups
        for one in mappings(status.get(group))
        if (dig(one, "state").keys() | dig(one, "lastState").keys()) & begun
    }
