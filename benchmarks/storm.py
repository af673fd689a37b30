"""`storm`: many notifications of many failed canaries at once, shuffled and repeated; nobody heals until all are in.

One staged scenario is copied to as many namespaces as there shall be canaries, so that every incident has evidence of
its own and a repository whose fix can be verified. Their cause is one, so their pull request is one.
"""

import asyncio
import json
import random
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx

from app.clock import utc_now
from app.demo import exception, objects
from app.demo.objects import Stage
from app.demo.staging import CLUSTER, stage_scenario
from benchmarks import Result
from benchmarks.stage import copy_evidence, environment, free_port, process, renamed, wait_for

TRIGGERS = ("on-analysis-run-failed", "on-rollout-aborted", "on-canary-degraded")
AT_ONCE = 50
START_SECONDS, HEAL_SECONDS = 30.0, 300.0
DONE = {"proposed", "reported", "failed"}


def measure() -> Result:
    """1,000 notifications of 50 canaries."""
    with tempfile.TemporaryDirectory(prefix="selfheal-storm-") as folder:
        figures = run(Path(folder), canaries=50, notifications=1000)
    wrong = figures["proposed"] != 50 or figures["pull_requests"] != 1 or figures["incidents_after"] != 50
    return Result(figures, {}, ("not every canary ended in the one pull request",) if wrong else ())


def run(workdir: Path, canaries: int, notifications: int, seed: int = 7) -> dict[str, Any]:
    """Play it; returns what came of it: answers by status, incidents, pull requests and seconds."""
    stage = asyncio.run(stage_scenario(exception.scenario(), workdir, utc_now()))
    bodies = _bodies(stage, workdir, canaries, notifications, random.Random(seed))  # noqa: S311 - a shuffle, no secret
    port = free_port()
    env = environment(workdir, port)
    headers = {"Authorization": "Bearer api"}
    with (
        process("intake", env, workdir),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as api,
    ):
        wait_for(lambda: api.get("/readyz").status_code == 200, START_SECONDS)
        began = time.monotonic()
        statuses = asyncio.run(_post_all(port, bodies))
        posted = time.monotonic() - began
        wait_for(lambda: len(_incidents(api)) >= canaries and _waiting(api) == canaries, HEAL_SECONDS)
        before = _incidents(api)
        began = time.monotonic()
        with process("worker", env, workdir):
            wait_for(lambda: all(one["state"] in DONE for one in _incidents(api)), HEAL_SECONDS)
        after = _incidents(api)
    pulls = workdir / "forge" / "acme" / "shop.pulls"
    return {
        "notifications": len(bodies),
        "posted_s": round(posted, 2),
        "accepted": statuses.count(202),
        "incidents": len(before),
        "incidents_after": len(after),
        "attempts": sum(one["attempt"] for one in after),
        "proposed": sum(one["state"] == "proposed" for one in after),
        "joined": sum(_joins(one) for one in after),
        "pull_requests": len(list(pulls.glob("*.json"))),
        "healed_s": round(time.monotonic() - began, 2),
    }


def _bodies(stage: Stage, workdir: Path, canaries: int, notifications: int, chance: random.Random) -> list[bytes]:
    """Each canary's notifications: the three triggers, other versions of the object, and plain repeats."""
    bodies: list[bytes] = []
    for number in range(canaries):
        uid = str(uuid.uuid5(uuid.NAMESPACE_URL, f"canary {number}"))
        copy_evidence(stage, workdir / "bundles" / CLUSTER, number, uid)
        for at in range(-(-notifications // canaries)):
            body = objects.body(stage)
            body["trigger"] = TRIGGERS[at % len(TRIGGERS)]
            after_abort = body["trigger"] == "on-canary-degraded"
            body["rollout"] = objects.rollout(stage, after_abort=after_abort)
            body["rollout"]["metadata"]["resourceVersion"] = str(at // 6)
            bodies.append(renamed(json.dumps(body), stage, number, uid).encode())
    bodies = bodies[:notifications]
    chance.shuffle(bodies)
    return bodies


async def _post_all(port: int, bodies: list[bytes]) -> list[int]:
    gate = asyncio.Semaphore(AT_ONCE)
    headers = {"Authorization": "Bearer hook"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:

        async def post(body: bytes) -> int:
            async with gate:
                return (await client.post("/webhooks/argo-rollouts", content=body)).status_code

        return list(await asyncio.gather(*(post(body) for body in bodies)))


def _incidents(api: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        page = api.get("/api/v1/incidents", params={"limit": "500"} | after).json()
        found += page["incidents"]
        if page["next"] is None:
            return found
        after = {"after": page["next"]}


def _joins(incident: dict[str, Any]) -> bool:
    return str(incident["detail"]).startswith("joins the open pull request")


def _waiting(api: httpx.Client) -> int:
    text = api.get("/metrics").text
    return int(float(next(line for line in text.splitlines() if line.startswith("selfheal_queue_depth ")).split()[1]))
