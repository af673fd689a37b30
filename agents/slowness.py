"""Which change could have made a route slow, or fail: hunks in the functions that the request reaches, nearest first.

There is no failing line to go by, so the score says less than one from a trace; the verification measures both versions
and the patched one, and decides.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from agents.changes import Commit, Hunk, hunks_of
from agents.reach import Reached
from agents.suspects import MOST_SUSPECTS, OUTER, TEST_PATH, Sources, Suspect

Fault = Literal["slow", "failing"]
REACHED, COSTLY = 4.0, 1.75
WORK = re.compile(
    r"\b(?:for|while|sleep|wait|sorted|sort|join|compile|deepcopy|execute|query|fetch\w*|open|read|request|get|urlopen"
    r"|lru_cache|cache[ds]?|memo\w*|index|count|append|insert|loads|dumps|parse)\b"
)
"""Words of lines that take time, or that used to save it."""


def rank_slow(
    commits: Sequence[Commit], reached: Sequence[Reached], texts: Mapping[str, str], what: Fault = "slow"
) -> tuple[Suspect, ...]:
    """Suspects for a route that is slow, or fails, likeliest first. `texts`: source files at the canary's commit."""
    nearest: dict[str, list[Reached]] = {}
    for one in reached:
        nearest.setdefault(one.file, []).append(one)
    sources = Sources(texts)
    suspects: list[tuple[float, int, Suspect]] = []
    for age, commit in enumerate(commits):
        if len(commit.parents) > 1:
            continue  # a merge repeats the commits it brought, which are in the range themselves
        for hunk in hunks_of(commit.diff):
            if hunk.file not in sources or hunk.is_formatting or TEST_PATH.search(hunk.file):
                continue
            suspect = _suspect(hunk, commit, nearest.get(hunk.file, []), sources, what)
            if suspect is not None:
                suspects.append((-suspect.score, age, suspect))
    suspects.sort(key=lambda entry: entry[:2])
    return tuple(suspect for *_, suspect in suspects[:MOST_SUSPECTS])


def _suspect(hunk: Hunk, commit: Commit, reached: Sequence[Reached], sources: Sources, what: Fault) -> Suspect | None:
    lines = sources.touched(hunk)
    touched = [one for one in reached if any(one.first_line <= line <= one.last_line for line in lines)]
    if not touched:
        return None
    nearest = min(touched, key=lambda one: (one.depth, one.last_line - one.first_line))
    words = " ".join(line.text for line in (*hunk.added, *hunk.removed))
    score = REACHED * (COSTLY if what == "slow" and WORK.search(words) else 1.0) * OUTER**nearest.depth
    place = (
        f"the function {nearest.function}, which the {what} request reaches"
        if nearest.function
        else f"what answers the {what} request"
    )
    return Suspect(
        file=hunk.file,
        line=next(line for line in lines if nearest.first_line <= line <= nearest.last_line),
        function=nearest.function,
        commit=commit.sha,
        score=round(score, 2),
        why=f"it changed {place}",
    )
