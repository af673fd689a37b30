import asyncio
from typing import Any

import pytest

from agents.evidence import KINDS, Bundle, Kind, LogSource, LogText, Objects, Target
from agents.incident import Incident
from app.capture import capture
from tests.fakes import START, FakeClock, FakeCluster

INCIDENT = Incident(
    cluster="eu",
    namespace="shop",
    rollout="checkout",
    uid="u-1",
    canary_hash="bad",
    revision="2",
    stable_hash="good",
)


def pod(name: str, hash_: str | None, *containers: str, **restarts: int) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"rollouts-pod-template-hash": hash_} if hash_ else {}},
        "spec": {
            "containers": [{"name": one} for one in containers if not one.startswith("init")],
            "initContainers": [{"name": one} for one in containers if one.startswith("init")],
        },
        "status": {
            "containerStatuses": [
                {"name": one, "restartCount": count} for one, count in restarts.items() if not one.startswith("init")
            ],
            "initContainerStatuses": [
                {"name": one, "restartCount": count} for one, count in restarts.items() if one.startswith("init")
            ],
        },
    }


def named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}} | more


async def captured(cluster: FakeCluster | None, notification: dict[str, Any] | None = None) -> Bundle:
    return await capture(cluster, INCIDENT, 1, notification, FakeClock())


async def test_every_container_of_both_versions_is_asked_for_its_log_and_the_one_before() -> None:
    pods = [
        pod("c1", "bad", "app", "sidecar", "init-db", app=3, sidecar=0),
        pod("s1", "good", "app", app=0),
        pod("other", "older", "app"),
        pod("none", None, "app"),
    ]
    logs = {"logs/canary/c1/app": "new\n", "logs/canary/c1/app.previous": "died\n", "logs/stable/s1/app": ""}
    cluster = FakeCluster({"pod": pods}, logs)
    bundle = await captured(cluster)
    items = {item.id: (item.status, item.side) for item in bundle.manifest.items if item.kind == "log"}
    assert items == {
        "logs/canary/c1/app": ("ok", "canary"),
        "logs/canary/c1/app.previous": ("ok", "canary"),
        "logs/canary/c1/sidecar": ("gone", "canary"),
        "logs/canary/c1/init-db": ("gone", "canary"),
        "logs/stable/s1/app": ("empty", "stable"),
    }
    assert bundle.contents["logs/canary/c1/app.previous"] == "died\n"
    assert [item.id for item in bundle.logs("stable")] == []
    assert bundle.manifest.captured_at == START


async def test_objects_become_items_on_the_side_they_belong_to() -> None:
    labels = {"labels": {"rollouts-pod-template-hash": "bad"}}
    cluster = FakeCluster(
        {
            "rollout": [named("checkout", spec={"strategy": {"canary": {}}})],
            "replicaset": [{"metadata": {"name": "checkout-bad", **labels}}],
            "configmap": [named("settings", data={"A": "1"})],
            "event": [named("e1"), named("e2")],
        }
    )
    bundle = await captured(cluster, {"trigger": "on-rollout-aborted"})
    items = {item.id: (item.kind, item.side, item.status) for item in bundle.manifest.items}
    assert items == {
        "notification": ("notification", "none", "ok"),
        "objects/rollout/checkout": ("object", "none", "ok"),
        "objects/replicaset/checkout-bad": ("object", "canary", "ok"),
        "config/settings": ("config", "none", "ok"),
        "events": ("events", "none", "ok"),
        "objects/pod": ("object", "none", "empty"),
        "objects/analysisrun": ("object", "none", "empty"),
        "objects/application": ("object", "none", "empty"),
    }
    assert bundle.manifest.strategy == "canary"
    assert [one["metadata"]["name"] for one in bundle.objects("event")] == ["e1", "e2"]


async def test_every_refusal_is_a_gap_with_its_reason() -> None:
    answers: dict[Kind, Objects] = {
        kind: Objects(status="denied", reason=f"no {kind}") for kind in KINDS if kind != "pod"
    }
    cluster = FakeCluster(
        {"pod": [pod("c1", "bad", "app")]},
        answers=answers,
        log_answers={"logs/canary/c1/app": LogText(status="failed", reason="500: refused", text="not evidence")},
    )
    bundle = await captured(cluster)
    gaps = {gap.id: (gap.status, gap.reason) for gap in bundle.gaps()}
    assert gaps.pop("logs/canary/c1/app") == ("failed", "500: refused")
    assert gaps == {
        "events" if kind == "event" else f"objects/{kind}": ("denied", f"no {kind}") for kind in KINDS if kind != "pod"
    }
    assert "not evidence" not in str(bundle.contents)


async def test_without_a_cluster_everything_is_a_gap_but_the_notification() -> None:
    bundle = await captured(None, {"rollout": {"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}})
    assert {gap.reason for gap in bundle.gaps()} == {"no cluster is configured"}
    assert len(bundle.gaps()) == len(KINDS)
    assert "hunter2" not in bundle.contents["notification"]


class SlowCluster(FakeCluster):
    """Answers nothing but pods until every log that they name has been asked for."""

    def __init__(self, pods: list[dict[str, Any]], logs: int) -> None:
        super().__init__({"pod": pods, "application": [named("late")]})
        self._waited_for = logs
        self._all_asked = asyncio.Event()

    async def objects(self, target: Target, kind: Kind) -> Objects:
        if kind != "pod":
            await self._all_asked.wait()
        return await super().objects(target, kind)

    async def log(self, target: Target, source: LogSource) -> LogText:
        found = await super().log(target, source)
        if sum(one.startswith("logs/") for one in self.asked) == self._waited_for:
            self._all_asked.set()
        await self._all_asked.wait()
        return found


async def test_logs_wait_for_no_other_list_and_for_no_other_log() -> None:
    pods = [pod(f"c{at}", "bad", "app", "sidecar") for at in range(10)]
    async with asyncio.timeout(5):
        bundle = await captured(SlowCluster(pods, logs=20))
    assert sum(item.kind == "log" for item in bundle.manifest.items) == 20
    assert "objects/application/late" in bundle.contents


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "", "a/b", None, 7, "x" * 300, "-x", "nul\0"])
async def test_a_name_that_kubernetes_would_not_allow_becomes_no_path(name: object) -> None:
    broken = pod("x", "bad", "app")
    broken["metadata"]["name"] = name
    odd = pod("c1", "bad", "app")
    odd["spec"]["containers"].append({"name": name})
    bundle = await captured(FakeCluster({"pod": [broken, odd], "configmap": [broken]}))
    gaps = {gap.id: gap.reason for gap in bundle.gaps() if "unnamed" in gap.id}
    assert gaps == dict.fromkeys(
        ("config/unnamed", "objects/pod/unnamed"), "it has no name that Kubernetes would allow"
    )
    assert [item.id for item in bundle.manifest.items if item.kind == "log"] == ["logs/canary/c1/app"]
    assert not any(".." in item.path for item in bundle.manifest.items)


@pytest.mark.parametrize("broken", [None, [], "text", 7])
async def test_pods_of_an_unexpected_shape_are_kept_and_asked_for_nothing(broken: object) -> None:
    labels = {"rollouts-pod-template-hash": "bad"}
    pods: list[dict[str, Any]] = [
        {"metadata": {"name": "a", "labels": labels}, "spec": broken, "status": broken},
        {
            "metadata": {"name": "b", "labels": labels},
            "spec": {"containers": broken},
            "status": {"containerStatuses": [broken]},
        },
        {
            "metadata": {"name": "c", "labels": labels},
            "spec": {"containers": [broken]},
            "status": {"containerStatuses": broken},
        },
        {"metadata": {"name": "d", "labels": broken}},
    ]
    bundle = await captured(FakeCluster({"pod": pods}))
    assert [item.id for item in bundle.manifest.items if item.id.startswith("objects/pod/")] == [
        f"objects/pod/{name}" for name in "abcd"
    ]
    assert not bundle.logs("canary")
