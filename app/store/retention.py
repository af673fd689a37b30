"""How long evidence is kept: bundles go when they are old, and the oldest go first when there is too much."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, func, select

from agents.incident import IN_PROGRESS
from app.store.database import Database
from app.store.tables import attempts, bundle_items, bundles

AT_ONCE = 100
"""Bundles that one transaction lets go of, so that none holds up a notification for long."""


class Retention(NamedTuple):
    """What is kept: bundles younger than `age`, and of those the newest up to `size` bytes, compressed as they lie."""

    age: timedelta = timedelta(days=30)
    size: int = 5 * 1024**3


async def prune(db: Database, now: datetime, retention: Retention) -> tuple[str, ...]:
    """Let go of what is beyond; the attempts, newest first. What somebody still works with stays, whatever its size."""
    sizes = (
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
    async with db.read() as connection:
        rows = (await connection.execute(sizes)).all()
    in_progress = {state.value for state in IN_PROGRESS}
    total, beyond = 0, []
    for row in rows:
        total += row.size
        if (row.sealed_at < now - retention.age or total > retention.size) and row.state not in in_progress:
            beyond.append(row.attempt)
            total -= row.size
    for start in range(0, len(beyond), AT_ONCE):
        some = beyond[start : start + AT_ONCE]
        async with db.write() as connection:
            await connection.execute(delete(bundle_items).where(bundle_items.c.attempt.in_(some)))
            await connection.execute(delete(bundles).where(bundles.c.attempt.in_(some)))
    return tuple(beyond)
