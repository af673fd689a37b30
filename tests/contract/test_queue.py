"""What any `Queue` of the intake promises, held by the fake and by DBOS's client on a real SQLite file."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from dbos import DBOSClient

from agents.incident import Promotion
from app.data_folder import engine_url
from app.intake import Queue
from app.queues import FOLLOW, QUEUE, VERSION, WORKFLOW, HealQueue
from tests.fakes import FakeQueue


class Site(NamedTuple):
    queue: Queue
    waiting: Callable[[], Awaitable[Mapping[str, str]]]
    """The attempts that wait, with their partitions."""


@pytest.fixture(params=["fake", "dbos"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    if request.param == "fake":
        fake = FakeQueue()

        async def entries() -> Mapping[str, str]:
            return fake.entries

        yield Site(fake, entries)
        return
    queue = HealQueue(tmp_path)
    reader = DBOSClient(system_database_url=engine_url(tmp_path))

    async def waiting() -> Mapping[str, str]:
        found = await reader.list_queued_workflows_async(queue_name=QUEUE)
        assert all((one.name, one.app_version) == (WORKFLOW, VERSION) for one in found)
        assert all(one.input is not None and one.input["args"] == (one.workflow_id,) for one in found)
        return {one.workflow_id: str(one.queue_partition_key) for one in found}

    yield Site(queue, waiting)
    await queue.close()
    reader.destroy()


async def test_an_attempt_waits_once_however_often_it_is_put(site: Site) -> None:
    for partition in ("one", "one", "another"):
        await site.queue.put("abc-1", partition)
    assert await site.waiting() == {"abc-1": "one"}


async def test_attempts_wait_beside_each_other_in_their_partitions(site: Site) -> None:
    for attempt, partition in (
        ("abc-1", "https://git.example/a"),
        ("abc-2", "https://git.example/a"),
        ("def-1", "p/n/r"),
    ):
        await site.queue.put(attempt, partition)
    assert await site.waiting() == {
        "abc-1": "https://git.example/a",
        "abc-2": "https://git.example/a",
        "def-1": "p/n/r",
    }


async def test_a_version_that_passed_is_followed_once_an_attempt(tmp_path: Path) -> None:
    passed = Promotion(cluster="prod", namespace="shop", rollout="checkout", pod_hash="new", revision="3")
    fake, queue = FakeQueue(), HealQueue(tmp_path)
    for _ in range(2):
        for one in (fake, queue):
            await one.follow("abc-1", passed)
    assert fake.followed == {"abc-1": passed}
    reader = DBOSClient(system_database_url=engine_url(tmp_path))
    (found,) = await reader.list_queued_workflows_async(queue_name=QUEUE)
    assert (found.name, found.workflow_id, found.queue_partition_key) == (FOLLOW, "abc-1-new", "prod/shop/checkout")
    assert found.input is not None
    assert found.input["args"] == ("abc-1", passed.model_dump())
    await queue.close()
    reader.destroy()


async def test_the_queue_outlives_its_process(tmp_path: Path) -> None:
    first = HealQueue(tmp_path)
    await first.put("abc-1", "one")
    await first.close()
    second = HealQueue(tmp_path)
    await second.put("abc-1", "another")
    reader = DBOSClient(system_database_url=engine_url(tmp_path))
    found = await reader.list_queued_workflows_async()
    assert [(one.workflow_id, one.queue_partition_key) for one in found] == [("abc-1", "one")]
    await second.close()
    reader.destroy()
