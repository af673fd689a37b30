"""Kills the service at chosen moments, starts it again, and says what became of the incident."""

import json
import signal
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from agents.pull_request import LABEL
from tests.e2e.house import DONE, POLL_SECONDS, House
from tests.scratch import WHO

Role = Literal["intake", "worker"]
LOOP_SECONDS = 150.0
WHOLE_WAY = ["received", "capturing", "diagnosing", "fixing", "verifying", "publishing", "proposed"]

INBOX = (
    "sql INSERT INTO inbox",  # nothing is there yet, and nobody has been told that it is
    "sql INSERT INTO incidents",  # kept, not admitted
    "sql UPDATE inbox SET admitted_at",  # in the middle of admitting
    "sql UPDATE attempts SET state",  # admitted, not captured
    "sql INSERT INTO bundles",  # captured, not sealed
    "sql INSERT INTO bundle_items",  # in the middle of sealing
    "sql UPDATE attempts SET aborted_at",  # sealed
    "sql INSERT INTO .*workflow_status",  # sealed, not enqueued
    "sql INSERT INTO .*workflow_input",  # in the middle of enqueueing
    "sql UPDATE attempts SET enqueued_at",  # enqueued, not marked
)
STAGES = ("diagnosing", "fixing", "verifying", "publishing")
CALLS = (
    "journal.bundle",
    "repositories.open",
    "workspace.lay_out",
    "sandbox.serve",
    "sandbox.run",
    "workspace.clear",
    "journal.record",
    "forge.default_branch",
    "forge.find_pull_request",
    "forge.head",
    "forge.commit",
    "forge.point",
    "forge.create_pull_request",
    "forge.add_labels",
    "journal.finish",
)
ENGINE = (
    "sql UPDATE .*workflow_status SET .*recovery_attempts",  # while the engine hands the attempt out
    "sql INSERT INTO .*operation_outputs",  # the graph has ended, its step is not recorded
    "sql UPDATE .*workflow_status SET .*(completed_at|output)",  # the step is recorded, the workflow is not
)
WORKER = (
    *(f"{when} journal.enter {stage}" for stage in STAGES for when in ("before", "after")),
    *(f"{when} {call}$" for call in CALLS for when in ("before", "after")),
    *ENGINE,
)


@dataclass(frozen=True)
class Aftermath:
    """What is there in the end."""

    incident: dict[str, Any]
    incidents: int
    branches: dict[str, list[str]]
    """Our branches, each with the commits on it that are not on the base."""
    pull_requests: dict[str, list[str]]
    """Each with its labels."""
    trees: list[str]
    """Working trees that are left."""
    kills: int
    seconds: float

    @property
    def faults(self) -> list[str]:
        """What is not as if nothing had happened."""
        states = [step["state"] for step in self.incident["attempts"][0]["timeline"]]
        checks = {
            f"it ended {self.incident['state']}: {self.incident['detail']}": self.incident["state"] == "proposed",
            f"{self.incidents} incidents": self.incidents == 1,
            f"{len(self.incident['attempts'])} attempts": len(self.incident["attempts"]) == 1,
            f"the way was {states}": states == WHOLE_WAY,
            f"the branches are {self.branches}": [len(commits) for commits in self.branches.values()] == [1],
            f"the pull requests are {self.pull_requests}": list(self.pull_requests.values()) == [[LABEL]],
            f"the sandbox still has {self.trees}": not self.trees,
        }
        return [fault for fault, is_fine in checks.items() if not is_fine]


class Keeper:
    """Starts intake and worker again whenever one is gone, as whoever runs the service would."""

    def __init__(self, house: House, doomed: Role, points: tuple[str, ...]) -> None:
        self._house = house
        self._points = {doomed: points}
        self._running: dict[Role, subprocess.Popen[bytes]] = {}

    def look_after(self) -> None:
        """Start what is not running; `RuntimeError` for a process that ended by itself."""
        for role in get_args(Role):
            process = self._running.get(role)
            code = None if process is None else process.poll()
            if code not in {None, -signal.SIGKILL}:
                raise RuntimeError(f"the {role} ended with {code}; the log ends with:\n{self._house.log()[-3000:]}")
            if process is None or code is not None:
                self._running[role] = self._house.serve(role, *self._points.get(role, ()))
                if role == "intake":
                    self._house.kill_with_it(self._running[role])


def survive(house: House, doomed: Role, points: tuple[str, ...]) -> Aftermath:
    """Have the canary healed by a service that dies at each of the points; `TimeoutError` if it never gets there."""
    began = time.monotonic()
    keeper = Keeper(house, doomed, points)
    incident: str | None = None

    def finished() -> dict[str, Any] | None:
        nonlocal incident
        keeper.look_after()
        incident = incident or house.notify()
        found = house.ask(f"/{incident}") if incident else None
        if found is None or found["state"] not in DONE:
            return None
        is_lost = found["state"] != WHOLE_WAY[-1]
        return found if is_lost or house.happened() == len(points) else None

    house.wait(finished, LOOP_SECONDS)
    seconds = time.monotonic() - began

    def settled() -> bool | None:
        keeper.look_after()
        return (house.ask() is not None and _engine_is_done(house, f"{incident}-1")) or None

    house.wait(settled, LOOP_SECONDS)
    house.notify()  # late copies change nothing
    time.sleep(5 * POLL_SECONDS)
    listed = house.ask() or {"incidents": []}
    return Aftermath(
        incident=house.ask(f"/{incident}") or {},
        incidents=len(listed["incidents"]),
        branches=branches(house.folder / house.failure.repository),
        pull_requests={
            path.stem: json.loads(path.read_text()).get("labels", [])
            for path in sorted((house.folder / "forge").rglob("*.pulls/*.json"))
        },
        trees=house.leftovers(),
        kills=house.happened(),
        seconds=seconds,
    )


def branches(repository: Path) -> dict[str, list[str]]:
    """The branches beside `main`, each with its own commits."""

    def git(*argv: str) -> list[str]:
        command = ["git", f"--git-dir={repository}", *argv]
        return subprocess.run(command, env=WHO, capture_output=True, text=True, check=True).stdout.split()

    names = [name for name in git("for-each-ref", "--format=%(refname:short)", "refs/heads") if name != "main"]
    return {name: git("rev-list", f"main..{name}") for name in names}


def _engine_is_done(house: House, attempt: str) -> bool:
    """Whether nothing of the attempt is left to be taken up."""
    connection = sqlite3.connect(house.folder / "data" / "dbos.sqlite", timeout=10)
    try:
        query = "SELECT status FROM workflow_status WHERE workflow_uuid = ?"
        return connection.execute(query, (attempt,)).fetchall() == [("SUCCESS",)]
    finally:
        connection.close()
