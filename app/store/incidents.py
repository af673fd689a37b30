"""Incidents and attempts: opened once, moved only along legal transitions, each move on the timeline.

Unique keys, not look-then-write, keep them single; the incident's row is locked while an attempt is opened.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from agents.incident import IN_PROGRESS, NEXT, Attempt, Incident, State
from app.notification import Sighting
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
        incident, past = await _lock(connection, sighting.incident, now)
        last = past[-1] if past else None
        aborts = [one.aborted_at for one in past if one.aborted_at is not None]
        failures = [one.failed_at for one in past if one.failed_at is not None]
        # late copies of what an attempt knows already say nothing new, whatever the clocks of those who wrote it
        abort = sighting.aborted_at if sighting.aborted_at not in aborts else None
        failed = sighting.failed_at
        if failed is not None and any(failed <= seen for seen in failures):
            failed = None
        opened = last is None or _is_later(last.aborted_at, abort, failed)
        if last is None or opened:
            origin = _Origin(f"notification:{sighting.trigger}", abort, sighting.failed_at, row)
            attempt = await _open(connection, incident, last, origin, now)
        else:
            attempt = _attempt(last, incident)
            learnt: dict[str, datetime] = {} if failed is None else {"failed_at": failed}
            if last.aborted_at is None and abort is not None and all(abort > earlier for earlier in aborts):
                learnt["aborted_at"] = abort
                attempt = attempt.model_copy(update={"aborted_at": abort})
            if learnt:
                await connection.execute(update(attempts).where(attempts.c.id == last.id).values(learnt))
        await connection.execute(update(inbox).where(inbox.c.id == row).values(admitted_at=now))
    return Admission(attempt=attempt, opened=opened)


def _is_later(stored: datetime | None, abort: datetime | None, failed: datetime | None) -> bool:
    if stored is None:
        return False
    return (abort is not None and abort > stored) or (failed is not None and failed > stored)


async def open_manual(db: Database, incident: Incident, actor: str, now: datetime) -> Admission:
    """Join the attempt that is in progress, else open the next one, about the abort that is known so far."""
    async with db.write() as connection:
        incident, past = await _lock(connection, incident, now)
        last = past[-1] if past else None
        if last is not None and State(last.state) in IN_PROGRESS:
            return Admission(attempt=_attempt(last, incident), opened=False)
        abort = max((one.aborted_at for one in past if one.aborted_at is not None), default=None)
        attempt = await _open(connection, incident, last, _Origin(actor, abort), now)
    return Admission(attempt=attempt, opened=True)


async def _lock(connection: AsyncConnection, incident: Incident, now: datetime) -> tuple[Incident, Sequence[Row[Any]]]:
    """Make sure the incident is there, hold its row, and return it as first stored, with its attempts in order."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = incident.model_dump() | {"key": incident.key, "created_at": now}
    await connection.execute(dialect.insert(incidents).values(values).on_conflict_do_nothing())
    stored = select(incidents).where(incidents.c.key == incident.key).with_for_update()
    row = (await connection.execute(stored)).one()
    query = select(attempts).where(attempts.c.incident == incident.key).order_by(attempts.c.number)
    return _incident(row), (await connection.execute(query)).all()


class _Origin(NamedTuple):
    """What opens an attempt, and what is known of the failure then."""

    opened_by: str
    aborted_at: datetime | None = None
    failed_at: datetime | None = None
    body: str | None = None


async def _open(
    connection: AsyncConnection,
    incident: Incident,
    last: Row[Any] | None,
    origin: _Origin,
    now: datetime,
) -> Attempt:
    number = 1 if last is None else last.number + 1
    attempt = Attempt(
        incident=incident,
        number=number,
        state=State.RECEIVED,
        opened_by=origin.opened_by,
        opened_at=now,
        aborted_at=origin.aborted_at,
    )
    await connection.execute(
        insert(attempts).values(
            id=attempt.id,
            incident=incident.key,
            number=number,
            state=attempt.state.value,
            opened_at=now,
            **origin._asdict(),
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
            await _note(connection, attempt, to, detail, now)
            return
        state = (await connection.execute(select(attempts.c.state).where(attempts.c.id == attempt))).scalar()
    if state != to.value:
        raise IllegalTransition(f"attempt {attempt} cannot go from {state} to {to.value}")


async def record(db: Database, attempt: str, **documents: dict[str, Any]) -> None:
    """Keep what stages found out: `diagnosis`, `patch`, `verification`, `outcome`, `cost`."""
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


async def find_newest(db: Database, known: Mapping[str, str]) -> Incident | None:
    """The newest incident with these parts of the identity: `cluster`, `namespace`, `rollout`, `canary_hash`, ..."""
    query = select(incidents).where(*(incidents.c[name] == value for name, value in known.items()))
    query = query.order_by(incidents.c.created_at.desc(), incidents.c.key.desc()).limit(1)
    async with db.read() as connection:
        row = (await connection.execute(query)).first()
    return None if row is None else _incident(row)


async def count(db: Database) -> int:
    async with db.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(incidents))).scalar_one())


async def _note(connection: AsyncConnection, attempt: str, state: State, detail: str | None, now: datetime) -> None:
    await connection.execute(insert(timeline).values(attempt=attempt, at=now, state=state.value, detail=detail))


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
