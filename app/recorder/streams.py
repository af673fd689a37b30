"""The logs that are followed: never more streams than may be, never more lines than fit."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from typing import NamedTuple

import structlog

from agents.errors import Transient
from agents.evidence import LogSource, Target
from app.listening import Feed
from app.recorder.ring import Log

LINES_BEFORE = 500
"""Lines of a log from before it is followed."""

log = structlog.get_logger(__name__)


class Place(NamedTuple):
    """A pod."""

    cluster: str
    namespace: str
    pod: str


class Streams:
    """Follows containers' logs. The log that has been silent for longest makes room, for a stream or for lines."""

    def __init__(self, feed: Feed, most_streams: int, room: Callable[[], int]) -> None:
        """`room` is how much memory the lines may take; it shrinks while other things are held."""
        self._feed = feed
        self._most_streams = most_streams
        self._room = room
        self._logs: dict[Place, dict[str, Log]] = {}
        """By pod, and by container (`app`, `app.previous`)."""
        self._open = 0
        self.bytes = 0
        """Memory of the lines that are held."""
        self.evicted = 0
        """Streams that were closed to make room for another."""

    @property
    def open(self) -> int:
        """Streams that are open now."""
        return self._open

    def of(self, place: Place) -> tuple[Log, ...]:
        """The logs of a pod."""
        return tuple(self._logs.get(place, {}).values())

    def follow(self, place: Place, source: LogSource, now: float) -> None:
        """Follow a container that has a log by now, unless that is done already."""
        known = self._log(place, source, now)
        if not known.is_busy:
            known.task = asyncio.create_task(self._follow(place, known))

    def recall(self, place: Place, source: LogSource, now: float) -> None:
        """Read once what a container wrote before its last restart."""
        if self._logs.get(place, {}).get(_key(source)) is None:
            known = self._log(place, source, now)
            known.task = asyncio.create_task(self._recall(place, known))

    def knows(self, place: Place, container: str) -> bool:
        """Whether anything was heard of a container, in this run of it or an earlier one."""
        return not {container, f"{container}.previous"}.isdisjoint(self._logs.get(place, {}))

    def drop(self, place: Place) -> None:
        """Let go of all of a pod."""
        for one in self._logs.pop(place, {}).values():
            if one.task is not None:
                one.task.cancel()
            self.bytes -= one.clear()

    async def close(self) -> None:
        """Follow nothing any more; what was heard stays."""
        tasks = [one.task for one in self._all() if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _all(self) -> Iterator[Log]:
        for logs in self._logs.values():
            yield from logs.values()

    def _log(self, place: Place, source: LogSource, now: float) -> Log:
        return self._logs.setdefault(place, {}).setdefault(_key(source), Log(source, now))

    async def _follow(self, place: Place, known: Log) -> None:
        """One stream, to its end: the container's, or that of the connection, after which the pod is seen again.

        Where there is no room for another stream, what the log holds now is read in any case.
        """
        if not await self._make_room():
            await self._recall(place, known)
            return
        known.is_open = True
        known.reopen()
        try:
            stream = self._feed.follow_log(place.cluster, place.namespace, known.source, LINES_BEFORE)
            async with aclosing(stream) as lines:
                async for line in lines:
                    self._keep(known, line)
        except Transient as error:
            log.info("a log cannot be followed", item=known.source.item_id, reason=str(error))
        finally:
            known.is_open = False
            self._open -= 1

    async def _recall(self, place: Place, known: Log) -> None:
        """What a container wrote so far: before its last restart, or where nothing more may be followed."""
        known.reopen()
        target = Target(cluster=place.cluster, namespace=place.namespace, rollout="", canary_hash="", stable_hash="")
        for line in (await self._feed.log(target, known.source)).text.splitlines():
            self._keep(known, line)

    async def _make_room(self) -> bool:
        """Take a place for one more stream; the one that has been silent for longest makes room, and is closed first.

        One that has told nothing yet is not silent: it has only just been opened.
        """
        while self._open >= self._most_streams:
            told = [one for one in self._all() if one.is_open and one.is_busy and one.lines]
            quietest = min(told, key=lambda one: one.changed_at, default=None)
            if quietest is None or quietest.task is None:
                return False
            self.evicted += 1
            quietest.is_open = False  # nobody else chooses it while it closes
            quietest.task.cancel()
            await asyncio.wait({quietest.task})
        self._open += 1
        return True

    def _keep(self, known: Log, line: str) -> None:
        self.bytes += known.add(line, asyncio.get_running_loop().time())
        self.shed()

    def shed(self) -> None:
        """Where there is too much, let go of lines of the logs that have been silent for longest, a tenth at once."""
        room = self._room()
        if self.bytes <= room:
            return
        enough = room * 9 // 10
        for one in sorted(self._all(), key=lambda one: one.changed_at):
            while self.bytes > enough and one.lines:
                self.bytes -= one.shed()
            if self.bytes > enough:
                self.bytes -= one.clear()


def _key(source: LogSource) -> str:
    return f"{source.container}.previous" if source.previous else source.container
