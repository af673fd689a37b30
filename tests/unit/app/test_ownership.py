"""Bodies about an AnalysisRun or an Experiment become incidents of the Rollout that they belong to."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from agents.evidence import Objects
from app.intake import LEADS_KEPT, Intake
from app.notification import Notification, read
from app.store import inbox, tables
from app.store.database import Database
from tests.fakes import FakeClock, FakeCluster, FakeQueue
from tests.replay.recording import Recording, load


def body(thing: dict[str, Any], trigger: str = "on-analysis-run-failed") -> bytes:
    return json.dumps({"schema": "selfheal.argo/v1", "trigger": trigger, "rollout": thing}).encode()


def run_of(number: str, **changes: Any) -> dict[str, Any]:
    """The failed AnalysisRun of a recording, with fields of it replaced or, where None, left out."""
    (run,) = load(number).objects["analysisruns"]
    return {key: value for key, value in (run | changes).items() if value is not None}


def cluster_of(recording: Recording) -> FakeCluster:
    return FakeCluster(
        {"rollout": [recording.rollout_at(1)], "experiment": recording.objects.get("experiments", [])},
    )


async def taken(db: Database, raw: bytes, cluster: FakeCluster | None, clock: FakeClock | None = None) -> Any:
    """The inbox row after everything was done for it."""
    now = clock or FakeClock()
    queue = FakeQueue()

    async def get_queue() -> FakeQueue:
        return queue

    steps = Intake(db, cluster, get_queue, now)
    found = read(raw, "prod")
    row = inbox.row_id("prod", raw)
    await inbox.put(db, row, "prod", found, found.body, now())
    await steps.catch_up()
    await steps.settle()
    return await db.read(
        lambda connection: connection.execute(select(tables.inbox).where(tables.inbox.c.id == row)).one()
    )


def looked_up(raw: bytes) -> Notification:
    found = read(raw, "prod")
    assert found.disposition == "lookup"
    return found


@pytest.mark.parametrize("kind", ["AnalysisRun", None])
async def test_a_failed_analysis_run_is_an_incident_of_the_rollout_that_owns_it(db: Database, kind: str | None) -> None:
    recording = load("01")
    row = await taken(db, body(run_of("01", kind=kind)), cluster_of(recording))
    assert (row.disposition, row.rollout, row.canary_hash) == ("incident", "checkout", recording.canary_hash)
    assert row.incident
    assert row.admitted_at


async def test_it_is_the_same_incident_that_the_rollouts_own_notification_opens(db: Database) -> None:
    recording = load("01")
    run = await taken(db, body(run_of("01")), cluster_of(recording))
    own = await taken(db, body(recording.rollout_at(1), "on-rollout-aborted"), cluster_of(recording))
    assert run.incident == own.incident


async def test_a_run_of_an_experiment_leads_to_the_rollout_through_the_experiment(db: Database) -> None:
    recording = load("25")
    row = await taken(db, body(run_of("25")), cluster_of(recording))
    assert (row.disposition, row.rollout, row.canary_hash) == ("incident", "recommend-api", recording.canary_hash)


async def test_so_does_the_experiment_itself(db: Database) -> None:
    recording = load("25")
    (experiment,) = recording.objects["experiments"]
    row = await taken(db, body(experiment, "on-experiment-failed"), cluster_of(recording))
    assert (row.disposition, row.rollout) == ("incident", "recommend-api")


async def test_a_run_of_the_first_schema_leads_to_its_rollout_too(db: Database) -> None:
    """Before version 0.6 the metrics stood in `spec.analysisSpec`."""
    run = run_of("01")
    run["spec"] = {"analysisSpec": run["spec"]}
    row = await taken(db, body(run), cluster_of(load("01")))
    assert row.disposition == "incident"


@pytest.mark.parametrize(
    ("run", "trigger"),
    [
        (run_of("01", metadata={"name": "x", "namespace": "shop"}), "on-analysis-run-failed"),
        (run_of("01", status={"phase": "Running"}), "on-analysis-run-failed"),
        (run_of("01"), "on-analysis-run-successful"),
        (run_of("01", metadata={"namespace": "shop", "ownerReferences": "none"}), "on-analysis-run-failed"),
        (
            run_of("01", metadata={"namespace": "shop", "ownerReferences": [{"kind": "Rollout", "name": "../x"}]}),
            "on-analysis-run-failed",
        ),
    ],
)
def test_a_run_that_did_not_fail_or_names_no_owner_is_kept_and_does_nothing(run: dict[str, Any], trigger: str) -> None:
    found = read(body(run, trigger), "prod")
    assert found.disposition == "unsupported-kind"
    assert found.lead is None


async def test_without_a_cluster_the_row_says_what_is_missing(db: Database) -> None:
    row = await taken(db, body(run_of("01")), None)
    assert (row.disposition, row.incident) == ("unsupported-kind", None)
    assert "no cluster is configured" in row.reason


async def test_a_rollout_that_has_gone_on_is_no_incident(db: Database) -> None:
    recording = load("01")
    rollout = recording.rollout_at(1)
    rollout["status"] = rollout["status"] | {"currentPodHash": "another1"}
    row = await taken(db, body(run_of("01")), FakeCluster({"rollout": [rollout]}))
    assert (row.disposition, row.incident) == ("unsupported-kind", None)
    assert "no longer at" in row.reason


class Silent(FakeCluster):
    """A cluster that cannot be read."""

    async def find(self, cluster: str, namespace: str, rollout: str) -> Objects:
        del cluster, namespace, rollout
        return Objects(status="failed", reason="no answer in time")


async def test_a_cluster_that_gives_no_answer_is_asked_again_for_a_while(db: Database) -> None:
    clock, raw = FakeClock(), body(run_of("01"))
    looked_up(raw)
    assert (await taken(db, raw, Silent(), clock)).admitted_at is None
    assert (await taken(db, raw, cluster_of(load("01")), clock)).disposition == "incident"


async def test_and_then_given_up(db: Database) -> None:
    clock, raw = FakeClock(), body(run_of("01"))
    assert (await taken(db, raw, Silent(), clock)).admitted_at is None
    clock.advance(seconds=LEADS_KEPT.total_seconds() + 1)
    row = await taken(db, raw, Silent(), clock)
    assert row.admitted_at is not None
    assert "could not be read in time" in row.reason
