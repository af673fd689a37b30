"""`capture`: how much of a failed canary's logs is had, how soon, and what the recorder costs.

The API server replays recordings with their timing, in a process of its own.
"""

import asyncio
import multiprocessing
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

from agents.evidence import LogSource, LogText, Target
from agents.evidence.recording import Recording as Heard
from agents.incident import Incident
from app.adapters.cluster import LiveCluster, load_contexts
from app.capture import capture, target_of
from app.capture.gathering import Gathering
from app.clock import utc_now
from app.data_folder import store_url
from app.intake import Intake
from app.notification import identify
from app.reconciler import Reconciler
from app.recorder import Recorder
from app.store import bundles
from app.store.database import Database, migrate
from benchmarks import Result
from tests.fakes import FakeQueue
from tests.replay.recording import Recording, enlarged, load, renamed, scenarios
from tests.replay.server import ReplayServer

ROUNDS = 7
LATE_SECONDS = 5.0
HEARD_SECONDS = 0.3
ROLLOUTS, STORM_SECONDS = 200, 10.0
TARGETS = {"first_byte_ms": 100, "snapshot_s": 0.3, "snapshot_20_pods_s": 2}


def measure() -> Result:
    """Seconds, shares of the canary logs that were there at the first webhook, and API calls."""
    return Result(asyncio.run(_figures()), TARGETS)


async def _figures() -> dict[str, Any]:
    usual = await _snapshots(enlarged(load("01"), pods=4, lines=2000))
    twenty = await _snapshots(enlarged(load("01"), pods=20, lines=2000))
    found: dict[str, Any] = {
        "first_byte_ms": round(median(first for first, _ in usual) * 1000, 1),
        "snapshot_s": round(median(whole for _, whole in usual), 3),
        "snapshot_20_pods_s": round(median(whole for _, whole in twenty), 3),
    }
    found |= await _shares()
    return found | await _storm()


class _Timed(LiveCluster):
    """Notes when the first log was in hand."""

    first_log: float | None = None

    async def log(self, target: Target, source: LogSource) -> LogText:
        text = await super().log(target, source)
        if self.first_log is None and text.text:
            self.first_log = time.monotonic()
        return text


async def _snapshots(recording: Recording) -> list[tuple[float, float]]:
    """Seconds to the first log and to everything, of captures of a warm service; sealing is not in it."""
    took: list[tuple[float, float]] = []
    async with _served([recording], ago=0.1) as live:
        for _ in range(ROUNDS):
            began, live.first_log = time.monotonic(), None
            gathering = Gathering(live, target_of(_incident(recording)))
            await gathering.gather()
            if live.first_log is None or any(text.status != "ok" for text in gathering.logs.values()):
                raise RuntimeError("a log of the usual rollout is missing")
            took.append((live.first_log - began, time.monotonic() - began))
    return took


async def _shares() -> dict[str, float]:
    """With the webhook in time, and with one that is as late as a restart of ours makes it."""
    # every first failure, all at once: each has a namespace of its own
    recordings = [load(name) for name in scenarios() if "/" not in name and not name.startswith("29-")]
    late = f"share_{LATE_SECONDS:g}s_late"
    return {
        "share": await _share(recordings, 0.0, with_recorder=False),
        "share_with_recorder": await _share(recordings, 0.0, with_recorder=True),
        late: await _share(recordings, LATE_SECONDS, with_recorder=False),
        f"{late}_with_recorder": await _share(recordings, LATE_SECONDS, with_recorder=True),
    }


async def _share(recordings: Sequence[Recording], late: float, *, with_recorder: bool) -> float:
    """The share of the canaries' logs in the bundles of captures that begin `late` seconds after the webhook."""
    async with _served(recordings, ago=-HEARD_SECONDS) as live:
        recorder = Recorder(live, "canary" if with_recorder else "off", ("",))
        for recording in recordings:
            recorder.see_rollout("prod", recording.rollout_at(-0.1))
        task = asyncio.create_task(recorder.run())
        await asyncio.sleep(HEARD_SECONDS + late)

        async def recorded(target: Target) -> tuple[Heard, ...]:
            return (recorder.recording(target),)

        bundles = await asyncio.gather(
            *(capture(live, _incident(one), 1, None, utc_now, recorded) for one in recordings)
        )
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    wanted = had = 0
    for recording, bundle in zip(recordings, bundles, strict=True):
        canary = f"{recording.rollout}-{recording.canary_hash}"
        items = {item.id for item in (*bundle.logs("canary"), *bundle.logs("stable"))}
        for pod, name in (key for key in recording.logs if key[0].startswith(canary)):
            wanted += 1
            had += any(item.endswith(f"/{pod}/{name}") for item in items)
    return round(had / wanted, 3)


async def _storm() -> dict[str, Any]:
    """Many rollouts that fail one after another, which nobody notifies: the reconciler and the recorder alone."""
    recording = load("01")
    many = [renamed(recording, f"shop-{at}", at * STORM_SECONDS / ROLLOUTS) for at in range(ROLLOUTS)]
    queue = FakeQueue()

    async def get_queue() -> FakeQueue:
        return queue

    with tempfile.TemporaryDirectory(prefix="selfheal-capture-") as folder:
        migrate(store_url(Path(folder)))
        db = Database(store_url(Path(folder)))
        async with _served(many, ago=-1.0) as live:
            recorder = Recorder(live, "canary", ("",))
            steps = Intake(db, live, get_queue, utc_now, recorder.recording)
            reconciler = Reconciler(live, db, steps, utc_now, ("",), recorder.see_rollout)
            before = live.calls
            tasks = [asyncio.create_task(reconciler.run()), asyncio.create_task(recorder.run())]
            most, began = 0, time.monotonic()
            while len(queue.entries) < ROLLOUTS and time.monotonic() - began < 6 * STORM_SECONDS:
                await asyncio.sleep(0.1)
                most = max(most, recorder.bytes)
            took = time.monotonic() - began
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await steps.settle(5)
            calls = live.calls - before
            watches = reconciler.listeners[0].heard.watches
            sealed = [await bundles.load(db, attempt) for attempt in queue.entries]
            with_logs = sum(bundle is not None and bool(bundle.logs("canary")) for bundle in sealed)
        await db.close()
    return {
        "storm_rollouts": ROLLOUTS,
        "storm_captured": len(queue.entries),
        "storm_with_canary_logs": with_logs,
        "storm_s": round(took, 1),
        "storm_calls_per_incident": round(calls / ROLLOUTS, 1),
        "storm_rollout_watches": watches,
        "recorder_mb_200_rollouts": round(most / 2**20, 2),
    }


def _incident(recording: Recording) -> Incident:
    found = identify(recording.rollout_at(1), "prod")
    if not isinstance(found, Incident):
        raise RuntimeError(found)  # noqa: TRY004 - the recording is not what this needs
    return found


@asynccontextmanager
async def _served(recordings: Sequence[Recording], ago: float) -> AsyncIterator[_Timed]:
    """A warm connection to a server of these recordings; it is `ago` seconds after the first webhook then."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    with tempfile.TemporaryDirectory(prefix="selfheal-replay-") as folder:
        path = Path(folder) / "kubeconfig"
        server = context.Process(target=_serve, args=(list(recordings), path, there), daemon=True)
        server.start()
        await asyncio.to_thread(here.recv)
        live = _Timed(await load_contexts(path, {"prod": "replay"}))
        if not await live.check("prod"):
            raise RuntimeError("the replayed cluster does not answer")
        here.send(ago)
        await asyncio.to_thread(here.recv)
        try:
            yield live
        finally:
            await live.close()
            server.terminate()
            server.join()


def _serve(recordings: list[Recording], kubeconfig: Path, pipe: Connection) -> None:
    """The server process: says when it listens, begins when it is told to."""

    async def serve() -> None:
        async with ReplayServer(*recordings).serve() as server:
            server.kubeconfig(kubeconfig)
            pipe.send(None)
            receive: Callable[[], float] = pipe.recv
            server.begin(await asyncio.to_thread(receive))
            pipe.send(None)
            await asyncio.sleep(3600)

    asyncio.run(serve())
