"""Evidence of a dependency: the change gave another version of the package whose code failed, or which is missing."""

import re
from collections.abc import Iterator

from agents.changes import Bump, bumps_of, comes_from, names_packages
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import WEIGHTS, Reason
from agents.suspects.sources import Sources
from agents.syntax import imports, names

INDIRECT = 0.6
"""The share where the failing line only uses the package, or the error only mentions it."""
ANY = 0.45
"""The share of any dependency where the error tells of a library's version, but by no name."""


class Packages:
    """The packages that the failure has to do with."""

    def __init__(self, clues: Clues, sources: Sources) -> None:
        self._failed = clues.packages
        self._missing = clues.absent
        self._said = clues.names
        self._is_linkage = clues.is_linkage
        self._used: list[str] = []
        for call in clues.calls[:1]:
            used = names(call.frame.code or sources.line(str(call.frame.file), call.frame.line))
            for line in imports(str(call.frame.file), "\n".join(sources.lines(str(call.frame.file)))):
                if names(line) & used:
                    self._used += re.split(r"[\s\"';,(){}]+", line)

    def reasons(self, change: Change) -> Iterator[Reason]:
        if not names_packages(change.file):
            return
        for bump in bumps_of(change.hunk):
            share, why = self._share(bump)
            if share:
                yield Reason("package", WEIGHTS["package"] * share, f"it changed {_told(bump)}, {why}")

    def _share(self, bump: Bump) -> tuple[float, str]:
        if any(comes_from(bump.package, code) for code in self._failed):
            return 1.0, "whose code failed"
        if any(comes_from(bump.package, name) for name in self._missing):
            return 1.0, "which the error misses"
        if any(
            comes_from(bump.package, name.partition(".")[0]) or comes_from(bump.package, name) for name in self._used
        ):
            return INDIRECT, "which the failing line uses"
        if any(comes_from(bump.package, name) for name in self._said if len(name) > 3):
            return INDIRECT, "which the error mentions"
        return (ANY, "and the error tells of a library of another version") if self._is_linkage else (0.0, "")


def _told(bump: Bump) -> str:
    if bump.old is None or bump.new is None:
        return f"{bump.package} ({'removed' if bump.new is None else 'added'})"
    return f"{bump.package} from {bump.old} to {bump.new}"
