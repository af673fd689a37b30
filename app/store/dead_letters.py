"""Bodies that nobody could read, kept redacted for a person to look at: at most 1,000, for 7 days."""

import asyncio
import zlib
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.database import Database
from app.store.tables import dead_letters

MOST = 1000
KEPT = timedelta(days=7)


async def put(db: Database, cluster: str, reason: str, size: int, redacted: str, now: datetime) -> None:
    """Keep one, and let the oldest go. `size` is that of the raw body in bytes."""
    body = await asyncio.to_thread(zlib.compress, redacted.encode("utf-8", "replace"), 1)
    async with db.write() as connection:
        await connection.execute(
            insert(dead_letters).values(
                received_at=now,
                cluster=cluster,
                reason=reason,
                size=size,
                body=body,
            )
        )
        await _prune(connection, now)


async def prune(db: Database, now: datetime) -> None:
    """Let go what is too old or too much; done with every new one, and now and then without."""
    async with db.write() as connection:
        await _prune(connection, now)


async def _prune(connection: AsyncConnection, now: datetime) -> None:
    await connection.execute(delete(dead_letters).where(dead_letters.c.received_at < now - KEPT))
    oldest_kept = select(dead_letters.c.id).order_by(dead_letters.c.id.desc()).offset(MOST - 1).limit(1)
    await connection.execute(delete(dead_letters).where(dead_letters.c.id < oldest_kept.scalar_subquery()))


async def count(db: Database) -> int:
    async with db.read() as connection:
        return int((await connection.execute(select(func.count()).select_from(dead_letters))).scalar_one())
