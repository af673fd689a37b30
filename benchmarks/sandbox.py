"""`sandbox`: what the box costs, against the same commands in a plain process in the same run.

Three commands: an interpreter that ends at once, pytest on a thousand tests, and one that writes and reads thousands of
files. They alternate, so that a machine that is busy for a moment is busy for both; the medians are compared.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from statistics import geometric_mean, median
from typing import Literal

from app.adapters.sandbox import Box, Limits
from benchmarks import Result

ROUNDS = 15
UID = 60999 if os.geteuid() == 0 else None
SECONDS, MEMORY_MB = 60.0, 2048
TESTS, CHECKS = 20, 50
"""Test modules, and tests in each."""
FILES = """
import os, pathlib
for at in range(3000):
    place = pathlib.Path("made") / str(at % 50)
    place.mkdir(parents=True, exist_ok=True)
    (place / str(at)).write_text("x" * 2000)
total = sum(len(path.read_text()) for path in pathlib.Path("made").rglob("*") if path.is_file())
assert total == 3000 * 2000, total
"""
PYTEST = ("pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments")
"""pytest and what it imports, all of it plain Python: the sandbox sees nothing of this interpreter's packages."""
COMMANDS: Mapping[str, tuple[str, ...]] = {
    "start": ("python3", "-c", "pass"),
    "tests": ("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"),
    "files": ("python3", "files.py"),
}
Mode = Literal["bubblewrap", "process"]
MODES: tuple[Mode, ...] = ("bubblewrap", "process")


def measure() -> Result:
    """Median seconds of each command in the box and outside, and how many times as long it takes in it."""
    return asyncio.run(_measure())


async def _measure() -> Result:
    boxes = {mode: Box(mode, Limits(SECONDS, MEMORY_MB, UID if mode == "bubblewrap" else None)) for mode in MODES}
    taken: dict[Mode, dict[str, list[float]]] = {mode: {name: [] for name in COMMANDS} for mode in MODES}
    faults: dict[str, None] = {}
    with _tree() as tree:
        for at in range(ROUNDS + 1):
            for name, command in COMMANDS.items():
                for mode in MODES:
                    shutil.rmtree(tree / "made", ignore_errors=True)
                    began = time.perf_counter()
                    done = await boxes[mode].run(str(tree), command, {"PYTHONPATH": ".packages"})
                    seconds = time.perf_counter() - began
                    if done.status != "ok" or done.exit_code != 0:
                        faults[f"{name} in {mode}: {done.reason or done.output.strip()[-200:]}"] = None
                    elif at:  # the first round warms the caches
                        taken[mode][name].append(seconds)
    if faults:
        return Result({}, {}, tuple(faults))
    boxed, plain = ({name: median(one) for name, one in taken[mode].items()} for mode in MODES)
    ratios = {name: boxed[name] / plain[name] for name in COMMANDS}
    figures = {
        "overhead_ratio": round(geometric_mean(ratios.values()), 2),
        "ratio": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "seconds": {name: round(one, 3) for name, one in boxed.items()},
        "added_ms": {name: round((boxed[name] - plain[name]) * 1000, 1) for name in COMMANDS},
        "rounds": ROUNDS,
        "python": sys.version.split()[0],
    }
    return Result(figures, {"seconds": {name: round(one, 3) for name, one in plain.items()}})


@contextmanager
def _tree() -> Iterator[Path]:
    """A small repository that both users may write to."""
    folder = Path(tempfile.mkdtemp(prefix="selfheal-sandbox-bench-"))
    check = "    def test_{n}(self):\n        self.assertEqual(sum(range({n})), {n} * ({n} - 1) // 2)\n"
    for module in range(TESTS):
        body = "".join(check.replace("{n}", str(n)) for n in range(CHECKS))
        text = f"import unittest\n\n\nclass T(unittest.TestCase):\n{body}"
        (folder / f"test_{module:02}.py").write_text(text, encoding="utf-8")
    (folder / "files.py").write_text(FILES, encoding="utf-8")
    for name in PYTEST:
        found = find_spec(name)
        if found is None or found.origin is None:
            raise ModuleNotFoundError(name)
        if found.submodule_search_locations:
            shutil.copytree(Path(found.origin).parent, folder / ".packages" / name)
        else:
            shutil.copy(found.origin, folder / ".packages")
    folder.chmod(0o755)
    if UID is not None:
        for place in (folder, *folder.rglob("*")):
            os.chown(place, UID, UID)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
