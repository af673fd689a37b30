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
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from agents.errors import SelfhealError
from app.demo.staging import CLUSTER

READY_SECONDS = 60.0
LOOP_SECONDS = 300.0
"""A compiler in the sandbox starts from nothing, twice."""
POLL_SECONDS = 0.2
DONE = frozenset({"proposed", "reported", "failed"})


@dataclass(frozen=True)
class Service:
    """A running service and the tokens it was given."""

    client: httpx.Client
    webhook_token: str
    api_token: str

    @property
    def url(self) -> str:
        return str(self.client.base_url).rstrip("/")

    def notify(self, body: dict[str, Any]) -> str:
        """Post a notification as Argo Rollouts does; returns the incident's id."""
        headers = {"Authorization": f"Bearer {self.webhook_token}", "Content-Type": "application/json"}
        answer = self.client.post("/webhooks/argo-rollouts", content=json.dumps(body), headers=headers)
        answer.raise_for_status()
        incident: str | None = answer.json()["incident"]
        if incident is None:
            raise SelfhealError(f"the service did not take the notification: {answer.text}")
        return incident

    def follow(self, incident: str, show: Callable[[str, float], None]) -> dict[str, Any]:
        """Wait until the incident's attempt is done; `show` hears of every state it went through, however short, and
        of the seconds since the first one.
        """
        until = time.monotonic() + LOOP_SECONDS
        seen: list[str] = []
        while time.monotonic() < until:
            document = self.show(incident)
            steps = document["attempts"][-1]["timeline"] if document else []
            for step in steps[len(seen) :]:
                seen.append(step["state"])
                show(step["state"], seconds_between(steps[0], step))
            if document is not None and document["state"] in DONE:
                return document
            time.sleep(POLL_SECONDS)
        where = seen[-1] if seen else "nowhere"
        raise SelfhealError(f"the loop took more than {LOOP_SECONDS:.0f} s; it stands at {where}")

    def show(self, incident: str) -> dict[str, Any] | None:
        """The incident's document, None until it is admitted, or where the service is too busy to answer."""
        headers = {"Authorization": f"Bearer {self.api_token}"}
        try:
            answer = self.client.get(f"/api/v1/incidents/{incident}", headers=headers)
        except httpx.TransportError:
            return None
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        document: dict[str, Any] = answer.json()
        return document


def seconds_between(earlier: dict[str, Any], later: dict[str, Any]) -> float:
    """Between two steps of a timeline."""
    return (datetime.fromisoformat(later["at"]) - datetime.fromisoformat(earlier["at"])).total_seconds()


def why_no_sandbox() -> str | None:
    """Why bubblewrap cannot be used here, None where it can."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return "bubblewrap is not installed"
    probe = [bwrap, "--ro-bind", "/", "/", "--unshare-all", "true"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, timeout=10, check=False)  # noqa: S603 - argv of our own
    except subprocess.TimeoutExpired:
        return "bubblewrap does not answer"
    return f"bubblewrap makes no sandbox here ({done.stderr.strip()[:150]})" if done.returncode else None


@contextlib.contextmanager
def started(workdir: Path, *, boxed: bool) -> Iterator[Service]:
    """The service on the work folder's evidence and forge; its log goes to `service.log` there."""
    port = _free_port()
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)
    service = Service(client, secrets.token_hex(16), secrets.token_hex(16))
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
        "SELFHEAL_SANDBOX": "bubblewrap" if boxed else "process",
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
            client.close()


def _wait_until_ready(service: Service, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            takes_notifications = service.client.get("/readyz").status_code == httpx.codes.OK
            # it would take them without its worker, but the worker's start is no part of the loop that is shown
            if takes_notifications and b'"event": "worker ready"' in log.read_bytes():
                return
        time.sleep(0.1)
    raise SelfhealError(f"the service did not start; its log is {log}")


def _root() -> Path:
    return Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
