"""Runs a version of a service as real processes under real traffic and keeps what they print as pod logs."""

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from agents.errors import SelfhealError
from app.demo.story import Scenario

START_SECONDS = 10.0
ROUNDS = 4
"""How often the traffic asks for every path, of every pod."""
AT_ONCE = 3


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
    """What came of running a version: its pods, how many of the requests succeeded, and how long each took."""

    pods: tuple[Pod, ...]
    asked: int
    succeeded: int
    seconds: tuple[float, ...] = ()

    @property
    def p95(self) -> float:
        """Seconds that 95 of 100 requests stayed below."""
        return sorted(self.seconds)[int(len(self.seconds) * 0.95)] if self.seconds else 0.0


def build_program(tree: Path, argv: Sequence[str], cache: Path) -> None:
    """Make the program in its tree. Both versions share a compiler's cache; there is no network."""
    done = subprocess.run(  # noqa: S603 - the demo's own service
        argv,
        cwd=tree,
        env={"PATH": os.defpath + ":/usr/local/bin", "HOME": str(cache), "GOCACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SelfhealError(f"{' '.join(argv)} failed in {tree}: {done.stdout.strip()[-500:]}")


async def run_version(tree: Path, scenario: Scenario, config: Mapping[str, str], names: Sequence[str]) -> Run:
    """Start a process a name, ask each for all paths, stop them. A process that dies at start gets no traffic."""
    pods: list[Pod] = []
    answers: list[tuple[bool, float]] = []
    for name in names:
        pod, given = await _run_pod(tree, scenario, config, name)
        pods.append(pod)
        answers += given
    good = sum(succeeded for succeeded, _ in answers)
    return Run(tuple(pods), len(answers), good, tuple(seconds for _, seconds in answers))


async def _run_pod(
    tree: Path, scenario: Scenario, config: Mapping[str, str], name: str
) -> tuple[Pod, list[tuple[bool, float]]]:
    port = _free_port()
    pod = Pod(name, datetime.now(UTC))  # noqa: TID251 - the demo's processes run on the wall clock
    process = _start(tree, scenario.argv(tree, port), config)
    reader = threading.Thread(target=_keep_lines, args=(process, pod))
    reader.start()
    answers: list[tuple[bool, float]] = []
    wanted = [path for _ in range(ROUNDS) for path in scenario.paths]
    try:
        listens = await asyncio.to_thread(_wait_for_port, process, port)
        if listens:
            answers = await _ask_all(port, wanted)
            pod.exit_code = process.poll()
        else:
            pod.exit_code = process.wait(timeout=START_SECONDS)
    finally:
        process.terminate()
        process.wait(timeout=START_SECONDS)
        reader.join(timeout=START_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
    return pod, answers


def _start(tree: Path, argv: Sequence[str], config: Mapping[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603 - the demo's own service
        argv,
        cwd=tree,
        env={"PATH": os.defpath, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **config},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


async def _ask_all(port: int, paths: Sequence[str]) -> list[tuple[bool, float]]:
    """Ask for every path, several at a time; of each, whether it was no server error, and its seconds."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:

        async def ask(path: str) -> tuple[bool, float]:
            async with gate:
                answer = await client.get(path)
                return answer.status_code < 500, answer.elapsed.total_seconds()

        return list(await asyncio.gather(*(ask(path) for path in paths)))


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
