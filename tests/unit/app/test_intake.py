import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, select

from agents.evidence import Cluster, Kind, Objects, Target
from agents.incident import Attempt, State
from app.capture import capture
from app.intake import MOST_AT_WORK, MOST_TRIES, Intake
from app.notification import Notification, read
from app.store import bundles, dead_letters, inbox, incidents, tables
from app.store.database import Database
from tests.fakes import FakeClock, FakeCluster, FakeQueue
from tests.recorded import bodies, body

FAILED = bodies("01")[1]
ROLLOUT = body("01", 4)["rollout"]


class Inbox:
    """A store and what works on it; `restarted` gives another process on the same store and queue."""

    def __init__(self, db: Database, cluster: Cluster | None = None, queue: FakeQueue | None = None) -> None:
        self.db = db
        self.clock = FakeClock()
        self.queue = queue or FakeQueue()
        self.cluster = cluster if cluster is not None else FakeCluster({"rollout": [ROLLOUT]})
        self.steps = Intake(db, self.cluster, self._queue, self.clock)

    async def _queue(self) -> FakeQueue:
        return self.queue

    def restarted(self) -> "Inbox":
        return Inbox(self.db, self.cluster, self.queue)

    async def put(self, raw: bytes = FAILED, cluster: str = "prod") -> tuple[inbox.Pending, Notification]:
        found = read(raw, cluster)
        assert found.sighting
        row = inbox.row_id(cluster, raw)
        await inbox.put(self.db, row, cluster, found, found.body, self.clock())
        return inbox.Pending(id=row, sighting=found.sighting), found

    async def catch_up(self) -> None:
        await self.steps.catch_up()
        await self.steps.settle()

    async def count(self, table: Any) -> int:
        async with self.db.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


class Gate(FakeCluster):
    """A cluster that answers for one rollout only when it is told to."""

    def __init__(self, held: str) -> None:
        super().__init__({"rollout": [ROLLOUT]})
        self._held = held
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self.captures = 0

    async def objects(self, target: Target, kind: Kind) -> Objects:
        if target.rollout == self._held:
            self.captures += kind == "rollout"
            self.reached.set()
            await self.opened.wait()
        return await super().objects(target, kind)


class Broken(FakeCluster):
    """A cluster that raises for one rollout, as an adapter with a bug would."""

    def __init__(self, broken: str) -> None:
        super().__init__({"rollout": [ROLLOUT]})
        self.broken = broken

    async def objects(self, target: Target, kind: Kind) -> Objects:
        if target.rollout == self.broken:
            raise TypeError("a bug")
        return await super().objects(target, kind)


class SignallingQueue(FakeQueue):
    """A queue that says when something is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.filled = asyncio.Event()

    async def put(self, attempt_id: str, partition: str) -> None:
        await super().put(attempt_id, partition)
        self.filled.set()


class LatchedQueue(FakeQueue):
    """A queue that is down until it is repaired."""

    is_down = True

    async def put(self, attempt_id: str, partition: str) -> None:
        if self.is_down:
            raise ConnectionError("the queue is down")
        await super().put(attempt_id, partition)


@pytest.fixture
async def here(db: Database) -> AsyncIterator[Inbox]:
    place = Inbox(db)
    yield place
    await place.steps.settle(0)


async def attempt_of(place: Inbox, attempt_id: str) -> Attempt:
    attempt = await incidents.find_attempt(place.db, attempt_id)
    assert attempt is not None
    return attempt


STEPS = ("kept", "admitted", "capturing", "sealed", "enqueued", "noted")


async def take_until(place: Inbox, last: str) -> None:
    """The steps of one notification up to and with `last`, as a process takes them that is killed then."""
    pending, _ = await place.put()
    done = STEPS[: STEPS.index(last) + 1]
    if "admitted" in done:
        attempt = (await incidents.admit(place.db, pending.id, pending.sighting, place.clock())).attempt
    if "capturing" in done:
        await incidents.advance(place.db, attempt.id, State.CAPTURING, place.clock())
    if "sealed" in done:
        content = await inbox.body_of(place.db, pending.id)
        bundle = await capture(place.cluster, attempt.incident, 1, content, place.clock)
        await bundles.save(place.db, attempt.id, bundle)
    if "enqueued" in done:
        await place.queue.put(attempt.id, "prod/shop/checkout")
    if "noted" in done:
        await incidents.mark_enqueued(place.db, attempt.id, place.clock())


@pytest.mark.parametrize("last", STEPS)
@pytest.mark.parametrize("comes_again", [False, True], ids=["caught up", "delivered again"])
async def test_a_kill_after_any_step_loses_nothing_and_doubles_nothing(
    here: Inbox, last: str, *, comes_again: bool
) -> None:
    await take_until(here, last)
    there = here.restarted()
    if comes_again:
        pending, _ = await there.put()
        there.steps.begin(pending)
    for _ in range(2):
        await there.catch_up()
    assert len(there.queue.entries) == 1
    counts = [await there.count(table) for table in (tables.inbox, tables.incidents, tables.attempts, tables.bundles)]
    assert counts == [1, 1, 1, 1]
    attempt = await attempt_of(there, next(iter(there.queue.entries)))
    assert attempt.state is State.CAPTURING
    if last != "noted":
        assert attempt.aborted_at is not None, "the abort that the Rollout tells is noted whoever sealed the bundle"
    assert await inbox.pending(there.db) == ()


async def test_a_notification_is_carried_to_the_queue_at_once(here: Inbox) -> None:
    pending, _ = await here.put()
    here.steps.begin(pending)
    await here.steps.settle()
    (attempt_id,) = here.queue.entries
    bundle = await bundles.load(here.db, attempt_id)
    assert bundle is not None
    assert bundle.notification["trigger"] == pending.sighting.trigger
    assert bundle.notification["rollout"]["metadata"]["uid"] == pending.sighting.incident.uid


@pytest.mark.parametrize(
    ("annotation", "partition"),
    [("https://git.example/acme/shop", "https://git.example/acme/shop"), (None, "prod/shop/checkout")],
)
async def test_work_on_one_source_repository_has_one_partition(
    db: Database, annotation: str | None, partition: str
) -> None:
    rollout = body("01", 4)["rollout"]
    rollout["metadata"]["annotations"]["selfheal.io/source-repo"] = annotation
    place = Inbox(db, FakeCluster({"rollout": [rollout]}))
    await place.steps.take((await place.put())[0])
    assert list(place.queue.entries.values()) == [partition]


async def test_a_capture_that_fails_holds_up_nobody_and_ends_visibly(db: Database) -> None:
    place = Inbox(db, Broken("checkout"))
    await place.put()
    await place.put(bodies("02")[1])
    await place.catch_up()
    assert len(place.queue.entries) == 1
    (failing,) = [one.id for one in await incidents.without_bundle(db)]
    for _ in range(MOST_TRIES):
        await place.catch_up()
    ended = await attempt_of(place, failing)
    assert ended.state is State.FAILED
    assert f"{MOST_TRIES} tries" in str(ended.detail)
    assert failing not in place.queue.entries
    assert await incidents.without_bundle(db) == ()


async def test_a_capture_that_failed_for_a_while_is_made_good(db: Database) -> None:
    cluster = Broken("checkout")
    place = Inbox(db, cluster)
    pending, _ = await place.put()
    place.steps.begin(pending)
    await place.steps.settle()
    assert place.queue.entries == {}
    cluster.broken = "another"
    await place.catch_up()
    assert len(place.queue.entries) == 1


async def test_a_slow_capture_holds_up_nobody_and_is_not_started_twice(db: Database) -> None:
    gate = Gate("checkout")
    place = Inbox(db, gate)
    await place.put()
    await place.steps.catch_up()
    await gate.reached.wait()
    quick, _ = await place.put(bodies("02")[1])
    await asyncio.wait_for(place.steps.take(quick), 5)
    await asyncio.wait_for(place.steps.catch_up(), 5)
    assert [attempt.rpartition("-")[2] for attempt in place.queue.entries] == ["1"]
    gate.opened.set()
    await place.steps.settle()
    assert len(place.queue.entries) == 2
    assert gate.captures == 1


async def test_what_is_cut_off_at_shutdown_is_taken_up_by_the_next_process(db: Database) -> None:
    gate = Gate("checkout")
    place = Inbox(db, gate)
    pending, _ = await place.put()
    place.steps.begin(pending)
    await gate.reached.wait()
    await asyncio.wait_for(place.steps.settle(0.01), 5)
    assert place.queue.entries == {}
    gate.opened.set()
    await place.restarted().catch_up()
    assert len(place.queue.entries) == 1
    assert await place.count(tables.attempts) == 1


async def test_a_queue_that_is_down_costs_no_evidence_and_no_attempt(db: Database) -> None:
    queue = LatchedQueue()
    place = Inbox(db, queue=queue)
    pending, _ = await place.put()
    place.steps.begin(pending)
    for _ in range(MOST_TRIES + 2):
        await place.catch_up()
    assert queue.entries == {}
    queue.is_down = False
    await place.catch_up()
    (attempt_id,) = queue.entries
    assert (await attempt_of(place, attempt_id)).state is State.CAPTURING
    assert await place.count(tables.bundles) == 1


async def test_work_beyond_the_limit_waits_in_the_inbox(db: Database) -> None:
    gate = Gate("checkout")
    place = Inbox(db, gate)
    first, _ = await place.put()
    attempt = (await incidents.admit(db, first.id, first.sighting, place.clock())).attempt
    too_many, _ = await place.put(bodies("02")[1])
    for _ in range(MOST_AT_WORK):
        place.steps.begin_attempt(attempt)
    place.steps.begin(too_many)
    gate.opened.set()
    await place.steps.settle()
    assert [one.id for one in await inbox.pending(db)] == [too_many.id]
    await place.catch_up()
    assert len(place.queue.entries) == 2


async def test_nothing_is_remembered_of_what_is_done(db: Database) -> None:
    place = Inbox(db, Broken("checkout"))
    for raw in (*bodies("02")[1:], *bodies("03")[1:], *bodies("16")[1:]):
        place.steps.begin((await place.put(raw))[0])
    await place.put()
    for _ in range(MOST_TRIES + 1):
        await place.catch_up()
    grown = {name: value for name, value in vars(place.steps).items() if isinstance(value, set | dict) and value}
    assert grown == {}


async def test_old_rows_go_though_no_new_ones_come(here: Inbox) -> None:
    for cluster in ("prod", "test"):
        await dead_letters.put(here.db, cluster, "not JSON", 1, "x", here.clock())
    signal = bodies("01")[0]
    row = inbox.row_id("prod", signal)
    await inbox.put(here.db, row, "prod", read(signal, "prod"), {}, here.clock())
    await here.catch_up()
    assert await dead_letters.count(here.db) == 2
    here.clock.advance(days=dead_letters.KEPT.days, minutes=1)
    await here.catch_up()
    assert await dead_letters.count(here.db) == 0
    assert await here.count(tables.inbox) == 1
    here.clock.advance(days=inbox.KEPT.days)
    await here.catch_up()
    assert await here.count(tables.inbox) == 0


async def test_it_keeps_catching_up_by_itself(db: Database) -> None:
    queue = SignallingQueue()
    here = Inbox(db, queue=queue)
    await here.put()
    watch = asyncio.create_task(here.steps.keep_catching_up())
    await asyncio.wait_for(queue.filled.wait(), 5)
    watch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watch
