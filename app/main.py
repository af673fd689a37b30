"""The intake process: its composition root, and the lock that keeps it the only one on a data folder."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from agents.errors import Invalid, SelfhealError
from agents.evidence import Cluster, Kind
from app import telemetry
from app.adapters.bundle_dir import BundleDirectory
from app.adapters.prometheus import Prometheus
from app.api import health, incidents, metrics, problems, rollouts
from app.api.auth import Doorkeeper
from app.api.wiring import LiveFigures, Wiring
from app.clock import utc_now
from app.data_folder import only_one, store_url
from app.intake import Intake, Queue
from app.listening import Feed, Heard
from app.reconciler import Reconciler
from app.recorder import Recorder
from app.settings import Settings
from app.store.database import Database, migrate
from app.store.retention import Retention
from app.watch import watch_worker

KEEP_ALIVE_SECONDS = 5
"""Short: Argo's notification engine opens a connection a request and leaves it open (argo-contract 1.5)."""

SETTLE_SECONDS = 5
"""What requests and captures under way get to finish in when the service is told to stop."""
BACKLOG = 2048
SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SIGN_IN = ("token", "ca.crt")
"""The files that a pod with a service account has."""
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

    async def warm(self) -> None:
        """Open it now, so that no attempt waits for the import; what fails here is tried again at the first use."""
        try:
            await self.get()
        except Exception:
            log.exception("the heal queue could not be opened yet")

    async def close(self) -> None:
        if self._queue is not None:
            await self._queue.close()

    def _open(self) -> Queue:
        from app.queues import HealQueue  # noqa: PLC0415 - DBOS is slow to import, and readiness does not wait for it

        return HealQueue(self._data_dir)


def create_app(
    settings: Settings,
    *,
    live: Feed | None = None,
    background: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> FastAPI:
    """The intake's application, on a migrated store. `background` runs beside it for as long as it serves."""
    db = Database(store_url(settings.data_dir))
    cluster: Cluster | None = BundleDirectory(settings.bundles) if settings.bundles else live
    queue = LazyQueue(settings.data_dir)
    recorder = _recorder(live, settings) if live is not None else None
    prometheus = _prometheus(settings)
    kept = Retention(timedelta(days=settings.evidence_days), int(settings.evidence_gb * 2**30))
    steps = Intake(db, cluster, queue.get, utc_now, recorder.recording if recorder else None, prometheus, kept)
    reconciler, figures = None, None
    if live is not None and recorder is not None:
        reconciler = Reconciler(live, db, steps, utc_now, settings.watched_namespaces, recorder.see_rollout)
        figures = partial(_live_figures, live, recorder, reconciler)
    wiring = Wiring(
        db=db,
        intake=steps,
        doorkeeper=Doorkeeper(settings),
        cluster=cluster,
        clusters=settings.clusters,
        metrics_open=settings.metrics_open,
        now=utc_now,
        live=figures,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        steps.begin_catching_up()
        beside = [asyncio.create_task(queue.warm())]
        if live is not None and recorder is not None and reconciler is not None:
            beside += [asyncio.create_task(_keep_asking(live, name)) for name in live.names]
            beside.append(asyncio.create_task(live.keep_fresh()))
            beside += [asyncio.create_task(reconciler.run()), asyncio.create_task(recorder.run())]
        if background is not None:
            beside.append(asyncio.ensure_future(background()))
        log.info("intake ready", host=settings.host, port=settings.port)
        yield
        for task in beside:
            task.cancel()
        await asyncio.gather(steps.stop(SETTLE_SECONDS), *beside, return_exceptions=True)
        await queue.close()
        if live is not None:
            await live.close()
        if prometheus is not None:
            await prometheus.close()
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
    app.include_router(metrics.router(wiring))
    return app


def _prometheus(settings: Settings) -> Prometheus | None:
    if not settings.prometheus_url:
        return None
    return Prometheus(settings.prometheus_url, settings.prometheus_token.get_secret_value())


def _recorder(live: Feed, settings: Settings) -> Recorder:
    return Recorder(
        live,
        settings.recorder,
        settings.watched_namespaces,
        most_streams=settings.recorder_streams,
        most_bytes=settings.recorder_mb * 2**20,
    )


def _live_figures(live: Feed, recorder: Recorder, reconciler: Reconciler) -> LiveFigures:
    heard: dict[Kind, Heard] = {}
    for listener in (*reconciler.listeners, *recorder.listeners):
        heard[listener.kind] = heard.get(listener.kind, Heard()) + listener.heard
    return LiveFigures(recorder.figures, live.calls, heard)


async def _keep_asking(live: Feed, name: str) -> None:
    """Until a cluster has answered once: the service is not ready before, and its first capture finds it warm."""
    pause = FIRST_CLUSTER_PAUSE
    while not await live.check(name):
        log.warning("the cluster does not answer yet", cluster=name, next_try_in=pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_CLUSTER_PAUSE)


async def open_clusters(settings: Settings) -> Feed | None:
    """The live clusters that the settings name, or the one that this pod runs in; None where there is none.

    `Invalid` says which kubeconfig, context or name is wrong.
    """
    contexts = settings.cluster_contexts
    if not contexts and settings.bundles is None and all((SERVICE_ACCOUNT / name).is_file() for name in SIGN_IN):
        if len(settings.clusters) > 1:
            raise Invalid("SELFHEAL_CONTEXTS: webhook tokens name several clusters; `<cluster>:` names the pod's own")
        contexts = {settings.clusters[0]: None}
    if not contexts:
        return None
    from app.adapters.cluster import LiveCluster, load_contexts  # noqa: PLC0415 - slow to import, and not always needed

    loaded = await load_contexts(settings.kubeconfig, contexts)
    return LiveCluster(loaded, settings.argocd_namespace, settings.watched_namespaces)


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
