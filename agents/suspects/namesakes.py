"""Evidence of a call by a name that every program has: it tells where it is certain whose function it means."""

import re
from collections.abc import Iterator, Sequence

from agents.suspects.calls import FITS, RESTYLED, empties
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import OUTER, WEIGHTS, Reason, says_little
from agents.suspects.reach import Reach
from agents.suspects.sources import Sources, holds
from agents.syntax import Function, imports, names, unquoted

OWN = r"(?:self\.|this\.|this->|\$this->|self::|static::|Self::|@)?"
BARE = r"(?<![\w.>:$])"
SCRIPTS = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts")
DEFAULT = re.compile(
    r"(?:\bimport\s+([A-Za-z_$][\w$]*)[\s,].{0,200}\bfrom|\b(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*require\s*\()"
    r"\s*['\"]([./][^'\"]{1,200})['\"]"
)
EXPORTED = re.compile(
    r"^(?:export\s+default|module\.exports\s*=)\s*(?:async\s+)?(?:function\b\s*\*?\s*|class\s+)?([A-Za-z_$][\w$]*)\s*(?:[({;]|extends|$)"
)
"""The one thing that a file exports."""
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
        yield from self._imported(change)
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

    def _imported(self, change: Change) -> Iterator[Reason]:
        """The one thing that a file exports without a name is known by what its importers call it."""
        if not change.file.endswith(SCRIPTS) or any(holds(one, change.touched) for one in self._named(change.file)):
            return
        for reach, said, giving in self._lines:
            known = self._locals(reach.file, change.file)
            weight = WEIGHTS["used"] * OUTER**reach.call.depth
            where = "the failing" if reach.call.depth == 0 else "a calling"
            if known & names(unquoted(said)):
                yield Reason("used", weight, f"it changed {min(known)}, which {where} line uses")
            elif known & names(unquoted(giving)):
                yield Reason(
                    "used", weight * BEHIND, f"it changed {min(known)}, from which {where} line has its values"
                )

    def _named(self, path: str) -> list[Function]:
        """The functions of a file that are known by their own names elsewhere."""
        whole = {name for line in self._sources.lines(path) for name in EXPORTED.findall(line)} | {"exports"}
        return [one for one in self._sources.functions(path) if one.name not in whole]

    def _locals(self, caller: str, file: str) -> frozenset[str]:
        """What a file calls the default export of another one."""
        stem = file.rpartition(".")[0].removesuffix("/index")
        last = stem.rpartition("/")[2]
        found: set[str] = set()
        for line in imports(caller, "\n".join(self._sources.lines(caller))):
            match = DEFAULT.search(line)
            if match and re.sub(r"\.[cm]?[jt]sx?$", "", match[3].removesuffix("/index")).rpartition("/")[2] == last:
                found.add(match[1] or match[2])
        return frozenset(found)

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
