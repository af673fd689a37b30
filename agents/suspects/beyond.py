"""Evidence of what lies one function further in: the change is of what a function uses that gives the failing value."""

from collections.abc import Iterator, Sequence

from agents.suspects.calls import FITS, empties
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import WEIGHTS, Reason, says_little
from agents.suspects.reach import Reach
from agents.suspects.sources import Sources, uses
from agents.syntax import calls

MOST_FUNCTIONS = 12
MOST_NAMESAKES = 2
"""A function that more files define may be any of them."""


class Beyond:
    """What the functions use that the failing line, and the lines which give it its values, call and that returned."""

    def __init__(self, clues: Clues, reaches: Sequence[Reach], sources: Sources) -> None:
        self._is_of_nothing = clues.is_of_nothing
        self._used: list[tuple[str, str, frozenset[str]]] = []
        for reach in reaches:
            if reach.call.depth == 0:
                self._used += _within(reach, sources)

    def reasons(self, change: Change) -> Iterator[Reason]:
        if not change.is_source or change.is_test or change.is_restyled or change.is_reworded:
            return
        known = {name for name in change.defined if not says_little(name)}
        share = FITS if self._is_of_nothing and empties(change) else 1.0
        for function, folder, used in self._used if known else ():
            if shared := known & used:
                near = change.file.rpartition("/")[0] == folder or any(name[:1].isupper() for name in shared)
                weight = WEIGHTS["feeds"] * share * (1.0 if near else 0.5)
                yield Reason(
                    "feeds", weight, f"it changed {min(shared)}, which {function} uses, which the failing line calls"
                )


def _within(reach: Reach, sources: Sources) -> Iterator[tuple[str, str, frozenset[str]]]:
    called = [
        name for name in sorted(calls(reach.said) | (reach.behind & _called(reach, sources))) if not says_little(name)
    ]
    for name in called[:MOST_FUNCTIONS]:
        paths = sources.defining(name)
        for path in paths if len(set(paths)) <= MOST_NAMESAKES else ():
            for one in sources.functions(path):
                if one.name == name and one != reach.function:
                    body = sources.body(path, one)[1:]
                    yield (
                        name,
                        path.rpartition("/")[0],
                        frozenset(word for line in body for word in uses(line)) - {name},
                    )


def _called(reach: Reach, sources: Sources) -> set[str]:
    body = sources.body(reach.file, reach.function, reach.line) if reach.function else []
    return {name for line in body for name in calls(line)}
