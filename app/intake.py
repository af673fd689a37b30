"""The inbox's steps, each durable before the next: admit, capture and seal, enqueue.

A notification takes them at once, in this process, without a queue; `catch_up` takes them for whatever a kill
left between two of them. Every step may be repeated.
"""

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from agents.evidence import Bundle, Cluster, Target
from agents.evidence.metrics import Metrics
from agents.evidence.origin import parse_time
from agents.evidence.recording import Recording
from agents.incident import Attempt, Promotion, State
from app.capture import capture
from app.flight import FlightRecords
from app.notification import Sighting
from app.ownership import follow
from app.store import bundles, dead_letters, inbox, incidents, issues, recordings, retention
from app.store.database import Database
from app.store.retention import Retention

log = structlog.get_logger(__name__)
CATCH_UP_SECONDS = 5.0
PRUNE_EVERY = timedelta(hours=1)
MOST_AT_WORK = 1000
"""Notifications and attempts under way in this process at once; what is beyond waits for the next `catch_up`."""
LEADS_KEPT = timedelta(minutes=10)
"""How long a Rollout that cannot be read is tried again for."""
MOST_TRIES = 20
"""How often an attempt's evidence is tried to be sealed in one process before the attempt is failed."""


class Queue(Protocol):
    """Where sealed attempts are handed over."""

    async def put(self, attempt_id: str, partition: str) -> None:
        """Enqueue an attempt, once however often it is put; work with the same partition runs one after another."""
        ...

    async def follow(self, attempt_id: str, promotion: Promotion) -> None:
        """Enqueue what is left to do about a reported attempt, once a version that passed since."""
        ...

    async def close(self) -> None: ...


class Intake:
    """Takes notifications from the inbox to the heal queue."""

    def __init__(
        self,
        db: Database,
        cluster: Cluster | None,
        queue: Callable[[], Awaitable[Queue]],
        now: Callable[[], datetime],
        recorded: Callable[[Target], Recording] | None = None,
        metrics: Metrics | None = None,
        kept: Retention = Retention(),  # noqa: B008 - it is immutable
    ) -> None:
        self._db = db
        self._kept = kept
        self._metrics = metrics
        self._flight = FlightRecords(db, recorded) if recorded is not None else None
        self._cluster = cluster
        self._queue = queue
        self._now = now
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._at_work: set[str] = set()
        self._tries: dict[str, int] = {}
        self._pruned_at: datetime | None = None

    def begin(self, pending: inbox.Pending) -> None:
        """Start `take`, which nobody waits for; it survives failures because `catch_up` comes after it."""
        self._start(lambda: self.take(pending), notification=pending.id)

    def begin_attempt(self, attempt: Attempt) -> None:
        """The same for `carry`."""
        self._start(lambda: self.carry(attempt), attempt=attempt.id)

    def begin_lookup(self, lookup: inbox.Lookup) -> None:
        """The same for `look_up`."""
        self._start(lambda: self.look_up(lookup), notification=lookup.id)

    def begin_promotion(self, passed: inbox.Passed) -> None:
        """The same for `promote` and the row that tells of it."""
        self._start(lambda: self._settle(passed), notification=passed.id)

    async def take(self, pending: inbox.Pending) -> None:
        """All steps for one notification. One that joins an attempt is done when that is noted."""
        attempt = await self._admit(pending)
        if attempt is not None:
            await self.carry(attempt)

    async def look_up(self, lookup: inbox.Lookup) -> None:
        """Find the Rollout that a notification is about something of, and take it from there.

        One that cannot be read just now is left to `catch_up`, for a while.
        """
        if lookup.id in self._at_work:
            return
        self._at_work.add(lookup.id)
        try:
            found = await follow(self._cluster, lookup.lead)
            if found is None and self._now() - lookup.received_at > LEADS_KEPT:
                found = "its Rollout could not be read in time"
            if isinstance(found, Sighting):
                await inbox.identify(self._db, lookup.id, found)
                await self.take(inbox.Pending(id=lookup.id, sighting=found))
            elif found is not None:
                await inbox.dismiss(self._db, lookup.id, "unsupported-kind", found, self._now())
        finally:
            self._at_work.discard(lookup.id)

    async def carry(self, attempt: Attempt) -> None:
        """Capture, seal and enqueue an attempt, from wherever it stands; nothing if somebody is at it already."""
        if attempt.id in self._at_work:
            return
        self._at_work.add(attempt.id)
        try:
            bundle = await bundles.load(self._db, attempt.id) or await self._seal(attempt)
            if bundle is not None:
                await self._note_abort(attempt, bundle)
                await self._hand_over(attempt, bundle)
        finally:
            self._at_work.discard(attempt.id)

    async def promote(self, promotion: Promotion) -> None:
        """A version of a rollout has passed: hand over what earlier failures left open. Again is fine."""
        for issue in await issues.healed_by(self._db, promotion):
            queue = await self._queue()
            await queue.follow(issue.attempt, promotion)
            log.info("healed", attempt=issue.attempt, by=promotion.pod_hash, issue=issue.url)

    async def catch_up(self) -> None:
        """Take up what is between two steps: rows not admitted, attempts not sealed, bundles not enqueued.

        One that fails is logged and tried again in the next round; one that takes long is not waited for.
        """
        for pending in await inbox.pending(self._db):
            await _logged(self._admit(pending), notification=pending.id)
        for lookup in await inbox.lookups(self._db):
            self.begin_lookup(lookup)
        for passed in await inbox.promotions(self._db):
            await _logged(self._settle(passed), notification=passed.id)
        waiting = (*await incidents.without_bundle(self._db), *await incidents.without_workflow(self._db))
        for attempt in waiting:
            if attempt.id not in self._at_work:
                self.begin_attempt(attempt)
        await self._prune()

    def begin_catching_up(self) -> None:
        """Catch up now and every few seconds, until `stop`."""
        self._start(self._keep_catching_up)

    async def stop(self, patience: float) -> None:
        """Catch up no more, and settle. Ended rather than cancelled: a database does not like to be cut off."""
        self._stopping.set()
        await self.settle(patience)

    async def settle(self, patience: float | None = None) -> None:
        """Wait until nothing is under way, at most `patience` seconds; what is left then is cancelled.

        Cancelled work is taken up by the next process, but the evidence it was after may be gone by then.
        """
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _keep_catching_up(self) -> None:
        while not self._stopping.is_set():
            await _logged(self.catch_up())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), CATCH_UP_SECONDS)

    def _start(self, step: Callable[[], Awaitable[None]], **about: str) -> None:
        if len(self._tasks) >= MOST_AT_WORK:
            return
        task = asyncio.create_task(_logged(step(), **about))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self, pending: inbox.Pending) -> Attempt | None:
        """Returns the attempt if this notification opened it."""
        admission = await incidents.admit(self._db, pending.id, pending.sighting, self._now())
        attempt = admission.attempt
        log.info("admitted", incident=attempt.incident.key, attempt=attempt.id, opened=admission.opened)
        return attempt if admission.opened else None

    async def _settle(self, passed: inbox.Passed) -> None:
        await self.promote(passed.promotion)
        await inbox.settle(self._db, passed.id, self._now())

    async def _seal(self, attempt: Attempt) -> Bundle | None:
        """None if it has failed too often: then the attempt ends, for everybody to see, rather than never."""
        tries = self._tries.get(attempt.id, 0) + 1
        if tries > MOST_TRIES:
            detail = f"the evidence could not be sealed in {MOST_TRIES} tries; the intake's log says why"
            await incidents.advance(self._db, attempt.id, State.FAILED, self._now(), detail)
            self._tries.pop(attempt.id)
            return None
        self._tries[attempt.id] = tries
        await incidents.advance(self._db, attempt.id, State.CAPTURING, self._now())
        bundle = await self._capture(attempt)
        await bundles.save(self._db, attempt.id, bundle)
        self._tries.pop(attempt.id)
        gaps = [f"{item.id}: {item.status}" for item in bundle.gaps()]
        log.info("sealed", attempt=attempt.id, items=len(bundle.manifest.items), gaps=gaps)
        return bundle

    async def _capture(self, attempt: Attempt) -> Bundle:
        """The evidence. What was recorded is stored meanwhile, so that a kill before the end does not take it along."""
        body = await inbox.body_of(self._db, await incidents.opening_body(self._db, attempt.id))
        incident, flight = attempt.incident, self._flight
        asked = (self._cluster, incident, attempt.number, body, self._now)
        if flight is None:
            return await capture(*asked, None, self._metrics)
        async with asyncio.TaskGroup() as work:
            work.create_task(_logged(flight.keep(incident, self._now()), attempt=attempt.id))
            recorded = functools.partial(flight.of, incident)
            capturing = work.create_task(capture(*asked, recorded, self._metrics))
        return capturing.result()

    async def _note_abort(self, attempt: Attempt, bundle: Bundle) -> None:
        """The abort as the Rollout itself tells it: a later failure of the same canary is measured by it."""
        for rollout in bundle.objects("rollout"):
            status = rollout.get("status")
            aborted_at = parse_time(status.get("abortedAt")) if isinstance(status, dict) else None
            if aborted_at is not None:
                await incidents.note_abort(self._db, attempt.id, aborted_at)

    async def _hand_over(self, attempt: Attempt, bundle: Bundle) -> None:
        incident = attempt.incident
        partition = bundle.manifest.canary.repo or f"{incident.cluster}/{incident.namespace}/{incident.rollout}"
        queue = await self._queue()
        await queue.put(attempt.id, partition)
        await incidents.mark_enqueued(self._db, attempt.id, self._now())

    async def _prune(self) -> None:
        now = self._now()
        if self._pruned_at is None or now - self._pruned_at >= PRUNE_EVERY:
            await dead_letters.prune(self._db, now)
            await inbox.prune(self._db, now)
            await recordings.prune(self._db, now)
            gone = await retention.prune(self._db, now, self._kept)
            if gone:
                log.info("evidence let go", bundles=len(gone))
            self._pruned_at = now


async def _logged(work: Awaitable[object], **about: str) -> None:
    try:
        await work
    except Exception:
        log.exception("an inbox step failed", **about)
