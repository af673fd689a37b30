"""Where the source words an error that no trace places: the statements behind a chain of messages.

Go, Rust and many a log say an error as a chain of what was being done (`load rates: rate of GBP: invalid syntax`), and
no place. Each statement that words a part of it is one; the innermost is nearest to the fault.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from agents.frames import Frame, Trace
from agents.logs import Template
from agents.suspects.clues import RAISES, SERIOUS, Call
from agents.suspects.statements import PLACE, PREFIX
from agents.syntax import code_of, defines, function_at, language_of, strings

WRAPS = re.compile(rf"[:;]\s*(?:{PLACE.pattern})[. ]*$")
"""Where a statement's text ends in what it wraps."""
BETWEEN = re.compile(r": \"?")
VARIANT = re.compile(r"\s*(?:pub\s+)?([A-Z]\w*)")
RAISED = ("go", "rust")
"""Languages whose programs hand errors up as values, so that the place which panics is not where they came from."""
LEAST_LETTERS = 5
"""Letters that a text has to say itself, not counting what it takes in."""
LEAST_NAME = 3
LONGEST = 1000
MOST_MESSAGES = 12
MOST_PHRASES = 40
MOST_PLACES = 4
"""Statements of the same words that are looked at; more of them tell nothing."""
CHECKED = re.compile(r"^\s*(?:\}?\s*(?:else\s+)?if\b.*\berr\b.*!=\s*nil|\}?\s*catch\b|except\b|rescue\b)")
"""A line that only looks whether what stands before it went wrong."""


class Worded(NamedTuple):
    """A statement that words a part of a chain: how deep in it, from 0 for the innermost message, and where in that."""

    link: int
    start: int
    frame: Frame


def chain_of(trace: Trace | None, templates: Sequence[Template]) -> list[str]:
    """The messages of an error that no frame places, the innermost first; else those that only the canary logs."""
    if trace is not None:
        found = [line for one in (*trace.causes, trace) for line in one.message.split("\n")]
    else:
        found = [PREFIX.sub("", one.text, count=1) for one in templates if one.level in SERIOUS]
    return [line.strip()[:LONGEST] for line in found if line.strip()][:MOST_MESSAGES]


def phrases_of(messages: Sequence[str]) -> list[str]:
    """Pairs of words that follow each other, to search the source for; those said last first."""
    found: dict[str, None] = {}
    for message in messages:
        for part in reversed(BETWEEN.split(message)):
            words = [word.strip(",;.()'\"`") for word in part.split()]
            pairs = pairwise(words)
            found |= {f"{one} {two}": None for one, two in pairs if re.fullmatch(r"[A-Za-z-]+", one + two)}
    return list(found)[:MOST_PHRASES]


def worded(hits: Sequence[tuple[str, int, str]], messages: Sequence[str]) -> list[Worded]:
    """The statements among these lines (path, line, text) that word a part of the chain, the innermost first."""
    found: list[Worded] = []
    for path, number, text in hits:
        if language_of(path) is None:
            continue
        for literal in strings(code_of(path, text)):
            for link, message in enumerate(messages):
                if (start := _start(literal, message)) is not None:
                    frame = Frame(
                        path=path, line=number, function=None, code=text.strip(), kind="application", file=path
                    )
                    found.append(Worded(link, start, frame))
                    break
    return sorted(found, key=lambda one: (one.link, -one.start, one.frame.path, one.frame.line))


def names_of(found: Sequence[Worded], texts: Mapping[str, str]) -> dict[str, Worded]:
    """What is called by a name where it is used: errors that are worded outside of any function."""
    names: dict[str, Worded] = {}
    for one in found:
        path, line = str(one.frame.file), one.frame.line
        text = texts.get(path, "")
        if not text or function_at(path, text, line) is not None:
            continue
        lines = text.split("\n")[line - 1 : line + 2]
        if lines[0].lstrip().startswith("#["):
            variant = next((match[1] for after in lines[1:] if (match := VARIANT.match(after))), None)
            names |= {variant: one} if variant else {}
        else:
            names |= dict.fromkeys(defines(code_of(path, lines[0])), one)
    return {name: one for name, one in names.items() if len(name) > LEAST_NAME}


def used_at(hits: Sequence[tuple[str, int, str]], names: Mapping[str, Worded]) -> list[Worded]:
    """The statements among these lines that use an error by its name, as if they worded it."""
    return [
        Worded(
            one.link,
            one.start,
            Frame(path=path, line=number, function=None, code=text.strip(), kind="application", file=path),
        )
        for path, number, text in hits
        for name, one in names.items()
        if (path, number) != (one.frame.path, one.frame.line) and name in code_of(path, text)
    ]


def is_handed_up(trace: Trace, texts: Mapping[str, str]) -> bool:
    """Whether a trace ends where an error that came from elsewhere is only raised."""
    if not any(frame.file for one in (*trace.causes, trace) for frame in one.frames):
        return True
    frame = trace.innermost
    if trace.language not in RAISED or frame is None or frame.file is None or frame.file not in texts:
        return False
    lines = texts[frame.file].split("\n")
    return 1 <= frame.line <= len(lines) and RAISES.match(lines[frame.line - 1]) is not None


def calls_worded(found: Sequence[Worded], texts: Mapping[str, str]) -> tuple[Call, ...]:
    """The statements as the calls of a trace."""
    calls: list[Call] = []
    depth = 0
    for _, places in _steps(found):
        if len(places) > MOST_PLACES:
            continue
        within = [one for one in places if function_at(one.path, texts.get(one.path, ""), one.line) is not None]
        lines = {one.path: texts.get(one.path, "").split("\n") for one in places}
        calls += [Call(frame=_failing(one, lines[one.path]), depth=depth) for one in within or places]
        depth += 1
    return tuple(calls)


def beneath(calls: Sequence[Call], of_trace: Sequence[Call]) -> tuple[Call, ...]:
    """The statements that word an error, and outside of them the calls of the trace that raised it in the end."""
    raised = {(call.frame.file, call.frame.line) for call in of_trace}
    inner = [call for call in calls if (call.frame.file, call.frame.line) not in raised]
    depth = max((call.depth for call in inner), default=-1) + 1
    return (*inner, *(call.model_copy(update={"depth": call.depth + depth}) for call in of_trace)) if inner else ()


def _steps(found: Sequence[Worded]) -> Iterator[tuple[tuple[int, int], list[Frame]]]:
    steps: dict[tuple[int, int], dict[tuple[str, int], Frame]] = {}
    for one in found:
        steps.setdefault((one.link, -one.start), {})[one.frame.path, one.frame.line] = one.frame
    yield from ((key, list(places.values())) for key, places in steps.items())


def _failing(frame: Frame, lines: Sequence[str]) -> Frame:
    """The call whose error a statement words, where that stands right above the check of it."""
    for number in range(frame.line - 1, max(0, frame.line - 3), -1):
        text = lines[number - 1] if number <= len(lines) else ""
        if CHECKED.match(text) and ":=" not in text and number > 1 and lines[number - 2].strip() not in {"", "}"}:
            return frame.model_copy(update={"line": number - 1, "code": lines[number - 2].strip()})
    return frame


def _start(literal: str, message: str) -> int | None:
    """Where in a message the text of a statement stands, whole; None where it does not."""
    text = WRAPS.sub("", literal).strip()
    parts = PLACE.split(text)
    if len(re.findall(r"[A-Za-z]", "".join(parts))) < LEAST_LETTERS:
        return None
    starts = [0, *(match.end() for match in BETWEEN.finditer(message))]
    return next((start for start in starts if _stands(parts, message, start)), None)


def _stands(parts: Sequence[str], message: str, start: int) -> bool:
    """Whether the parts of a text stand in a message in order, from `start` to where it or its link ends."""
    if not message.startswith(parts[0], start):
        return False
    at = start + len(parts[0])
    for part in parts[1:-1]:
        at = message.find(part, at)
        if at < 0:
            return False
        at += len(part)
    if len(parts) == 1:
        return _ends(message, at)
    last = parts[-1]
    while last and (at := message.find(last, at)) >= 0:
        if _ends(message, at + len(last)):
            return True
        at += 1
    return not last


def _ends(message: str, at: int) -> bool:
    return not message[at:].strip(" .;,") or message.startswith((": ", ":\n"), at)
