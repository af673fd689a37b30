"""The inbox's steps, each durable before the next: admit, capture and seal, enqueue.

A notification takes them at once, in this process, without a queue; `catch_up` takes them for whatever a kill
left between two of them. Every step may be repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import structlog

from agents.evidence import Bundle, Cluster
from agents.evidence.origin import parse_time
from agents.incident import Attempt, State
from app.capture import capture
from app.store import bundles, inbox, incidents
from app.store.database import Database

log = structlog.get_logger(__name__)
CATCH_UP_SECONDS = 5.0


class Queue(Protocol):
    """Where sealed attempts are handed over."""

    async def put(self, attempt_id: str, partition: str) -> None: ...


class Intake:
    """Takes notifications from the inbox to the heal queue."""

    def __init__(
        self,
        db: Database,
        cluster: Cluster | None,
        queue: Callable[[], Awaitable[Queue]],
        now: Callable[[], datetime],
    ) -> None:
        self._db = db
        self._cluster = cluster
        self._queue = queue
        self._now = now
        self._busy: dict[str, asyncio.Lock] = {}

    async def take_logged(self, pending: inbox.Pending) -> None:
        """`take` for a task that nobody awaits."""
        await _logged(self.take(pending), notification=pending.id)

    async def carry_logged(self, attempt: Attempt) -> None:
        """`carry` for a task that nobody awaits."""
        await _logged(self.carry(attempt), attempt=attempt.id)

    async def take(self, pending: inbox.Pending) -> None:
        """All steps for one notification. One that joins an attempt is done when that is noted."""
        admission = await incidents.admit(self._db, pending.id, pending.sighting, self._now())
        attempt = admission.attempt
        log.info("admitted", incident=attempt.incident.key, attempt=attempt.id, opened=admission.opened)
        if admission.opened:
            await self.carry(attempt)

    async def carry(self, attempt: Attempt) -> None:
        """Capture, seal and enqueue an attempt, from wherever it stands."""
        async with self._busy.setdefault(attempt.id, asyncio.Lock()):
            bundle = await bundles.load(self._db, attempt.id)
            if bundle is None:
                bundle = await self._seal(attempt)
            await self._hand_over(attempt, bundle)
        self._busy.pop(attempt.id, None)

    async def _seal(self, attempt: Attempt) -> Bundle:
        await incidents.advance(self._db, attempt.id, State.CAPTURING, self._now())
        body = await inbox.body_of(self._db, await incidents.opening_body(self._db, attempt.id))
        bundle = await capture(self._cluster, attempt.incident, attempt.number, body, self._now)
        await bundles.save(self._db, attempt.id, bundle)
        gaps = [f"{item.id}: {item.status}" for item in bundle.gaps()]
        log.info("sealed", attempt=attempt.id, items=len(bundle.manifest.items), gaps=gaps)
        for rollout in bundle.objects("rollout"):
            aborted_at = parse_time((rollout.get("status") or {}).get("abortedAt"))
            if aborted_at is not None:
                await incidents.note_abort(self._db, attempt.id, aborted_at)
        return bundle

    async def _hand_over(self, attempt: Attempt, bundle: Bundle) -> None:
        incident = attempt.incident
        partition = bundle.manifest.canary.repo or f"{incident.cluster}/{incident.namespace}/{incident.rollout}"
        queue = await self._queue()
        await queue.put(attempt.id, partition)
        await incidents.mark_enqueued(self._db, attempt.id, self._now())

    async def catch_up(self) -> None:
        """Take up what is between two steps: rows not admitted, attempts not sealed, bundles not enqueued.

        One that fails is logged and tried again in the next round; it does not hold up the others.
        """
        for pending in await inbox.pending(self._db):
            await _logged(self.take(pending), notification=pending.id)
        for attempt in await incidents.without_bundle(self._db):
            await _logged(self.carry(attempt), attempt=attempt.id)
        for attempt in await incidents.without_workflow(self._db):
            await _logged(self.carry(attempt), attempt=attempt.id)

    async def keep_catching_up(self) -> None:
        """At start and every few seconds, for as long as the process lives."""
        while True:
            await _logged(self.catch_up())
            await asyncio.sleep(CATCH_UP_SECONDS)


async def _logged(work: Awaitable[None], **about: str) -> None:
    try:
        await work
    except Exception:
        log.exception("an inbox step failed", **about)
