from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.evidence import Answer, seal
from agents.incident import Incident, State
from app.main import create_app
from app.settings import Settings
from app.store import bundles, incidents
from app.store.database import Database, migrate
from tests.fakes import START

INCIDENT = Incident(
    cluster="eu", namespace="shop", rollout="cart", uid="u", canary_hash="c", revision="2", stable_hash="s"
)


def figures(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scrape(tmp_path: Path, token: str, *, is_open: bool = False) -> httpx.Response:
    settings = Settings.model_validate(
        {
            "data_dir": tmp_path,
            "webhook_tokens": "eu:hook-token",
            "api_tokens": "ops:read:read-token,bot:trigger:trigger-token",
            "metrics_open": is_open,
        }
    )
    transport = httpx.ASGITransport(create_app(settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get("/metrics", headers={"Authorization": f"Bearer {token}"} if token else {})


async def test_the_figures_are_those_of_the_store(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'selfheal.sqlite'}"
    migrate(url)
    db = Database(url)
    attempt = (await incidents.open_manual(db, INCIDENT, "ops", START)).attempt.id
    await incidents.advance(db, attempt, State.CAPTURING, START + timedelta(seconds=2))
    gap = Answer(id="objects/pod", kind="object", side="none", status="denied", reason="no cluster is configured")
    await bundles.save(db, attempt, seal(INCIDENT, 1, [gap], START))
    await bundles.save(db, attempt, seal(INCIDENT, 1, [gap], START))
    await incidents.advance(db, attempt, State.DIAGNOSING, START + timedelta(seconds=5))
    await incidents.advance(db, attempt, State.DIAGNOSING, START + timedelta(seconds=9))
    for read, written in ((1200, 0), (1500, 40), (1500, 40)):
        await incidents.record(db, attempt, cost={"input_tokens": read, "output_tokens": written})
    await db.close()

    answer = await scrape(tmp_path, "read-token")

    assert answer.status_code == 200
    found = figures(answer.text)
    assert found["selfheal_incidents/diagnosing"] == 1
    assert found["selfheal_incidents/proposed"] == 0
    assert found["selfheal_stage_seconds_sum/received"] == pytest.approx(2)
    assert found["selfheal_stage_seconds_sum/capturing"] == pytest.approx(3)
    assert found["selfheal_stage_seconds_count/capturing"] == 1
    assert found["selfheal_capture_gaps_total/denied"] == 1
    assert found["selfheal_model_tokens_total/input"] == 1500
    assert found["selfheal_model_tokens_total/output"] == 40
    assert found["selfheal_queue_depth"] == 0


@pytest.mark.parametrize(("token", "status"), [("", 401), ("wrong", 401), ("hook-token", 401), ("trigger-token", 403)])
async def test_metrics_need_the_scope_read(tmp_path: Path, token: str, status: int) -> None:
    migrate(f"sqlite:///{tmp_path / 'selfheal.sqlite'}")
    assert (await scrape(tmp_path, token)).status_code == status


async def test_metrics_are_open_only_where_the_settings_say_so(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path / 'selfheal.sqlite'}")
    assert (await scrape(tmp_path, "", is_open=True)).status_code == 200
