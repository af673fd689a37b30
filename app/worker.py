"""The worker process: heals. Its composition root, and nothing else, builds the adapters behind `Ports`."""

import asyncio
import contextlib
import hashlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from agents.audit import Act, AuditedForge
from agents.budget import Limits, Models
from agents.evidence import Bundle, Registry
from agents.followup import close_healed
from agents.graph import Ports
from agents.incident import IN_PROGRESS, Promotion, State
from agents.outcome import Outcome, final_state
from agents.redaction import Redactor
from agents.verification import Dependencies
from app import jobs, telemetry
from app.adapters.checkout import Mirrors, Trees
from app.adapters.dependencies import Indexes, Packages, Place
from app.adapters.forge_github import Access, GitHubForge
from app.adapters.forge_local import LocalForge
from app.adapters.forges import Forges
from app.adapters.registry import HttpRegistry
from app.adapters.sandbox import INSIDE, Box, bare_environment
from app.adapters.sandbox import Limits as BoxLimits
from app.clock import utc_now
from app.data_folder import checkpoint_file, only_one, store_url
from app.settings import Settings, read_policy, read_registry_credentials
from app.store import audit, bundles, incidents, issues
from app.store.database import Database, migrate
from app.tool_environment import tool_environment

LOCK_PATIENCE_SECONDS = 15.0
"""The worker of an intake that was killed needs a moment to notice."""
MOST_DETAIL = 500

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

    async def identified(self, attempt_id: str, bundle: Bundle) -> None:
        await bundles.identified(self._db, attempt_id, bundle)

    async def enter(self, attempt_id: str, stage: State) -> None:
        log.info("stage", attempt=attempt_id, stage=stage.value)
        await incidents.advance(self._db, attempt_id, stage, utc_now())

    async def record(self, attempt_id: str, documents: Mapping[str, dict[str, Any]]) -> None:
        await incidents.record(self._db, attempt_id, **documents)

    async def note(self, attempt_id: str, act: Act) -> None:
        await audit.append(self._db, attempt_id, audit.SERVICE, act, utc_now())

    async def finish(self, attempt_id: str, outcome: Outcome) -> None:
        state, detail = final_state(outcome)
        await incidents.record(self._db, attempt_id, outcome=outcome.model_dump(mode="json"))
        await incidents.advance(self._db, attempt_id, state, utc_now(), detail)
        log.info("outcome", attempt=attempt_id, state=state.value, detail=detail)


async def build_ports(settings: Settings, db: Database, models: Models | None = None, *, alone: bool = True) -> Ports:
    """The adapters that the settings ask for. `alone`: the caller is the only worker on the data folder, and sweeps."""
    as_root = os.geteuid() == 0
    uid = settings.sandbox_uid if as_root and settings.sandbox == "bubblewrap" else None
    forge_dir = settings.forge_dir or settings.data_dir / "forge"
    github = Access(settings.github) if settings.github else None
    most_bytes = int(settings.mirrors_gb * 1024**3)
    mirrors = Mirrors(settings.data_dir / "mirrors", forge_dir, github, most_bytes)
    limits = BoxLimits(seconds=settings.sandbox_seconds, memory_mb=settings.sandbox_memory_mb, uid=uid)
    owner = hashlib.sha256(str(settings.data_dir.resolve()).encode()).hexdigest()[:12]
    trees = Trees(mirrors, settings.sandbox_dir, uid, prefix=f"tree-{owner}")
    if alone:
        await trees.sweep()
    place = Place(path=bare_environment()["PATH"], root=INSIDE if settings.sandbox == "bubblewrap" else None, uid=uid)
    return Ports(
        journal=StoreJournal(db),
        repositories=mirrors,
        forge=Forges(LocalForge(forge_dir), GitHubForge(github) if github else None),
        sandbox=Box(settings.sandbox, limits),
        workspace=trees,
        policy=read_policy(settings.policy),
        models=models,
        dependencies=build_packages(settings, place),
        registry=build_registry(settings),
    )


def build_packages(settings: Settings, place: Place) -> Dependencies | None:
    """The fetcher of packages; None where the settings leave it no room."""
    if settings.packages_gb == 0:
        return None
    indexes = Indexes(settings.python_index, settings.npm_registry, settings.go_proxy, tool_environment())
    return Packages(settings.data_dir / "packages", place, indexes, int(settings.packages_gb * 1024**3))


def build_models(settings: Settings, closing: contextlib.AsyncExitStack) -> Models | None:
    """The model, if one is configured; `closing` closes its connections."""
    if settings.model is None:
        return None
    from app.adapters.llm import ChatModels  # noqa: PLC0415 - two seconds, which a service without a model saves

    limits = Limits(calls=settings.model_calls, tokens=settings.model_tokens, seconds=settings.model_seconds)
    models = ChatModels(settings.model, settings.model_url, settings.model_key, limits)
    closing.push_async_callback(models.close)
    return models


def build_registry(settings: Settings) -> Registry | None:
    """None where the settings name no registry, so that none is asked and no gap is noted."""
    if not settings.named_registries:
        return None
    return HttpRegistry(settings.named_registries, read_registry_credentials(settings.registry_auth_file))


async def work(settings: Settings, *, with_parent: bool, wrap: Callable[[Ports], Ports] = lambda ports: ports) -> None:
    """Heal until told to stop. `with_parent` ends with whoever holds the other end of standard input.

    `wrap` may replace ports before they are used; the crash tests end the process inside them.
    """
    telemetry.keep_home()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(kind, stop.set)
    if with_parent:
        threading.Thread(target=_wait_for_end_of_input, args=(loop, stop), daemon=True).start()
    await asyncio.to_thread(migrate, store_url(settings.data_dir))
    db = Database(store_url(settings.data_dir))
    saver = await jobs.open_saver(checkpoint_file(settings.data_dir))
    closing = contextlib.AsyncExitStack()
    ports = await build_ports(settings, db, build_models(settings, closing))
    healer = jobs.Healer(wrap(ports), saver)

    async def heal(attempt_id: str) -> None:
        if await _in_progress(db, attempt_id):
            await healer.run(attempt_id)

    async def give_up(attempt_id: str, reason: str) -> None:
        if await _in_progress(db, attempt_id):
            detail = Redactor().redact_text(reason)[:MOST_DETAIL]
            await incidents.advance(db, attempt_id, State.FAILED, utc_now(), detail)

    async def follow(attempt_id: str, promotion: Promotion) -> None:
        await follow_up(db, healer.ports, attempt_id, promotion)

    engine = jobs.Engine(settings.data_dir, heal, give_up, follow)
    await engine.launch()
    log.info("worker ready")
    await stop.wait()
    await engine.stop()
    await closing.aclose()
    await saver.conn.close()
    await db.close()


async def follow_up(db: Database, ports: Ports, attempt_id: str, promotion: Promotion) -> None:
    """Close the issue that an attempt left, and note what came of it; nothing where that was noted before."""
    for issue in await issues.healed_by(db, promotion):
        if issue.attempt == attempt_id:
            forge = AuditedForge(ports.forge, ports.journal, attempt_id, ())
            async with ports.turns.at(issue.repository):
                said = await close_healed(issue.repository, issue.incident, promotion, forge)
            done = Act(action=issues.FOLLOWED, target=issue.url, phase="done", result=said)
            await ports.journal.note(attempt_id, done)
            log.info("followed up", attempt=attempt_id, result=said)


async def _in_progress(db: Database, attempt_id: str) -> bool:
    """Whether there is anything left to do or to give up.

    An attempt has its ending before its last checkpoint, so after a crash between the two it is begun again.
    """
    attempt = await incidents.find_attempt(db, attempt_id)
    return attempt is not None and attempt.state in IN_PROGRESS


def serve_worker(settings: Settings, *, with_parent: bool) -> None:
    """Run the worker until it is told to stop."""
    telemetry.configure(settings.log_level)
    with only_one(settings.data_dir, "worker", patience=LOCK_PATIENCE_SECONDS):
        asyncio.run(work(settings, with_parent=with_parent))


def _wait_for_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Unbuffered: a thread that waits inside a buffered reader makes the interpreter abort at its end."""
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop.set)
