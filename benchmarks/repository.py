"""`repository`: how long a diagnosis takes in a large repository whose mirror is warm, and how much memory.

The repository is generated: 50,000 commits and 20,000 files, 300 commits between the versions, one of which broke the
failing function. The baseline is what git alone needs for the changes of the range.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import Result

COMMITS, FILES, RANGE = 50_000, 20_000, 300
FILES_A_FOLDER = 100
CULPRIT = RANGE // 2
GOAL_S = 5.0
WHEN = 1_700_000_000


def measure() -> Result:
    """Seconds, megabytes and whether the culprit was named; the faults say where the goal was missed."""
    with tempfile.TemporaryDirectory(prefix="selfheal-repository-") as folder:
        repository = Path(folder) / "large.git"
        began = time.perf_counter()
        stable, canary, culprit = generate(repository)
        generated = time.perf_counter() - began
        log = Path(folder) / "canary.log"
        log.write_text(trace_of(repository, canary), encoding="utf-8")
        argv = [str(Path(sys.executable).with_name("selfheal")), "diagnose", "--canary-log", str(log), "--repo"]
        argv += [str(repository), "--stable", stable, "--canary", canary, "--json"]
        _timed(argv)  # the page cache is warm, as it is for a mirror in use
        seconds, memory, out = _timed(argv)
        baseline, *_ = _timed(["git", "-C", str(repository), "log", "-p", f"{stable}..{canary}"])
    diagnosis = json.loads(out)
    is_right = diagnosis["culprit_commit"] == culprit and diagnosis["location"]["file"] == path_of(FAILING)
    faults = [] if seconds < GOAL_S else [f"the diagnosis took {seconds:.1f} s"]
    faults += [] if is_right else [f"the culprit was not named: {diagnosis['summary']}"]
    figures = {
        "seconds": round(seconds, 2),
        "memory_mb": round(memory),
        "commits": COMMITS,
        "files": FILES,
        "range": RANGE,
        "culprit_named": is_right,
        "generate_s": round(generated, 1),
    }
    return Result(figures, {"seconds": round(baseline, 2)}, tuple(faults))


FAILING = 4_242
"""The file that fails; its neighbour calls it."""


def path_of(number: int) -> str:
    return f"service/pkg{number // FILES_A_FOLDER:03}/mod{number:05}.py"


def text_of(number: int, version: int) -> str:
    """A module with two functions, of which the second one is changed by each version."""
    other = (number * 7 + 1) % FILES
    return (
        f"from service.pkg{other // FILES_A_FOLDER:03}.mod{other:05} import price_{other:05}\n\n\n"
        f"def price_{number:05}(item):\n"
        f'    found = item.get("price", {number})\n'
        f'    return found * item["count"]\n\n\n'
        f"def total_{number:05}(items):\n"
        f"    offset = {version}\n"
        f"    return sum(price_{number:05}(item) + price_{other:05}(item) for item in items) + offset\n"
    )


def generate(path: Path, beside: Callable[[int], str] = lambda _: "") -> tuple[str, str, str]:
    """Write the repository with `git fast-import`; the stable, the canary and the culprit's commit.

    `beside` is what else the module of that number holds, in all its versions.
    """
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    marks = path / "marks"
    with subprocess.Popen(
        ["git", "-C", str(path), "fast-import", "--quiet", f"--export-marks={marks}"], stdin=subprocess.PIPE
    ) as process:
        if process.stdin is None:
            raise TypeError("the process was started without a pipe")
        for part in _stream(beside):
            process.stdin.write(part.encode())
    if process.returncode != 0:
        raise RuntimeError("git fast-import failed")
    shas = dict(re.findall(r"^:(\d+) ([0-9a-f]{40})$", marks.read_text(), re.MULTILINE))
    return shas[str(COMMITS - RANGE)], shas[str(COMMITS)], shas[str(COMMITS - RANGE + CULPRIT)]


def _stream(beside: Callable[[int], str]) -> Iterator[str]:
    """The commits in the format of fast-import; the first one has all files, each later one changes some."""
    chance = random.Random(1)  # noqa: S311 - the same repository each time
    yield _head(1, "Start")
    yield from (_file(path_of(number), text_of(number, 0) + beside(number)) for number in range(FILES))
    for commit in range(2, COMMITS + 1):
        changes = {number: text_of(number, commit) for number in chance.sample(range(FILES), chance.randint(1, 4))}
        if commit > COMMITS - RANGE:
            changes = {chance.randrange(FAILING - 60, FAILING + 60): "" for _ in range(4)}
            changes = {number: text_of(number, commit) for number in changes}
        if commit >= COMMITS - RANGE + CULPRIT and (FAILING in changes or commit == COMMITS - RANGE + CULPRIT):
            changes[FAILING] = text_of(FAILING, commit).replace(f'item.get("price", {FAILING})', 'item.get("price")')
        files = (_file(path_of(one), text + beside(one)) for one, text in changes.items())
        yield _head(commit, f"Change {commit}") + "".join(files)


def _head(number: int, subject: str) -> str:
    return (
        f"commit refs/heads/main\nmark :{number}\ncommitter Ana <ana@example.org> {WHEN + number} +0000\n"
        f"data {len(subject)}\n{subject}\n"
    )


def _file(path: str, text: str) -> str:
    return f"M 100644 inline {path}\ndata {len(text)}\n{text}\n"


def trace_of(repository: Path, canary: str) -> str:
    """What the canary logs: a traceback through two of its files."""
    argv = ["git", "-C", str(repository), "show", f"{canary}:{path_of(FAILING)}"]
    lines = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split("\n")
    inner = next(at for at, line in enumerate(lines, 1) if "return found" in line)
    outer = next(at for at, line in enumerate(lines, 1) if "return sum" in line)
    return (
        "2026-11-24 12:00:00 INFO listening\nTraceback (most recent call last):\n"
        f'  File "/app/{path_of(FAILING)}", line {outer}, in total_{FAILING:05}\n    {lines[outer - 1].strip()}\n'
        f'  File "/app/{path_of(FAILING)}", line {inner}, in price_{FAILING:05}\n    {lines[inner - 1].strip()}\n'
        "TypeError: unsupported operand type(s) for *: 'NoneType' and 'int'\n"
    )


def _timed(argv: list[str]) -> tuple[float, float, str]:
    """Seconds, megabytes at most, and what it printed."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, argv)
        out.seek(0)
        return time.perf_counter() - began, used.ru_maxrss / 1024, out.read()
