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
from datetime import datetime
from pathlib import Path
from typing import Any

from agents.errors import Invalid
from app.clock import utc_now
from app.demo import config, exception, latency, objects
from app.demo.objects import Stage
from app.demo.screen import Screen
from app.demo.service import Service, has_sandbox, started
from app.demo.staging import stage_scenario
from app.demo.story import Scenario

SCENARIOS: Mapping[str, Callable[[], Scenario]] = {
    "exception": exception.scenario,
    "config": config.scenario,
    "latency": latency.scenario,
}


def run(names: tuple[str, ...], *, as_json: bool, serve: bool = False) -> int:
    """Run scenarios by name (all without one); 0 if each ended in a pull request that was red and is green.

    `serve` leaves the service up afterwards, until it is interrupted.
    """
    for name in names:
        if name not in SCENARIOS:
            raise Invalid(f"there is no scenario {name!r}; there are {', '.join(SCENARIOS)}")
    workdir = Path(tempfile.mkdtemp(prefix="selfheal-demo-"))
    scenarios = tuple(SCENARIOS[name]() for name in names or tuple(SCENARIOS))
    documents = play(scenarios, workdir, as_json=as_json, serve=serve)
    return 0 if all(_healed(document) for document in documents) else 1


def play(scenarios: tuple[Scenario, ...], workdir: Path, *, as_json: bool, serve: bool = False) -> list[dict[str, Any]]:
    """Stage the scenarios, start the service, and see each through; returns their documents."""
    screen = Screen(to_stderr=as_json)
    began = time.monotonic()
    screen.say(f"Everything happens in {workdir}")
    if not has_sandbox():
        screen.say("bubblewrap is not installed: the demo's own code is verified in a plain process, not isolated.")
    stages = []
    for scenario in scenarios:
        screen.say(f"Building and running {scenario.service} {scenario.images[0]} and {scenario.images[1]} ...")
        stages.append(asyncio.run(stage_scenario(scenario, workdir, utc_now())))
    documents = []
    with started(workdir) as service:
        for stage in stages:
            document = _heal(stage, service, screen)
            documents.append(document)
            if as_json:
                sys.stdout.write(json.dumps(document) + "\n")
        if serve:
            _stay(service, screen)
    screen.heading(
        f"{len(documents)} scenario(s), {time.monotonic() - began:.1f} s in all; everything is kept in {workdir}"
    )
    return documents


def _heal(stage: Stage, service: Service, screen: Screen) -> dict[str, Any]:
    scenario = stage.scenario
    screen.heading(f"Scenario {scenario.name}: the canary {scenario.service} {scenario.images[1]} failed")
    if stage.crashed:
        screen.say("  it dies at start, again and again")
    elif scenario.metric == "latency-p95":
        slow, usual = stage.canary.p95 * 1000, stage.stable.p95 * 1000
        screen.say(f"  95 of 100 requests are answered within {slow:.0f} ms; it was {usual:.0f} ms")
    else:
        screen.say(f"  {stage.canary.asked - stage.canary.succeeded} of {stage.canary.asked} requests answered 5xx")
    screen.say(f"  Argo Rollouts notifies: {scenario.trigger}")
    began = time.monotonic()
    incident = service.notify(objects.body(stage))
    found = service.follow(incident, screen.state)
    document = _document(scenario, incident, found, time.monotonic() - began)
    link = document["pull_request"]
    screen.ending(document, found, link["url"] if link else None)
    return document


def _stay(service: Service, screen: Screen) -> None:
    """Leave the service up until Ctrl-C or SIGTERM."""
    screen.heading(f"The service stays up at {service.url}; Ctrl-C stops it. In another shell:")
    screen.say(f"  export SELFHEAL_URL={service.url} SELFHEAL_API_TOKEN={service.api_token}")
    screen.say("  .venv/bin/selfheal incidents list")
    told = threading.Event()
    for kind in (signal.SIGINT, signal.SIGTERM):
        signal.signal(kind, lambda *_: told.set())
    told.wait()


def _document(scenario: Scenario, incident: str, found: dict[str, Any], seconds: float) -> dict[str, Any]:
    patch, verification = found["patch"], found["verification"]
    return {
        "scenario": scenario.name,
        "incident": incident,
        "diagnosis": found["diagnosis"],
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
        "stages": _stages(found),
    }


def _stages(found: dict[str, Any]) -> dict[str, float]:
    """Seconds spent in each state, from the attempt's own timeline."""
    steps = found["attempts"][-1]["timeline"]
    moments = [datetime.fromisoformat(step["at"]) for step in steps]
    seconds: dict[str, float] = {}
    for step, start, end in zip(steps, moments, moments[1:], strict=False):
        seconds[step["state"]] = round(seconds.get(step["state"], 0.0) + (end - start).total_seconds(), 3)
    return seconds


def _healed(document: dict[str, Any]) -> bool:
    verification = document["verification"] or {}
    red_to_green = (verification.get("before"), verification.get("after")) == ("failed", "passed")
    return bool(document["pull_request"]) and red_to_green
