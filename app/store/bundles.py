"""Sealed bundles: one row a bundle, one compressed row an item. An item never changes once it is written."""

import zlib
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from agents.evidence import Bundle, Manifest
from app.store.database import Database
from app.store.tables import bundle_items, bundles


async def save(db: Database, attempt: str, bundle: Bundle) -> None:
    """Keep a bundle; where the attempt has one already, that one stays."""
    manifest = bundle.manifest.model_dump(mode="json", by_alias=True)
    values = {"attempt": attempt, "sealed_at": bundle.manifest.captured_at, "manifest": manifest}
    items = [_row(attempt, item, text) for item, text in bundle.contents.items()]
    async with db.write() as connection:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        statement = dialect.insert(bundles).values(values).on_conflict_do_nothing().returning(bundles.c.attempt)
        is_first = (await connection.execute(statement)).first() is not None
        if is_first and items:
            await connection.execute(insert(bundle_items), items)


async def identified(db: Database, attempt: str, bundle: Bundle) -> None:
    """Keep which code the bundle's versions are, and the items that were added to find out. Again is fine."""
    manifest = bundle.manifest.model_dump(mode="json", by_alias=True)
    async with db.write() as connection:
        await connection.execute(update(bundles).where(bundles.c.attempt == attempt).values(manifest=manifest))
        stored = await connection.execute(select(bundle_items.c.item).where(bundle_items.c.attempt == attempt))
        there = set(stored.scalars())
        added = [item for item in bundle.contents if item not in there]
        if added:
            await connection.execute(
                insert(bundle_items), [_row(attempt, item, bundle.contents[item]) for item in added]
            )


def _row(attempt: str, item: str, text: str) -> dict[str, Any]:
    return {"attempt": attempt, "item": item, "content": zlib.compress(text.encode("utf-8", "replace"))}


async def load(db: Database, attempt: str) -> Bundle | None:
    async with db.read() as connection:
        manifest = (await connection.execute(select(bundles.c.manifest).where(bundles.c.attempt == attempt))).scalar()
        if manifest is None:
            return None
        rows = (await connection.execute(select(bundle_items).where(bundle_items.c.attempt == attempt))).all()
    contents = {row.item: zlib.decompress(row.content).decode() for row in rows}
    return Bundle(manifest=Manifest.model_validate(manifest), contents=contents)
