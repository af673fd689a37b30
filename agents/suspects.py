"""Which change could have done it: every hunk between the two versions, scored by how the evidence touches it.

Lines are compared by their text, not their number, since later commits move them. The weights order kinds of
evidence, nothing finer: the failing line itself, a name the error says is missing and a change took away, the
failing function, what the failing line uses, a name the error mentions, the file.
"""

import builtins
import re
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from agents.changes import Commit, Hunk, at_the_canary, essence
from agents.frames import Frame, Trace
from agents.logs import Template
from agents.syntax import Function, functions

Kind = Literal["line", "missing", "function", "used", "named", "mentioned", "file", "logged"]
WEIGHTS: Mapping[Kind, float] = {
    "line": 10.0,
    "missing": 8.0,
    "function": 6.0,
    "used": 4.0,
    "named": 3.0,
    "file": 2.0,
    "mentioned": 1.5,
    "logged": 1.5,
}
WORTH_NAMING = 2.5
"""Below this score a commit is not named: sharing a file with the failure explains nothing."""
MOST_SUSPECTS = 10
MOST_PLACES = 20
"""Places of one line that are looked at; what stands more often tells nothing."""
OUTER = 0.75
"""Each call further out counts this much of the one inside it."""
BESIDES = 0.25
"""What another kind of evidence for the same hunk counts."""
UNLIKELY = 0.1
"""What remains for a change of formatting or of tests."""

QUOTED = re.compile(r"['\"`]([^'\"`\n]{2,80})['\"`]")
WORD = re.compile(r"[A-Za-z_]\w{2,}")
CALLED = re.compile(r"\.([A-Za-z_]\w{2,})|\b([A-Za-z_]\w{2,})\s*\(")
IMPORT = re.compile(r"\s*(?:from\s+\S+\s+)?import\s")
NO_ATTRIBUTE = re.compile(r"^(?!'NoneType').*has no attribute ['\"](\w+)['\"]")
TEST_PATH = re.compile(r"(?:^|/)(?:tests?|testing|spec)(?:/|_|\.)|(?:^|/)test_|_test\.|conftest\.py$")
PROSE = re.compile(r"\.(?:md|rst|txt|adoc)$|(?:^|/)(?:CHANGELOG|README|LICENSE)", re.IGNORECASE)
DEPENDENCIES = re.compile(
    r"(?:^|/)(?:requirements[^/]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|[^/]*\.lock)$"
)
EVERYWHERE = frozenset({"NoneType", "function", "method", "module", "self", "cls"}).union(
    dir(builtins), *(dir(kind) for kind in (str, bytes, int, float, list, dict, set, tuple))
)
"""Names that say nothing about a change: built-in ones, and the methods of built-in types."""


class Suspect(BaseModel):
    """A place in a change that may have caused the failure. `line` counts at the canary's commit."""

    model_config = ConfigDict(frozen=True)

    file: str
    line: int | None
    function: str | None
    commit: str
    score: float
    why: str
    repository: Literal["source", "manifests"] = "source"


class Clues(BaseModel):
    """What the evidence says, in the terms a change can be compared with."""

    model_config = ConfigDict(frozen=True)

    frames: tuple[Frame, ...]
    """Application frames with a file, innermost first, those of the root cause before the rest."""
    names: frozenset[str]
    """Names and literals that the error message quotes."""
    missing: frozenset[str]
    """Those of `names` that the error says are not there."""
    logged: frozenset[str]
    """Longer words of messages that only the canary logs."""


MISSING_ERRORS = frozenset(
    {"KeyError", "AttributeError", "NameError", "ImportError", "ModuleNotFoundError", "UnboundLocalError"}
)


class Reason(NamedTuple):
    """One kind of evidence against a hunk; `frame` is the call it is about."""

    kind: Kind
    weight: float
    why: str
    frame: Frame | None = None


class Sources:
    """Files at the canary's commit, the functions in them and the places of their lines, each read once."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._functions: dict[str, tuple[Function, ...]] = {}
        self._places: dict[str, dict[str, list[int]]] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._texts

    def lines(self, path: str) -> list[str]:
        return self._texts.get(path, "").split("\n")

    def functions(self, path: str) -> tuple[Function, ...]:
        if path not in self._functions:
            self._functions[path] = functions(self._texts.get(path, "")) if path.endswith(".py") else ()
        return self._functions[path]

    def function_at(self, path: str, line: int) -> Function | None:
        """The innermost function that holds a line."""
        around = [one for one in self.functions(path) if one.first_line <= line <= one.last_line]
        return max(around, key=lambda one: one.first_line, default=None)

    def places(self, path: str, line: str) -> list[int]:
        """The numbers of the lines that say the same as `line`; none where it says too little to be told by."""
        if path not in self._places:
            self._places[path] = {}
            for number, text in enumerate(self.lines(path), 1):
                if _telling(text) and len(same := self._places[path].setdefault(essence(text), [])) < MOST_PLACES:
                    same.append(number)
        return self._places[path].get(essence(line), []) if _telling(line) else []

    def touched(self, path: str, hunk: Hunk) -> list[int]:
        """Where a hunk's lines stand now, in order; if it left none, where it took some away."""
        written = [number for line in hunk.added for number in self.places(path, line.text)]
        if written or not hunk.removed:
            return sorted(written)
        return sorted(number for line in hunk.above for number in self.places(path, line))


def clues_of(trace: Trace | None, templates: Sequence[Template]) -> Clues:
    """Gather the clues of the primary trace and of what only the canary logs."""
    logged = {word for template in templates for word in WORD.findall(template.text) if len(word) > 5}
    if trace is None:
        return Clues(frames=(), names=frozenset(), missing=frozenset(), logged=frozenset(logged))
    chain = (*trace.causes, trace)
    frames: list[Frame] = []
    for one in chain:
        frames += [frame for frame in one.frames if frame.kind == "application" and frame.file and frame not in frames]
    names = {name for one in chain for text in QUOTED.findall(one.message) for name in (text, *WORD.findall(text))}
    missing = {name for one in chain for name in missing_names(one)}
    return Clues(
        frames=tuple(frames),
        names=frozenset(names | missing) - EVERYWHERE,
        missing=frozenset(missing),
        logged=frozenset(logged),
    )


def missing_names(trace: Trace) -> tuple[str, ...]:
    """What an error says is not there: a key, an attribute, a name, a module."""
    if trace.exception not in MISSING_ERRORS:
        return ()
    message = trace.message.partition("Did you mean")[0]
    if trace.exception == "AttributeError":
        found = NO_ATTRIBUTE.search(message)
        return (found[1],) if found else ()
    return tuple(QUOTED.findall(message)[:1])


def rank(commits: Sequence[Commit], clues: Clues, texts: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Suspects in the source, likeliest first. `texts`: files of frames and hunks, at the canary."""
    sources = Sources(texts)
    suspects: list[tuple[float, int, Suspect]] = []
    for age, (commit, hunks) in enumerate(at_the_canary(commits)):
        for hunk in hunks:
            reasons = _reasons(hunk, clues, sources)
            if reasons:
                suspect = _suspect(hunk, commit, _score(hunk, reasons), reasons[0], sources)
                suspects.append((-suspect.score, age, suspect))
    suspects.sort(key=lambda entry: entry[:2])
    return tuple(suspect for *_, suspect in suspects[:MOST_SUSPECTS])


def _reasons(hunk: Hunk, clues: Clues, sources: Sources) -> list[Reason]:
    """The strongest reason of each kind, strongest first."""
    if PROSE.search(hunk.file) and not DEPENDENCIES.search(hunk.file):
        return []
    best: dict[Kind, Reason] = {}
    for reason in (
        *_touches_frames(hunk, clues, sources),
        *_touches_names(hunk, clues),
        *_touches_log(hunk, clues),
    ):
        if reason.kind not in best or reason.weight > best[reason.kind].weight:
            best[reason.kind] = reason
    return sorted(best.values(), key=lambda reason: -reason.weight)


def _score(hunk: Hunk, reasons: Sequence[Reason]) -> float:
    score = reasons[0].weight + BESIDES * sum(reason.weight for reason in reasons[1:])
    if hunk.is_formatting:
        score *= UNLIKELY
    if TEST_PATH.search(hunk.file):
        score *= UNLIKELY
    return round(score, 2)


def _touches_frames(hunk: Hunk, clues: Clues, sources: Sources) -> list[Reason]:
    reasons: list[Reason] = []
    added = {essence(line.text) for line in hunk.added}
    for depth, frame in enumerate(clues.frames):
        closeness = OUTER**depth
        where = "the failing" if depth == 0 else "a calling"
        if frame.file in {hunk.file, hunk.old_file}:
            lines = sources.lines(frame.file or "")
            failing = essence(lines[frame.line - 1]) if 1 <= frame.line <= len(lines) else ""
            if failing and failing in added:
                reasons.append(Reason("line", WEIGHTS["line"] * closeness, f"it wrote {where} line", frame))
            elif holds(sources.function_at(frame.file or "", frame.line), sources.touched(frame.file or "", hunk)):
                reasons.append(
                    Reason("function", WEIGHTS["function"] * closeness, f"it changed {where} function", frame)
                )
            else:
                reasons.append(
                    Reason("file", WEIGHTS["file"] * closeness, f"it changed the file of {where} line", frame)
                )
        used = _used(frame, hunk.file, sources)
        changed = _defined(hunk, sources) & used if used else set()
        if changed:
            why = f"it changed {min(changed)}, which {where} line uses"
            reasons.append(Reason("used", WEIGHTS["used"] * closeness, why))
    return reasons


def _used(frame: Frame, file: str, sources: Sources) -> set[str]:
    """Names in the line of a call that may be defined in `file`: what it calls, and what is in sight by its name."""
    code = frame.code or ""
    names = {word for found in CALLED.findall(code) for word in found if word}
    in_sight = set(WORD.findall(code))
    if file != frame.file:
        imports = (line for line in sources.lines(frame.file or "") if IMPORT.match(line))
        in_sight &= {word for line in imports for word in WORD.findall(line)}
    return (names | in_sight) - {frame.function} - EVERYWHERE


def _touches_names(hunk: Hunk, clues: Clues) -> list[Reason]:
    removed = " ".join(line.text for line in hunk.removed)
    added = " ".join(line.text for line in hunk.added)
    near = any(frame.file in {hunk.file, hunk.old_file} for frame in clues.frames)
    reasons: list[Reason] = []
    for name in sorted(clues.names | clues.missing):
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        if name in clues.missing and pattern.search(removed) and not pattern.search(added):
            reasons.append(Reason("missing", WEIGHTS["missing"], f"it took away {name!r}, which the error misses"))
        elif name not in EVERYWHERE and (pattern.search(added) or pattern.search(removed)):
            kind: Kind = "named" if near else "mentioned"
            reasons.append(Reason(kind, WEIGHTS[kind], f"it mentions {name!r}, as the error does"))
    return reasons


def _touches_log(hunk: Hunk, clues: Clues) -> list[Reason]:
    words = {word for line in hunk.added for word in WORD.findall(line.text)}
    shared = words & clues.logged
    if len(shared) < 2:
        return []
    return [Reason("logged", WEIGHTS["logged"], f"it wrote {min(shared)!r}, which only the canary logs")]


def holds(function: Function | None, lines: Sequence[int]) -> bool:
    if function is None:
        return False
    return bisect_left(lines, function.first_line) < bisect_right(lines, function.last_line)


def _telling(line: str) -> bool:
    return len(re.findall(r"\w", line)) >= 6 and line.strip() not in {"return None", "continue", "finally:"}


def _defined(hunk: Hunk, sources: Sources) -> set[str]:
    """The functions, classes and constants that a hunk defines or changes the inside of."""
    changed = [line.text for line in (*hunk.added, *hunk.removed)]
    names = set(re.findall(r"\b(?:def|class)\s+(\w+)", "\n".join(changed)))
    names |= {match for text in changed for match in re.findall(r"^([A-Za-z_]\w*)\s*[:=]", text)}
    touched = sources.touched(hunk.file, hunk)
    return names | {one.name for one in sources.functions(hunk.file) if holds(one, touched)}


def _suspect(hunk: Hunk, commit: Commit, score: float, reason: Reason, sources: Sources) -> Suspect:
    """The suspect's place: the call that it touches, else where its lines stand now."""
    frame = reason.frame
    standing = [places[0] for added in hunk.added if len(places := sources.places(hunk.file, added.text)) == 1]
    line = standing[0] if standing else None
    if line is None and hunk.file in sources:
        line = max(1, hunk.new_start)
    if frame is not None and frame.file == hunk.file and reason.kind in {"line", "function"}:
        line = frame.line
    here = sources.function_at(hunk.file, line) if line is not None else None
    function = here.name if here else None
    return Suspect(file=hunk.file, line=line, function=function, commit=commit.sha, score=score, why=reason.why)
