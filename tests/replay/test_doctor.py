"""`selfheal doctor` and the shipped roles on a recorded cluster, over real HTTP."""

from pathlib import Path

import pytest

from app.adapters.cluster import LiveCluster, load_contexts
from app.capture import capture
from app.clock import utc_now
from app.doctor import Finding, examine
from app.doctor.cluster import IN_ARGOCD, RIGHTS
from app.notification import identify
from tests.kustomization import K8S, render
from tests.replay.recording import Recording, load
from tests.replay.server import ReplayServer

SHIPPED = {
    (verb, resource)
    for role in render(K8S / "overlays" / "standalone", K8S / "components" / "argocd")
    for rule in role.get("rules", ())
    for resource in rule["resources"]
    for verb in rule["verbs"]
}
STEP, ROUTING, JOB, WORKLOAD, EXPERIMENT = (
    "01-canary-step-analysis-failed",
    "03-canary-nginx-traffic-routing",
    "18-job-metric-failed",
    "19-workloadref",
    "25-experiment-step-failed",
)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The environment of a service whose kubeconfig is the returned file."""
    monkeypatch.setenv("SELFHEAL_WEBHOOK_TOKENS", f"prod:{'a' * 32}")
    monkeypatch.setenv("SELFHEAL_API_TOKENS", f"ops:read:{'b' * 32}")
    monkeypatch.setenv("SELFHEAL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SELFHEAL_SANDBOX", "process")
    monkeypatch.setenv("SELFHEAL_KUBECONFIG", str(tmp_path / "kubeconfig"))
    return tmp_path / "kubeconfig"


async def examined(recording: Recording, rollout: str | None = None) -> list[Finding]:
    return [one async for one in examine(None, recording.namespace, rollout)]


def of(found: list[Finding], check: str) -> list[tuple[str, str]]:
    return [(one.level, one.text) for one in found if one.check == check]


def test_the_doctor_asks_for_what_is_shipped() -> None:
    assert {(verb, right.resource) for right in (*RIGHTS, *IN_ARGOCD) for verb in right.verbs} == SHIPPED


@pytest.mark.parametrize("name", [STEP, ROUTING, JOB, WORKLOAD, EXPERIMENT])
async def test_a_capture_needs_no_right_that_the_shipped_roles_lack(name: str, tmp_path: Path) -> None:
    recording = load(name)
    server = ReplayServer(recording)
    async with server.serve():
        server.begin()
        live = LiveCluster(await load_contexts(server.kubeconfig(tmp_path / "kubeconfig"), {"prod": ""}))
        incident = identify(recording.rollout_at(0.0), "prod")
        assert not isinstance(incident, str)
        await capture(live, incident, 1, None, utc_now)
        await live.close()
    used = {(verb, resource) for verb, resource in (one.split(" ", 1) for one in server.requests)}
    assert used <= SHIPPED


async def test_with_every_right_there_is_one_line_a_namespace(settings: Path) -> None:
    server = ReplayServer(load(STEP))
    async with server.serve():
        server.kubeconfig(settings)
        found = await examined(load(STEP))
    assert of(found, "cluster") == [("ok", "prod answers and knows us")]
    assert [level for level, _ in of(found, "rights")] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("verb", "resource", "level"),
    [("list", "pods", "fail"), ("get", "pods/log", "fail"), ("get", "configmaps", "warn"), ("list", "jobs", "warn")],
)
async def test_a_verb_that_is_missing_is_named_with_what_is_lost(
    settings: Path, verb: str, resource: str, level: str
) -> None:
    server = ReplayServer(load(STEP))
    server.denied = {(verb, resource)}
    async with server.serve():
        server.kubeconfig(settings)
        found = await examined(load(STEP))
    (wrong,) = [one for one in of(found, "rights") if one[0] != "ok"]
    assert wrong[0] == level
    assert f"may not {verb} {resource}" in wrong[1]


async def test_an_account_that_is_not_known_is_a_failure(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFHEAL_CONTEXTS", "prod:stranger")
    server = ReplayServer(load(STEP))
    async with server.serve():
        server.kubeconfig(settings)
        found = await examined(load(STEP))
    assert [level for level, _ in of(found, "cluster")] == ["fail"]


async def test_a_rollout_is_captured_and_told_what_is_missing(settings: Path) -> None:
    recording = load(STEP)
    server = ReplayServer(recording)
    async with server.serve():
        server.kubeconfig(settings)
        server.begin()
        found = await examined(recording, recording.rollout)
    (known,) = of(found, "rollout")
    assert recording.canary_hash in known[1]
    told = of(found, "source")
    assert [level for level, _ in told] == ["warn", "warn"]
    assert all("no entry in the policy" in text for _, text in told)
    assert [level for level, _ in of(found, "manifests")] == ["warn"]
    assert of(found, "subscription")[0][0] == "ok"


async def test_a_rollout_that_is_not_there_is_a_failure(settings: Path) -> None:
    server = ReplayServer(load(STEP))
    async with server.serve():
        server.kubeconfig(settings)
        found = await examined(load(STEP), "nothing")
    assert [level for level, _ in of(found, "rollout")] == ["fail"]
