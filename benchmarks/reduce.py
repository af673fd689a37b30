"""`reduce`: how fast logs become what a person or a model reads, in how much memory, and whether the cause is in it.

The functions are those of the triage (`Digest.add`, `compare`, `excerpt`). Speed and memory are those of a process of
its own on one core, from opening the file to the excerpt. The needles are warnings among errors that mean nothing:
one line in 100,000; a cause at a tenth of the log with thousands of errors after it; a line in one of 20 pods only.
Logs that are too long for a bundle go all the way to the diagnosis (`sealed`).
"""

import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from agents.budget import tokens_of
from agents.logs import Digest, compare, digest, excerpt
from benchmarks import Result, sealed
from benchmarks.generated_logs import NEEDLE, Form, Written, write

LINES = 1_000_000
LENGTHS = (LINES // 4, LINES // 2, LINES)
NEEDLE_LINES, PODS = 100_000, 20
PART = 4 * 1024 * 1024
"""Bytes that are read at once."""
GOALS: dict[Form, int] = {"plain": 200_000, "json": 100_000}
MOST_MB = 300
MOST_GROWTH = 1.5
GREPPED = 200
NAIVE = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\d+(?:\.\d+){3}(?::\d+)?|\b[0-9a-f]{8,}\b|\d+")
FORMS: tuple[Form, Form] = ("plain", "json")
ROUNDS = 2


class Reduced(NamedTuple):
    """What a process of its own did with a log."""

    seconds: float
    memory_mb: float
    tokens: int
    lines: int


def measure() -> Result:
    """Lines a second, megabytes, needles in the excerpt, tokens before and after, and the same for grep."""
    with tempfile.TemporaryDirectory(prefix="selfheal-reduce-") as folder:
        speeds = {form: _speeds(Path(folder), form) for form in FORMS}
        kept, grepped, tokens = _needles(Path(folder))
        named = sealed.needles(Path(folder))
        sealing, newest = sealed.sealing(Path(folder))
    rates = {form: round(LINES / speeds[form].reduced[-1].seconds) for form in FORMS}
    memory = max(one.memory_mb for form in FORMS for one in speeds[form].reduced)
    growth = max(speeds[form].growth for form in FORMS)
    more = max(speeds[form].reduced[-1].memory_mb - speeds[form].reduced[0].memory_mb for form in FORMS)
    faults = [
        f"{form}: {rates[form]} lines/s, {goal} are the goal" for form, goal in GOALS.items() if rates[form] < goal
    ]
    faults += [f"{memory:.0f} MB, {MOST_MB} are the goal"] if memory >= MOST_MB else []
    faults += [f"twice the lines take {growth:.1f} times as long a line"] if growth > MOST_GROWTH else []
    faults += [f"needle not kept: {name}" for name, is_kept in kept.items() if not is_kept]
    faults += [f"the cause was not named: {name}" for name, one in named.items() if not one.named]
    figures = {
        "lines_per_s": rates["plain"],
        "lines_per_s_json": rates["json"],
        "memory_mb": round(memory),
        "memory_more_for_4x_mb": round(more),
        "needles_kept": f"{sum(kept.values())} of {len(kept)}",
        "tokens_before": speeds["plain"].written.size // 4,
        "tokens_after": speeds["plain"].reduced[-1].tokens,
        "worst_growth_2x": round(growth, 2),
        "causes_named_of_long_logs": f"{sum(one.named for one in named.values())} of {len(named)}",
        "diagnose_long_log_s": max(one.seconds for one in named.values()),
        "diagnose_long_log_mb": max(one.memory_mb for one in named.values()),
        "sealing_s": sealing,
    }
    baselines = {
        "lines_per_s": speeds["plain"].naive,
        "lines_per_s_json": speeds["json"].naive,
        "needles_kept": f"{sum(grepped.values())} of {len(grepped)}",
        "tokens_after": tokens,
        "sealing_s": newest,
    }
    return Result(figures, baselines, tuple(faults))


class Speeds(NamedTuple):
    """One form: the longest log, what was measured by length, how much more a line takes, and naive lines a second."""

    written: Written
    reduced: tuple[Reduced, ...]
    growth: float
    naive: int


def _speeds(folder: Path, form: Form) -> Speeds:
    reduced: list[Reduced] = []
    for lines in LENGTHS:
        written = write(folder / f"{form}.log", lines, form, 1)
        reduced.append(min((_in_a_process(written.path) for _ in range(ROUNDS)), key=lambda one: one.seconds))
        if reduced[-1].lines != lines:
            raise AssertionError(f"{reduced[-1].lines} of {lines} lines were counted")
    a_line = [one.seconds / lines for one, lines in zip(reduced, LENGTHS, strict=True)]
    growth = max(after / before for before, after in pairwise(a_line))
    naive = _naive_rate(written.path)
    written.path.unlink()
    return Speeds(written, tuple(reduced), growth, naive)


def _in_a_process(log: Path) -> Reduced:
    argv = [sys.executable, "-m", "benchmarks.reduce", str(log)]
    return Reduced(**json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout))


def reduce_file(log: Path) -> Reduced:
    """Reduce a log of any length, part by part."""
    began = time.process_time()
    made = Digest()
    with log.open("rb") as file:
        for part in _parts(partial(file.read, PART)):
            made.add("log", part.decode("utf-8", errors="replace"))
    rows = excerpt(made).rows
    seconds = time.process_time() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Reduced(seconds, memory, tokens_of("\n".join(rows)), made.total)


def _parts(read: Callable[[], bytes]) -> Iterator[bytes]:
    """Whole lines."""
    left = b""
    while data := read():
        end = data.rfind(b"\n") + 1
        if end:
            yield left + data[:end]
            left = data[end:]
        else:
            left += data
    if left:
        yield left


def _naive_rate(log: Path) -> int:
    """Lines a second of a substitution and a counter for each line."""
    with log.open(encoding="utf-8") as file:
        lines = [line for line, _ in zip(file, range(LENGTHS[0]), strict=False)]
    began = time.process_time()
    Counter(NAIVE.sub("*", line) for line in lines)
    return round(len(lines) / (time.process_time() - began))


def _needles(folder: Path) -> tuple[dict[str, bool], dict[str, bool], int]:
    """Which needles the excerpt keeps, which `grep -i error | head`, and the tokens of what that prints."""
    kept: dict[str, bool] = {}
    grepped: dict[str, bool] = {}
    tokens = 0
    for form in FORMS:
        rare = partial(write, lines=NEEDLE_LINES, form=form)
        cases: dict[str, tuple[list[str], list[str]]] = {
            "one line in 100,000": (
                _texts(folder, [partial(rare, seed=2)]),
                _texts(folder, [partial(rare, seed=3, decisive=NEEDLE_LINES * 7 // 10)]),
            ),
            "cause at a tenth": (
                _texts(folder, [partial(rare, seed=4)]),
                _texts(folder, [partial(rare, seed=5, decisive=NEEDLE_LINES // 10, share_after=0.3)]),
            ),
            "in one of 20 pods": (
                _texts(
                    folder, [partial(write, lines=NEEDLE_LINES // PODS, form=form, seed=100 + n) for n in range(PODS)]
                ),
                _texts(folder, [_of_pod(form, n) for n in range(PODS)]),
            ),
        }
        for name, (stable, canary) in cases.items():
            kept[f"{name}, {form}"] = NEEDLE in "\n".join(_reduced(stable, canary))
            errors = [line for text in canary for line in text.split("\n") if "error" in line.lower()][:GREPPED]
            grepped[f"{name}, {form}"] = NEEDLE in "\n".join(errors)
            tokens = max(tokens, tokens_of("\n".join(errors)))
    return kept, grepped, tokens


def _of_pod(form: Form, pod: int) -> Callable[[Path], Written]:
    lines = NEEDLE_LINES // PODS
    decisive = lines // 2 if pod == PODS // 3 else None
    return partial(write, lines=lines, form=form, seed=200 + pod, decisive=decisive)


def _texts(folder: Path, writers: Sequence[Callable[[Path], Written]]) -> list[str]:
    return [write_to(folder / "needle.log").path.read_text(encoding="utf-8") for write_to in writers]


def _reduced(stable: Sequence[str], canary: Sequence[str]) -> tuple[str, ...]:
    old, new = (
        digest([(f"logs/{side}/pod-{at}/app", text) for at, text in enumerate(texts)])
        for side, texts in (("stable", stable), ("canary", canary))
    )
    rows = excerpt(new, compare(old, new)).rows
    if len(rows) > GREPPED:
        raise AssertionError(f"the excerpt has {len(rows)} rows")
    return rows


def main(argv: Sequence[str]) -> None:
    """In the process that is measured."""
    found: dict[str, Any] = reduce_file(Path(argv[0]))._asdict()
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
