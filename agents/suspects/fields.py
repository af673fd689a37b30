"""Evidence of fields: no object has a value any more in what the failing line found nothing in."""

import re
from collections.abc import Iterator, Sequence

from agents.suspects.calls import FITS, NOTHING_WRITTEN
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import WEIGHTS, Reason
from agents.suspects.reach import Reach
from agents.suspects.receivers import missing_in
from agents.suspects.sources import Sources

SET = re.compile(
    r"\.([A-Za-z_]\w*)\s*=(?![=>~])\s*([^;\n]{1,120})"
    r"|(?<![\w.?])[\"']?([A-Za-z_]\w*)[\"']?\s*(?::(?!:)|=>)\s*([^,}\n]{1,120})"
)
"""`x.name = value`, and `name: value` or `'name' => value` of a literal."""
APART = 0.5
"""The share of a field that is given in code of another folder, which the trace has nothing to do with."""


class Fields:
    """What was missing at the innermost call, if the error is about a value that is not there."""

    def __init__(self, clues: Clues, reaches: Sequence[Reach], sources: Sources) -> None:
        self._missing: list[tuple[Reach, frozenset[str]]] = []
        self._used = frozenset(name for one in reaches for name in (*one.in_line, *one.behind, *one.in_body))
        for reach in reaches if clues.is_of_nothing else ():
            if reach.call.depth == 0 and not reach.is_handler:
                body = sources.body(reach.file, reach.function, reach.line) if reach.function else []
                self._missing.append((reach, missing_in(reach.said, clues.asked, body) | clues.demanded))

    def reasons(self, change: Change) -> Iterator[Reason]:
        if not self._missing or not change.is_source:
            return
        lost = _values(change.removed) - _values(change.added)
        for reach, missing in self._missing if lost else ():
            if shared := lost & missing:
                weight = WEIGHTS["assigned"] * FITS * (1.0 if self._is_near(change, reach) else APART)
                yield Reason("assigned", weight, f"it does not give {min(shared)}, which the failing line reads")

    def _is_near(self, change: Change, reach: Reach) -> bool:
        """Whether the code that gave the value is beside the failing line, or is what calls of the trace use."""
        folder, other = (path.rpartition("/")[0] for path in (reach.file, change.file))
        return folder == other or bool(change.defined & self._used)


def _values(code: str) -> set[str]:
    """The fields that some lines give a value."""
    found = [(one or other, value or text) for one, value, other, text in SET.findall(code)]
    return {name for name, value in found if not NOTHING_WRITTEN.match(value.strip())}
