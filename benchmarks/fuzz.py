"""`fuzz`: everything that reads a log before anything is known of it, on thousands of deformed logs.

No text may make a reader fail, and none may take it more than linear time: the slowest texts of each reader are made
two and four times as long, and the time for each megabyte is compared. A growth of 1 is linear, 4 quadratic. What is
worst is printed with the seed that makes the text again (`tests.fuzzing.mutated`).
"""

import gc
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import Result
from tests.fuzzing import Deformed, Target, corpus, mutated, targets

TEXTS = 3000
LOOKED_INTO = 8
"""Texts of each reader whose growth is measured: the slowest for their length."""
LONG_ENOUGH = 2000
"""Characters below which the time for a megabyte says nothing."""
SECONDS_ENOUGH = 0.004
LONGEST = 4_000_000
MOST_GROWTH = 2.0
"""Above which a reader is at fault: linear time measures up to 1.5 on a busy machine, quadratic near 4."""


class Reading(NamedTuple):
    """How a reader took a text."""

    seed: int
    name: str
    ms_per_mb: float


def measure() -> Result:
    """Failures, and the worst time and growth, of every reader."""
    texts = corpus()
    deformed = [mutated(texts, seed) for seed in range(TEXTS)]
    figures: dict[str, Any] = {"texts": TEXTS, "corpus": len(texts)}
    faults: list[str] = []
    for name, target in targets().items():
        readings, failed = _read_all(target, deformed)
        faults += [f"{name} failed on {one}" for one in failed]
        slowest = sorted(readings, key=lambda reading: -reading.ms_per_mb)[:LOOKED_INTO]
        growths = [(_growth(target, texts, reading.seed), reading) for reading in slowest]
        growth, grown = max(growths, key=lambda pair: pair[0])
        if growth > MOST_GROWTH:
            faults.append(f"{name} takes more than linear time ({growth:.1f}) on {grown.name}")
        figures[name] = {
            "failures": len(failed),
            "worst_ms_per_mb": round(slowest[0].ms_per_mb, 1),
            "of": slowest[0].name,
            "worst_growth": round(growth, 2),
            "growing": grown.name,
        }
    return Result(figures, {}, tuple(faults))


def _read_all(target: Target, texts: Sequence[Deformed]) -> tuple[list[Reading], list[str]]:
    readings: list[Reading] = []
    failed: list[str] = []
    for seed, deformed in enumerate(texts):
        begin = time.process_time()
        try:
            target(deformed.text)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            failed.append(f"{deformed.name}: {error!r}")
        took = time.process_time() - begin
        if len(deformed.text) >= LONG_ENOUGH:
            readings.append(Reading(seed, deformed.name, took * 1e9 / len(deformed.text)))
    return readings, failed


def _growth(target: Target, texts: Mapping[str, str], seed: int) -> float:
    """How much more a character takes in a text four times as long: the least of three measurements."""
    scale = 1
    while _seconds_a_character(target, texts, seed, scale)[1] < SECONDS_ENOUGH and scale < 128:
        if len(mutated(texts, seed, scale * 8).text) > LONGEST:
            break
        scale *= 2
    ratios: list[float] = []
    for _ in range(3):
        once, twice, four = (_seconds_a_character(target, texts, seed, scale * times)[0] for times in (1, 2, 4))
        ratios.append(max(four, twice) / max(once, 1e-12))
        if ratios[-1] < MOST_GROWTH:
            break
    return min(ratios)


def _seconds_a_character(target: Target, texts: Mapping[str, str], seed: int, scale: int) -> tuple[float, float]:
    text = mutated(texts, seed, scale).text
    gc.collect()
    gc.disable()  # its rounds would be taken for time of the reader
    begin = time.process_time()
    target(text)
    took = time.process_time() - begin
    gc.enable()
    return took / max(len(text), 1), took
