"""Evidence of the trace: the change wrote the failing line, changed its function, or what it uses."""

import re
from collections.abc import Iterator, Mapping, Sequence

from agents.changes import essence
from agents.suspects.change import Change
from agents.suspects.clues import RAISES, Clues
from agents.suspects.nouns import ON_THE_WAY, OUTER, WEIGHTS, Kind, Reason, says_little
from agents.suspects.reach import Reach
from agents.suspects.sources import Sources, holds, telling

Origins = Mapping[tuple[str, int], str]
"""The commit of the range that wrote a line of a file at the canary; lines that are older are not in it."""
CALLING = 7.0
"""What it weighs to have written a line that calls what failed: nearly what it does to have changed that."""
BARELY = 3.5
"""What a change of a calling function weighs where nothing shows that it bears on the call."""
BEARING = 1.5
"""What it adds that a change names what the failing line names."""
AROUND = 0.9
"""What a change counts for each closure that lies between it and the failing line."""
TOLD = {"condition": "a condition of the failing line", "value": "where the failing line has its values from"}
PAST = 0.4
"""What is left where a change of a function lies behind the line that failed."""
HANDLED = 0.6
"""What is left where the line only hands an error on that it has caught."""
EMPTIED = 1.3
"""What a change of the file counts that lets a value be missing, where a missing value failed."""
MOST_LINES = 400
"""Lines of a function whose authors are asked for."""
MOST_NAMESAKES = 4
"""A name that more files of the range define leads nowhere."""


HANDLES = re.compile(r"\b(?:except|finally|catch|rescue|ensure|defer|recover)\b")
"""What is come to after a line has failed."""
NOTHING_WRITTEN = re.compile(r"(?<!\w)(?:None|null|nil|undefined|nullptr|Nothing|Optional\.empty)(?!\w)")
GUARD = re.compile(
    r"(?:is|is not|[!=]==?)\s*(?:None|null|nil|undefined)\b|\?\?|\?\.|\|\||\bif not\b|\bunless\b|\.nil\?|isset"
    r"|isEmpty|present\?|orElse|getOrDefault|\?:|\bif\s*\(?\s*!|\.get\([^()]*,"
)
"""What keeps a value that is not there from being used."""
FITS = 1.2
"""For an error about a value that is not there: the change writes none, or takes away what kept it out."""


RESTYLED = 0.25
"""What is left where a change says in other lines what was said before."""


class Calls:
    """The calls of the trace, as changes are compared with them."""

    def __init__(self, clues: Clues, changes: Sequence[Change], sources: Sources, origins: Origins | None) -> None:
        self._sources = sources
        self._origins = origins
        self._blamed = frozenset(path for path, _ in origins or ())
        self.reaches = [Reach(call, sources) for call in clues.calls]
        self._flows = _flows(self.reaches)
        self._is_of_nothing = clues.is_of_nothing
        owners: dict[str, set[str]] = {}
        for change in changes:
            for name in change.defined:
                owners.setdefault(name, set()).add(change.file)
        self._absent = clues.absent
        self._common = frozenset(name for name, files in owners.items() if len(files) > MOST_NAMESAKES) | clues.asked

    def reasons(self, change: Change) -> Iterator[Reason]:
        share = (
            RESTYLED
            if change.is_restyled or change.is_retyped or change.is_reworded
            else FITS
            if self._is_of_nothing and empties(change)
            else 1.0
        )
        for reach in self.reaches:
            if reach.file in {change.file, change.hunk.old_file}:
                yield from (_times(reason, share) for reason in self._in_the_file(change, reach))
            yield from (_times(reason, share) for reason in self._used(change, reach))

    def _in_the_file(self, change: Change, reach: Reach) -> Iterator[Reason]:
        call = reach.call
        where = "the failing" if call.depth == 0 else "a calling"
        if self._wrote(change, reach):
            weight = WEIGHTS["line"] if call.depth == 0 else CALLING * ON_THE_WAY**call.depth
            yield Reason("line", weight, f"it wrote {where} line", call.frame)
        elif (nested := self._touches(change, reach)) is not None:
            yield from self._decided(change, reach) if nested == 0 else ()
            weight = self._function_weight(change, reach) * AROUND**nested
            if reach.is_past(self._own_lines(change, reach)) and not HANDLES.search(
                f"{change.removed}\n{change.added}"
            ):
                weight *= PAST
            if call.depth == 0 and reach.is_handler and not RAISES.match(reach.code):
                weight *= HANDLED
            yield Reason("function", weight, f"it changed {where} function", call.frame)
        else:
            shared = {name for name in reach.named & change.words if len(name) > 3 and not says_little(name)}
            weight = OUTER**call.depth
            if shared and call.depth == 0:
                why = f"it changed lines with {min(shared)}, which {where} line uses"
                yield Reason("shares", WEIGHTS["shares"], why)
            if self._is_of_nothing and empties(change):
                weight *= EMPTIED
            yield Reason("file", WEIGHTS["file"] * weight, f"it changed the file of {where} line", call.frame)

    def _decided(self, change: Change, reach: Reach) -> Iterator[Reason]:
        """A reason where the change decides whether the line is come to, or with which values."""
        flow = self._flows.get(reach)
        decided = reach.decided_by(_own(change), flow) if flow is not None else None
        if decided is None:
            return
        weight = WEIGHTS["decides"] * ON_THE_WAY**reach.call.depth
        what = "what a calling line hands over" if reach.call.depth else TOLD[decided]
        yield Reason("decides", weight, f"it changed {what}", reach.call.frame)

    def _touches(self, change: Change, reach: Reach) -> int | None:
        """How many functions lie between the failing line and the one around it that the change touches."""
        own = self._own_lines(change, reach)
        return next((at for at, function in enumerate(reach.functions) if holds(function, own)), None)

    def _wrote(self, change: Change, reach: Reach) -> bool:
        if self._origins is not None:
            return self._origins.get((reach.file, reach.line)) == change.commit.sha and self._holds_line(change, reach)
        failing = essence(self._sources.line(reach.file, reach.line), reach.file)
        return bool(failing) and any(essence(line.text, reach.file) == failing for line in change.hunk.added)

    def _holds_line(self, change: Change, reach: Reach) -> bool:
        """Whether the line is in this hunk of its commit, by its text, or where that says nothing by its place."""
        text = self._sources.line(reach.file, reach.line) or reach.code
        failing = essence(text, reach.file)
        if any(essence(line.text, reach.file) == failing for line in change.hunk.added):
            return True
        if reach.file not in self._sources and not failing:
            return bool(change.hunk.added)
        return not telling(text) and holds(reach.function, change.touched)

    def _own_lines(self, change: Change, reach: Reach) -> list[int]:
        """Where the change's lines stand, without those that another commit is known to have written.

        A line of a function whose authors were asked for is older than the range if nobody of the range wrote it: then
        the change only wrote the same words elsewhere.
        """
        if self._origins is None or not change.hunk.added:
            return change.touched
        sha, asked = change.commit.sha, self._asked(reach)
        return [
            line
            for line in change.touched
            if self._origins.get((reach.file, line), "" if line in asked else sha) == sha
        ]

    def _asked(self, reach: Reach) -> range:
        """The lines of the function whose authors are known, those older than the range among them."""
        here = reach.function
        if here is None or reach.file not in self._blamed or here.last_line - here.first_line > MOST_LINES:
            return range(0)
        return range(here.first_line, here.last_line + 1)

    def _function_weight(self, change: Change, reach: Reach) -> float:
        bearing = len(reach.named & change.words) / len(reach.named) if reach.named else 0.0
        if reach.call.depth == 0:
            return WEIGHTS["function"] + BEARING * bearing
        if _throws(change):
            return BARELY * RESTYLED
        bears = bool(reach.named & change.words) or bool(reach.behind & change.words)
        return (WEIGHTS["function"] if bears else BARELY) * OUTER**reach.call.depth

    def _used(self, change: Change, reach: Reach) -> Iterator[Reason]:
        if not (change.is_source or change.file == reach.file):
            return
        where = "the failing" if reach.call.depth == 0 else "a calling"
        known = frozenset(name for name in change.defined - self._common if not says_little(name))
        closeness = OUTER**reach.call.depth
        wordings: Sequence[tuple[frozenset[str], Kind, float, str]] = (
            (reach.in_line, "used", 1.0, f"which {where} line uses"),
            (reach.behind, "used", 0.9, f"from which {where} line has its values"),
            (reach.in_body, "feeds", 1.0, f"which {where} function uses"),
        )
        named = change.defined - self._common - self._absent
        for receiver, name in sorted(reach.asked):
            if name in named and _is_named_after(change, receiver, self._sources):
                yield Reason("used", WEIGHTS["used"] * closeness, f"it changed {name}, which {where} line asks for")
                return
        for used, kind, share, words in wordings:
            shared = reach.sees(used, change.file) & known
            if shared:
                weight = WEIGHTS[kind] * share * closeness
                if kind == "used" and reach.call.depth == 0 and self._is_of_nothing and shared & change.undefined:
                    weight = WEIGHTS["package"] * closeness  # what should have had the value is gone
                    yield Reason("missing", weight, f"it took away {min(shared & change.undefined)}, {words}")
                yield Reason(kind, weight, f"it changed {min(shared)}, {words}")
                return


def _flows(reaches: Sequence[Reach]) -> dict[Reach, frozenset[str]]:
    """The names of each function whose values come to the failing line: its own, and what its callers hand to it."""
    found: dict[Reach, frozenset[str]] = {}
    inner: Reach | None = None
    for reach in reaches:
        flow = reach.values if inner is None else reach.hands(inner, found[inner])
        if not flow:
            break
        found[reach], inner = flow, reach
    return found


def _is_named_after(change: Change, receiver: str, sources: Sources) -> bool:
    """Whether an object has the name of the file, or of a type around the change: `cart` of `Cart`, `cart_lines`."""
    types = [one.name for one in sources.outline(change.file).types if holds(one, change.touched)]
    stem = change.file.rpartition("/")[2].partition(".")[0]
    return _plain(receiver) in {_plain(name) for name in (*types, stem)}


def _plain(name: str) -> str:
    return name.replace("_", "").lower().rstrip("s")


def _own(change: Change) -> list[str]:
    """The lines of code that a change put in or took away, without those that it only moved."""
    old, new = ([text for text in code.split("\n") if text.strip()] for code in (change.removed, change.added))
    stays = {text.strip() for text in old} & {text.strip() for text in new}
    return [text for text in (*old, *new) if text.strip() not in stays]


def _times(reason: Reason, share: float) -> Reason:
    is_meant = share < 1.0 or reason.kind in {"decides", "function", "used", "feeds"}
    return reason._replace(weight=reason.weight * share) if is_meant else reason


def empties(change: Change) -> bool:
    """Whether a change puts in a value that is none, or takes away a guard against one."""
    if len(NOTHING_WRITTEN.findall(change.added)) > len(NOTHING_WRITTEN.findall(change.removed)):
        return True
    return len(GUARD.findall(change.removed)) > len(GUARD.findall(change.added))


def _throws(change: Change) -> bool:
    """Whether what a change puts in is no more than what is thrown."""
    lines = [line.text for line in change.hunk.added if line.text.strip()]
    return 0 < len(lines) <= 3 and any(RAISES.match(line) for line in lines)
