"""The inbox: the one durable write of a notification, and what is still to be done with it."""

import hashlib
import json
import zlib
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from app.notification import Notification, Sighting
from app.store.database import Database
from app.store.tables import inbox

MOST_PENDING = 100
KEPT = timedelta(days=30)
"""For the rows that are done with. What an attempt was opened by is in its bundle as well."""


class Pending(BaseModel):
    """A notification of a failed canary that no attempt has been found or opened for yet."""

    model_config = ConfigDict(frozen=True)

    id: str
    sighting: Sighting


def row_id(cluster: str, raw: bytes) -> str:
    """The same body from the same cluster is the same row."""
    return hashlib.sha256(cluster.encode() + b"\0" + raw).hexdigest()


async def put(
    db: Database, row: str, cluster: str, notification: Notification, redacted: dict[str, Any], now: datetime
) -> None:
    """Keep a notification; one that is there already counts up its deliveries."""
    sighting = notification.sighting
    values = {
        "id": row,
        "received_at": now,
        "cluster": cluster,
        "disposition": notification.disposition,
        "reason": notification.reason,
        "trigger": notification.trigger,
        "namespace": notification.namespace,
        "rollout": notification.rollout,
        "canary_hash": notification.canary_hash,
        "incident": sighting.incident.key if sighting else None,
        "sighting": sighting.model_dump(mode="json") if sighting else None,
        "body": zlib.compress(json.dumps(redacted).encode(), 1),
        "deliveries": 1,
        "admitted_at": None if sighting else now,
    }
    async with db.write() as connection:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(inbox).values(values)
        await connection.execute(
            statement.on_conflict_do_update(index_elements=[inbox.c.id], set_={"deliveries": inbox.c.deliveries + 1})
        )


async def pending(db: Database) -> tuple[Pending, ...]:
    """The oldest notifications that were not admitted."""
    query = (
        select(inbox.c.id, inbox.c.sighting)
        .where(inbox.c.admitted_at.is_(None))
        .order_by(inbox.c.received_at, inbox.c.id)
        .limit(MOST_PENDING)
    )
    async with db.read() as connection:
        rows = (await connection.execute(query)).all()
    return tuple(Pending(id=row.id, sighting=Sighting.model_validate(row.sighting)) for row in rows)


async def newest(db: Database, cluster: str) -> datetime | None:
    """When the last notification of a cluster came; None if none is kept."""
    query = select(inbox.c.received_at).where(inbox.c.cluster == cluster).order_by(inbox.c.received_at.desc()).limit(1)
    async with db.read() as connection:
        found: datetime | None = (await connection.execute(query)).scalar()
    return found


async def prune(db: Database, now: datetime) -> None:
    """Let go the notifications of a month ago; one that still waits to be admitted stays."""
    old = (inbox.c.received_at < now - KEPT) & (inbox.c.admitted_at < now - KEPT)
    async with db.write() as connection:
        await connection.execute(delete(inbox).where(old))


async def body_of(db: Database, row: str | None) -> dict[str, Any] | None:
    """The redacted body of a row."""
    if row is None:
        return None
    async with db.read() as connection:
        content = (await connection.execute(select(inbox.c.body).where(inbox.c.id == row))).scalar()
    if content is None:
        return None
    body: dict[str, Any] = json.loads(zlib.decompress(content))
    return body
