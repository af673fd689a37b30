"""Keeping up with objects of one kind: a list, then a watch from there, and again; through 410 and refusals."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import astuple, dataclass
from operator import add
from typing import Any, NamedTuple, Protocol

import structlog

from agents.errors import Conflict, Transient
from agents.evidence import Cluster, Kind, LogSource

LIST_EVERY_SECONDS = 120.0
"""A list finds what a watch may have missed."""
AGAIN_SECONDS = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
LEAST_WATCH_SECONDS = 0.2
"""Between two watches, however quickly a server ends them."""

log = structlog.get_logger(__name__)
See = Callable[[dict[str, Any]], Awaitable[None]]


class Feed(Cluster, Protocol):
    """A cluster that can also be listened to."""

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def has_answered(self) -> bool:
        """Whether one authenticated request to each cluster has succeeded."""
        ...

    @property
    def calls(self) -> int:
        """Requests sent since the start."""
        ...

    async def check(self, cluster: str) -> bool: ...

    async def keep_fresh(self) -> None: ...

    async def close(self) -> None: ...

    async def list_all(
        self, cluster: str, kind: Kind, namespace: str, selector: str
    ) -> tuple[tuple[dict[str, Any], ...], str]:
        """All objects, and the version to watch from; `Transient` where there is no whole answer."""
        ...

    def watch(
        self, cluster: str, kind: Kind, namespace: str, selector: str, version: str
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """What changed after a version; `Conflict` where that is too old, `Transient` where there is no watch."""
        ...

    def follow_log(self, cluster: str, namespace: str, source: LogSource, tail_lines: int) -> AsyncGenerator[str, None]:
        """A log's lines as they are written, each with its time; `Transient` where there is none."""
        ...


@dataclass
class Heard:
    """How listening went, for the figures."""

    lists: int = 0
    watches: int = 0
    changes: int = 0
    expired: int = 0
    refused: int = 0

    def __add__(self, other: "Heard") -> "Heard":
        return Heard(*map(add, astuple(self), astuple(other)))


class Followed(NamedTuple):
    """How much a flight recorder holds and follows, and how often a stream had to make room."""

    bytes: int
    most_bytes: int
    streams: int
    most_streams: int
    rollouts: int
    evicted: int


class Listener:
    """Hears of every object of one kind in one namespace of one cluster."""

    def __init__(self, feed: Feed, cluster: str, kind: Kind, namespace: str, selector: str, see: See) -> None:
        self._feed = feed
        self.kind = kind
        self._place = (cluster, kind, namespace, selector)
        self._see = see
        self.heard = Heard()

    async def keep_listening(self) -> None:
        """Until cancelled. A fault of ours, such as a store that is busy, ends one round and not the listening."""
        while True:
            try:
                await self.listen()
            except Exception:
                log.exception("listening failed", place=self._place)
                await asyncio.sleep(AGAIN_SECONDS)

    async def listen(self) -> None:
        """Until cancelled or a fault. What is seen twice is told twice."""
        pause = FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout(LIST_EVERY_SECONDS):
                    version = await self._list()
                    pause = FIRST_PAUSE
                    while True:
                        version = await self._watch(version)
                        await asyncio.sleep(LEAST_WATCH_SECONDS)
            except TimeoutError:
                continue
            except Conflict:
                self.heard.expired += 1
            except Transient as error:
                self.heard.refused += 1
                cluster, kind, namespace, _ = self._place
                log.warning("cannot listen", cluster=cluster, kind=kind, namespace=namespace, reason=str(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def _list(self) -> str:
        self.heard.lists += 1
        objects, version = await self._feed.list_all(*self._place)
        for thing in objects:
            await self._see(thing)
        return version

    async def _watch(self, version: str) -> str:
        """One watch, to its end; the version that the next one goes on from."""
        self.heard.watches += 1
        async with aclosing(self._feed.watch(*self._place, version)) as changes:
            async for change, thing in changes:
                version = str(thing.get("metadata", {}).get("resourceVersion") or version)
                if change in {"ADDED", "MODIFIED"}:
                    self.heard.changes += 1
                    await self._see(thing)
        return version
