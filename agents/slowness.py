"""Which change could have made a route slow: hunks in the functions that the request reaches, nearest first.

There is no failing line to go by, so the score says less than one from a trace; the verification measures both versions
and the patched one, and decides.
"""

import re
from collections.abc import Mapping, Sequence

from agents.changes import Commit, Hunk, hunks_of
from agents.frames import Function, functions
from agents.reach import Reached
from agents.suspects import MOST_SUSPECTS, OUTER, TEST_PATH, Suspect, in_function, present_line

REACHED, COSTLY = 4.0, 1.75
WORK = re.compile(
    r"\b(?:for|while|sleep|wait|sorted|sort|join|compile|deepcopy|execute|query|fetch\w*|open|read|request|get|urlopen"
    r"|lru_cache|cache[ds]?|memo\w*|index|count|append|insert|loads|dumps|parse)\b"
)
"""Words of lines that take time, or that used to save it."""


def rank_slow(commits: Sequence[Commit], reached: Sequence[Reached], texts: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Suspects for a slow route, likeliest first. `texts`: Python files at the canary's commit."""
    depths = {(one.file, one.function): one.depth for one in reached}
    suspects: list[tuple[float, int, Suspect]] = []
    for age, commit in enumerate(commits):
        if len(commit.parents) > 1:
            continue  # a merge repeats the commits it brought, which are in the range themselves
        for hunk in hunks_of(commit.diff):
            if hunk.file not in texts or hunk.is_formatting or TEST_PATH.search(hunk.file):
                continue
            suspect = _suspect(hunk, commit, depths, texts[hunk.file])
            if suspect is not None:
                suspects.append((-suspect.score, age, suspect))
    suspects.sort(key=lambda entry: entry[:2])
    return tuple(suspect for *_, suspect in suspects[:MOST_SUSPECTS])


def _suspect(hunk: Hunk, commit: Commit, depths: Mapping[tuple[str, str], int], text: str) -> Suspect | None:
    lines = text.split("\n")
    touched = [
        (depths[hunk.file, function.name], function)
        for function in functions(text)
        if (hunk.file, function.name) in depths and in_function(hunk, function, lines)
    ]
    if not touched:
        return None
    depth, function = min(touched, key=lambda entry: entry[0])
    words = " ".join(line.text for line in (*hunk.added, *hunk.removed))
    score = REACHED * (COSTLY if WORK.search(words) else 1.0) * OUTER**depth
    return Suspect(
        file=hunk.file,
        line=_line(hunk, function, text),
        function=function.name,
        commit=commit.sha,
        score=round(score, 2),
        why=f"it changed {function.name}, which the slow request reaches",
    )


def _line(hunk: Hunk, function: Function, text: str) -> int:
    line = present_line(hunk, text.split("\n")) or hunk.new_start
    return line if function.first_line <= line <= function.last_line else function.first_line
