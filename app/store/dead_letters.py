"""Bodies that nobody could read, kept redacted for a person to look at: at most 1,000, for 7 days."""

import asyncio
import zlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, insert, select
from sqlalchemy.engine import Connection

from app.store.database import Database, reads, writes
from app.store.tables import dead_letters

MOST = 1000
KEPT = timedelta(days=7)


async def put(db: Database, cluster: str, reason: str, size: int, redacted: str, now: datetime) -> None:
    """Keep one, and let the oldest go. `size` is that of the raw body in bytes."""
    body = await asyncio.to_thread(zlib.compress, redacted.encode("utf-8", "replace"), 1)
    await _put(db, {"received_at": now, "cluster": cluster, "reason": reason, "size": size, "body": body}, now)


@writes
def _put(connection: Connection, letter: dict[str, Any], now: datetime) -> None:
    connection.execute(insert(dead_letters).values(letter))
    _prune(connection, now)


@writes
def prune(connection: Connection, now: datetime) -> None:
    """Let go what is too old or too much; done with every new one, and now and then without."""
    _prune(connection, now)


def _prune(connection: Connection, now: datetime) -> None:
    connection.execute(delete(dead_letters).where(dead_letters.c.received_at < now - KEPT))
    oldest_kept = select(dead_letters.c.id).order_by(dead_letters.c.id.desc()).offset(MOST - 1).limit(1)
    connection.execute(delete(dead_letters).where(dead_letters.c.id < oldest_kept.scalar_subquery()))


@reads
def count(connection: Connection) -> int:
    return int(connection.execute(select(func.count()).select_from(dead_letters)).scalar_one())
