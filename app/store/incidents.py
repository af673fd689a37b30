"""Incidents and attempts: opened once, moved only along legal transitions, each move on the timeline.

Unique keys, not look-then-write, keep them single; the incident's row is locked while an attempt is opened.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, bindparam, exists, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from agents.audit import Act
from agents.incident import IN_PROGRESS, NEXT, Attempt, Incident, State
from app.notification import Sighting
from app.store import audit, counters
from app.store.database import Database, reads, writes
from app.store.tables import attempts, bundles, inbox, incidents, timeline

MOST_AT_ONCE = 100


# Statements of `admit`, which runs once a notification, are built once.
ADD_INCIDENT = {
    name: dialect.insert(incidents).on_conflict_do_nothing()
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
HOLD_INCIDENT = select(incidents).where(incidents.c.key == bindparam("held")).with_for_update()
ATTEMPT = tuple(
    attempts.c[name]
    for name in ("id", "number", "state", "detail", "opened_by", "opened_at", "aborted_at", "failed_at")
)
"""An attempt without the documents that stages left with it."""
PAST_ATTEMPTS = select(*ATTEMPT).where(attempts.c.incident == bindparam("held")).order_by(attempts.c.number)
MARK_ADMITTED = update(inbox).where(inbox.c.id == bindparam("row")).values(admitted_at=bindparam("at"))


class Admission(BaseModel):
    """The attempt that a notification or a person's call belongs to, and whether it was opened by it."""

    model_config = ConfigDict(frozen=True)

    attempt: Attempt
    opened: bool


class IllegalTransition(Exception):
    """An attempt cannot go from the state it is in to the one asked for."""


@writes
def admit(connection: Connection, row: str, sighting: Sighting, now: datetime) -> Admission:
    """Join or open an attempt for a notification, and mark its inbox row, in one transaction.

    A later `abortedAt` than the last attempt's, or a failed AnalysisRun created after it, opens the next attempt;
    where none is stored yet it is stored, and everything else joins (DESIGN 2.9).
    """
    incident, past = _lock(connection, sighting.incident, now)
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
        attempt = _open(connection, incident, last, origin, now)
    else:
        attempt = _attempt(last, incident)
        learnt: dict[str, datetime] = {} if failed is None else {"failed_at": failed}
        if last.aborted_at is None and abort is not None and all(abort > earlier for earlier in aborts):
            learnt["aborted_at"] = abort
            attempt = attempt.model_copy(update={"aborted_at": abort})
        if learnt:
            connection.execute(update(attempts).where(attempts.c.id == last.id).values(learnt))
    connection.execute(MARK_ADMITTED, {"row": row, "at": now})
    return Admission(attempt=attempt, opened=opened)


def _is_later(stored: datetime | None, abort: datetime | None, failed: datetime | None) -> bool:
    if stored is None:
        return False
    return (abort is not None and abort > stored) or (failed is not None and failed > stored)


@writes
def open_manual(connection: Connection, incident: Incident, actor: str, now: datetime) -> Admission:
    """Join the attempt that is in progress, else open the next one, about the abort that is known so far."""
    incident, past = _lock(connection, incident, now)
    last = past[-1] if past else None
    if last is not None and State(last.state) in IN_PROGRESS:
        return Admission(attempt=_attempt(last, incident), opened=False)
    abort = max((one.aborted_at for one in past if one.aborted_at is not None), default=None)
    attempt = _open(connection, incident, last, _Origin(actor, abort), now)
    return Admission(attempt=attempt, opened=True)


def _lock(connection: Connection, incident: Incident, now: datetime) -> tuple[Incident, Sequence[Row[Any]]]:
    """Make sure the incident is there, hold its row, and return it as first stored, with its attempts in order."""
    key = incident.key
    connection.execute(ADD_INCIDENT[connection.dialect.name], incident.model_dump() | {"key": key, "created_at": now})
    row = connection.execute(HOLD_INCIDENT, {"held": key}).one()
    return _incident(row), connection.execute(PAST_ATTEMPTS, {"held": key}).all()


class _Origin(NamedTuple):
    """What opens an attempt, and what is known of the failure then."""

    opened_by: str
    aborted_at: datetime | None = None
    failed_at: datetime | None = None
    body: str | None = None


def _open(
    connection: Connection,
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
    connection.execute(
        insert(attempts).values(
            id=attempt.id,
            incident=incident.key,
            number=number,
            state=attempt.state.value,
            opened_at=now,
            **origin._asdict(),
        )
    )
    _note(connection, attempt.id, State.RECEIVED, None, now)
    rollout = f"{incident.namespace}/{incident.rollout}"
    opened = Act(action="open-attempt", target=rollout, phase="done", result=attempt.id)
    audit.add(connection, attempt.id, origin.opened_by, opened, now)
    return attempt


@writes
def advance(connection: Connection, attempt: str, to: State, now: datetime, detail: str | None = None) -> None:
    """Move an attempt; entering the state it is in changes nothing. `IllegalTransition` for anything else."""
    allowed = [state.value for state, following in NEXT.items() if to in following]
    moved = connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt, attempts.c.state.in_(allowed), attempts.c.state != to.value)
        .values(state=to.value, detail=detail)
    )
    if moved.rowcount:
        _count_stage(connection, attempt, now)
        _note(connection, attempt, to, detail, now)
        return
    state = connection.execute(select(attempts.c.state).where(attempts.c.id == attempt)).scalar()
    if state != to.value:
        raise IllegalTransition(f"attempt {attempt} cannot go from {state} to {to.value}")


@writes
def record(connection: Connection, /, attempt: str, **documents: dict[str, Any]) -> None:
    """Keep what stages found out: `diagnosis`, `patch`, `verification`, `outcome`, `cost`."""
    if "cost" in documents:
        before = connection.execute(select(attempts.c.cost).where(attempts.c.id == attempt)).scalar() or {}
        used = {direction: f"{direction}_tokens" for direction in ("input", "output")}
        more = {one: documents["cost"].get(key, 0) - before.get(key, 0) for one, key in used.items()}
        counters.add(connection, counters.MODEL_TOKENS, {one: amount for one, amount in more.items() if amount > 0})
    connection.execute(update(attempts).where(attempts.c.id == attempt).values(**documents))


@writes
def note_abort(connection: Connection, attempt: str, aborted_at: datetime) -> None:
    """Store an abort that was read from the Rollout, where no attempt of the incident has one as late."""
    own = select(attempts.c.incident).where(attempts.c.id == attempt).scalar_subquery()
    other = attempts.alias()
    known = exists().where(other.c.incident == own, other.c.aborted_at >= aborted_at)
    connection.execute(
        update(attempts)
        .where(attempts.c.id == attempt, attempts.c.aborted_at.is_(None), ~known)
        .values(aborted_at=aborted_at)
    )


@writes
def mark_enqueued(connection: Connection, attempt: str, now: datetime) -> None:
    connection.execute(update(attempts).where(attempts.c.id == attempt).values(enqueued_at=now))


@reads
def find_attempt(connection: Connection, attempt: str) -> Attempt | None:
    query = select(*ATTEMPT, incidents).join(incidents).where(attempts.c.id == attempt)
    row = connection.execute(query).first()
    return None if row is None else _attempt(row, _incident(row))


@reads
def opening_body(connection: Connection, attempt: str) -> str | None:
    """The inbox row that opened an attempt."""
    return connection.execute(select(attempts.c.body).where(attempts.c.id == attempt)).scalar()


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


@reads
def _attempts(connection: Connection, condition: Any) -> tuple[Attempt, ...]:
    query = (
        select(*ATTEMPT, incidents).join(incidents).where(condition).order_by(attempts.c.opened_at).limit(MOST_AT_ONCE)
    )
    rows = connection.execute(query).all()
    return tuple(_attempt(row, _incident(row)) for row in rows)


@reads
def find_newest(connection: Connection, known: Mapping[str, str]) -> Incident | None:
    """The newest incident with these parts of the identity: `cluster`, `namespace`, `rollout`, `canary_hash`, ..."""
    query = select(incidents).where(*(incidents.c[name] == value for name, value in known.items()))
    query = query.order_by(incidents.c.created_at.desc(), incidents.c.key.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else _incident(row)


@reads
def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(incidents)).scalar_one())


def _note(connection: Connection, attempt: str, state: State, detail: str | None, now: datetime) -> None:
    connection.execute(insert(timeline).values(attempt=attempt, at=now, state=state.value, detail=detail))


def _count_stage(connection: Connection, attempt: str, now: datetime) -> None:
    """Add the time spent in the state that is being left."""
    query = select(timeline).where(timeline.c.attempt == attempt).order_by(timeline.c.id.desc()).limit(1)
    last = connection.execute(query).first()
    if last is not None:
        counters.add(connection, counters.STAGE_SECONDS, {last.state: max(0.0, (now - last.at).total_seconds())})


def _incident(row: Row[*tuple[Any, ...]]) -> Incident:
    return Incident.model_validate({name: getattr(row, name) for name in Incident.model_fields})


def _attempt(row: Row[*tuple[Any, ...]], incident: Incident) -> Attempt:
    return Attempt(
        incident=incident,
        number=row.number,
        state=State(row.state),
        opened_by=row.opened_by,
        opened_at=row.opened_at,
        aborted_at=row.aborted_at,
        detail=row.detail,
    )
