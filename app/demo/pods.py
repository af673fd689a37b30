"""Runs a version of a service as real processes under real traffic and keeps what they print as pod logs."""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

START_SECONDS = 10.0
ROUNDS = 4
"""How often the traffic asks for every path, of every pod."""
AT_ONCE = 6


@dataclass
class Pod:
    """One process that stands for a pod, and its log as the kubelet would give it."""

    name: str
    started_at: datetime
    lines: list[str] = field(default_factory=list)
    exit_code: int | None = None

    @property
    def log(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


@dataclass(frozen=True)
class Run:
    """What came of running a version: its pods, and how many of the requests succeeded."""

    pods: tuple[Pod, ...]
    asked: int
    succeeded: int


async def run_version(
    tree: Path, package: str, config: Mapping[str, str], names: Sequence[str], paths: Sequence[str]
) -> Run:
    """Start a process a name, ask each for all paths, stop them. A process that dies at start gets no traffic."""
    pods, asked, succeeded = [], 0, 0
    for name in names:
        pod, good, total = await _run_pod(tree, package, config, name, paths)
        pods.append(pod)
        asked, succeeded = asked + total, succeeded + good
    return Run(tuple(pods), asked, succeeded)


async def _run_pod(
    tree: Path, package: str, config: Mapping[str, str], name: str, paths: Sequence[str]
) -> tuple[Pod, int, int]:
    port = _free_port()
    pod = Pod(name, datetime.now(UTC))  # noqa: TID251 - the demo's processes run on the wall clock
    process = _start(tree, package, config, port)
    reader = threading.Thread(target=_keep_lines, args=(process, pod))
    reader.start()
    good = 0
    wanted = [path for _ in range(ROUNDS) for path in paths]
    try:
        listens = await asyncio.to_thread(_wait_for_port, process, port)
        if listens:
            good = await _ask_all(port, wanted)
            pod.exit_code = process.poll()
        else:
            pod.exit_code = process.wait(timeout=START_SECONDS)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)
        reader.join(timeout=START_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
    return pod, good, len(wanted) if listens else 0


def _start(tree: Path, package: str, config: Mapping[str, str], port: int) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - the demo's own service
        [sys.executable, "-m", package, "--port", str(port)],
        cwd=tree,
        env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **config},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


async def _ask_all(port: int, paths: Sequence[str]) -> int:
    """Ask for every path, several at a time; returns how many answers were no server error."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:

        async def ask(path: str) -> bool:
            async with gate:
                return (await client.get(path)).status_code < 500

        return sum(await asyncio.gather(*(ask(path) for path in paths)))


def _keep_lines(process: "subprocess.Popen[str]", pod: Pod) -> None:
    for line in process.stdout or ():
        moment = datetime.now(UTC)  # noqa: TID251 - the kubelet stamps each line when it comes
        pod.lines.append(f"{moment.isoformat(timespec='microseconds').removesuffix('+00:00')}Z {line.rstrip()}")


def _wait_for_port(process: "subprocess.Popen[str]", port: int) -> bool:
    for _ in range(int(START_SECONDS / 0.05)):
        if process.poll() is not None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
        except OSError:
            threading.Event().wait(0.05)
        else:
            return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
