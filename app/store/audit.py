"""The audit trail: rows that are only ever added, which the database itself enforces (migration 0004)."""

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from agents.audit import Act
from app.store.database import reads, writes
from app.store.tables import attempts, audit

SERVICE = "selfheal"
"""The actor of what the service does by itself."""


@writes
def append(connection: Connection, attempt: str, actor: str, act: Act, now: datetime) -> None:
    """Add one act."""
    add(connection, attempt, actor, act, now)


def add(connection: Connection, attempt: str, actor: str, act: Act, now: datetime) -> None:
    """As `append`, within a write that is under way."""
    row = act.model_dump(mode="json") | {"attempt": attempt, "actor": actor, "at": now}
    connection.execute(insert(audit).values(row))


@reads
def of_incident(connection: Connection, key: str) -> list[dict[str, Any]]:
    """Every act of an incident's attempts, in the order of their noting."""
    mine = select(attempts.c.id).where(attempts.c.incident == key)
    rows = connection.execute(select(audit).where(audit.c.attempt.in_(mine)).order_by(audit.c.id)).all()
    return [
        {
            "at": row.at.isoformat(),
            "attempt": row.attempt,
            "actor": row.actor,
            "action": row.action,
            "target": row.target,
            "phase": row.phase,
            "result": row.result,
            "evidence": row.evidence,
        }
        for row in rows
    ]
