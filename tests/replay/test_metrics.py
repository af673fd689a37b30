"""The queries of a failed analysis, asked again at a real HTTP server that answers as Prometheus does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from agents.evidence import Bundle
from agents.evidence.metrics import LONGEST, range_queries
from agents.evidence.origin import parse_time
from app.adapters.prometheus import Prometheus
from app.capture import capture, target_of
from tests.replay.recording import load
from tests.replay.service import incident_of, serving

SERIES = {"metric": {}, "values": [[1795419467, "0.71"]]}
NOW = parse_time("2026-11-23T07:38:00Z")
assert NOW


@asynccontextmanager
async def prometheus(answer: Any, status: int = 200) -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """Its address, and the forms that it was sent."""
    asked: list[dict[str, str]] = []

    async def query_range(request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        asked.append(form | {"authorization": request.headers.get("Authorization", "")})
        if isinstance(answer, str):
            return web.Response(text=answer, status=status, headers={"Location": "/elsewhere"})
        return web.json_response(answer, status=status)

    app = web.Application()
    app.router.add_post("/prom/api/v1/query_range", query_range)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}/prom/", asked
    await runner.cleanup()


async def measured(folder: Path, url: str) -> Bundle:
    recording = load("02")
    metrics = Prometheus(url, "a-token")
    async with serving(folder, recording) as service:
        service.server.begin()
        incident = incident_of(recording)
        bundle = await capture(service.live, incident, 1, None, lambda: NOW, None, metrics)  # type: ignore[arg-type, return-value] # checked above
    await metrics.close()
    return bundle


async def test_both_versions_are_asked_for_over_the_canarys_time(tmp_path: Path) -> None:
    recording = load("02")
    async with prometheus({"status": "success", "data": {"resultType": "matrix", "result": [SERIES]}}) as (url, asked):
        bundle = await measured(tmp_path, url)
    items = {item.side: item for item in bundle.manifest.items if item.kind == "metrics"}
    assert {side: item.status for side, item in items.items()} == {"canary": "ok", "stable": "ok"}
    assert '"0.71"' in bundle.contents[items["canary"].id]
    assert recording.stable_hash in bundle.contents[items["stable"].id]
    assert all(form["authorization"] == "Bearer a-token" for form in asked)
    assert all(float(form["start"]) < float(form["end"]) for form in asked)


@pytest.mark.parametrize(
    ("answer", "code", "status", "reason"),
    [
        ({"status": "success", "data": {"result": []}}, 200, "empty", None),
        ({"status": "error", "error": "parse error at char 3"}, 400, "failed", "parse error"),
        ({"status": "error"}, 403, "denied", "403"),
        ("<html>moved</html>", 302, "failed", "302"),
        ("[]", 200, "failed", "no JSON object"),
    ],
)
async def test_what_is_no_series_is_a_gap_with_its_reason(
    answer: Any, code: int, status: str, reason: str | None, tmp_path: Path
) -> None:
    async with prometheus(answer, code) as (url, _):
        bundle = await measured(tmp_path, url)
    items = [item for item in bundle.manifest.items if item.kind == "metrics"]
    assert {item.status for item in items} == {status}
    assert reason is None or all(reason in str(item.reason) for item in items)
    assert not any(item.id in bundle.contents for item in items)


async def test_a_prometheus_that_is_away_fails_no_capture(tmp_path: Path) -> None:
    bundle = await measured(tmp_path, "http://127.0.0.1:9")
    assert {item.status for item in bundle.manifest.items if item.kind == "metrics"} == {"failed"}
    assert bundle.logs("canary")


def test_a_query_that_names_no_version_is_asked_once_and_for_no_longer_than_some_hours() -> None:
    recording = load("02")
    target = target_of(incident_of(recording))
    run = {"status": {"metricResults": [{"name": "m", "metadata": {"ResolvedPrometheusQuery": "up"}}]}}
    assert NOW
    (query,) = range_queries([run, run], recording.objects["replicasets"], target, NOW + timedelta(days=3))
    assert (query.side, query.query) == ("none", "up")
    assert query.end - query.start == LONGEST


def test_metrics_of_other_providers_ask_nothing() -> None:
    recording = load("01")
    target = target_of(incident_of(recording))
    assert NOW
    assert range_queries(recording.objects["analysisruns"], recording.objects["replicasets"], target, NOW) == ()
