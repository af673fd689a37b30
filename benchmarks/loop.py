"""`loop`: seconds from notification to outcome, per scenario and stage; medians of several rounds on fresh data."""

import contextlib
import io
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

from app.demo import SCENARIOS, play

ROUNDS = 3


def figures() -> dict[str, Any]:
    """Seconds by scenario: `total`, and each stage as its timeline tells it."""
    taken: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="selfheal-loop-") as folder, contextlib.redirect_stdout(io.StringIO()):
            documents = play(tuple(build() for build in SCENARIOS.values()), Path(folder), as_json=True)
        for document in documents:
            stages = taken[document["scenario"]]
            stages["total"].append(document["seconds"])
            for stage, seconds in document["stages"].items():
                stages[stage].append(seconds)
    return {
        f"{scenario}_{stage}_s": round(median(values), 2)
        for scenario, stages in taken.items()
        for stage, values in stages.items()
    }
