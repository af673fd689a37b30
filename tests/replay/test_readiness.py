"""The whole intake on a live cluster: when it is ready, and what it says if it cannot be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from agents.errors import Invalid
from app.data_folder import store_url
from app.main import create_app, open_clusters
from app.settings import Settings
from app.store.database import migrate
from tests.replay.recording import load
from tests.replay.server import ReplayServer
from tests.replay.service import until
from tests.unit.app.test_metrics import figures


def settings(folder: Path, **changes: object) -> Settings:
    values = {"data_dir": folder, "webhook_tokens": "prod:w", "api_tokens": "ops:read:t"}
    return Settings.model_validate(values | changes)


@asynccontextmanager
async def intake(config: Settings) -> AsyncIterator[httpx.AsyncClient]:
    migrate(store_url(config.data_dir))
    app = create_app(config, live=await open_clusters(config))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://selfheal") as client:
            yield client


async def test_it_is_ready_once_the_cluster_has_answered_an_authenticated_request(tmp_path: Path) -> None:
    async with ReplayServer(load("01")).serve() as server:
        config = settings(tmp_path, kubeconfig=server.kubeconfig(tmp_path / "kubeconfig"))
        async with intake(config) as client:

            async def is_ready() -> bool:
                return (await client.get("/readyz")).status_code == 200

            await until(is_ready)
        assert {"list rollouts", "list pods"} & set(server.requests)


async def test_and_not_before(tmp_path: Path) -> None:
    async with ReplayServer(load("01")).serve() as server:
        path = server.kubeconfig(tmp_path / "kubeconfig")
        async with intake(settings(tmp_path, kubeconfig=path, contexts="prod:stranger")) as client:
            await asyncio.sleep(0.2)
            assert (await client.get("/readyz")).status_code == 503
            assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"contexts": "eu:replay"}, "no webhook token names eu"),
        ({"contexts": "prod"}, "each entry is <cluster>:<context>"),
        ({"contexts": "prod:a,prod:b"}, "there once"),
        ({"bundles": Path(), "contexts": "prod:a"}, "serves as the cluster"),
        ({"webhook_tokens": "prod:w,eu:v", "kubeconfig": Path("config")}, "several clusters"),
    ],
)
def test_contexts_that_fit_no_cluster_are_refused_at_the_start(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        settings(tmp_path, **changes)


async def test_a_kubeconfig_that_is_not_there_is_refused_before_anything_is_served(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="there is no file"):
        await open_clusters(settings(tmp_path, kubeconfig=tmp_path / "missing"))


async def test_without_any_cluster_there_is_none(tmp_path: Path) -> None:
    assert await open_clusters(settings(tmp_path)) is None


async def test_what_the_recorder_holds_and_the_clusters_are_asked_is_in_the_metrics(tmp_path: Path) -> None:
    async with ReplayServer(load("01")).serve() as server:
        config = settings(tmp_path, kubeconfig=server.kubeconfig(tmp_path / "kubeconfig"), recorder_mb=5)
        async with intake(config) as client:

            async def told() -> dict[str, float]:
                answer = await client.get("/metrics", headers={"Authorization": "Bearer t"})
                return figures(answer.text)

            async def hears() -> bool:
                return (await told())["selfheal_recorder_bytes"] > 10_000

            await until(hears)
            found = await told()
    assert found["selfheal_recorder_streams"] == found["selfheal_recorder_rollouts"] == 1
    assert found["selfheal_recorder_limit_bytes"] == 5 * 2**20
    assert found["selfheal_recorder_limit_streams"] == 100
    assert found["selfheal_recorder_evicted_total"] == 0
    assert found["selfheal_cluster_calls_total"] >= len(server.requests)
    assert found["selfheal_watches_total/rollout"] >= 1
    assert found["selfheal_watch_restarts_total/pod/expired"] == 0


async def test_without_a_cluster_there_are_no_figures_of_one(tmp_path: Path) -> None:
    async with intake(settings(tmp_path)) as client:
        answer = await client.get("/metrics", headers={"Authorization": "Bearer t"})
    assert (answer.status_code, "selfheal_recorder" in answer.text) == (200, False)
