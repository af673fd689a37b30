"""Evidence of fields: no object has a value any more in what the failing line found nothing in."""

import re
from collections.abc import Iterator, Sequence

from agents.suspects.calls import FITS, NOTHING_WRITTEN
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import OUTER, WEIGHTS, Reason, says_little
from agents.suspects.reach import Reach
from agents.suspects.receivers import missing_in
from agents.suspects.sources import Sources
from agents.syntax import calls, names, unquoted

STRING = re.compile(r"\"((?:[^\"\\\n]|\\.)*+)\"|'((?:[^'\\\n]|\\.)*+)'")
SET = re.compile(
    r"\.([A-Za-z_]\w*)\s*=(?![=>~])\s*([^;\n]{1,120})"
    r"|(?<![\w.?])[\"']?([A-Za-z_]\w*)[\"']?\s*(?::(?!:)|=>)\s*([^,}\n]{1,120})"
    r"|(?<![\w.@$])([A-Z]\w*)\s*=(?![=>~])\s*([^,;}\n]{1,120})"
)
"""`x.name = value`; `name: value` or `'name' => value` of a literal; `Name = value` of an initializer."""
HOLDS = re.compile(r"([A-Za-z_]\w*)\s*(?::[^=\n]{1,100})?(?::=|=(?![=>~])|:)\s*[\w.$&<>\[\], ]*[({\[]\s*$")
"""The beginning of a literal of several lines, and what it is the value of."""
APART = 0.5
"""The share of a field that is given in code of another folder, which the trace has nothing to do with."""
INDIRECT = 0.7
"""The share of a call that gave the value, where it is left out."""
GETS = re.compile(r"^(?:get|set|with|is|has|add|put)_?(?=[A-Za-z])")
MOST_ABOVE = 60
"""Lines above one in which the literal that it is a part of begins."""


class Fields:
    """What was missing at the innermost call, if the error is about a value that is not there."""

    def __init__(self, clues: Clues, reaches: Sequence[Reach], sources: Sources) -> None:
        self._sources = sources
        self._missing: list[tuple[Reach, frozenset[str]]] = []
        self._files = frozenset(reach.file for reach in reaches)
        self._used = frozenset(name for one in reaches for name in (*one.in_line, *one.behind, *one.in_body))
        self._types = clues.missing_types
        self._demanded = clues.demanded
        for reach in reaches if clues.is_of_nothing else ():
            if reach.call.depth == 0 and not reach.is_handler:
                body = sources.body(reach.file, reach.function, reach.line) if reach.function else []
                self._missing.append((reach, missing_in(reach.said, clues.asked, body) | clues.demanded))
            elif self._missing and self._is_handed_in(*self._missing[-1]):
                self._missing.append((reach, frozenset(names(unquoted(reach.code)))))

    def reasons(self, change: Change) -> Iterator[Reason]:
        if not self._missing or not change.is_source or change.is_test:
            return
        lost = _values(change.removed) - _values(change.added)
        uncalled = calls(change.removed) - calls(change.added)
        held = self._held(change)
        for reach, missing in self._missing:
            weight = WEIGHTS["assigned"] * FITS * (1.0 if self._is_near(change, reach) else APART)
            weight *= OUTER**reach.call.depth
            if told := sorted(lost & missing & self._demanded):
                yield Reason(
                    "missing", WEIGHTS["missing"] * FITS, f"it does not give {told[0]}, which the error is about"
                )
            if shared := lost & missing:
                yield Reason("assigned", weight, f"it does not give {min(shared)}, which the failing line reads")
            elif given := self._given(uncalled, missing):
                yield Reason(
                    "assigned", weight * INDIRECT, f"it does not call {given} any more, which gave what is missing"
                )
            if held & missing:
                yield Reason(
                    "used", WEIGHTS["used"] * FITS, f"it changed {min(held & missing)}, which the failing line uses"
                )

    def _is_handed_in(self, reach: Reach, missing: frozenset[str]) -> bool:
        """Whether what was missing is a parameter, so that a calling line has it."""
        if reach.function is None:
            return False
        header = self._sources.line(reach.file, reach.function.first_line)
        return bool(missing & set(re.findall(r"[A-Za-z_]\w*", header.partition(reach.function.name)[2])))

    def _is_near(self, change: Change, reach: Reach) -> bool:
        """Whether the code that gave the value is beside the failing line, or is what calls of the trace use."""
        folder, other = (path.rpartition("/")[0] for path in (reach.file, change.file))
        return folder == other or change.file in self._files or bool(change.defined & self._used)

    def _given(self, uncalled: set[str], missing: frozenset[str]) -> str | None:
        """The call, among those that a change left out, which made a missing value, or a function that sets it."""
        wanted = {_plain(name) for name in missing if len(name) > 3 and not says_little(name)}
        for name in sorted(uncalled):
            if name in self._types or (_plain(name) in wanted and not says_little(name)):
                return name
            for path in self._sources.defining(name):
                for one in self._sources.functions(path):
                    if one.name == name and missing & _values("\n".join(self._sources.body(path, one))):
                        return name
        return None

    def _held(self, change: Change) -> frozenset[str]:
        """What the literal of several lines is the value of that the change is inside of."""
        found: set[str] = set()
        for number in change.touched[:1]:
            within = _indent(self._sources.line(change.file, number))
            for above in range(number - 1, max(0, number - MOST_ABOVE), -1):
                text = self._sources.line(change.file, above)
                if text.strip() and _indent(text) < within:
                    within = _indent(text)
                    found |= {match[1] for match in [HOLDS.search(text)] if match}
        return frozenset(found)


def _indent(line: str) -> int:
    return len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())


def _plain(name: str) -> str:
    return GETS.sub("", name).replace("_", "").lower()


def _values(code: str) -> set[str]:
    """The fields that some lines give a value."""
    plain = STRING.sub(lambda found: found[0] if (found[1] or found[2] or "").isidentifier() else '""', code)
    found = [
        (one or other or third, value or text or last) for one, value, other, text, third, last in SET.findall(plain)
    ]
    return {name for name, value in found if not NOTHING_WRITTEN.match(value.strip())}
