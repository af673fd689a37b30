"""A service in a folder of its own: real processes, real databases, the local forge, a failed canary to heal."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

from app.clock import utc_now
from app.demo import exception, objects
from app.demo.staging import CLUSTER, stage_scenario

ROOT = Path(__file__).resolve().parents[2]
DOOMED = Path(__file__).with_name("doomed.py")
READY_SECONDS = 40.0
DONE_SECONDS = 90.0
POLL_SECONDS = 0.1
DONE = frozenset({"proposed", "reported", "failed"})
T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """A canary that failed: the folder with its forge and evidence, and what Argo Rollouts posts about it."""

    folder: Path
    body: bytes
    repository: str
    """Path of the source repository below the folder."""

    def move(self, target: Path) -> "Failure":
        """A copy of its own, with every address in it."""
        shutil.copytree(self.folder, target)
        old, new = str(self.folder).encode(), str(target).encode()
        for path in (target / "bundles").rglob("*.json"):
            path.write_bytes(path.read_bytes().replace(old, new))
        return Failure(target, self.body.replace(old, new), self.repository)


def stage_failure(folder: Path) -> Failure:
    """Run the demo's `exception` scenario up to the notification; takes a few seconds."""
    scenario = exception.scenario()
    stage = asyncio.run(stage_scenario(scenario, folder, utc_now()))
    return Failure(folder, json.dumps(objects.body(stage)).encode(), f"forge/{scenario.source.name}.git")


class House:
    """The service on a failure's folder. Processes are started in sessions of their own, and all ended by `close`."""

    def __init__(self, failure: Failure, **settings: str) -> None:
        self.failure = failure
        self.folder = failure.folder
        self.port = free_port()
        # one client: a new one a call takes longer than most calls
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=10)
        self._token = secrets.token_hex(16)
        self._doom = self.folder / "doom"
        self._doom.mkdir()
        self._processes: list[subprocess.Popen[bytes]] = []
        policy = self.folder / "policy.yaml"
        if not policy.exists():
            policy.write_text(f"repositories:\n  - match: {json.dumps((self.folder / 'forge').as_uri() + '/*')}\n")
        self.env = {
            "PATH": os.defpath + ":/usr/local/bin",
            "SELFHEAL_DATA_DIR": str(self.folder / "data"),
            "SELFHEAL_PORT": str(self.port),
            "SELFHEAL_WEBHOOK_TOKENS": f"{CLUSTER}:{self._token}",
            "SELFHEAL_API_TOKENS": f"tests:read+trigger:{self._token}-api",
            "SELFHEAL_BUNDLES": str(self.folder / "bundles"),
            "SELFHEAL_FORGE_DIR": str(self.folder / "forge"),
            "SELFHEAL_POLICY": str(policy),
            "SELFHEAL_SANDBOX_DIR": str(self.folder / "sandbox"),
            "SELFHEAL_SANDBOX": "process",
            **settings,
        }

    def serve(self, role: str, *points: str) -> "subprocess.Popen[bytes]":
        """Start a process of the service: `all`, `intake` or `worker`; with points, one in which they happen."""
        command = [sys.executable, "-P"]
        if points:
            command += [str(DOOMED), role, str(self._doom), *points]
        else:
            command += ["-m", "app.cli", "serve", "--role", role]
        with (self.folder / "service.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                env=self.env,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._processes.append(process)
        return process

    def close(self) -> None:
        """End every process, and whatever it started."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=20)
        self._client.close()

    def kill_with_it(self, other: "subprocess.Popen[bytes]") -> None:
        """Whom `kill-both` takes along."""
        (self._doom / "other.pid").write_text(str(other.pid))

    def wait_ready(self, intake: "subprocess.Popen[bytes]") -> bool:
        """Whether the intake takes notifications; False once it has ended."""

        def ready() -> bool | None:
            if intake.poll() is not None:
                return False
            with contextlib.suppress(httpx.TransportError):
                if self._client.get("/readyz").status_code == httpx.codes.OK:
                    return True
            return None

        return self.wait(ready, READY_SECONDS)

    def notify(self, body: bytes | None = None) -> str | None:
        """Post a notification, else the failure's; the incident's id, None where nobody answered or it is none."""
        with contextlib.suppress(httpx.TransportError):
            headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
            answer = self._client.post("/webhooks/argo-rollouts", content=body or self.failure.body, headers=headers)
            answer.raise_for_status()
            incident: str | None = answer.json()["incident"]
            return incident
        return None

    def ask(self, path: str = "") -> dict[str, Any] | None:
        """A document of `/api/v1/incidents`; None while nobody answers or there is no such incident."""
        with contextlib.suppress(httpx.TransportError):
            headers = {"Authorization": f"Bearer {self._token}-api"}
            answer = self._client.get(f"/api/v1/incidents{path}", headers=headers)
            if answer.status_code == httpx.codes.OK:
                found: dict[str, Any] = answer.json()
                return found
        return None

    def wait_state(self, incident: str, states: frozenset[str] = DONE) -> dict[str, Any]:
        """The incident's document, once it is in one of the states."""

        def reached() -> dict[str, Any] | None:
            found = self.ask(f"/{incident}")
            return found if found and found["state"] in states else None

        return self.wait(reached, DONE_SECONDS)

    def wait(self, look: Callable[[], T | None], seconds: float) -> T:
        """What `look` finds, once it does."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = look()
            if found is not None:
                return found
            time.sleep(POLL_SECONDS)
        raise TimeoutError(f"nothing after {seconds:.0f} s; the log ends with:\n{self.log()[-3000:]}")

    def log(self) -> str:
        return (self.folder / "service.log").read_text(encoding="utf-8", errors="replace")

    def happened(self) -> int:
        """How many of the points were reached."""
        return len(list(self._doom.glob("*.[0-9]")))

    def leftovers(self) -> list[str]:
        """Working trees that nobody has cleared."""
        trees = self.folder / "sandbox"
        return [path.name for path in trees.iterdir()] if trees.exists() else []


@contextlib.contextmanager
def house_on(failure: Failure, **settings: str) -> Iterator[House]:
    """A service that ends with the block."""
    house = House(failure, **settings)
    try:
        yield house
    finally:
        house.close()


def free_port() -> int:
    """A port of the loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
