"""What the API shows of incidents: plain documents, newest first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, literal, select, tuple_
from sqlalchemy.engine import Connection

from agents.incident import State
from app.store.database import reads
from app.store.tables import Moment, attempts, incidents, timeline

DOCUMENTS = ("diagnosis", "patch", "verification", "outcome", "cost")
IDENTITY = ("cluster", "namespace", "rollout", "uid", "revision", "canary_hash", "stable_hash")


@reads
def list_incidents(
    connection: Connection, filters: Mapping[str, str], limit: int, before: tuple[datetime, str] | None
) -> list[dict[str, Any]]:
    """Incidents with the state of their last attempt; `filters` by `state`, `namespace`, `rollout`, `cluster`."""
    last = select(attempts.c.incident, func.max(attempts.c.number).label("number")).group_by(attempts.c.incident)
    newest = last.subquery()
    query = (
        select(incidents, attempts.c.number, attempts.c.state, attempts.c.detail, attempts.c.outcome)
        .join(newest, newest.c.incident == incidents.c.key)
        .join(attempts, (attempts.c.incident == incidents.c.key) & (attempts.c.number == newest.c.number))
        .order_by(incidents.c.created_at.desc(), incidents.c.key.desc())
        .limit(limit)
    )
    for name, value in filters.items():
        query = query.where((attempts if name == "state" else incidents).c[name] == value)
    if before is not None:
        query = query.where(
            tuple_(incidents.c.created_at, incidents.c.key) < tuple_(literal(before[0], Moment()), literal(before[1]))
        )
    rows = connection.execute(query).all()
    return [
        {
            "id": row.key,
            **{name: getattr(row, name) for name in IDENTITY},
            "created_at": row.created_at.isoformat(),
            "state": row.state,
            "attempt": row.number,
            "detail": row.detail,
            "pull_request": _pull_request(row.outcome),
        }
        for row in rows
    ]


@reads
def count_by_state(connection: Connection) -> dict[str, int]:
    """How many incidents have their last attempt in each state."""
    last = select(attempts.c.incident, func.max(attempts.c.number).label("number")).group_by(attempts.c.incident)
    newest = last.subquery()
    query = (
        select(attempts.c.state, func.count())
        .join(newest, (attempts.c.incident == newest.c.incident) & (attempts.c.number == newest.c.number))
        .group_by(attempts.c.state)
    )
    rows = connection.execute(query).all()
    return {row[0]: row[1] for row in rows}


@reads
def count_waiting(connection: Connection) -> int:
    """How many attempts are captured, or handed over, and not yet begun by the worker."""
    waiting = attempts.c.state.in_([State.RECEIVED.value, State.CAPTURING.value])
    return int(connection.execute(select(func.count()).select_from(attempts).where(waiting)).scalar_one())


@reads
def show_incident(connection: Connection, key: str, number: int | None = None) -> dict[str, Any] | None:
    """One incident with the documents of its last attempt, or of attempt `number`, on top."""
    incident = connection.execute(select(incidents).where(incidents.c.key == key)).first()
    if incident is None:
        return None
    query = select(attempts).where(attempts.c.incident == key).order_by(attempts.c.number)
    rows = connection.execute(query).all()
    ids = [row.id for row in rows]
    steps = (connection.execute(select(timeline).where(timeline.c.attempt.in_(ids)).order_by(timeline.c.id))).all()
    shown = next((row for row in reversed(rows) if number in {row.number, None}), None)
    if shown is None:
        return None
    return {
        "id": key,
        **{field: getattr(incident, field) for field in IDENTITY},
        "created_at": incident.created_at.isoformat(),
        "state": shown.state,
        "attempt": shown.number,
        "detail": shown.detail,
        **_documents(shown),
        "attempts": [_attempt(row, [step for step in steps if step.attempt == row.id]) for row in rows],
    }


def _attempt(row: Row[Any], steps: Sequence[Row[Any]]) -> dict[str, Any]:
    return {
        "id": row.id,
        "number": row.number,
        "state": row.state,
        "detail": row.detail,
        "opened_by": row.opened_by,
        "opened_at": row.opened_at.isoformat(),
        "aborted_at": row.aborted_at.isoformat() if row.aborted_at else None,
        "timeline": [{"at": step.at.isoformat(), "state": step.state, "detail": step.detail} for step in steps],
        **_documents(row),
    }


def _documents(row: Row[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in DOCUMENTS} | {"pull_request": _pull_request(row.outcome)}


def _pull_request(outcome: Mapping[str, Any] | None) -> Any:
    return (outcome or {}).get("pull_request")
