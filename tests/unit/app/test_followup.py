"""From the notification that a version has passed to the closed issue of an earlier failure."""

import json
from typing import Any

import pytest

from agents.graph import Ports
from agents.incident import State
from agents.policy import Policy
from agents.pull_request import Text, with_marker
from app.notification import promotion_of, read
from app.store import audit, inbox, incidents
from app.store.database import Database
from app.worker import StoreJournal, follow_up
from tests.fakes import FakeForge, FakeRepositories, FakeSandbox, FakeWorkspace
from tests.recorded import bodies, body
from tests.unit.app.conftest import Door

FAILED, PASSED = bodies("14")[1], bodies("14")[7]
URL = "https://forge.example/acme/inventory"
END = (State.CAPTURING, State.DIAGNOSING, State.PUBLISHING, State.REPORTED)


def ports(db: Database, forge: FakeForge) -> Ports:
    workspace = FakeWorkspace({})
    return Ports(
        journal=StoreJournal(db),
        repositories=FakeRepositories({}),
        forge=forge,
        sandbox=FakeSandbox(workspace, lambda *_: pytest.fail("nothing is run")),
        workspace=workspace,
        policy=Policy(),
    )


async def reported(door: Door, forge: FakeForge, **outcome: Any) -> str:
    """An incident that ended with an issue; returns its attempt's id."""
    key = (await door.notify(FAILED)).json()["incident"]
    issue = await forge.create_issue(URL, Text(title="t", body=with_marker(key, "t", "x")))
    attempt = f"{key}-1"
    document = {"kind": "reported", "reasons": ["none"], "issue": issue.url, "repository": URL} | outcome
    for state in END:
        await incidents.advance(door.db, attempt, state, door.clock())
    await incidents.record(door.db, attempt, outcome=document)
    return attempt


@pytest.fixture
def forge() -> FakeForge:
    return FakeForge({URL: {"main": "a" * 40}})


async def test_a_version_that_passes_closes_the_issue_of_the_failure_before_it(door: Door, forge: FakeForge) -> None:
    attempt = await reported(door, forge)
    assert (await door.notify(PASSED)).json()["disposition"] == "signal"
    promotion = door.queue.followed[attempt]
    for _ in range(2):
        await follow_up(door.db, ports(door.db, forge), attempt, promotion)
    (issue,) = forge.issues(URL)
    assert issue.state == "closed"
    (comment,) = await forge.comments(URL, issue.number)
    assert "revision `3` (`56647d7c9c`) passed its canary" in comment.body
    acts = [(act["action"], act["phase"]) for act in await audit.of_incident(door.db, attempt[:-2])][1:]
    assert acts == [
        ("create-comment", "begun"),
        ("create-comment", "done"),
        ("close-issue", "begun"),
        ("close-issue", "done"),
        ("follow-up", "done"),
    ]
    door.queue.followed.clear()
    await door.notify(PASSED.replace(b"56647d7c9c", b"5cdd5fb6c8"))
    assert door.queue.followed == {}


async def test_neither_the_failing_canary_nor_a_first_deployment_is_a_version_that_passed() -> None:
    assert [read(raw, "prod").promotion is not None for raw in bodies("14")] == [*[False] * 7, True]
    assert [read(raw, "prod").promotion for raw in bodies("29")] == [None]
    assert all(read(raw, "prod").promotion is None for raw in bodies("15"))


@pytest.mark.parametrize("outcome", [{"issue": None}, {"repository": None}])
async def test_a_report_without_an_issue_is_left_alone(door: Door, forge: FakeForge, outcome: dict[str, Any]) -> None:
    await reported(door, forge, **outcome)
    await door.notify(PASSED)
    assert door.queue.followed == {}


async def test_a_kill_after_the_notification_was_kept_loses_nothing(door: Door, forge: FakeForge) -> None:
    attempt = await reported(door, forge)
    found = read(PASSED, "prod")
    await inbox.put(door.db, "row", "prod", found, found.body, door.clock())
    for _ in range(2):
        await door.steps.catch_up()
        await door.steps.settle()
    assert list(door.queue.followed) == [attempt]
    assert await inbox.promotions(door.db) == ()


async def test_another_clusters_rollout_of_the_same_name_closes_nothing(door: Door, forge: FakeForge) -> None:
    await reported(door, forge)
    await door.client.post("/webhooks/argo-rollouts", content=PASSED, headers={"Authorization": "Bearer eu:token"})
    await door.steps.settle()
    assert door.queue.followed == {}


@pytest.mark.parametrize("broken", [{"metadata": None}, {"status": {"currentPodHash": 5}}, {"status": []}])
def test_a_rollout_without_names_is_no_promotion(broken: dict[str, Any]) -> None:
    rollout = body("14", 8)["rollout"] | broken
    assert promotion_of(rollout, "prod") is None
    raw = json.dumps({"trigger": "on-rollout-completed", "rollout": rollout}).encode()
    assert read(raw, "prod").promotion is None
