"""`crash`: SIGKILL at every point there is, each on a canary of its own, of intake, worker, and both at once.

A survivor is an incident that ends as if nothing had happened: one attempt, one branch with one commit, one pull
request, `proposed`. The bounded form of this is `tests/e2e/test_crash.py`.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks import Result
from tests.e2e.crash import INBOX, WORKER, Role, survive
from tests.e2e.house import Failure, house_on, stage_failure

AT_ONCE = 2


class Kill(NamedTuple):
    """Who dies, and when."""

    role: Role
    points: tuple[str, ...]


class Ending(NamedTuple):
    """What became of it."""

    faults: list[str]
    seconds: float


KILLS = (
    *(Kill("intake", (f"kill {point}",)) for point in INBOX),
    *(Kill("worker", (f"{action} {point}",)) for action in ("kill", "kill-both") for point in WORKER),
)


def measure() -> Result:
    """Kill, start again, look."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="selfheal-bench-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        failure = stage_failure(Path(folder) / "ground")

        def tried(at: int, kill: Kill) -> Ending:
            return _try(failure, Path(folder) / str(at), kill)

        undisturbed = tried(len(KILLS), Kill("worker", ()))
        endings = list(pool.map(tried, range(len(KILLS)), KILLS))
    faults = [f"{kill.points[0]}: {fault}" for kill, end in zip(KILLS, endings, strict=True) for fault in end.faults]
    survivors = [end for end in endings if not end.faults]
    return Result(
        figures={
            "kill_points": len(KILLS),
            "survivors": len(survivors),
            "seconds": round(time.monotonic() - began, 1),
            "median_s": _median(survivors),
        },
        baselines={"survivors": len(KILLS), "median_s": round(undisturbed.seconds, 2)},
        faults=(*undisturbed.faults, *faults),
    )


def _try(failure: Failure, folder: Path, kill: Kill) -> Ending:
    with house_on(failure.move(folder)) as house:
        try:
            aftermath = survive(house, kill.role, kill.points)
        except (TimeoutError, RuntimeError) as error:
            return Ending([str(error)], 0.0)
        return Ending(aftermath.faults, aftermath.seconds)


def _median(endings: Sequence[Ending]) -> float:
    return round(statistics.median(end.seconds for end in endings), 2) if endings else 0.0
