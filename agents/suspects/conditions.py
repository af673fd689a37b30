"""Evidence of a condition: the change wrote one that the failing line stands under."""

import re
from collections.abc import Iterator, Sequence

from agents.suspects.change import Change
from agents.suspects.nouns import WEIGHTS, Reason
from agents.suspects.reach import BRANCHES, Reach
from agents.suspects.sources import Sources
from agents.syntax import code_of

MOST_ABOVE = 60
"""Lines above the failing one in which its conditions are looked for."""


class Conditions:
    """The conditions around the innermost failing lines."""

    def __init__(self, reaches: Sequence[Reach], sources: Sources) -> None:
        self._around: list[tuple[Reach, dict[int, str]]] = [
            (reach, dict(_around(reach, sources))) for reach in reaches if reach.call.depth == 0
        ]

    def reasons(self, change: Change) -> Iterator[Reason]:
        for reach, around in self._around:
            if change.file == reach.file and around.keys() & set(change.touched):
                old, new = (
                    {_plain(code_of(change.file, line.text)) for line in side}
                    for side in (change.hunk.removed, change.hunk.added)
                )
                wrote = {_plain(text) for text in around.values()}
                if wrote & new - old:
                    why = "it changed a condition that the failing line stands under"
                    yield Reason("decides", WEIGHTS["decides"], why, reach.call.frame)


def _around(reach: Reach, sources: Sources) -> Iterator[tuple[int, str]]:
    first = reach.function.first_line if reach.function else max(0, reach.line - MOST_ABOVE)
    within = _indent(sources.line(reach.file, reach.line))
    for number in range(reach.line - 1, max(first, reach.line - MOST_ABOVE), -1):
        text = sources.line(reach.file, number)
        if text.strip() and _indent(text) < within:
            within = _indent(text)
            if BRANCHES.match(text):
                yield number, code_of(reach.file, text)


def _indent(line: str) -> int:
    return len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())


def _plain(line: str) -> str:
    return re.sub(r"\s+", "", line)
