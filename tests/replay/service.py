"""The intake on a replayed cluster: real store, real HTTP to the cluster, no webhook unless a test sends one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.evidence import Bundle
from agents.incident import Attempt, Incident
from app.adapters.cluster import LiveCluster, load_contexts
from app.clock import utc_now
from app.data_folder import store_url
from app.intake import Intake
from app.notification import identify, read
from app.reconciler import Reconciler
from app.store import bundles, inbox, incidents
from app.store.database import Database, migrate
from tests.fakes import FakeQueue
from tests.replay.recording import FOLDER, Recording
from tests.replay.server import ReplayServer


@dataclass
class Service:
    """What a test looks at."""

    server: ReplayServer
    live: LiveCluster
    db: Database
    steps: Intake
    queue: FakeQueue
    reconciler: Reconciler

    async def notify(self, raw: bytes) -> None:
        """What the webhook does with a body."""
        found = read(raw, "prod")
        row = inbox.row_id("prod", raw)
        await inbox.put(self.db, row, "prod", found, found.body, utc_now())
        if found.sighting is not None:
            self.steps.begin(inbox.Pending(id=row, sighting=found.sighting))

    async def attempts(self, recording: Recording) -> list[Attempt]:
        """The attempts at this failure, in order."""
        incident = incident_of(recording)
        numbered = [await incidents.find_attempt(self.db, f"{incident.key}-{number}") for number in (1, 2, 3)]
        return [attempt for attempt in numbered if attempt is not None]

    async def sealed(self, recording: Recording) -> Bundle | None:
        """The bundle of the first attempt, once there is one."""
        return await bundles.load(self.db, f"{incident_of(recording).key}-1")


def incident_of(recording: Recording) -> Incident:
    incident = identify(recording.rollout_at(1), "prod")
    assert isinstance(incident, Incident)
    return incident


def webhooks(recording: Recording) -> list[bytes]:
    """The bodies that the real controller sent."""
    folder = FOLDER / recording.name.partition("/")[0]
    return [path.read_bytes() for path in sorted(folder.glob("[0-9][0-9][0-9].json"))]


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for a condition, which may be a coroutine function; `TimeoutError` after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if await value if asyncio.iscoroutine(value) else value:
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(folder: Path, *recordings: Recording, namespaces: tuple[str, ...] = ("",)) -> AsyncIterator[Service]:
    """The service's parts on a server of these recordings; nothing runs yet."""
    migrate(store_url(folder))
    db = Database(store_url(folder))
    queue = FakeQueue()

    async def get_queue() -> FakeQueue:
        return queue

    async with ReplayServer(*recordings).serve() as server:
        live = LiveCluster(await load_contexts(server.kubeconfig(folder / "kubeconfig"), {"prod": "replay"}))
        await live.check("prod")
        steps = Intake(db, live, get_queue, utc_now)
        yield Service(server, live, db, steps, queue, Reconciler(live, db, steps, utc_now, namespaces))
        await steps.settle(1)
        await live.close()
    await db.close()


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """With the reconciler at work."""
    task = asyncio.create_task(service.reconciler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
