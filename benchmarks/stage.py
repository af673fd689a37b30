"""What the benchmarks share: real service processes on one staged scenario, copied to as many canaries as wanted."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from app.demo.objects import Stage
from app.demo.service import why_no_sandbox
from app.demo.staging import CLUSTER

ROOT = Path(__file__).resolve().parents[1]


def copy_evidence(stage: Stage, root: Path, number: int, uid: str) -> None:
    namespace, service = stage.scenario.namespace, stage.scenario.service
    source = root / namespace / service / stage.hashes[1]
    target = root / f"{namespace}-{number}" / service / stage.hashes[1]
    for path in source.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(renamed(path.read_text(encoding="utf-8"), stage, number, uid), encoding="utf-8")


def renamed(text: str, stage: Stage, number: int, uid: str) -> str:
    namespace = stage.scenario.namespace
    return text.replace(namespace, f"{namespace}-{number}").replace(stage.uid, uid)


def environment(workdir: Path, port: int) -> dict[str, str]:
    policy = workdir / "policy.yaml"
    policy.write_text(
        f"repositories: [{{match: {json.dumps((workdir / 'forge').resolve().as_uri() + '/*')}}}]\n", "utf-8"
    )
    return {
        "PATH": os.defpath + ":/usr/local/bin",
        "SELFHEAL_DATA_DIR": str(workdir / "data"),
        "SELFHEAL_PORT": str(port),
        "SELFHEAL_WEBHOOK_TOKENS": f"{CLUSTER}:hook",
        "SELFHEAL_API_TOKENS": "bench:read:api",
        "SELFHEAL_BUNDLES": str(workdir / "bundles"),
        "SELFHEAL_FORGE_DIR": str(workdir / "forge"),
        "SELFHEAL_POLICY": str(policy),
        "SELFHEAL_SANDBOX": "bubblewrap" if why_no_sandbox() is None else "process",
        "SELFHEAL_LOG_LEVEL": "warning",
    }


@contextlib.contextmanager
def process(role: str, env: dict[str, str], workdir: Path) -> Iterator[None]:
    with (workdir / f"{role}.log").open("ab") as log:
        command = [sys.executable, "-m", "app.cli", "serve", "--role", role]
        running = subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield
        finally:
            running.terminate()
            try:
                running.wait(timeout=20)
            except subprocess.TimeoutExpired:
                running.kill()
                running.wait()


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if condition():
                return
        time.sleep(0.05)
    raise TimeoutError(f"it did not come about within {seconds:.0f} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
