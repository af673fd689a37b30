"""Identity and cause: what the real controller sent gives one incident a failed canary, in whatever order and however
often; and what its cluster held, captured as the service captures it, leads to the kind of cause that is known.
"""

import asyncio
import random
from pathlib import Path

import pytest

from agents.diagnosis import Category, Diagnosis, diagnose
from agents.evidence import holds
from agents.incident import Attempt, State
from agents.redaction import Redactor
from agents.triage import triage
from app.intake import Intake
from app.notification import read
from app.store import inbox, incidents
from app.store.database import Database
from tests.fakes import FakeClock, FakeQueue
from tests.recorded import bodies
from tests.replay.capturing import LATE_ABORT, capture_recorded
from tests.replay.recording import load, scenarios

Delivery = tuple[str, bytes]


def delivered(*scenarios: tuple[str, str]) -> list[Delivery]:
    """The webhooks of scenarios, each from a cluster."""
    return [(cluster, raw) for number, cluster in scenarios for raw in bodies(number)]


# 17a and 17b are the same name, pod hash and revision in two namespaces, at the same time; the last row puts
# one body on two clusters
CASES = {
    "05": (delivered(("05", "prod")), 1, 1),
    "14": (delivered(("14", "prod")), 1, 2),
    "16": (delivered(("16", "prod")), 2, 2),
    "17": (delivered(("17a", "eu"), ("17b", "us")), 2, 2),
    "17-one-cluster": (delivered(("17a", "prod"), ("17b", "prod")), 2, 2),
    "27": (delivered(("27", "prod")), 1, 1),
    "27-two-clusters": (delivered(("27", "eu"), ("27", "us")), 2, 2),
}


class Receiver:
    """The inbox's steps as the webhook's route takes them, without HTTP."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = FakeClock()
        self.queue = FakeQueue()
        self.steps = Intake(db, None, self._queue, self.clock)

    async def _queue(self) -> FakeQueue:
        return self.queue

    async def deliver(self, delivery: Delivery) -> None:
        cluster, raw = delivery
        found = read(raw, cluster)
        row = inbox.row_id(cluster, raw)
        await inbox.put(self.db, row, cluster, found, Redactor().redact_json(found.body), self.clock())
        if found.sighting:
            await self.steps.take(inbox.Pending(id=row, sighting=found.sighting))

    async def counts(self) -> tuple[int, int]:
        """Incidents, and attempts that reached the queue."""
        return await incidents.count(self.db), len(self.queue.entries)


@pytest.mark.parametrize("case", CASES)
async def test_in_the_order_in_which_they_came(case: str, db: Database) -> None:
    deliveries, expected, attempts = CASES[case]
    receiver = Receiver(db)
    for delivery in deliveries:
        await receiver.deliver(delivery)
        receiver.clock.advance(milliseconds=10)
    assert await receiver.counts() == (expected, attempts)


@pytest.mark.parametrize("case", CASES)
async def test_delivered_twice_they_are_as_many(case: str, db: Database) -> None:
    deliveries, expected, attempts = CASES[case]
    receiver = Receiver(db)
    for delivery in [*deliveries, *deliveries]:
        await receiver.deliver(delivery)
    assert await receiver.counts() == (expected, attempts)


async def test_shuffled_they_are_as_many_incidents_and_never_more_attempts(db: Database) -> None:
    for case, (deliveries, expected, attempts) in CASES.items():
        for seed in range(3):
            receiver = Receiver(db)
            cluster = f"{case}-{seed}"
            order = [(f"{cluster}-{where}", raw) for where, raw in deliveries] * 2
            random.Random(seed).shuffle(order)  # noqa: S311 - reproducible on purpose
            before = await incidents.count(db)
            for delivery in order:
                await receiver.deliver(delivery)
            assert await incidents.count(db) - before == expected, (case, seed)
            assert expected <= len(receiver.queue.entries) <= attempts, (case, seed)


async def test_all_at_once_they_are_as_many(db: Database) -> None:
    for case, (deliveries, expected, attempts) in CASES.items():
        receiver = Receiver(db)
        order = [(f"{case}-{where}", raw) for where, raw in deliveries] * 2
        random.Random(case).shuffle(order)  # noqa: S311 - reproducible on purpose
        before = await incidents.count(db)
        await asyncio.gather(*(receiver.deliver(delivery) for delivery in order))
        assert await incidents.count(db) - before == expected, case
        assert expected <= len(receiver.queue.entries) <= attempts, case


async def test_a_retry_opens_an_attempt_of_its_own_that_knows_its_own_abort(db: Database) -> None:
    receiver = Receiver(db)
    for raw in bodies("14"):
        await receiver.deliver(("prod", raw))
    first, second = [await find(db, attempt) for attempt in sorted(receiver.queue.entries)]
    assert (first.number, second.number) == (1, 2)
    assert first.incident == second.incident
    assert first.aborted_at
    assert second.aborted_at
    assert first.aborted_at.isoformat() == "2026-11-23T07:41:59+00:00"
    assert second.aborted_at.isoformat() == "2026-11-23T07:42:45+00:00"
    assert second.opened_by == "notification:on-analysis-run-failed"


async def test_a_controller_whose_clock_is_behind_does_not_double_an_attempt(db: Database) -> None:
    """The failed AnalysisRun then seems younger than the abort, which is sent again in another body (17a)."""
    receiver = Receiver(db)
    behind = [raw.replace(b'"2026-11-23T07:44:11Z"', b'"2026-11-23T07:44:01Z"') for raw in bodies("17a")]
    assert behind[3] != bodies("17a")[3]
    for raw in [*behind, *behind[::-1]]:
        await receiver.deliver(("eu", raw))
    assert await receiver.counts() == (1, 1)


async def test_a_failure_after_a_manual_attempt_still_opens_the_next_one(db: Database) -> None:
    receiver = Receiver(db)
    first_failure, second_failure = bodies("14")[:4], bodies("14")[4:]
    for raw in first_failure:
        await receiver.deliver(("prod", raw))
    (only,) = receiver.queue.entries
    attempt = await find(db, only)
    await incidents.advance(db, only, State.FAILED, receiver.clock())
    manual = await incidents.open_manual(db, attempt.incident, "ana", receiver.clock())
    assert (manual.attempt.number, manual.attempt.aborted_at) == (2, attempt.aborted_at)
    for raw in [*first_failure, *second_failure]:
        await receiver.deliver(("prod", raw))
    assert [key.rpartition("-")[2] for key in receiver.queue.entries] == ["1", "3"]


async def find(db: Database, attempt_id: str) -> Attempt:
    attempt = await incidents.find_attempt(db, attempt_id)
    assert attempt is not None
    return attempt


CAUSES: dict[str, tuple[Category, ...]] = {
    "code": ("code",),
    "code/build": ("code",),
    "code/manifest": ("code",),
    "code/migration": ("code",),
    "resources/code": ("code",),
    "manifest": ("config",),
    "manifest/infrastructure": ("config",),
    "infrastructure": ("infrastructure",),
    "manual": ("unknown",),
    "inconclusive": ("unknown",),
    "two incidents": ("code",),
}
"""What a recording's `expected` begins with, and the kinds of cause that this is."""
NO_FAILURE = {"29-first-deploy-fails"}
"""Nothing was stable before it, so there is no incident."""
SAYS = {
    "06": "killed for its memory at its limit of 512Mi",
    "07": "the registry has no such image; containers/thumbnailer/image of the pod template was changed",
    "08": "the key TOKEN_ISSUER of ConfigMap session-api-config",
    "09": "readinessProbe/httpGet/path of the pod template was changed from /healthz to /ready",
    "18": "the Job of the metric smoke-test failed with exit code 1",
}


async def diagnosed(name: str, folder: Path) -> Diagnosis:
    """By the bundle alone: no repository of the recordings exists."""
    recording = load(name)
    bundle, _ = await capture_recorded(recording, folder, LATE_ABORT.get(recording.name, 0.0))
    diagnosis = diagnose(await triage(bundle, None, None))
    assert all(holds(bundle, citation) for claim in diagnosis.claims for citation in claim.evidence)
    return diagnosis


@pytest.mark.parametrize("name", [name for name in scenarios() if name not in NO_FAILURE])
async def test_a_recorded_failure_has_the_kind_of_cause_that_is_known(name: str, tmp_path: Path) -> None:
    diagnosis = await diagnosed(name, tmp_path)
    assert diagnosis.category in CAUSES[load(name).expected.partition(":")[0]]
    assert (diagnosis.location, diagnosis.culprit_commit, diagnosis.strategy) == (None, None, None)


@pytest.mark.parametrize("number", SAYS)
async def test_a_recorded_state_of_the_pods_is_told_with_what_changed(number: str, tmp_path: Path) -> None:
    diagnosis = await diagnosed(number, tmp_path)
    assert SAYS[number] in diagnosis.summary
    assert diagnosis.claims
