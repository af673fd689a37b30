"""`ack`: how long Argo waits for our 202, at 200 requests a second of which one in ten opens a new incident.

The arrivals are an open loop: a slow answer does not hold back the next request, so waiting shows up in the figures.
Capture from a bundle directory runs all the while, as it would.
"""

import asyncio
import json
import tempfile
import time
import uuid
from pathlib import Path
from statistics import quantiles

import httpx

from app.clock import utc_now
from app.demo import exception, objects
from app.demo.objects import Stage
from app.demo.staging import CLUSTER, stage_scenario
from benchmarks import Result
from benchmarks.stage import copy_evidence, environment, free_port, process, renamed, wait_for

PER_SECOND, SECONDS, NEW_EVERY = 200, 20, 10
WARM_UP = 100
SETTLED_SECONDS = 4.0
"""After readiness the intake still imports its queue's client; what is measured is the service as it runs."""
TARGETS = {"p99_ms": 25}


def measure() -> Result:
    """Milliseconds of the answers, and what was answered."""
    with tempfile.TemporaryDirectory(prefix="selfheal-ack-") as folder:
        workdir = Path(folder)
        stage = asyncio.run(stage_scenario(exception.scenario(), workdir, utc_now()))
        bodies = _bodies(stage, workdir, PER_SECOND * SECONDS)
        port = free_port()
        with process("intake", environment(workdir, port), workdir):
            wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK, 30)
            time.sleep(SETTLED_SECONDS)
            took, statuses = asyncio.run(_post(port, bodies))
    cuts = quantiles(took[WARM_UP:], n=1000)
    figures = {
        "requests": len(took),
        "accepted": statuses.count(202),
        "p50_ms": round(cuts[499] * 1000, 2),
        "p99_ms": round(cuts[989] * 1000, 2),
        "max_ms": round(max(took) * 1000, 2),
    }
    lost = len(took) - statuses.count(202)
    return Result(figures, TARGETS, (f"{lost} requests were not accepted",) if lost else ())


def _bodies(stage: Stage, workdir: Path, count: int) -> list[bytes]:
    """One in ten names a canary that nobody has named before; the rest say more of the one before."""
    bodies = []
    number, uid = 0, ""
    for at in range(count):
        if at % NEW_EVERY == 0:
            number, uid = at, str(uuid.uuid5(uuid.NAMESPACE_URL, f"canary {at}"))
            copy_evidence(stage, workdir / "bundles" / CLUSTER, number, uid)
        body = objects.body(stage)
        body["rollout"]["metadata"]["resourceVersion"] = str(at)
        bodies.append(renamed(json.dumps(body), stage, number, uid).encode())
    return bodies


async def _post(port: int, bodies: list[bytes]) -> tuple[list[float], list[int]]:
    """Send each body when its time has come; a connection each, as Argo's notification engine does."""
    took: list[float] = []
    statuses: list[int] = []
    loop = asyncio.get_running_loop()

    async def post(body: bytes) -> None:
        began = time.perf_counter()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = (
            "POST /webhooks/argo-rollouts HTTP/1.1\r\nHost: selfheal\r\nAuthorization: Bearer hook\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.read()
        took.append(time.perf_counter() - began)
        statuses.append(int(answer.split(b" ", 2)[1]))
        writer.close()
        await writer.wait_closed()

    start = loop.time()
    tasks = []
    for at, body in enumerate(bodies):
        await asyncio.sleep(max(0.0, start + at / PER_SECOND - loop.time()))
        tasks.append(asyncio.create_task(post(body)))
    await asyncio.gather(*tasks)
    return took, statuses
