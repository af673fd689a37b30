"""Sealed bundles: one row a bundle, one compressed row an item. An item never changes once it is written."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from agents.evidence import Bundle, Manifest
from app.store import counters, recordings
from app.store.database import Database, reads, writes
from app.store.tables import bundle_items, bundles


async def save(db: Database, attempt: str, bundle: Bundle) -> None:
    """Keep a bundle; where the attempt has one already, that one stays."""
    items = await asyncio.to_thread(_compressed, attempt, bundle)
    await _save(db, attempt, bundle.manifest, items, Counter[str](item.status for item in bundle.gaps()))


def _compressed(attempt: str, bundle: Bundle) -> list[dict[str, Any]]:
    return [_row(attempt, item, text) for item, text in bundle.contents.items()]


@writes
def _save(
    connection: Connection, attempt: str, manifest: Manifest, items: list[dict[str, Any]], gaps: Mapping[str, float]
) -> None:
    document = manifest.model_dump(mode="json", by_alias=True)
    values = {"attempt": attempt, "sealed_at": manifest.captured_at, "manifest": document}
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(bundles).values(values).on_conflict_do_nothing().returning(bundles.c.attempt)
    if connection.execute(statement).first() is None:
        return
    if items:
        connection.execute(insert(bundle_items), items)
    recordings.let_go(connection, attempt)
    counters.add(connection, counters.CAPTURE_GAPS, gaps)


@writes
def identified(connection: Connection, attempt: str, bundle: Bundle) -> None:
    """Keep which code the bundle's versions are, and the items that were added to find out. Again is fine."""
    manifest = bundle.manifest.model_dump(mode="json", by_alias=True)
    connection.execute(update(bundles).where(bundles.c.attempt == attempt).values(manifest=manifest))
    there = set(connection.execute(select(bundle_items.c.item).where(bundle_items.c.attempt == attempt)).scalars())
    added = [_row(attempt, item, text) for item, text in bundle.contents.items() if item not in there]
    if added:
        connection.execute(insert(bundle_items), added)


def _row(attempt: str, item: str, text: str) -> dict[str, Any]:
    return {"attempt": attempt, "item": item, "content": zlib.compress(text.encode("utf-8", "replace"))}


@reads
def load(connection: Connection, attempt: str) -> Bundle | None:
    manifest = connection.execute(select(bundles.c.manifest).where(bundles.c.attempt == attempt)).scalar()
    if manifest is None:
        return None
    rows = connection.execute(select(bundle_items).where(bundle_items.c.attempt == attempt)).all()
    contents = {row.item: zlib.decompress(row.content).decode() for row in rows}
    return Bundle(manifest=Manifest.model_validate(manifest), contents=contents)
