"""The real service beside the demo: started as a process, called over HTTP, stopped by its process id."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from agents.errors import Invalid
from app.demo.staging import CLUSTER

READY_SECONDS = 30.0
LOOP_SECONDS = 120.0
POLL_SECONDS = 0.2
DONE = frozenset({"proposed", "reported", "failed"})


@dataclass(frozen=True)
class Service:
    """A running service and the tokens it was given."""

    url: str
    webhook_token: str
    api_token: str

    def notify(self, body: dict[str, Any]) -> str:
        """Post a notification as Argo Rollouts does; returns the incident's id."""
        answer = httpx.post(
            f"{self.url}/webhooks/argo-rollouts",
            content=json.dumps(body),
            headers={"Authorization": f"Bearer {self.webhook_token}", "Content-Type": "application/json"},
            timeout=10,
        )
        answer.raise_for_status()
        incident: str | None = answer.json()["incident"]
        if incident is None:
            raise Invalid(f"the service did not take the notification: {answer.text}")
        return incident

    def follow(self, incident: str, show: Callable[[str, float], None]) -> dict[str, Any]:
        """Wait until the incident's attempt is done; `show` hears of each state and the seconds since the start."""
        began = time.monotonic()
        seen = ""
        while time.monotonic() - began < LOOP_SECONDS:
            document = self.show(incident)
            state = document["state"] if document else "received"
            if state != seen:
                show(state, time.monotonic() - began)
                seen = state
            if document is not None and state in DONE:
                return document
            time.sleep(POLL_SECONDS)
        raise Invalid(f"the loop took more than {LOOP_SECONDS:.0f} s; it stands at {seen}")

    def show(self, incident: str) -> dict[str, Any] | None:
        """The incident's document, None until it is admitted."""
        answer = httpx.get(
            f"{self.url}/api/v1/incidents/{incident}",
            headers={"Authorization": f"Bearer {self.api_token}"},
            timeout=10,
        )
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document


def has_sandbox() -> bool:
    """Whether bubblewrap is there."""
    return shutil.which("bwrap") is not None


@contextlib.contextmanager
def started(workdir: Path) -> Iterator[Service]:
    """The service on the work folder's evidence and forge; its log goes to `service.log` there."""
    port = _free_port()
    service = Service(f"http://127.0.0.1:{port}", secrets.token_hex(16), secrets.token_hex(16))
    policy = workdir / "policy.yaml"
    pattern = f"{(workdir / 'forge').resolve().as_uri()}/acme/*"
    policy.write_text(f"repositories:\n  - match: {json.dumps(pattern)}\n    mode: propose\n", encoding="utf-8")
    env = {
        "PATH": os.defpath + ":/usr/local/bin",
        "SELFHEAL_DATA_DIR": str(workdir / "data"),
        "SELFHEAL_PORT": str(port),
        "SELFHEAL_WEBHOOK_TOKENS": f"{CLUSTER}:{service.webhook_token}",
        "SELFHEAL_API_TOKENS": f"demo:read+trigger:{service.api_token}",
        "SELFHEAL_BUNDLES": str(workdir / "bundles"),
        "SELFHEAL_FORGE_DIR": str(workdir / "forge"),
        "SELFHEAL_POLICY": str(policy),
        "SELFHEAL_SANDBOX": "bubblewrap" if has_sandbox() else "process",
        **{name: value for name, value in os.environ.items() if name.startswith("SELFHEAL_MODEL")},  # noqa: TID251
    }
    log = workdir / "service.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.cli", "serve"], env=env, stdout=output, stderr=output, cwd=_root()
        )
        try:
            _wait_until_ready(service, process, log)
            yield service
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(service: Service, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{service.url}/readyz", timeout=2).status_code == httpx.codes.OK:
                return
        time.sleep(0.1)
    raise Invalid(f"the service did not start; its log is {log}")


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
