"""Evidence of a call by a name that every program has: it tells where it is certain whose function it means."""

import re
from collections.abc import Iterator, Sequence

from agents.suspects.calls import FITS, RESTYLED, Reach, empties
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import OUTER, WEIGHTS, Reason, says_little
from agents.suspects.sources import Sources
from agents.syntax import names

OWN = r"(?:self\.|this\.|this->|\$this->|self::|static::|Self::|@)?"
BARE = r"(?<![\w.>:$])"
BEHIND = 0.9
"""The share of a function that gives a value of the failing line, one line further away."""


class Namesakes:
    """The functions with common names that the lines of the trace call."""

    def __init__(self, clues: Clues, reaches: Sequence[Reach], sources: Sources) -> None:
        self._sources = sources
        self._is_of_nothing = clues.is_of_nothing
        self._lines = [(reach, reach.said, "\n".join(_giving(reach, sources))) for reach in reaches]

    def reasons(self, change: Change) -> Iterator[Reason]:
        if not change.is_source or change.is_test:
            return
        changed = {one for one in change.defined if says_little(one)}
        share = RESTYLED if change.is_restyled or change.is_reworded else 1.0
        for name in changed & {one.name for one in self._sources.functions(change.file)}:
            for reach, said, giving in self._lines:
                weight = WEIGHTS["used"] * share * OUTER**reach.call.depth
                weight *= FITS if self._is_of_nothing and empties(change) else 1.0
                where = "the failing" if reach.call.depth == 0 else "a calling"
                if self._is_meant(name, change.file, reach.file, said):
                    yield Reason("used", weight, f"it changed {name}, which {where} line uses")
                elif self._is_meant(name, change.file, reach.file, giving):
                    yield Reason("used", weight * BEHIND, f"it changed {name}, from which {where} line has its values")

    def _is_meant(self, name: str, file: str, caller: str, code: str) -> bool:
        """Whether lines of the file `caller` call the function `name` that `file` defines.

        Said by the file itself where it calls it bare or of its own object; by another one that imports it, that calls
        it of the folder's package (Go), or that knows the type which it is a method of.
        """
        if name not in code:
            return False
        called = rf"{re.escape(name)}\s*\("
        if file == caller:
            return re.search(BARE + OWN + called, code) is not None
        if name in self._sources.imported(caller) and re.search(BARE + called, code):
            return True
        package = file.rpartition("/")[0].rpartition("/")[2]
        if file.endswith(".go") and re.search(rf"{BARE}{re.escape(package)}\.{called}", code):
            return True
        owners = {one.within.rpartition(".")[2] for one in self._sources.functions(file) if one.name == name} - {""}
        return bool(owners & self._sources.words(caller)) and re.search(rf"(?:\.|->|::)\s*{called}", code) is not None


def _giving(reach: Reach, sources: Sources) -> Iterator[str]:
    """The lines of a call's function that give a name of its failing line a value; all, where that is not known."""
    if reach.function is None:
        return
    if reach.line <= reach.function.first_line:
        yield from sources.body(reach.file, reach.function)
        return
    for line in sources.body(reach.file, reach.function, reach.line):
        left, assigned, right = line.partition("=")
        if assigned and not right.startswith(("=", ">")) and names(left) & reach.named:
            yield right
