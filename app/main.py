"""The intake process: its composition root, and the lock that keeps it the only one on a data folder."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from agents.evidence import Cluster
from app import telemetry
from app.adapters.bundle_dir import BundleDirectory
from app.api import health, incidents, metrics, problems, rollouts
from app.api.auth import Doorkeeper
from app.api.wiring import Wiring
from app.clock import utc_now
from app.data_folder import only_one, store_url
from app.intake import Intake, Queue
from app.settings import Settings
from app.store.database import Database, migrate
from app.watch import watch_worker

KEEP_ALIVE_SECONDS = 5
"""Short: Argo's notification engine opens a connection a request and leaves it open (argo-contract 1.5)."""

log = structlog.get_logger(__name__)


class LazyQueue:
    """Opens the heal queue at its first use, off the loop: importing DBOS takes longer than becoming ready may."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._opening: asyncio.Task[Queue] | None = None

    async def get(self) -> Queue:
        if self._opening is None or (self._opening.done() and self._opening.exception()):
            self._opening = asyncio.create_task(asyncio.to_thread(self._open))
        return await asyncio.shield(self._opening)

    def _open(self) -> Queue:
        from app.queues import HealQueue  # noqa: PLC0415 - DBOS is slow to import, and readiness does not wait for it

        return HealQueue(self._data_dir)


def create_app(settings: Settings, *, background: Callable[[], Awaitable[None]] | None = None) -> FastAPI:
    """The intake's application. `background` runs beside it for as long as it serves."""
    db = Database(store_url(settings.data_dir))
    cluster: Cluster | None = BundleDirectory(settings.bundles) if settings.bundles else None
    steps = Intake(db, cluster, LazyQueue(settings.data_dir).get, utc_now)
    wiring = Wiring(
        db=db,
        intake=steps,
        doorkeeper=Doorkeeper(settings),
        cluster=cluster,
        clusters=settings.clusters,
        metrics_open=settings.metrics_open,
        now=utc_now,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(migrate, store_url(settings.data_dir))
        tasks = [asyncio.create_task(steps.keep_catching_up())]
        if background is not None:
            tasks.append(asyncio.create_task(_forever(background)))
        log.info("intake ready", host=settings.host, port=settings.port)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await db.close()

    app = FastAPI(title="Self-Healing Rollouts", lifespan=lifespan, docs_url=None, redoc_url=None)
    problems.install(app)
    app.include_router(health.router(db.takes_writes))
    app.include_router(rollouts.router(wiring))
    app.include_router(incidents.router(wiring))
    app.include_router(metrics.router(wiring))
    return app


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def serve_intake(settings: Settings, *, with_worker: bool) -> None:
    """Run the intake until it is told to stop; `with_worker` also starts and watches a worker process."""
    telemetry.configure(settings.log_level)
    with only_one(settings.data_dir, "intake"):
        config = uvicorn.Config(
            create_app(settings, background=watch_worker if with_worker else None),
            host=settings.host,
            port=settings.port,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            log_config=None,
            access_log=False,
            server_header=False,
        )
        uvicorn.Server(config).run()
