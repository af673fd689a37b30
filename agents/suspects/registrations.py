"""Evidence of a container of components: the change took away what made it know the type that is asked for.

Frameworks find components by annotations on a type, by lines that name it (`bind(Prices.class)`, `AddScoped<IPrices>`,
`providers: [Prices]`), or by the places they are told to scan.
"""

import re
from collections.abc import Iterator

from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import WEIGHTS, Reason
from agents.suspects.sources import Sources
from agents.syntax import Function, imports, unquoted

DECORATES = re.compile(r"^\s*(?:@[A-Za-z]|\[[A-Z]\w*[\](]|#\[[A-Z])")
SCANS = re.compile(
    r"ComponentScan|scanBasePackages|@Import\b|@Enable\w+|\bimports\s*:|\bexports\s*:|\bproviders\s*:|\bScan\w*\("
    r"|autoconfigure|\bmodules\s*\(|\binstall\s*\("
)
"""Where a container is told which components there are."""
SCANNED = 0.7
"""The share of a change of that, which does not name the type."""


class Registrations:
    """The types that a container does not know."""

    def __init__(self, clues: Clues, sources: Sources) -> None:
        self._missing = {name: re.compile(rf"(?<!\w){re.escape(name)}(?!\w)") for name in sorted(clues.unregistered)}
        self._sources = sources

    def reasons(self, change: Change) -> Iterator[Reason]:
        if not self._missing or change.is_test or not change.is_source:
            return
        for name, pattern in self._missing.items():
            if self._mentions(change, pattern, taken=True) and not self._mentions(change, pattern, taken=False):
                yield Reason("missing", WEIGHTS["missing"], f"it took away {name!r}, which nothing provides any more")
            elif self._undecorates(change, pattern):
                yield Reason(
                    "missing", WEIGHTS["missing"], f"it changed what is said of {name!r}, which nothing provides"
                )
        if SCANS.search(change.removed) and change.removed != change.added:
            yield Reason("missing", WEIGHTS["missing"] * SCANNED, "it changed where components are looked for")

    def _mentions(self, change: Change, pattern: re.Pattern[str], *, taken: bool) -> bool:
        code = change.removed if taken else change.added
        brought = set(imports(change.file, code))
        return any(pattern.search(unquoted(line)) for line in code.split("\n") if line not in brought)

    def _undecorates(self, change: Change, pattern: re.Pattern[str]) -> bool:
        """Whether it puts in or takes away annotations of the type, or of one that is made for it."""
        lines = [line.text for line in (*change.hunk.removed, *change.hunk.added) if DECORATES.match(line.text)]
        return any(_indent(line) == indent for line in lines for indent in self._headers(change.file, pattern))

    def _headers(self, path: str, pattern: re.Pattern[str]) -> Iterator[int]:
        """How far the headers are indented in which types of a file, or functions that make one, name the type."""
        outline = self._sources.outline(path)
        for one in (*outline.types, *outline.functions):
            for line in self._header(path, one):
                if pattern.search(line.partition("{")[0]) and not DECORATES.match(line):
                    yield _indent(line)

    def _header(self, path: str, one: Function) -> list[str]:
        lines = self._sources.lines(path)[one.first_line - 1 : one.last_line]
        end = next((at for at, line in enumerate(lines) if re.search(r"[{;]\s*$|:\s*$", line)), 0)
        return lines[: end + 1]


def _indent(line: str) -> int:
    return len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())
