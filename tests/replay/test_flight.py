"""What was recorded outlives the process that heard it, and none of its secrets are written down."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from agents.evidence import Bundle, LogSource, Target
from agents.evidence.recording import Recording as Heard
from app.clock import utc_now
from app.data_folder import store_file, store_url
from app.flight import FlightRecords
from app.intake import Intake
from app.store import bundles, incidents, recordings
from app.store.database import Database
from tests.contract.test_live_cluster import Answering
from tests.e2e.house import free_port
from tests.replay.recording import Recording, load
from tests.replay.server import ReplayServer
from tests.replay.service import incident_of, serving, until

SECRET = "hunter2-the-real-one"
POD = "checkout-7fdfff8c97-8jnsm"
SOURCE = LogSource(side="canary", pod=POD, container="checkout")
LINES = (
    "2026-11-23T07:30:00.1Z only the recorder heard this\n"
    f"2026-11-23T07:30:00.2Z DB_PASSWORD={SECRET} is what it connects with\n"
)


def heard(_: Target) -> Heard:
    return Heard(logs={SOURCE: LINES})


def nothing(_: Target) -> Heard:
    return Heard()


async def recaptured(folder: Path, recording: Recording) -> Bundle:
    """The bundle of a process after one that kept what it heard and died."""
    async with serving(folder, recording) as service:
        service.server.begin()
        attempt = (await incidents.open_manual(service.db, incident_of(recording), "ana", utc_now())).attempt
        await FlightRecords(service.db, heard).keep(attempt.incident, utc_now())
        wal = store_file(folder).with_name(f"{store_file(folder).name}-wal")
        stored = store_file(folder).read_bytes() + wal.read_bytes()
        assert SECRET.encode() not in stored
        (kept,) = await recordings.load(service.db, attempt.incident.key, "")
        assert "only the recorder heard this" in kept.logs[SOURCE]
        assert SECRET not in kept.logs[SOURCE]
        later = Intake(service.db, service.live, service.steps._queue, utc_now, nothing)
        later.begin_attempt(attempt)
        await later.settle()
        bundle = await service.sealed(recording)
    assert bundle is not None
    return bundle


async def test_the_next_process_joins_what_an_earlier_one_heard_and_each_line_is_there_once(tmp_path: Path) -> None:
    recording = load("01")
    recording.logs[POD, "checkout"] = LINES.splitlines(keepends=True)[1] + recording.logs[POD, "checkout"]
    bundle = await recaptured(tmp_path, recording)
    text = bundle.contents[SOURCE.item_id]
    assert text.count("only the recorder heard this") == 1
    assert text.count("is what it connects with") == 1
    assert text.count("KeyError: 'currency'") == 1
    assert SECRET not in "".join(bundle.contents.values())


async def test_a_process_that_is_killed_before_it_sealed_leaves_what_it_heard_to_the_next(tmp_path: Path) -> None:
    """The logs are gone 0.3 s after the failure; the process is killed while the API server holds it up."""
    recording = load("05")
    async with ReplayServer(recording).serve() as server:
        kubeconfig = server.kubeconfig(tmp_path / "kubeconfig")
        first = await _started(tmp_path, kubeconfig)
        await until(lambda: server.following, 20)
        await asyncio.sleep(0.3)
        server.faults.append(Answering("/replicasets", 3.0))
        server.begin(ago=-0.2)
        await until(lambda: _kept(tmp_path), 20)
        _kill(first)
        await until(lambda: server.at > 1)
        server.faults.clear()
        second = await _started(tmp_path, kubeconfig)
        db = Database(store_url(tmp_path))
        try:
            await until(lambda: bundles.load(db, f"{incident_of(recording).key}-1"), 30)
            bundle = await bundles.load(db, f"{incident_of(recording).key}-1")
            assert bundle is not None
            assert await recordings.load(db, incident_of(recording).key, "") == ()
        finally:
            await db.close()
            _kill(second)
    texts = [bundle.contents[item.id] for item in bundle.logs("canary")]
    assert any("No module named 'pydantic_settings'" in text for text in texts)
    assert any(recording.canary_hash in str(pod["metadata"]["name"]) for pod in bundle.objects("pod"))


def _kept(folder: Path) -> bool:
    with contextlib.closing(sqlite3.connect(store_file(folder))) as connection:
        return bool(connection.execute("SELECT 1 FROM recordings").fetchall())


async def _started(folder: Path, kubeconfig: Path) -> "subprocess.Popen[bytes]":
    """An intake on this cluster."""
    env = {
        "PATH": os.defpath,
        "SELFHEAL_DATA_DIR": str(folder),
        "SELFHEAL_PORT": str(free_port()),
        "SELFHEAL_WEBHOOK_TOKENS": "prod:the-hook-of-prod",
        "SELFHEAL_API_TOKENS": "tests:read:the-api-of-tests",
        "SELFHEAL_KUBECONFIG": str(kubeconfig),
    }
    command = [sys.executable, "-P", "-m", "app.cli", "serve", "--role", "intake"]
    with (folder / "service.log").open("ab") as log:
        return await asyncio.to_thread(
            subprocess.Popen, command, env=env, cwd=Path(__file__).parents[2], stdout=log, stderr=log
        )


def _kill(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)
