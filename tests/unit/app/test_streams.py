"""Which streams give way to others, and which lines."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from agents.evidence import LogSource, LogText, Target
from app.recorder.ring import LOG_BYTES, Log, size_of
from app.recorder.streams import Place, Streams
from tests.fakes import FakeCluster


class Writing(FakeCluster):
    """Pods that write what a test tells them to, and streams that count."""

    names, has_answered, calls = ("prod",), True, 0

    def __init__(self) -> None:
        super().__init__({})
        self.written: defaultdict[str, asyncio.Queue[str]] = defaultdict(asyncio.Queue)
        self.open: list[str] = []
        self.most_open = 0

    async def follow_log(
        self, cluster: str, namespace: str, source: LogSource, tail_lines: int
    ) -> AsyncGenerator[str, None]:
        del cluster, namespace, tail_lines
        self.open.append(source.pod)
        self.most_open = max(self.most_open, len(self.open))
        try:
            while True:
                yield await self.written[source.pod].get()
        finally:
            await asyncio.sleep(0.01)  # a connection takes its time to close
            self.open.remove(source.pod)

    async def log(self, target: Target, source: LogSource) -> LogText:
        del target
        return LogText(status="ok", text=f"what {source.pod} wrote so far\n")


class House:
    """Two streams at most, and 4,000 bytes."""

    def __init__(self) -> None:
        self.cluster = Writing()
        self.streams = Streams(self.cluster, 2, lambda: 4000)  # type: ignore[arg-type]  # the part of a feed it needs

    def follow(self, pod: str) -> None:
        now = asyncio.get_running_loop().time()
        self.streams.follow(Place("prod", "shop", pod), LogSource(side="canary", pod=pod, container="app"), now)

    async def write(self, pod: str, line: str) -> None:
        self.cluster.written[pod].put_nowait(line)
        await asyncio.sleep(0.02)

    def text(self, pod: str) -> str:
        return "".join(log.text for log in self.streams.of(Place("prod", "shop", pod)))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    await house.streams.close()


async def test_the_log_that_has_been_silent_for_longest_makes_room_for_another(house: House) -> None:
    for pod in ("a", "b"):
        house.follow(pod)
        await house.write(pod, f"first of {pod}")
    await house.write("a", "again a")
    house.follow("c")
    await house.write("c", "first of c")
    assert sorted(house.cluster.open) == ["a", "c"]
    assert (house.streams.open, house.streams.evicted, house.cluster.most_open) == (2, 1, 2)
    assert house.text("b") == "first of b\n"


async def test_many_that_come_at_once_never_have_more_streams_than_may_be(house: House) -> None:
    for _ in range(3):
        for pod in "abcdefgh":
            house.follow(pod)
            house.cluster.written[pod].put_nowait(f"{pod}")
        await asyncio.sleep(0.05)
    assert house.cluster.most_open == 2
    assert all(house.text(pod) for pod in "abcdefgh")


async def test_streams_that_have_told_nothing_yet_are_left_and_the_other_log_is_read_once(house: House) -> None:
    for pod in "abc":
        house.follow(pod)
        await asyncio.sleep(0.02)
    assert sorted(house.cluster.open) == ["a", "b"]
    assert house.text("c") == "what c wrote so far\n"
    assert house.streams.evicted == 0


async def test_of_too_many_lines_those_of_the_most_silent_log_go_first(house: House) -> None:
    house.follow("a")
    house.follow("b")
    await house.write("a", "old")
    for number in range(40):
        await house.write("b", f"{number} {'x' * 50}")
        assert house.streams.bytes <= 4000
    assert house.text("a") == "~~~~ 1 line left out ~~~~\n"
    assert f"39 {'x' * 50}" in house.text("b")


async def test_what_was_dropped_is_no_longer_counted(house: House) -> None:
    house.follow("a")
    await house.write("a", "line")
    assert house.streams.bytes == size_of("line")
    house.streams.drop(Place("prod", "shop", "a"))
    await house.write("a", "more")
    assert (house.streams.bytes, house.streams.open, house.text("a")) == (0, 0, "")


def test_lines_are_counted_by_what_they_take_and_not_by_their_characters() -> None:
    log = Log(LogSource(side="canary", pod="a", container="b"))
    held = sum(log.add(f"2026-11-23T07:36:00.{at:09}Z \u65e5", 0) for at in range(40_000))
    assert held == log.bytes <= LOG_BYTES
    assert len(log.lines) < 15_000
