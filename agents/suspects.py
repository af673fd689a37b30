"""Which change could have done it: every hunk between the two versions, scored by how the evidence touches it.

Lines are compared by their text, not their number, since later commits move them. The weights order kinds of
evidence, nothing finer: the failing line itself, a name the error says is missing and a change took away, the
failing function, its callers, its file.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.changes import Commit, Hunk, ValueChange, hunks_of
from agents.frames import Frame, Function, Trace, function_at, functions
from agents.logs import Template

FAILING_LINE, MISSING_NAME, FAILING_FUNCTION, CALLED, NAMED, FAILING_FILE, LOGGED = (
    10.0,
    8.0,
    6.0,
    4.0,
    3.0,
    2.0,
    1.5,
)
WORTH_NAMING = 2.5
"""Below this score a commit is not named: sharing a file with the failure explains nothing."""
MOST_SUSPECTS = 10
OUTER = 0.75
"""Each call further out counts this much of the one inside it."""

QUOTED = re.compile(r"['\"`]([^'\"`\n]{2,80})['\"`]")
WORD = re.compile(r"[A-Za-z_]\w{2,}")
TEST_PATH = re.compile(r"(?:^|/)(?:tests?|testing|spec)(?:/|_|\.)|(?:^|/)test_|_test\.|conftest\.py$")
PROSE = re.compile(r"\.(?:md|rst|txt|adoc)$|(?:^|/)(?:CHANGELOG|README|LICENSE)", re.IGNORECASE)
DEPENDENCIES = re.compile(
    r"(?:^|/)(?:requirements[^/]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|[^/]*\.lock)$"
)


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
    missing = {
        name
        for one in chain
        if one.exception in MISSING_ERRORS
        for text in QUOTED.findall(one.message)
        for name in (text,)
    }
    return Clues(frames=tuple(frames), names=frozenset(names), missing=frozenset(missing), logged=frozenset(logged))


def rank(commits: Sequence[Commit], clues: Clues, texts: Mapping[str, str]) -> tuple[Suspect, ...]:
    """Suspects in the source, likeliest first. `texts`: files of frames and hunks, at the canary."""
    suspects: list[tuple[float, int, Suspect]] = []
    for age, commit in enumerate(commits):
        if len(commit.parents) > 1:
            continue  # a merge repeats the commits it brought, which are in the range themselves
        for hunk in hunks_of(commit.diff):
            score, why = _score(hunk, clues, texts)
            if score > 0:
                suspects.append((-score, age, _suspect(hunk, commit, score, why, clues, texts)))
    suspects.sort(key=lambda entry: entry[:2])
    return tuple(suspect for *_, suspect in suspects[:MOST_SUSPECTS])


def _score(hunk: Hunk, clues: Clues, texts: Mapping[str, str]) -> tuple[float, str]:
    if PROSE.search(hunk.file) and not DEPENDENCIES.search(hunk.file):
        return 0.0, ""
    reasons = [*_touches_frames(hunk, clues, texts), *_touches_names(hunk, clues), *_touches_log(hunk, clues)]
    if not reasons:
        return 0.0, ""
    reasons.sort(reverse=True)
    score = reasons[0][0] + 0.25 * sum(weight for weight, _ in reasons[1:])
    if hunk.is_formatting:
        score *= 0.1
    if TEST_PATH.search(hunk.file):
        score *= 0.1
    return round(score, 2), reasons[0][1]


def _touches_frames(hunk: Hunk, clues: Clues, texts: Mapping[str, str]) -> list[tuple[float, str]]:
    reasons = []
    for depth, frame in enumerate(clues.frames):
        closeness = OUTER**depth
        where = "the failing" if depth == 0 else "a calling"
        text = texts.get(frame.file or "", "")
        if frame.file in {hunk.file, hunk.old_file}:
            lines = text.split("\n")
            failing = lines[frame.line - 1].strip() if frame.line <= len(lines) else ""
            added = {line.text.strip() for line in hunk.added}
            if failing and failing in added:
                reasons.append((FAILING_LINE * closeness, f"it wrote {where} line"))
            elif in_function(hunk, function_at(text, frame.line), lines):
                reasons.append((FAILING_FUNCTION * closeness, f"it changed {where} function"))
            else:
                reasons.append((FAILING_FILE * closeness, f"it changed the file of {where} line"))
        called = set(WORD.findall(frame.code or "")) - {frame.function}
        changed = _defined(hunk, texts) & called
        if changed:
            reasons.append((CALLED * closeness, f"it changed {min(changed)}, which {where} line uses"))
    return reasons


def _touches_names(hunk: Hunk, clues: Clues) -> list[tuple[float, str]]:
    removed = " ".join(line.text for line in hunk.removed)
    added = " ".join(line.text for line in hunk.added)
    reasons = []
    for name in sorted(clues.names):
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        if name in clues.missing and pattern.search(removed) and not pattern.search(added):
            reasons.append((MISSING_NAME, f"it took away {name!r}, which the error misses"))
        elif pattern.search(added) or pattern.search(removed):
            reasons.append((NAMED, f"it mentions {name!r}, as the error does"))
    return sorted(reasons, reverse=True)[:3]


def _touches_log(hunk: Hunk, clues: Clues) -> list[tuple[float, str]]:
    words = {word for line in hunk.added for word in WORD.findall(line.text)}
    shared = words & clues.logged
    return [(LOGGED, f"it wrote {min(shared)!r}, which only the canary logs")] if len(shared) >= 2 else []


def in_function(hunk: Hunk, function: Function | None, lines: Sequence[str]) -> bool:
    """Whether a hunk changed a function: what it added stands in it now, or what it removed stood in it."""
    if function is None:
        return False
    body = {line.strip() for line in lines[function.first_line - 1 : function.last_line] if telling(line)}
    if any(line.text.strip() in body for line in hunk.added):
        return True
    return not hunk.added and re.search(rf"\bdef {re.escape(function.name)}\b", hunk.section) is not None


def telling(line: str) -> bool:
    return len(re.findall(r"\w", line)) >= 6 and line.strip() not in {"return None", "continue", "finally:"}


def _defined(hunk: Hunk, texts: Mapping[str, str]) -> set[str]:
    """The functions, classes and constants that a hunk defines or changes the inside of."""
    names = set(re.findall(r"\b(?:def|class)\s+(\w+)", " ".join(line.text for line in (*hunk.added, *hunk.removed))))
    names |= {
        match for line in (*hunk.added, *hunk.removed) for match in re.findall(r"^([A-Za-z_]\w*)\s*[:=]", line.text)
    }
    text = texts.get(hunk.file)
    if text is not None and hunk.file.endswith(".py"):
        lines = text.split("\n")
        names |= {function.name for function in functions(text) if in_function(hunk, function, lines)}
    return names


def _suspect(hunk: Hunk, commit: Commit, score: float, why: str, clues: Clues, texts: Mapping[str, str]) -> Suspect:
    """The suspect's place: the frame that it touches, else where its lines stand now."""
    text = texts.get(hunk.file)
    frame = next((frame for frame in clues.frames if frame.file == hunk.file), None)
    function = None
    line: int | None = hunk.new_start
    if frame is not None and text is not None:
        here = function_at(text, frame.line)
        if "function" in why or ("line" in why and "uses" not in why):
            line, function = frame.line, (here.name if here else frame.function)
            return Suspect(file=hunk.file, line=line, function=function, commit=commit.sha, score=score, why=why)
    if text is not None:
        line = present_line(hunk, text) or hunk.new_start
        here = function_at(text, line) if hunk.file.endswith(".py") else None
        function = here.name if here else None
    return Suspect(file=hunk.file, line=line, function=function, commit=commit.sha, score=score, why=why)


def present_line(hunk: Hunk, text: str) -> int | None:
    lines = [line.strip() for line in text.split("\n")]
    for added in hunk.added:
        if telling(added.text) and lines.count(added.text.strip()) == 1:
            return lines.index(added.text.strip()) + 1
    return None


def blame_value(change: ValueChange, commits: Sequence[Commit]) -> Commit | None:
    """The newest commit of the GitOps repository that took the old value away or put the new one in."""
    for commit in commits:
        if len(commit.parents) > 1:
            continue
        for hunk in hunks_of(commit.diff):
            if change.file not in {hunk.file, hunk.old_file}:
                continue
            removed = [line.text for line in hunk.removed]
            added = [line.text for line in hunk.added]
            pattern = re.compile(rf"(?<![\w.-]){re.escape(change.key)}(?![\w.-])")
            before, after = [[text for text in side if pattern.search(text)] for side in (removed, added)]
            if before != after:
                return commit
    return None
