"""Whether a change of a failing or calling line left what failed in it as it was: then another change broke it."""

import re
from collections.abc import Sequence

from agents.frames import Frame, simple_name
from agents.suspects.calls import empties
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.reach import Reach
from agents.suspects.receivers import accesses

KEPT = 0.2
"""What is left of having written a line, where what failed in it stood there before."""
DECIDES = re.compile(r"\b(?:if|elif|unless|while|until|and|or|not|when|case)\b|&&|\|\||\?|!(?!=)")
ELEMENT = re.compile(r"[\w.$@]+(?:\[[^\[\]\n]{1,80}\])+")
MOST_ARGUMENTS = 400


class Kept:
    """What failed in each line of the trace: what was asked of nothing, or the call that led further inside."""

    def __init__(self, clues: Clues, reaches: Sequence[Reach]) -> None:
        self._failing: dict[tuple[str | None, int], list[str]] = {}
        for at, reach in enumerate(reaches):
            place = (reach.call.frame.file, reach.call.frame.line)
            inner = next((one for one in reversed(reaches[:at]) if one.call.depth < reach.call.depth), None)
            if inner is not None:
                name = simple_name(inner.call.frame.function) or (inner.function.name if inner.function else None)
                self._failing.setdefault(place, _calls_of(name, reach.code) if name else [])
            elif clues.is_of_nothing and reach.call.depth == 0:
                self._failing.setdefault(place, accesses(reach.code, clues.asked))
            elif clues.is_of_index and reach.call.depth == 0:
                self._failing.setdefault(place, ELEMENT.findall(reach.code))

    def is_kept(self, change: Change, frame: Frame | None) -> bool:
        """Whether a change that wrote the line of a frame did so around what failed in it."""
        failing = self._failing.get((frame.file, frame.line), []) if frame is not None else []
        old, new = (_own(change, taken=taken) for taken in (True, False))
        if not failing or not old or not new or empties(change):
            return False
        if len(DECIDES.findall("\n".join(old))) != len(DECIDES.findall("\n".join(new))):
            return False
        before = "".join("\n".join(old).split())
        pieces = ["".join(piece.split()) for piece in failing]
        return all(piece in before for piece in pieces) and all(
            any(piece in "".join(line.split()) for piece in pieces) for line in new
        )


def _own(change: Change, *, taken: bool) -> list[str]:
    """The lines that a change took away or put in, without those that only moved."""
    sides = [[text.strip() for text in code.split("\n") if text.strip()] for code in (change.removed, change.added)]
    mine, other = sides if taken else sides[::-1]
    return [text for text in mine if text not in other]


def _calls_of(name: str, code: str) -> list[str]:
    """The calls of a function in a line, with their arguments."""
    found = []
    for match in re.finditer(rf"(?<!\w){re.escape(name)}\s*\(", code):
        depth = 0
        for at in range(match.end() - 1, min(len(code), match.end() + MOST_ARGUMENTS)):
            depth += (code[at] == "(") - (code[at] == ")")
            if depth == 0:
                found.append(code[match.start() : at + 1])
                break
    return found
