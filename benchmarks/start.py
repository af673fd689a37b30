"""`start`: how long until the intake is ready, and until `--help` is printed. Medians of whole processes."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx

from benchmarks import Result
from benchmarks.stage import ROOT, environment, free_port, process, wait_for

ROUNDS = 5
TARGETS = {"ready_s": 3, "help_s": 0.5}


def measure() -> Result:
    """Seconds."""
    ready = median(_ready() for _ in range(ROUNDS))
    return Result({"ready_s": round(ready, 2), "help_s": round(median(_helps()), 2)}, TARGETS)


def _ready() -> float:
    with tempfile.TemporaryDirectory(prefix="selfheal-start-") as folder:
        workdir, port = Path(folder), free_port()
        for folder_name in ("forge", "bundles"):
            (workdir / folder_name).mkdir()
        began = time.monotonic()
        with process("all", environment(workdir, port), workdir):
            wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK, 30)
            return time.monotonic() - began


def _helps() -> list[float]:
    took = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-m", "app.cli", "--help"],
            env={"PATH": os.defpath},
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        took.append(time.monotonic() - began)
    return took
