"""The intake process: its composition root, and the lock that keeps it the only one on a data folder."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from agents.errors import Invalid, SelfhealError
from agents.evidence import Cluster
from app import telemetry
from app.adapters.bundle_dir import BundleDirectory
from app.adapters.cluster import LiveCluster, in_cluster, load_contexts
from app.api import health, incidents, problems, rollouts
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

SETTLE_SECONDS = 5
"""What requests and captures under way get to finish in when the service is told to stop."""
BACKLOG = 2048
FIRST_CLUSTER_PAUSE, LONGEST_CLUSTER_PAUSE = 0.5, 15.0

log = structlog.get_logger(__name__)


class LazyQueue:
    """Opens the heal queue at its first use, off the loop: importing DBOS takes longer than becoming ready may."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._queue: Queue | None = None
        self._opening = asyncio.Lock()

    async def get(self) -> Queue:
        async with self._opening:
            if self._queue is None:
                self._queue = await asyncio.to_thread(self._open)
        return self._queue

    async def close(self) -> None:
        if self._queue is not None:
            await self._queue.close()

    def _open(self) -> Queue:
        from app.queues import HealQueue  # noqa: PLC0415 - DBOS is slow to import, and readiness does not wait for it

        return HealQueue(self._data_dir)


def create_app(
    settings: Settings, *, live: LiveCluster | None = None, background: Callable[[], Awaitable[None]] | None = None
) -> FastAPI:
    """The intake's application, on a migrated store. `background` runs beside it for as long as it serves."""
    db = Database(store_url(settings.data_dir))
    cluster: Cluster | None = BundleDirectory(settings.bundles) if settings.bundles else live
    queue = LazyQueue(settings.data_dir)
    steps = Intake(db, cluster, queue.get, utc_now)
    wiring = Wiring(
        db=db,
        intake=steps,
        doorkeeper=Doorkeeper(settings),
        cluster=cluster,
        clusters=settings.clusters,
        now=utc_now,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(steps.keep_catching_up())]
        if live is not None:
            tasks += [asyncio.create_task(_keep_asking(live, name)) for name in live.names]
            tasks.append(asyncio.create_task(live.keep_fresh()))
        if background is not None:
            tasks.append(asyncio.create_task(_forever(background)))
        log.info("intake ready", host=settings.host, port=settings.port)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await steps.settle(SETTLE_SECONDS)
        await queue.close()
        if live is not None:
            await live.close()
        await db.close()

    async def is_ready() -> bool:
        return (live is None or live.has_answered) and await db.takes_writes()

    return assemble(wiring, lifespan, is_ready)


def assemble(
    wiring: Wiring,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
    is_ready: Callable[[], Awaitable[bool]] | None = None,
) -> FastAPI:
    """The routes on their collaborators; without `is_ready` the service is ready once the inbox takes writes."""
    app = FastAPI(title="Self-Healing Rollouts", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    problems.install(app)
    app.include_router(health.router(is_ready or wiring.db.takes_writes))
    app.include_router(rollouts.router(wiring))
    app.include_router(incidents.router(wiring))
    return app


async def _keep_asking(live: LiveCluster, name: str) -> None:
    """Until a cluster has answered once: the service is not ready before, and its first capture finds it warm."""
    pause = FIRST_CLUSTER_PAUSE
    while not await live.check(name):
        log.warning("the cluster does not answer yet", cluster=name, next_try_in=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_CLUSTER_PAUSE)


async def open_clusters(settings: Settings) -> LiveCluster | None:
    """The live clusters that the settings name, or the one that this pod runs in; None where there is none.

    `Invalid` says which kubeconfig, context or name is wrong.
    """
    contexts = settings.cluster_contexts
    if not contexts and settings.bundles is None and in_cluster():
        if len(settings.clusters) > 1:
            raise Invalid("SELFHEAL_CONTEXTS: webhook tokens name several clusters; `<cluster>:` names the pod's own")
        contexts = {settings.clusters[0]: None}
    if not contexts:
        return None
    return LiveCluster(await load_contexts(settings.kubeconfig, contexts), settings.argocd_namespace)


async def _forever(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def serve_intake(settings: Settings, *, with_worker: bool) -> None:
    """Run the intake until it is told to stop; `with_worker` also starts and watches a worker process.

    `Invalid` for what a person must put right first: the folders, the address, the database.
    """
    telemetry.configure(settings.log_level)
    if settings.bundles is not None and not settings.bundles.is_dir():
        raise Invalid(f"SELFHEAL_BUNDLES: there is no folder {settings.bundles}")
    live = asyncio.run(open_clusters(settings))
    with only_one(settings.data_dir, "intake"), _listen(settings.host, settings.port) as listener:
        migrate(store_url(settings.data_dir))
        config = uvicorn.Config(
            create_app(settings, live=live, background=watch_worker if with_worker else None),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=SETTLE_SECONDS,
            log_config=None,
            access_log=False,
            server_header=False,
        )
        for kind in (signal.SIGTERM, signal.SIGINT):
            signal.signal(kind, _leave_to_uvicorn)
        server = uvicorn.Server(config)
        server.run(sockets=[listener])
        if not server.started:
            raise SelfhealError("the intake could not start; its log says why")


def _leave_to_uvicorn(_number: int, _frame: object) -> None:
    """For SIGTERM and SIGINT: uvicorn stops on them, then raises them again, but being told to stop is no failure."""


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket, taken before anything is started that would have to be stopped again."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while")[0]
        raise Invalid(f"cannot listen on {host}:{port}: {reason}. See SELFHEAL_HOST and SELFHEAL_PORT") from error
