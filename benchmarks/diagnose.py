"""`diagnose`: the labelled cases by rules alone, and two naive answers to the same cases in the same run.

Shares are percent of the cases that ask for the part; a false alarm names a file or commit where naming any is wrong.
"""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks import Result
from tests.labelled import FAMILIES, Answered, answer, read_cases
from tests.scoring import Claimed, calibration, claimed, deepest_frame, first_error_line, mark, tally

GOALS = {"category": 95.0, "file_top1": 95.0, "commit_top1": 90.0}


def measure() -> Result:
    """Accuracy over all cases and by family, calibration, and seconds a diagnosis."""
    with tempfile.TemporaryDirectory(prefix="selfheal-diagnose-") as folder:
        answered = asyncio.run(_answer_all(Path(folder)))
    seconds = [one.seconds for one in answered]
    figures = {
        **_tally(answered, claimed),
        "seconds": {"median": round(median(seconds), 3), "max": round(max(seconds), 3)},
        "calibration": calibration(answered),
        "families": {
            family: _tally([one for one in answered if one.case.family == family], claimed) for family in FAMILIES
        },
    }
    baselines = {"deepest_frame": _tally(answered, deepest_frame), "grep_error": _tally(answered, first_error_line)}
    return Result(figures, baselines, tuple(_faults(answered)))


async def _answer_all(folder: Path) -> list[Answered]:
    return [await answer(case, folder / case.family / case.name) for case in read_cases()]


def _tally(answered: list[Answered], claim: Callable[[Answered], Claimed]) -> dict[str, float | int | None]:
    return tally([mark(one.case, claim(one)) for one in answered])


def _faults(answered: list[Answered]) -> list[str]:
    """The goals that were missed, and which cases did."""
    figures = _tally(answered, claimed)
    missed = [f"{name} is {figures[name]} %, below {goal:g} %" for name, goal in GOALS.items() if _below(figures, name)]
    missed += [f"{figures['false_alarms']} false alarms"] if figures["false_alarms"] else []
    wrong = [one.case.id for one in answered if not mark(one.case, claimed(one)).is_right]
    return [*missed, *([f"not right: {', '.join(wrong)}"] if wrong else [])]


def _below(figures: dict[str, float | int | None], name: str) -> bool:
    value = figures[name]
    return value is not None and value < GOALS[name]
