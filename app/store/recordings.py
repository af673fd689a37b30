"""What flight recorders heard of canaries that failed: redacted, and here only until the bundle is sealed.

A row an incident and process of the service, so that a process which is started again does not write over what the
one before it heard.
"""

import asyncio
import json
import zlib
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from agents.evidence import LogSource
from agents.evidence.recording import Recording
from agents.incident import State
from app.store.database import Database, reads, writes
from app.store.tables import attempts, recordings

UNSEALED = (State.RECEIVED.value, State.CAPTURING.value)
KEPT = timedelta(days=1)
"""For those whose bundle was never sealed; capture gives up long before."""


async def keep(db: Database, incident: str, process: str, recording: Recording, now: datetime) -> None:
    """Keep a recording, which `redacted` gave; a later one of the same process takes its place."""
    content = await asyncio.to_thread(_packed, recording)
    await _keep(db, incident, process, content, now)


@writes
def _keep(connection: Connection, incident: str, process: str, content: bytes, now: datetime) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {"incident": incident, "process": process, "kept_at": now, "content": content}
    changed = {"kept_at": now, "content": content}
    statement = dialect.insert(recordings).values(values)
    index = [recordings.c.incident, recordings.c.process]
    connection.execute(statement.on_conflict_do_update(index_elements=index, set_=changed))


async def load(db: Database, incident: str, but_of: str) -> tuple[Recording, ...]:
    """What processes other than `but_of` heard, oldest first."""
    rows = await _load(db, incident, but_of)
    return await asyncio.to_thread(lambda: tuple(map(_unpacked, rows)))


@reads
def _load(connection: Connection, incident: str, but_of: str) -> tuple[bytes, ...]:
    query = (
        select(recordings.c.content)
        .where(recordings.c.incident == incident, recordings.c.process != but_of)
        .order_by(recordings.c.kept_at, recordings.c.process)
    )
    return tuple(connection.execute(query).scalars())


def let_go(connection: Connection, attempt: str) -> None:
    """Inside the transaction that seals an attempt: its bundle holds what was heard, unless another still waits."""
    incident = select(attempts.c.incident).where(attempts.c.id == attempt).scalar_subquery()
    others = exists().where(
        attempts.c.incident == recordings.c.incident, attempts.c.id != attempt, attempts.c.state.in_(UNSEALED)
    )
    connection.execute(delete(recordings).where((recordings.c.incident == incident) & ~others))


@writes
def prune(connection: Connection, now: datetime) -> None:
    """Let go of those that nobody will seal a bundle with any more."""
    waiting = exists().where(attempts.c.incident == recordings.c.incident, attempts.c.state.in_(UNSEALED))
    connection.execute(delete(recordings).where((recordings.c.kept_at < now - KEPT) & ~waiting))


def _packed(recording: Recording) -> bytes:
    logs = [{"source": source.model_dump(), "text": text} for source, text in recording.logs.items()]
    document = {"logs": logs, "pods": recording.pods, "events": recording.events}
    return zlib.compress(json.dumps(document).encode(), 1)


def _unpacked(content: bytes) -> Recording:
    document = json.loads(zlib.decompress(content))
    return Recording(
        logs={LogSource.model_validate(one["source"]): one["text"] for one in document["logs"]},
        pods=tuple(document["pods"]),
        events=tuple(document["events"]),
    )
