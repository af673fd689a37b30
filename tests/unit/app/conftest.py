"""The intake behind its HTTP interface, in process: real routes, real store, fakes for the cluster and the queue."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import Table, func, select

from agents.evidence import Cluster
from app.api.auth import Doorkeeper
from app.api.wiring import Wiring
from app.intake import Intake
from app.main import assemble
from app.settings import Settings
from app.store.database import Database, migrate
from tests.fakes import FakeClock, FakeQueue

TOKENS = "prod:first-token,prod:second-token,eu:eu:token,us:tökén"
API_TOKENS = "ops:read+trigger:ops-token,viewer:read:viewer-token,caller:trigger:caller-token"
API_TOKEN = "ops-token"


class Door:
    """The application and what stands behind it."""

    def __init__(self, db: Database, settings: Settings, cluster: Cluster | None = None) -> None:
        self.db = db
        self.clock = FakeClock()
        self.queue = FakeQueue()
        self.steps = Intake(db, cluster, self._queue, self.clock)
        wiring = Wiring(
            db=db,
            intake=self.steps,
            doorkeeper=Doorkeeper(settings),
            cluster=cluster,
            clusters=settings.clusters,
            now=self.clock,
        )
        transport = httpx.ASGITransport(assemble(wiring), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://selfheal")

    async def _queue(self) -> FakeQueue:
        return self.queue

    async def notify(self, content: Any, authorization: str | bytes | None = "Bearer first-token") -> httpx.Response:
        """Post a notification; a token of None sends no header. Work that it starts is finished on return."""
        headers = {} if authorization is None else {"Authorization": authorization}
        answer = await self.client.post("/webhooks/argo-rollouts", content=content, headers=headers)  # type: ignore[arg-type] # bytes are a header's value too
        await self.steps.settle()
        return answer

    async def trigger(self, document: Any, token: str = API_TOKEN) -> httpx.Response:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"Authorization": f"Bearer {token}"}
        answer = await self.client.post("/api/v1/incidents", content=content, headers=headers)
        await self.steps.settle()
        return answer

    async def get(self, path: str, token: str | None = API_TOKEN, **params: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.client.get(path, headers=headers, params=params or None)

    async def count(self, table: Table) -> int:
        async with self.db.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())


def settings_with(tmp_path: Path, **changes: Any) -> Settings:
    values = {"data_dir": tmp_path, "webhook_tokens": TOKENS, "api_tokens": API_TOKENS}
    return Settings.model_validate(values | changes)


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """The development log of structlog draws tracebacks with all their variables, which takes longer than the tests."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    """A migrated store on SQLite, for what does not differ between the two."""
    url = f"sqlite:///{tmp_path / 'selfheal.sqlite'}"
    migrate(url)
    database = Database(url)
    yield database
    await database.close()


@pytest.fixture
async def door(store: Database, tmp_path: Path) -> AsyncIterator[Door]:
    entry = Door(store, settings_with(tmp_path))
    yield entry
    await entry.client.aclose()
