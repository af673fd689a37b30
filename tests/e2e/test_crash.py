"""SIGKILL at every stage, of each process, and at every step of the inbox: the same one pull request.

Here one incident dies at many points one after another; `make bench ONLY=crash` takes every point by itself.
"""

import os
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs import MOST_STARTS
from tests.e2e.crash import INBOX, WHOLE_WAY, Role, branches, survive
from tests.e2e.house import DONE_SECONDS, Failure, House, house_on

CHAINS: dict[str, tuple[Role, tuple[str, ...]]] = {
    "the intake between any two steps of the inbox": ("intake", tuple(f"kill {point}" for point in INBOX[1::2])),
    "the worker in every stage and before every change": (
        "worker",
        (
            "kill after journal.enter diagnosing",
            "kill after journal.enter fixing",
            "kill before sandbox.serve$",
            "kill after journal.enter publishing",
            "kill before forge.commit$",
            "kill before forge.point$",
            "kill before forge.create_pull_request$",
            "kill before forge.add_labels$",
        ),
    ),
    "the worker after every change, before it is known": (
        "worker",
        (
            "kill after forge.commit$",
            "kill after forge.point$",
            "kill after forge.create_pull_request$",
            "kill after forge.add_labels$",
            "kill after journal.finish$",
            "kill sql INSERT INTO .*operation_outputs",
        ),
    ),
    "both at once": ("worker", ("kill-both before sandbox.serve$", "kill-both after forge.point$")),
}


@pytest.fixture
def house(failure: Failure, tmp_path: Path) -> Iterator[House]:
    with house_on(failure.move(tmp_path / "ground")) as made:
        yield made


@pytest.mark.parametrize("chain", CHAINS)
def test_killed_and_started_again_it_ends_in_the_same_one_pull_request(house: House, chain: str) -> None:
    role, points = CHAINS[chain]
    aftermath = survive(house, role, points)
    assert aftermath.faults == []
    assert aftermath.kills == len(points)


def begin(house: House, *points: str) -> "tuple[str, subprocess.Popen[bytes], subprocess.Popen[bytes]]":
    """Intake and worker, and the notification delivered: the incident, the two processes."""
    intake, worker = house.serve("intake"), house.serve("worker", *points)
    assert house.wait_ready(intake)
    incident = house.notify()
    assert incident is not None
    return incident, intake, worker


def test_a_worker_that_is_told_to_stop_leaves_the_attempt_where_it_stands(house: House) -> None:
    incident, _, worker = begin(house)
    house.wait_state(incident, frozenset({"verifying"}))
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0
    stopped = house.ask(f"/{incident}")
    assert stopped is not None
    assert stopped["state"] in WHOLE_WAY[:-1], stopped["detail"]
    house.serve("worker")
    done = house.wait_state(incident)
    assert (done["state"], len(done["attempts"])) == ("proposed", 1)
    assert [step["state"] for step in done["attempts"][0]["timeline"]] == WHOLE_WAY


def test_the_worker_goes_on_while_the_intake_is_gone(house: House) -> None:
    incident, intake, _ = begin(house)
    house.wait_state(incident, frozenset({"diagnosing", "fixing", "verifying"}))
    os.kill(intake.pid, signal.SIGKILL)
    house.wait(lambda: '"event": "outcome"' in house.log() or None, DONE_SECONDS)
    house.serve("intake")
    assert house.wait_state(incident)["state"] == "proposed"


def test_a_service_whose_intake_is_killed_and_started_at_once_gets_its_worker_back(house: House) -> None:
    """The worker of the old one still works when the new one starts its own."""
    service = house.serve("all")
    assert house.wait_ready(service)
    incident = str(house.notify())
    house.wait_state(incident, frozenset({"diagnosing", "fixing", "verifying"}))
    os.kill(service.pid, signal.SIGKILL)
    service.wait(timeout=10)
    assert house.wait_ready(house.serve("all"))
    done = house.wait_state(incident)
    assert (done["state"], len(done["attempts"])) == ("proposed", 1)
    assert len(branches(house.folder / house.failure.repository)) == 1


def test_a_forge_that_does_not_answer_for_a_while_is_asked_again(house: House) -> None:
    incident, _, worker = begin(house, "transient before forge.head$")
    done = house.wait_state(incident)
    assert done["state"] == "proposed", done["detail"]
    assert house.happened() == 2
    assert house.log().count('"stage": "publishing"') == 3
    assert house.log().count('"stage": "verifying"') == 1
    assert worker.poll() is None


def test_a_bug_in_a_stage_ends_the_attempt_with_its_reason_and_the_worker_goes_on(house: House) -> None:
    incident, _, worker = begin(house, "poison before workspace.lay_out$")
    done = house.wait_state(incident)
    assert (done["state"], done["detail"]) == ("failed", "TypeError: a bug in this stage")
    assert done["attempts"][0]["timeline"][-1]["detail"] == done["detail"]
    assert done["diagnosis"]["culprit_commit"], "what was found out stays"
    assert branches(house.folder / house.failure.repository) == {}
    assert worker.poll() is None


def test_an_attempt_that_ends_every_worker_is_given_up_in_the_end(house: House) -> None:
    intake = house.serve("intake")
    assert house.wait_ready(intake)
    incident = house.notify()
    database = house.folder / "data" / "dbos.sqlite"

    def counted() -> bool | None:
        """As if so many workers had begun it and ended."""
        if not database.exists():
            return None
        connection = sqlite3.connect(database, timeout=10)
        try:
            changed = connection.execute("UPDATE workflow_status SET recovery_attempts = ?", (MOST_STARTS,)).rowcount
            connection.commit()
        except sqlite3.OperationalError:  # its tables are being made
            return None
        finally:
            connection.close()
        return bool(changed) or None

    assert house.wait(counted, DONE_SECONDS)
    house.serve("worker")
    done = house.wait_state(str(incident))
    assert (done["state"], done["detail"]) == (
        "failed",
        f"the worker ended {MOST_STARTS} times while it was at this attempt",
    )
