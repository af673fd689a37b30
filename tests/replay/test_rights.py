"""The whole intake with the shipped roles, and with one verb fewer: an incident ends well, and names its gaps."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agents.evidence import Bundle, Target
from app.clock import utc_now
from app.intake import Intake
from app.reconciler import Reconciler
from app.recorder import Recorder
from tests.kustomization import K8S
from tests.replay.recording import Recording, load
from tests.replay.rights import shipped_rights
from tests.replay.service import Service, serving, until, webhooks


@asynccontextmanager
async def everything(folder: Path, recording: Recording, rights: frozenset[tuple[str, str]]) -> AsyncIterator[Service]:
    """Intake, reconciler and recorder at work, on a server that grants these rights."""
    async with serving(folder, recording) as service:
        service.server.granted = set(rights)
        recorder = Recorder(service.live, "all", ("",))
        service.steps = Intake(service.db, service.live, service.steps._queue, utc_now, recorder.recording)
        reconciler = Reconciler(service.live, service.db, service.steps, utc_now, ("",), recorder.see_rollout)
        service.server.begin(ago=-0.3)
        tasks = [asyncio.create_task(reconciler.run()), asyncio.create_task(recorder.run())]
        try:
            await until(lambda: service.server.at > 0)
            await recorder.ask_for_events()
            yield service
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await service.steps.settle(1)


async def healed(service: Service, recording: Recording) -> Bundle:
    """The bundle of an incident that was handed over to be healed."""
    for raw in webhooks(recording):
        await service.notify(raw)
    await until(lambda: service.queue.entries, 15)
    bundle = await service.sealed(recording)
    assert bundle is not None
    return bundle


@pytest.mark.parametrize("number", ["01", "03", "18", "25"])
async def test_with_the_shipped_roles_nothing_is_refused(number: str, tmp_path: Path) -> None:
    recording = load(number)
    async with everything(tmp_path, recording, shipped_rights()) as service:
        bundle = await healed(service, recording)
        assert service.server.refused == []
        assert bundle.logs("canary")


@pytest.mark.parametrize(
    ("verb", "resource", "is_gap"),
    [
        ("list", "rollouts", False),  # the reconciler finds none; notifications still do
        ("watch", "rollouts", False),
        ("watch", "pods", False),  # the recorder knows of them by lists
        ("list", "pods", True),
        ("get", "pods/log", True),
        ("list", "events", True),
        ("get", "rollouts", True),
        ("list", "jobs", True),
        ("list", "experiments", True),
    ],
)
async def test_with_one_verb_fewer_the_incident_ends_well_and_names_what_is_missing(
    verb: str, resource: str, *, is_gap: bool, tmp_path: Path
) -> None:
    recording = load("18")
    async with everything(tmp_path, recording, shipped_rights() - {(verb, resource)}) as service:
        bundle = await healed(service, recording)
        assert f"{verb} {resource}" in service.server.refused
    denied = [item for item in bundle.manifest.items if f'cannot {verb} resource "{resource}"' in str(item.reason)]
    assert bool(denied) == is_gap
    assert bundle.objects("analysisrun")


def referring(recording: Recording) -> Recording:
    """The same Rollout, whose analysis is a template of the cluster."""
    (rollout,) = recording.objects["rollouts"]
    rollout["spec"]["strategy"]["canary"]["analysis"] = {
        "templates": [{"templateName": "error-rate", "clusterScope": True}]
    }
    recording.objects["clusteranalysistemplates"] = [
        {"metadata": {"name": "error-rate", "resourceVersion": "1"}, "spec": {"metrics": []}}
    ]
    return recording


async def test_templates_of_the_cluster_take_a_component_and_are_a_gap_without(tmp_path: Path) -> None:
    component = K8S / "components" / "cluster-templates"
    found = []
    for number, rights in enumerate((shipped_rights(), shipped_rights(component))):
        recording = referring(load("01"))
        folder = tmp_path / str(number)
        folder.mkdir()
        async with everything(folder, recording, rights) as service:
            bundle = await healed(service, recording)
        found.append({gap.id: gap.status for gap in bundle.gaps()}.get("objects/clusteranalysistemplate"))
    assert found == ["denied", None]
    assert [one["metadata"]["name"] for one in bundle.objects("clusteranalysistemplate")] == ["error-rate"]


async def test_logs_come_over_connections_that_were_open_before(tmp_path: Path) -> None:
    recording = load("01")
    async with serving(tmp_path, recording) as service:
        assert service.server.warmed
        service.server.begin()
        bundle = await healed(service, recording)
        assert (bool(bundle.logs("canary")), service.server.cold_logs) == (True, 0)


def moved(recording: Recording, namespace: str) -> Recording:
    """The Jobs of its metrics ran in a namespace of their own; the answers are those of another tenant's there."""
    (run,) = recording.objects["analysisruns"]
    for metric in run["status"]["metricResults"]:
        for measurement in metric["measurements"]:
            measurement["metadata"]["job-namespace"] = namespace
    uid = run["metadata"]["uid"]

    def is_of_job(thing: dict[str, dict[str, dict[str, str]]]) -> bool:
        return bool(thing["metadata"].get("labels", {}).get("analysisrun.argoproj.io/uid") == uid)

    kinds = {plural: [one for one in recording.objects[plural] if is_of_job(one)] for plural in ("jobs", "pods")}
    for plural, things in kinds.items():
        recording.objects[plural] = [one for one in recording.objects[plural] if not is_of_job(one)]
        for one in things:
            one["metadata"]["namespace"] = namespace
    jobs = {pod["metadata"]["name"] for pod in kinds["pods"]}
    logs = {key: recording.logs.pop(key) for key in list(recording.logs) if key[0] in jobs}
    other = recording.__dict__ | {"namespace": namespace, "objects": kinds, "logs": logs, "history": []}
    return Recording(**other)


@pytest.mark.parametrize("namespaces", [("",), ("ledger", "checks"), ("ledger",)])
async def test_jobs_of_another_namespace_are_read_where_that_is_allowed(
    namespaces: tuple[str, ...], tmp_path: Path
) -> None:
    recording = load("18")
    elsewhere = moved(recording, "checks")
    async with serving(tmp_path, recording, elsewhere) as service:
        service.live._namespaces = frozenset(namespaces)
        service.server.begin()
        bundle = await healed(service, recording)
    is_allowed = namespaces != ("ledger",)
    assert (
        any("test_posting_balances_to_zero" in bundle.contents[item.id] for item in bundle.logs("none")) == is_allowed
    )
    assert bool(bundle.objects("job")) == is_allowed
    gaps = {gap.id: (gap.status, gap.reason) for gap in bundle.gaps()}
    assert gaps.get("objects/job") == (None if is_allowed else ("denied", "SELFHEAL_NAMESPACES lacks checks"))


async def test_an_autoscaler_is_found_by_what_it_scales(tmp_path: Path) -> None:
    recording = load("19")
    scaled = {
        "mine": ("Rollout", "accounts-api"),
        "by-workload": ("Deployment", "accounts-api"),
        "other": ("Rollout", "x"),
    }
    recording.objects["horizontalpodautoscalers"] = [
        {"metadata": {"name": name, "resourceVersion": "1"}, "spec": {"scaleTargetRef": {"kind": kind, "name": of}}}
        for name, (kind, of) in scaled.items()
    ]
    async with serving(tmp_path, recording) as service:
        service.server.begin()
        bundle = await healed(service, recording)
    found = {one["metadata"]["name"] for one in bundle.objects("horizontalpodautoscaler")}
    assert found == {"mine", "by-workload"}
    target: Target = bundle.target
    assert target.rollout == "accounts-api"
