"""`selfheal demo`: small services broken for real, and the real service healing them. Needs no account.

The core knows nothing of what is here: it sees the evidence, the repositories and nothing else.
"""

import asyncio
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from agents.errors import Invalid
from app.clock import utc_now
from app.demo import config, exception, golang, latency, objects
from app.demo.objects import Stage
from app.demo.screen import Screen
from app.demo.service import Service, seconds_between, started, why_no_sandbox
from app.demo.staging import stage_scenario
from app.demo.story import Scenario

SCENARIOS: Mapping[str, Callable[[], Scenario]] = {
    "exception": exception.scenario,
    "config": config.scenario,
    "latency": latency.scenario,
}
ON_REQUEST: Mapping[str, Callable[[], Scenario]] = {"go": golang.scenario}
"""Run by name alone: a compiler takes its time."""
OBSTACLES: Mapping[str, Callable[[], str | None]] = {"go": golang.obstacle}
DIAGNOSIS = ("category", "summary", "confidence", "location", "culprit_commit", "suspects", "claims", "strategy")
"""What a document says of a diagnosis (DESIGN section 8); the service's own interface says more."""


@dataclass(frozen=True)
class Play:
    """What came of one scenario."""

    document: dict[str, Any]
    """What `--json` prints (DESIGN section 8)."""
    incident: dict[str, Any]
    """The incident as the service shows it."""
    stages: dict[str, float]
    """Seconds spent in each state."""

    @property
    def healed(self) -> bool:
        """Whether there is a pull request whose fix was red before and is green after."""
        verification = self.document["verification"] or {}
        red_to_green = (verification.get("before"), verification.get("after")) == ("failed", "passed")
        return bool(self.document["pull_request"]) and red_to_green


def run(names: tuple[str, ...], *, as_json: bool, serve: bool = False) -> int:
    """Run scenarios by name (all without one); 0 if each was healed.

    `serve` leaves the service up afterwards, until it is interrupted.
    """
    known = {**SCENARIOS, **ON_REQUEST}
    for name in names:
        if name not in known:
            raise Invalid(f"there is no scenario {name!r}; there are {', '.join(known)}")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # and end the service on the way out
    skipped = _skipped(names, Screen(to_stderr=as_json))
    scenarios = tuple(known[name]() for name in names or tuple(SCENARIOS) if name not in skipped)
    if not scenarios:
        return 0
    workdir = Path(tempfile.mkdtemp(prefix="selfheal-demo-"))
    plays = play(scenarios, workdir, as_json=as_json, serve=serve)
    return 0 if all(one.healed for one in plays) else 1


def _skipped(names: tuple[str, ...], screen: Screen) -> frozenset[str]:
    """Say which scenarios are not run and why: those that cannot be here, and those that nobody asked for."""
    found = []
    for name in ON_REQUEST:
        reason = OBSTACLES[name]()
        if reason is not None:
            found.append(name)
            screen.say(f"Scenario {name} is skipped: {reason}.")
        elif not names:
            screen.say(f"Scenario {name} takes longer and is run by name: selfheal demo --scenario {name}.")
    return frozenset(found)


def play(scenarios: tuple[Scenario, ...], workdir: Path, *, as_json: bool, serve: bool = False) -> list[Play]:
    """Stage the scenarios, start the service, and see each through."""
    screen = Screen(to_stderr=as_json)
    began = time.monotonic()
    screen.say(f"Everything happens in {workdir}, and stays there: repositories, evidence, service.log, pull requests.")
    obstacle = why_no_sandbox()
    if obstacle is not None:
        screen.say(f"{obstacle}: the demo's own code, and nothing else, is verified in a plain process, not isolated.")
    stages = []
    for scenario in scenarios:
        screen.staging(scenario)
        stages.append(asyncio.run(stage_scenario(scenario, workdir, utc_now())))
    screen.say("Starting the service ...")
    plays = []
    with started(workdir, boxed=obstacle is None) as service:
        screen.say(f"Set up in {time.monotonic() - began:.1f} s. The service listens on {service.url}.")
        for stage in stages:
            plays.append(_heal(stage, service, screen))
            if as_json:
                sys.stdout.write(json.dumps(plays[-1].document) + "\n")
                sys.stdout.flush()
        if serve:
            _stay(service, screen)
    screen.closing(sum(one.healed for one in plays), len(plays), time.monotonic() - began, workdir)
    return plays


def _stay(service: Service, screen: Screen) -> None:
    """Leave the service up until Ctrl-C; SIGTERM ends the demo as ever."""
    screen.heading(f"The service stays up at {service.url}; Ctrl-C stops it. In another shell:")
    screen.say(f"  export SELFHEAL_URL={service.url} SELFHEAL_API_TOKEN={service.api_token}")
    screen.say("  .venv/bin/selfheal incidents list")
    told = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: told.set())
    told.wait()


def _heal(stage: Stage, service: Service, screen: Screen) -> Play:
    screen.failing(stage)
    began = time.monotonic()
    incident = service.notify(objects.body(stage))
    found = service.follow(incident, screen.state)
    seconds = time.monotonic() - began
    screen.ending(found, seconds)
    return Play(_document(stage.scenario, incident, found, seconds), found, _stages(found))


def _document(scenario: Scenario, incident: str, found: dict[str, Any], seconds: float) -> dict[str, Any]:
    diagnosis, patch, verification = found["diagnosis"], found["patch"], found["verification"]
    return {
        "scenario": scenario.name,
        "incident": incident,
        "diagnosis": {key: diagnosis[key] for key in DIAGNOSIS} if diagnosis else None,
        "patch": {"files": [change["path"] for change in patch["changes"]]} if patch else None,
        "verification": {
            "kind": verification["kind"],
            "before": verification["before"]["result"],
            "after": verification["after"]["result"],
        }
        if verification
        else None,
        "pull_request": found["pull_request"],
        "seconds": round(seconds, 2),
    }


def _stages(found: dict[str, Any]) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for step, following in pairwise(found["attempts"][-1]["timeline"]):
        spent = seconds.get(step["state"], 0.0) + seconds_between(step, following)
        seconds[step["state"]] = round(spent, 3)
    return seconds
