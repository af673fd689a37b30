"""The inbox: the one durable write of a notification, and what is still to be done with it."""

import hashlib
import json
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from agents.incident import Promotion
from app.notification import Disposition, Lead, Notification, Sighting
from app.store.database import reads, writes
from app.store.tables import inbox

MOST_PENDING = 100
KEPT = timedelta(days=30)
"""For the rows that are done with. What an attempt was opened by is in its bundle as well."""


UPSERT = {
    name: dialect.insert(inbox).on_conflict_do_update(
        index_elements=[inbox.c.id], set_={"deliveries": inbox.c.deliveries + 1}
    )
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
"""Built once: Argo's reconcile waits for this statement, and building one takes as long as running it."""


class Pending(BaseModel):
    """A notification of a failed canary that no attempt has been found or opened for yet."""

    model_config = ConfigDict(frozen=True)

    id: str
    sighting: Sighting


class Lookup(BaseModel):
    """A notification of something of a Rollout that has not been looked up yet."""

    model_config = ConfigDict(frozen=True)

    id: str
    lead: Lead
    received_at: datetime


class Passed(BaseModel):
    """A notification of a version that passed its canary."""

    model_config = ConfigDict(frozen=True)

    id: str
    promotion: Promotion


def row_id(cluster: str, raw: bytes) -> str:
    """The same body from the same cluster is the same row."""
    return hashlib.sha256(cluster.encode() + b"\0" + raw).hexdigest()


@writes
def put(
    connection: Connection, row: str, cluster: str, notification: Notification, redacted: dict[str, Any], now: datetime
) -> None:
    """Keep a notification; one that is there already counts up its deliveries."""
    sighting = notification.sighting
    waiting = sighting or notification.lead or notification.promotion
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
        "sighting": waiting.model_dump(mode="json") if waiting else None,
        "body": zlib.compress(json.dumps(redacted).encode(), 1),
        "deliveries": 1,
        "admitted_at": None if waiting else now,
    }
    connection.execute(UPSERT[connection.dialect.name], values)


@reads
def pending(connection: Connection) -> tuple[Pending, ...]:
    """The oldest notifications that were not admitted."""
    rows = _waiting(connection, inbox.c.disposition == "incident")
    return tuple(Pending(id=row.id, sighting=Sighting.model_validate(row.sighting)) for row in rows)


@reads
def lookups(connection: Connection) -> tuple[Lookup, ...]:
    """The oldest notifications whose Rollout is not known yet."""
    rows = _waiting(connection, inbox.c.disposition == "lookup")
    return tuple(Lookup(id=row.id, lead=Lead.model_validate(row.sighting), received_at=row.received_at) for row in rows)


@reads
def promotions(connection: Connection) -> tuple[Passed, ...]:
    """The oldest promotions that nothing was done about yet."""
    rows = _waiting(connection, inbox.c.disposition == "signal")
    return tuple(Passed(id=row.id, promotion=Promotion.model_validate(row.sighting)) for row in rows)


@writes
def settle(connection: Connection, row: str, now: datetime) -> None:
    """Nothing is left to be done about a row."""
    connection.execute(update(inbox).where(inbox.c.id == row).values(admitted_at=now))


def _waiting(connection: Connection, which: ColumnElement[bool]) -> Sequence[Any]:
    query = (
        select(inbox.c.id, inbox.c.sighting, inbox.c.received_at)
        .where(inbox.c.admitted_at.is_(None), which)
        .order_by(inbox.c.received_at, inbox.c.id)
        .limit(MOST_PENDING)
    )
    return connection.execute(query).all()


@writes
def identify(connection: Connection, row: str, sighting: Sighting) -> None:
    """A row whose Rollout was found: from now on it waits to be admitted like any other."""
    incident = sighting.incident
    values = {
        "disposition": "incident",
        "rollout": incident.rollout,
        "canary_hash": incident.canary_hash,
        "incident": incident.key,
        "sighting": sighting.model_dump(mode="json"),
    }
    connection.execute(update(inbox).where(inbox.c.id == row).values(values))


@writes
def dismiss(connection: Connection, row: str, disposition: Disposition, reason: str, now: datetime) -> None:
    """A row that leads to no incident, and why."""
    values = {"disposition": disposition, "reason": reason, "admitted_at": now}
    connection.execute(update(inbox).where(inbox.c.id == row).values(values))


@reads
def newest(connection: Connection, cluster: str) -> datetime | None:
    """When the last notification of a cluster came; None if none is kept."""
    query = select(inbox.c.received_at).where(inbox.c.cluster == cluster).order_by(inbox.c.received_at.desc()).limit(1)
    found: datetime | None = connection.execute(query).scalar()
    return found


@writes
def prune(connection: Connection, now: datetime) -> None:
    """Let go the notifications of a month ago; one that still waits to be admitted stays."""
    old = (inbox.c.received_at < now - KEPT) & (inbox.c.admitted_at < now - KEPT)
    connection.execute(delete(inbox).where(old))


@reads
def body_of(connection: Connection, row: str | None) -> dict[str, Any] | None:
    """The redacted body of a row."""
    if row is None:
        return None
    content = connection.execute(select(inbox.c.body).where(inbox.c.id == row)).scalar()
    if content is None:
        return None
    body: dict[str, Any] = json.loads(zlib.decompress(content))
    return body
