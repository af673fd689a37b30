"""What the evidence says, in the terms a change can be compared with."""

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from agents.frames import Frame, Trace, package_of, simple_name
from agents.logs import Template
from agents.suspects.checks import only_checks
from agents.suspects.linkage import is_linkage
from agents.suspects.messages import LONGEST, WORD, read_message
from agents.suspects.nouns import EVERYWHERE
from agents.suspects.receivers import asked_of_nothing, types_missing

MOST_CALLS = 40
MOST_MESSAGES = 60
NO_NAMES = frozenset(
    {"NoneType", "undefined", "null", "nil", "None", "self", "this", "object", "true", "false", "none"}
)
MASKED = re.compile(r"<\w+>|\"[^\"]*\"|'[^']*'")
INDEX = re.compile(
    r"index (?:-?\d+ )?(?:is |was )?(?:out of|outside)|(?:out of|outside the) (?:range|bounds)"
    r"|Undefined (?:array key|offset|index)|key not found",
    re.IGNORECASE,
)
LETTERS = re.compile(r"[A-Za-z]+")
SERIOUS = frozenset({"error", "critical", "fatal"})
HELPER = re.compile(
    r"^_*(?:require|assert|ensure|check|validate|verify|must|expect|raise|throw|fail|abort|panic|error|invariant|die"
    r"|unwrap|handle_?(?:error|exception)|on_?error|new_?(?:error|exception)|wrap|guard|precondition|reject|bail)",
    re.IGNORECASE,
)
RAISES = re.compile(
    r"^\s*(?:if\b.{0,300}?[:{)]\s*)?(?:raise\b|throw\b|panic\(|abort\(|die\(|exit\(|assert\b|fail\(|bail!|panic!"
    r"|return\s+(?:Err\(|errors\.|fmt\.Errorf|Promise\.reject)|(?:log\.)?Fatal|.{0,60}\.(?:unwrap|expect|orElseThrow)\()"
)


class Call(BaseModel):
    """A frame that is code of the repository, and how far from the failure it is."""

    model_config = ConfigDict(frozen=True)

    frame: Frame
    depth: int
    """Functions between it and the innermost one; helpers that only raise for their caller do not count."""


class Clues(BaseModel):
    """What the evidence says."""

    model_config = ConfigDict(frozen=True)

    calls: tuple[Call, ...] = ()
    """Application frames with a file, innermost first, those of the root cause before the rest."""
    names: frozenset[str] = frozenset()
    """Names and literals that the error message tells."""
    absent: frozenset[str] = frozenset()
    """Those of `names` that the error says are not there."""
    demanded: frozenset[str] = frozenset()
    """Those of `names` that somebody asked for and did not get, or that did ask."""
    is_of_index: bool = False
    """Whether it asked for an element that is not there."""
    unregistered: frozenset[str] = frozenset()
    """Those of `absent` that a container of components does not know."""
    is_of_nothing: bool = False
    """Whether the failing line asked something of a value that is not there."""
    asked: frozenset[str] = frozenset()
    """The members that were asked of a value that is not there, where the error tells them."""
    missing_types: frozenset[str] = frozenset()
    """The types of such values, where the error tells them."""
    packages: tuple[str, ...] = ()
    """The installed packages whose code failed, innermost first."""
    is_linkage: bool = False
    """Whether code met another version of a library than the one that it was made for."""
    messages: tuple[tuple[str, bool], ...] = ()
    """What only the canary says, and whether as an error: the exceptions' messages, the new log messages."""
    is_test: bool = False

    @property
    def files(self) -> frozenset[str]:
        return frozenset(str(call.frame.file) for call in self.calls)


def clues_of(
    trace: Trace | None, templates: Sequence[Template], code: Mapping[str, Sequence[str]] | None = None
) -> Clues:
    """Gather the clues of the primary trace and of what only the canary logs.

    `code`: the lines of the files that frames are in, for what the log does not quote.
    """
    logged = [(one.text, one.level in SERIOUS) for one in templates[:MOST_MESSAGES]]
    if trace is None:
        return Clues(messages=tuple(logged))
    chain = (*trace.causes, trace)
    if any(frame.file for frame in trace.root.frames):
        wrappers = [worded for one in chain[1:] if (worded := _worded(one.message))]
        logged = [(text, is_error and not any(one in _worded(text) for one in wrappers)) for text, is_error in logged]
    sayings = [read_message(one.exception, one.message) for one in chain]
    said = {name for saying in sayings for name in saying.names}
    asked = frozenset(name for one in chain for name in asked_of_nothing(one.message[:LONGEST]))
    return Clues(
        calls=_calls(chain, code or {}),
        names=frozenset(said) - EVERYWHERE - asked,
        absent=frozenset(name for saying in sayings for name in saying.absent) - NO_NAMES,
        demanded=frozenset(name for saying in sayings for name in saying.demanded) - NO_NAMES,
        unregistered=frozenset(name for saying in sayings for name in saying.unregistered),
        is_of_index=any(INDEX.search(one.message[:LONGEST]) is not None for one in chain),
        is_of_nothing=any(saying.is_of_nothing for saying in sayings),
        asked=asked,
        missing_types=frozenset(name for one in chain for name in types_missing(one.message[:LONGEST])),
        packages=_packages(trace.root),
        is_linkage=is_linkage(trace.root),
        messages=(*((one.message, one is trace.root) for one in chain if one.message), *logged),
    )


def _worded(text: str) -> str:
    """The words of a message, without what stands in places for values."""
    return " ".join(LETTERS.findall(MASKED.sub(" ", text[:LONGEST])))


def calls_at(places: Sequence[Frame]) -> tuple[Call, ...]:
    """Places that are known otherwise than from a trace: each as near as the other."""
    return tuple(Call(frame=frame, depth=0) for frame in places)


def _calls(chain: Sequence[Trace], code: Mapping[str, Sequence[str]]) -> tuple[Call, ...]:
    found: list[Call] = []
    seen: set[tuple[str | None, str | None, int]] = set()
    functions: set[tuple[str | None, str | None]] = set()
    depth = 0
    for one in chain:
        for frame in one.frames if one is chain[0] else _beyond_rethrow(one, found):
            place = (frame.file, frame.function, frame.line)
            if frame.kind != "application" or not frame.file or place in seen or len(found) >= MOST_CALLS:
                continue
            seen.add(place)
            full = _with_code(frame, code)
            found.append(Call(frame=full, depth=depth))
            if (frame.file, frame.function) not in functions and not _is_check(full, code):
                depth += 1
            functions.add((frame.file, frame.function))
    return tuple(found)


def _is_check(frame: Frame, code: Mapping[str, Sequence[str]]) -> bool:
    return is_helper(frame) or only_checks(frame, code.get(str(frame.file), ()))


def _beyond_rethrow(wrapper: Trace, found: Sequence[Call]) -> Sequence[Frame]:
    """The frames of an exception that another one caused: where it was thrown is a handler, not on the way to it."""
    ours = [frame for frame in wrapper.frames if frame.kind == "application" and frame.file]
    return ours[1:] if found else ours


def _with_code(frame: Frame, code: Mapping[str, Sequence[str]]) -> Frame:
    lines = code.get(str(frame.file), ())
    if frame.code is not None or not 1 <= frame.line <= len(lines):
        return frame
    return frame.model_copy(update={"code": lines[frame.line - 1].strip()})


def is_helper(frame: Frame) -> bool:
    """Whether a frame only raises on behalf of whoever called it: a validator, an error's constructor."""
    name = simple_name(frame.function)
    return (
        name is not None
        and HELPER.match(name) is not None
        and (frame.code is None or RAISES.match(frame.code) is not None)
    )


def _packages(trace: Trace) -> tuple[str, ...]:
    """The packages of the frames inside the innermost frame of the repository, and the nearest ones outside of it."""
    inner: list[str] = []
    for frame in trace.frames:
        if frame.kind == "application" and frame.file:
            break
        package = package_of(frame) or (frame.module if frame.kind != "runtime" else None)
        if package is not None and package not in inner:
            inner.append(package)
    return tuple(inner[:10])


def logged_words(clues: Clues) -> frozenset[str]:
    """Longer words of what only the canary says as an error."""
    return frozenset(
        word for text, is_error in clues.messages if is_error for word in WORD.findall(text) if len(word) > 5
    )
