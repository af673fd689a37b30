"""How long evidence is kept: bundles go when they are old, and the oldest go first when there is too much."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, select
from sqlalchemy.engine import Connection

from agents.incident import IN_PROGRESS
from app.store.database import Database, reads, writes
from app.store.tables import attempts, bundle_items, bundles

AT_ONCE = 100
"""Bundles that one transaction lets go of, so that none holds up a notification for long."""


class Retention(NamedTuple):
    """What is kept: bundles younger than `age`, and of those the newest up to `size` bytes, compressed as they lie."""

    age: timedelta = timedelta(days=30)
    size: int = 5 * 1024**3


async def prune(db: Database, now: datetime, retention: Retention) -> tuple[str, ...]:
    """Let go of what is beyond; the attempts, newest first. What somebody still works with stays, whatever its size."""
    in_progress = {state.value for state in IN_PROGRESS}
    total, beyond = 0, []
    for row in await _sizes(db):
        total += row.size
        if (row.sealed_at < now - retention.age or total > retention.size) and row.state not in in_progress:
            beyond.append(row.attempt)
            total -= row.size
    for start in range(0, len(beyond), AT_ONCE):
        await _delete(db, beyond[start : start + AT_ONCE])
    return tuple(beyond)


@reads
def _sizes(connection: Connection) -> Sequence[Row[*tuple[Any, ...]]]:
    """Every bundle with its attempt's state and its bytes, newest first."""
    query = (
        select(
            bundles.c.attempt,
            bundles.c.sealed_at,
            attempts.c.state,
            func.coalesce(func.sum(func.length(bundle_items.c.content)), 0).label("size"),
        )
        .join(attempts, attempts.c.id == bundles.c.attempt)
        .outerjoin(bundle_items, bundle_items.c.attempt == bundles.c.attempt)
        .group_by(bundles.c.attempt, bundles.c.sealed_at, attempts.c.state)
        .order_by(bundles.c.sealed_at.desc(), bundles.c.attempt)
    )
    return connection.execute(query).all()


@writes
def _delete(connection: Connection, some: Sequence[str]) -> None:
    connection.execute(delete(bundle_items).where(bundle_items.c.attempt.in_(some)))
    connection.execute(delete(bundles).where(bundles.c.attempt.in_(some)))
