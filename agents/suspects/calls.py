"""Evidence of the trace: the change wrote the failing line, changed its function, or what it uses."""

import re
from collections.abc import Iterator, Mapping, Sequence

from agents.changes import essence
from agents.frames import Frame, simple_name
from agents.suspects.change import Change
from agents.suspects.clues import RAISES, Call, Clues
from agents.suspects.nouns import EVERYWHERE, ON_THE_WAY, OUTER, WEIGHTS, Kind, Reason, says_little
from agents.suspects.sources import Sources, holds, telling, uses
from agents.syntax import Function, calls, names, unquoted

Origins = Mapping[tuple[str, int], str]
"""The commit of the range that wrote a line of a file at the canary; lines that are older are not in it."""
CALLING = 7.0
"""What it weighs to have written a line that calls what failed: nearly what it does to have changed that."""
BRANCHES = re.compile(
    r"^[\s})]*(?:if|elif|elsif|else|unless|while|until|for|case|when|match|switch|except|catch|rescue)\b"
)
MOST_ABOVE = 60
"""Lines above a line that throws in which its conditions are looked for."""
BARELY = 3.5
"""What a change of a calling function weighs where nothing shows that it bears on the call."""
BEARING = 1.5
"""What it adds that a change names what the failing line names."""
AROUND = 0.9
"""What a change counts for each closure that lies between it and the failing line."""
WRAPS, LONGEST_CLOSURE = 0.6, 80
"""A function around others that spans this share of its file, and more lines than this, is no closure."""
MOST_NAMESAKES = 4
"""A name that more files of the range define leads nowhere."""


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


class Reach:
    """What one call and its function use, read from the source at the canary."""

    def __init__(self, call: Call, sources: Sources) -> None:
        frame = call.frame
        self.call = call
        self.file = str(frame.file)
        self.line = frame.line
        self.code = frame.code or sources.line(self.file, frame.line)
        self.functions = self._functions(frame, sources)
        self.function = self.functions[0] if self.functions else None
        own = {frame.function or "", simple_name(frame.function) or ""} | EVERYWHERE
        self.said = "\n".join((self.code, *self._guards(sources)))
        """The failing line; where it throws, with the conditions that it stands under."""
        self.in_line = frozenset(uses(self.said) - own)
        self.named = frozenset(names(unquoted(self.said)) - own)
        body = sources.body(self.file, self.function, _end(call, self.function)) if self.function else []
        self.behind = frozenset(_behind(body, self.named) - own - self.in_line)
        """What the lines that make the values of the failing line use."""
        self.in_body = frozenset({name for line in body for name in uses(line)} - own - self.in_line - self.behind)
        self.imported = sources.imported(self.file)

    def _functions(self, frame: Frame, sources: Sources) -> list[Function]:
        """The functions around the line, innermost first; one that spans most of its file only wraps it."""
        most = max(len(sources.lines(self.file)) * WRAPS, LONGEST_CLOSURE)
        around = [one for one in sources.functions(self.file) if one.first_line <= frame.line <= one.last_line]
        around.sort(key=lambda one: (-one.first_line, one.last_line))
        return [one for at, one in enumerate(around) if at == 0 or one.last_line - one.first_line < most]

    def _guards(self, sources: Sources) -> list[str]:
        """The lines of the function that decide whether the failing line is come to, if all it does is to throw."""
        if self.function is None or not RAISES.match(self.code):
            return []
        found: list[str] = []
        within = _indent(sources.line(self.file, self.line))
        for number in range(self.line - 1, max(self.function.first_line, self.line - MOST_ABOVE), -1):
            text = sources.line(self.file, number)
            if text.strip() and _indent(text) < within:
                within = _indent(text)
                found += [text.strip()] if BRANCHES.match(text) else []
        return found

    def sees(self, used: frozenset[str], file: str) -> frozenset[str]:
        """Those of the names that may be defined in `file`: what is called, imported, or named after the file."""
        if file == self.file:
            return used
        is_near = file.rpartition("/")[0] == self.file.rpartition("/")[0]
        called = calls(self.code) if used is self.in_line else set()
        stem = file.rpartition("/")[2].partition(".")[0]
        return frozenset(
            name
            for name in used
            if name in self.imported
            or name in called
            or name == stem
            or is_near
            or name[:1].isupper()
            or used is not self.in_line
        )


def _indent(line: str) -> int:
    return len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())


def _end(call: Call, function: Function) -> int | None:
    """The last line of a function that had run; None, for all, where it failed itself or only its name is known."""
    return None if call.depth == 0 or call.frame.line <= function.first_line else call.frame.line


def _behind(body: Sequence[str], wanted: frozenset[str]) -> set[str]:
    """What is used by the lines of a function that give a name of the failing line its value."""
    found: set[str] = set()
    for line in body:
        left, assigned, right = line.partition("=")
        if not assigned or right.startswith(("=", ">")) or left.endswith(("!", "<", ">")):
            continue
        if names(left) & wanted:
            found |= uses(right)
    return found


class Calls:
    """The calls of the trace, as changes are compared with them."""

    def __init__(self, clues: Clues, changes: Sequence[Change], sources: Sources, origins: Origins | None) -> None:
        self._sources = sources
        self._origins = origins
        self.reaches = [Reach(call, sources) for call in clues.calls]
        self._is_of_nothing = clues.is_of_nothing
        owners: dict[str, set[str]] = {}
        for change in changes:
            for name in change.defined:
                owners.setdefault(name, set()).add(change.file)
        self._common = frozenset(name for name, files in owners.items() if len(files) > MOST_NAMESAKES) | clues.asked

    def reasons(self, change: Change) -> Iterator[Reason]:
        share = (
            RESTYLED
            if change.is_restyled or change.is_reworded
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
            weight = self._function_weight(change, reach) * AROUND**nested
            yield Reason("function", weight, f"it changed {where} function", call.frame)
        else:
            shared = {name for name in reach.named & change.words if len(name) > 3 and not says_little(name)}
            weight = OUTER**call.depth
            if shared and call.depth == 0:
                why = f"it changed lines with {min(shared)}, which {where} line uses"
                yield Reason("shares", WEIGHTS["shares"], why)
            yield Reason("file", WEIGHTS["file"] * weight, f"it changed the file of {where} line", call.frame)

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
        text = self._sources.line(reach.file, reach.line)
        failing = essence(text, reach.file)
        if any(essence(line.text, reach.file) == failing for line in change.hunk.added):
            return True
        return not telling(text) and holds(reach.function, change.touched)

    def _own_lines(self, change: Change, reach: Reach) -> list[int]:
        """Where the change's lines stand, without those that another commit is known to have written."""
        if self._origins is None or not change.hunk.added:
            return change.touched
        sha = change.commit.sha
        return [line for line in change.touched if self._origins.get((reach.file, line), sha) == sha]

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
        for used, kind, share, words in wordings:
            shared = reach.sees(used, change.file) & known
            if shared:
                weight = WEIGHTS[kind] * share * closeness
                if kind == "used" and reach.call.depth == 0 and self._is_of_nothing and shared & change.defined_before:
                    weight = WEIGHTS["package"] * closeness  # what should have had the value is gone
                    yield Reason("missing", weight, f"it took away {min(shared & change.defined_before)}, {words}")
                yield Reason(kind, weight, f"it changed {min(shared)}, {words}")
                return


def _times(reason: Reason, share: float) -> Reason:
    is_meant = share < 1.0 or reason.kind in {"function", "used", "feeds"}
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
