"""Evidence of values: the change gives, or does not give any more, the field that the failing line reads."""

import re
from collections.abc import Iterator, Sequence

from agents.suspects.calls import FITS, empties
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import OUTER, WEIGHTS, Reason
from agents.suspects.reach import Reach
from agents.suspects.sources import Sources
from agents.syntax import innermost

OWN = r"(?:self\.|this\.|this->|\$this->|@{1,2})"
READ = re.compile(rf"(?<![\w.]){OWN}([A-Za-z_]\w*)(?!\w|\s*\()")
CALLED = re.compile(rf"(?<![\w.]){OWN}([A-Za-z_]\w*)\s*\(")
GIVEN = re.compile(rf"(?<![\w.]){OWN}([A-Za-z_]\w*)\s*(?::[^=\n]{{1,200}})?=(?![=>~])")
NEAREST = 0
"""Calls out from the innermost one up to which a field that is read can explain the failure."""
STALE = 0.8
"""The share of a field that is not given anew where the error is not about a value that is not there."""
ELSEWHERE = 0.5
"""The share of a field of that name that is given in another type, which may be a base of the one that failed."""


class Assignments:
    """The fields that the failing lines read of their own object."""

    def __init__(self, clues: Clues, reaches: Sequence[Reach], sources: Sources) -> None:
        self._sources = sources
        self._is_of_nothing = clues.is_of_nothing
        self._reads = [
            (reach, fields)
            for reach in reaches
            if reach.call.depth <= NEAREST
            and (fields := set(READ.findall(reach.said)) | set(CALLED.findall(reach.said)))
        ]

    def reasons(self, change: Change) -> Iterator[Reason]:
        before, after = (set(GIVEN.findall(code)) for code in (change.removed, change.added))
        given = before | after
        for reach, fields in self._reads if given else ():
            shared = fields & given
            if not shared:
                continue
            is_here = change.file == reach.file and self._type_of(change) in {self._type(reach), None}
            weight = WEIGHTS["assigned"] * OUTER**reach.call.depth * (1.0 if is_here else ELSEWHERE)
            if self._is_of_nothing and (shared & (before - after) or empties(change)):
                weight *= FITS
            name = min(shared)
            if name in before - after and not self._is_of_nothing:
                weight *= STALE
            what = "does not give" if name in before - after else "gives"
            where = "the failing" if reach.call.depth == 0 else "a calling"
            yield Reason("assigned", weight, f"it {what} {name}, which {where} line reads")

    def _type(self, reach: Reach) -> str:
        return reach.function.within if reach.function else ""

    def _type_of(self, change: Change) -> str | None:
        """The type that a change is in; None where that cannot be told."""
        line = change.touched[0] if change.touched else change.hunk.new_start
        here = innermost(self._sources.outline(change.file).types, line)
        return here.qualified if here else None
