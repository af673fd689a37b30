"""`selfheal serve` as an operator runs it: real processes, a real socket, signals, and what is left behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.recorded import bodies, body

SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"
WEBHOOK, API = "webhook-token-of-the-test", "api-token-of-the-test"
PATIENCE = 30.0
Found = TypeVar("Found")


def until(found: Callable[[], Found | None], what: str) -> Found:
    """What `found` returns once it is true; the machine may be busy, so only the failure takes long."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    pytest.fail(f"{what} did not come about in {PATIENCE:.0f} s")


class Service:
    """One `selfheal serve` in a folder of its own; its standard error is the log."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        self.process = self.start(self.log, *arguments)

    def start(self, log: Path, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        env = {
            "PATH": os.defpath,
            "SELFHEAL_DATA_DIR": "data",
            "SELFHEAL_PORT": str(self.port),
            "SELFHEAL_WEBHOOK_TOKENS": f"prod:{WEBHOOK}",
            "SELFHEAL_API_TOKENS": f"ops:read+trigger:{API}",
        }
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "app.cli", "serve", *arguments],
                env=env | variables,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """The log's lines, which are all JSON objects; those of one event."""
        text = self.log.read_text()
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        return [line for line in lines if event in {line["event"], None}]

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def notify(self, content: bytes, token: str = WEBHOOK) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(f"{self.url}/webhooks/argo-rollouts", content=content, headers=headers, timeout=30)

    def show(self, incident: str) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {API}"}
        answer = httpx.get(f"{self.url}/api/v1/incidents/{incident}", headers=headers, timeout=30)
        return answer.json() if answer.status_code == 200 else None

    def is_final(self, incident: str) -> dict[str, Any] | None:
        shown = self.show(incident)
        return shown if shown and shown["state"] in {"reported", "proposed", "failed"} else None

    def workers(self) -> list[int]:
        """The process ids of the workers so far."""
        return [line["pid"] for line in self.lines("worker started")]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=PATIENCE)


def is_running(pid: int) -> bool:
    """Whether a process is there and not a zombie that nobody waits for."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@contextlib.contextmanager
def running(folder: Path, *arguments: str) -> Iterator[Service]:
    # an operator may well stand in a folder that has an `app` of its own
    (folder / "app").mkdir()
    (folder / "app" / "__init__.py").write_text("raise SystemExit('the wrong app')\n")
    service = Service(folder, *arguments)
    try:
        until(service.is_ready, "readiness")
        yield service
    finally:
        service.stop()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Both processes."""
    with running(tmp_path) as both:
        yield both


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Service]:
    """The intake alone, for what the worker has no part in."""
    with running(tmp_path, "--role", "intake") as alone:
        yield alone


def test_it_takes_notifications_and_ends_cleanly_without_a_secret_left_anywhere(service: Service) -> None:
    document = body("01", 4)
    document["rollout"]["status"]["message"] = f"cannot pull with {SECRET}"
    raw = json.dumps(document).encode()
    assert service.notify(raw, token="wrong").status_code == 401
    answer = service.notify(raw)
    assert (answer.status_code, answer.json()["disposition"]) == (202, "incident")
    assert service.notify(raw[:-20]).json()["disposition"] == "dead-letter"
    shown = until(lambda: service.is_final(answer.json()["incident"]), "an end of the incident")
    assert shown["state"] == "reported"

    (worker,) = service.workers()
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=PATIENCE) == 0
    assert not is_running(worker)
    lines = service.lines()
    assert {"intake ready", "worker ready", "admitted", "sealed", "outcome"} <= {line["event"] for line in lines}
    assert [line for line in lines if line["level"] not in {"info", "debug"}] == []
    left = {path: path.read_bytes() for path in service.folder.rglob("*") if path.is_file()}
    assert any(b"checkout" in content for path, content in left.items() if path.name.startswith("selfheal.sqlite"))
    for content in left.values():
        for secret in (SECRET, WEBHOOK, API):
            assert secret.encode() not in content


def test_a_second_service_is_refused_by_folder_and_by_port(intake: Service, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = str(probe.getsockname()[1])
    for name, variables, says in (
        ("folder", {"SELFHEAL_PORT": free}, "another intake works on data already"),
        ("port", {"SELFHEAL_DATA_DIR": "other"}, f"cannot listen on 127.0.0.1:{intake.port}: Address already in use"),
    ):
        log = tmp_path / name
        second = intake.start(log, **variables)
        assert second.wait(timeout=PATIENCE) == 2
        assert log.read_text().startswith("selfheal: ")
        assert says in log.read_text()
        assert log.read_text().count("\n") == 1
    assert intake.is_ready()


def test_a_worker_that_is_killed_is_started_again_and_goes_with_its_intake(service: Service) -> None:
    until(lambda: service.lines("worker ready"), "a worker")
    os.kill(service.workers()[0], signal.SIGKILL)
    incident = service.notify(bodies("01")[3]).json()["incident"]
    until(lambda: len(service.lines("worker ready")) == 2, "a second worker")
    assert service.lines("worker ended")[0]["exit_code"] == -signal.SIGKILL
    until(lambda: service.is_final(incident), "an end of the incident")

    second = service.workers()[1]
    service.process.kill()
    service.process.wait(timeout=PATIENCE)
    until(lambda: not is_running(second), "the end of the worker")
    assert len(service.workers()) == 2


def test_a_large_body_is_answered_before_it_is_sent_and_the_next_request_is_served(intake: Service) -> None:
    large = b"x" * (20 * 1024 * 1024)
    assert intake.notify(large, token="wrong").status_code == 401
    assert intake.notify(large).status_code == 413
    with socket.create_connection(("127.0.0.1", intake.port), timeout=10) as half:
        half.sendall(
            f"POST /webhooks/argo-rollouts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WEBHOOK}\r\n"
            f"Content-Length: {len(large)}\r\n\r\n".encode()
        )
        assert half.recv(4096).startswith(b"HTTP/1.1 413 ")
    with socket.create_connection(("127.0.0.1", intake.port), timeout=10) as hung_up:
        hung_up.sendall(
            f"POST /webhooks/argo-rollouts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WEBHOOK}\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
    assert intake.notify(bodies("01")[0]).json()["disposition"] == "signal"
    assert [line for line in intake.lines() if line["level"] == "error"] == []


def test_a_caller_who_never_finishes_does_not_hold_up_the_end(intake: Service) -> None:
    with socket.create_connection(("127.0.0.1", intake.port), timeout=10) as slow:
        slow.sendall(
            f"POST /webhooks/argo-rollouts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {WEBHOOK}\r\n"
            "Content-Length: 100\r\n\r\n{".encode()
        )
        time.sleep(0.2)
        intake.process.send_signal(signal.SIGTERM)
        assert intake.process.wait(timeout=PATIENCE) == 0
