"""The worker process: heals. Its composition root, and nothing else, builds the adapters behind `Ports`."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import structlog

from agents.evidence import Bundle
from agents.graph import Journal, Ports
from agents.incident import State
from agents.outcome import Outcome, final_state
from agents.policy import Policy, parse_policy
from app import jobs, telemetry
from app.adapters.checkout import Mirrors, Trees
from app.adapters.forge_local import LocalForge
from app.adapters.sandbox import Box, Limits
from app.clock import utc_now
from app.settings import Settings
from app.store import bundles, incidents
from app.store.database import Database, migrate

log = structlog.get_logger(__name__)


class StoreJournal:
    """The graph's `Journal` on the database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def bundle(self, attempt_id: str) -> Bundle:
        found = await bundles.load(self._db, attempt_id)
        if found is None:
            raise LookupError(f"attempt {attempt_id} has no sealed bundle")
        return found

    async def enter(self, attempt_id: str, stage: State) -> None:
        log.info("stage", attempt=attempt_id, stage=stage.value)
        await incidents.advance(self._db, attempt_id, stage, utc_now())

    async def record(self, attempt_id: str, documents: Mapping[str, dict[str, Any]]) -> None:
        await incidents.record(self._db, attempt_id, **documents)

    async def finish(self, attempt_id: str, outcome: Outcome) -> None:
        state, detail = final_state(outcome)
        await incidents.record(self._db, attempt_id, outcome=outcome.model_dump(mode="json"))
        await incidents.advance(self._db, attempt_id, state, utc_now(), detail)
        log.info("outcome", attempt=attempt_id, state=state.value, detail=detail)


def build_ports(settings: Settings, db: Database) -> Ports:
    """The adapters that the settings ask for."""
    as_root = os.geteuid() == 0
    uid = settings.sandbox_uid if as_root and settings.sandbox == "bubblewrap" else None
    forge_dir = settings.forge_dir or settings.data_dir / "forge"
    mirrors = Mirrors(settings.data_dir / "mirrors", forge_dir)
    limits = Limits(seconds=settings.sandbox_seconds, memory_mb=settings.sandbox_memory_mb, uid=uid)
    return Ports(
        journal=StoreJournal(db),
        repositories=mirrors,
        forge=LocalForge(forge_dir),
        sandbox=Box(settings.sandbox, limits),
        workspace=Trees(mirrors, settings.sandbox_dir, uid),
        policy=read_policy(settings.policy),
    )


def read_policy(path: Path | None) -> Policy:
    """The server policy; without a file, nothing is allowed."""
    return Policy() if path is None else parse_policy(path.read_text(encoding="utf-8"))
