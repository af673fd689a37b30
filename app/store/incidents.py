"""Incidents and attempts: opened once, moved only along legal transitions, each move on the timeline.

Unique keys, not look-then-write, keep them single; the incident's row is locked while an attempt is opened.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.incident import IN_PROGRESS, NEXT, Attempt, Incident, State
from app.notification import Sighting
from app.store import counters
from app.store.database import Database
from app.store.tables import attempts, bundles, inbox, incidents, timeline

MOST_AT_ONCE = 100


class Admission(BaseModel):
    """The attempt that a notification or a person's call belongs to, and whether it was opened by it."""

    model_config = ConfigDict(frozen=True)

    attempt: Attempt
    opened: bool


class IllegalTransition(Exception):
    """An attempt cannot go from the state it is in to the one asked for."""


async def admit(db: Database, row: str, sighting: Sighting, now: datetime) -> Admission:
    """Join or open an attempt for a notification, and mark its inbox row, in one transaction.

    A later `abortedAt` than the last attempt's, or a failed AnalysisRun created after it, opens the next attempt;
    where none is stored yet it is stored, and everything else joins (DESIGN 2.9).
    """
    async with db.write() as connection:
        last, aborts = await _lock(connection, sighting.incident, now)
        known = [moment for moment in aborts if moment is not None]
        abort = sighting.aborted_at
        if abort is not None and abort in known:
            abort = None  # a late copy of an abort that an attempt has already
        if last is None or _is_later(last.aborted_at, abort, sighting.failed_at):
            opened_by = f"notification:{sighting.trigger}"
            attempt = await _open(connection, sighting.incident, last, opened_by, abort, row, now)
            opened = True
        else:
            opened = False
            attempt = _attempt(last, sighting.incident)
            if last.aborted_at is None and abort is not None and all(abort > earlier for earlier in known):
                await connection.execute(update(attempts).where(attempts.c.id == last.id).values(aborted_at=abort))
                attempt = attempt.model_copy(update={"aborted_at": abort})
        await connection.execute(update(inbox).where(inbox.c.id == row).values(admitted_at=now))
    return Admission(attempt=attempt, opened=opened)


def _is_later(stored: datetime | None, abort: datetime | None, failed: datetime | None) -> bool:
    if stored is None:
        return False
    return (abort is not None and abort > stored) or (failed is not None and failed > stored)


async def open_manual(db: Database, incident: Incident, actor: str, now: datetime) -> Admission:
    """Join the attempt that is in progress, else open the next one."""
    async with db.write() as connection:
        last, _ = await _lock(connection, incident, now)
        if last is not None and State(last.state) in IN_PROGRESS:
            return Admission(attempt=_attempt(last, incident), opened=False)
        attempt = await _open(connection, incident, last, actor, None, None, now)
    return Admission(attempt=attempt, opened=True)


async def _lock(
    connection: AsyncConnection, incident: Incident, now: datetime
) -> tuple[Row[Any] | None, list[datetime | None]]:
    """Make sure the incident is there, hold its row, and return its last attempt and every attempt's abort."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = incident.model_dump() | {"key": incident.key, "created_at": now}
    await connection.execute(dialect.insert(incidents).values(values).on_conflict_do_nothing())
    await connection.execute(select(incidents.c.key).where(incidents.c.key == incident.key).with_for_update())
    query = select(attempts).where(attempts.c.incident == incident.key).order_by(attempts.c.number)
    rows = (await connection.execute(query)).all()
    return (rows[-1] if rows else None), [row.aborted_at for row in rows]


async def _open(
    connection: AsyncConnection,
    incident: Incident,
    last: Row[Any] | None,
    opened_by: str,
    aborted_at: datetime | None,
    body: str | None,
    now: datetime,
) -> Attempt:
    number = 1 if last is None else last.number + 1
    attempt = Attempt(
        incident=incident,
        number=number,
        state=State.RECEIVED,
        opened_by=opened_by,
        opened_at=now,
        aborted_at=aborted_at,
    )
    await connection.execute(
        insert(attempts).values(
            id=attempt.id,
            incident=incident.key,
            number=number,
            state=attempt.state.value,
            opened_by=opened_by,
            opened_at=now,
            aborted_at=aborted_at,
            body=body,
        )
    )
    await _note(connection, attempt.id, State.RECEIVED, None, now)
    return attempt


async def advance(db: Database, attempt: str, to: State, now: datetime, detail: str | None = None) -> None:
    """Move an attempt; entering the state it is in changes nothing. `IllegalTransition` for anything else."""
    allowed = [state.value for state, following in NEXT.items() if to in following]
    async with db.write() as connection:
        moved = await connection.execute(
            update(attempts)
            .where(attempts.c.id == attempt, attempts.c.state.in_(allowed), attempts.c.state != to.value)
            .values(state=to.value, detail=detail)
        )
        if moved.rowcount:
            await _count_stage(connection, attempt, now)
            await _note(connection, attempt, to, detail, now)
            return
        state = (await connection.execute(select(attempts.c.state).where(attempts.c.id == attempt))).scalar()
    if state != to.value:
        raise IllegalTransition(f"attempt {attempt} cannot go from {state} to {to.value}")


async def record(db: Database, attempt: str, **documents: dict[str, Any]) -> None:
    """Keep what stages found out: `diagnosis`, `patch`, `verification`, `outcome`."""
    async with db.write() as connection:
        await connection.execute(update(attempts).where(attempts.c.id == attempt).values(**documents))


async def note_abort(db: Database, attempt: str, aborted_at: datetime) -> None:
    """Store an abort that was read from the Rollout, where no attempt of the incident has one as late."""
    own = select(attempts.c.incident).where(attempts.c.id == attempt).scalar_subquery()
    other = attempts.alias()
    known = exists().where(other.c.incident == own, other.c.aborted_at >= aborted_at)
    async with db.write() as connection:
        await connection.execute(
            update(attempts)
            .where(attempts.c.id == attempt, attempts.c.aborted_at.is_(None), ~known)
            .values(aborted_at=aborted_at)
        )


async def mark_enqueued(db: Database, attempt: str, now: datetime) -> None:
    async with db.write() as connection:
        await connection.execute(update(attempts).where(attempts.c.id == attempt).values(enqueued_at=now))


async def find_attempt(db: Database, attempt: str) -> Attempt | None:
    query = select(attempts, incidents).join(incidents).where(attempts.c.id == attempt)
    async with db.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else _attempt(row, _incident(row))


async def opening_body(db: Database, attempt: str) -> str | None:
    """The inbox row that opened an attempt."""
    async with db.read() as connection:
        return (await connection.execute(select(attempts.c.body).where(attempts.c.id == attempt))).scalar()


async def without_bundle(db: Database) -> tuple[Attempt, ...]:
    """Attempts whose evidence is not sealed yet, oldest first."""
    waiting = attempts.c.state.in_([State.RECEIVED.value, State.CAPTURING.value])
    sealed = exists().where(bundles.c.attempt == attempts.c.id)
    return await _attempts(db, waiting & ~sealed)


async def without_workflow(db: Database) -> tuple[Attempt, ...]:
    """Attempts with sealed evidence that nobody has enqueued yet."""
    sealed = exists().where(bundles.c.attempt == attempts.c.id)
    waiting = attempts.c.enqueued_at.is_(None) & (attempts.c.state != State.FAILED.value)
    return await _attempts(db, waiting & sealed)


async def _attempts(db: Database, condition: Any) -> tuple[Attempt, ...]:
    query = (
        select(attempts, incidents).join(incidents).where(condition).order_by(attempts.c.opened_at).limit(MOST_AT_ONCE)
    )
    async with db.read() as connection:
        rows = (await connection.execute(query)).all()
    return tuple(_attempt(row, _incident(row)) for row in rows)


async def find_by_name(db: Database, cluster: str, namespace: str, rollout: str) -> Incident | None:
    """The newest known incident of a rollout's name."""
    query = (
        select(incidents)
        .where(incidents.c.cluster == cluster, incidents.c.namespace == namespace, incidents.c.rollout == rollout)
        .order_by(incidents.c.created_at.desc())
        .limit(1)
    )
    async with db.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else _incident(row)


async def count(db: Database) -> int:
    async with db.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(incidents))).scalar_one())


async def _note(connection: AsyncConnection, attempt: str, state: State, detail: str | None, now: datetime) -> None:
    await connection.execute(insert(timeline).values(attempt=attempt, at=now, state=state.value, detail=detail))


async def _count_stage(connection: AsyncConnection, attempt: str, now: datetime) -> None:
    """Add the time spent in the state that is being left."""
    query = select(timeline).where(timeline.c.attempt == attempt).order_by(timeline.c.id.desc()).limit(1)
    last = (await connection.execute(query)).first()
    if last is not None:
        await counters.add(connection, counters.STAGE_SECONDS, {last.state: max(0.0, (now - last.at).total_seconds())})


def _incident(row: Row[Any]) -> Incident:
    return Incident.model_validate({name: getattr(row, name) for name in Incident.model_fields})


def _attempt(row: Row[Any], incident: Incident) -> Attempt:
    return Attempt(
        incident=incident,
        number=row.number,
        state=State(row.state),
        opened_by=row.opened_by,
        opened_at=row.opened_at,
        aborted_at=row.aborted_at,
        detail=row.detail,
    )
