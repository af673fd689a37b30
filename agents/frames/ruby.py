"""Ruby traces: as the interpreter prints them (in either order), and as Rails, Logger, Puma and Sidekiq log them.

A backtrace is a run of places (`app/cart.rb:12:in 'Cart#total'`). The exception stands on the first of them, or on a
line above: `NoMethodError (undefined method 'x' for nil):`, `KeyError: key not found`, `#<KeyError: key not found>`.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from agents.frames.nouns import Frame, Reader, Trace
from agents.frames.ruby_places import FRAME, PATH, PLACE, frame_at, frame_of, frames_from, without_c_places

CONSTANT = r"(?P<type>[A-Z]\w{0,100}(?:::[A-Z]\w{0,100}){0,10})"
HEAD = re.compile(r"(?:^|(?<=\s))" + PLACE + r": (?P<said>.*)$")
"""The first line that the interpreter prints: the innermost place, and what happened there."""
LOGGED = re.compile(r"(?:^|\s)[A-Z]{4,7}(?: -- [^:]{0,80})?: (?:\[[^\]\n]{1,100}\] ){0,4}" + PLACE + r"\s*$")
"""The first place of a backtrace where a logger's own words stand before it."""
SAID = re.compile(r"^(?P<message>.*?) ?\(" + CONSTANT + r"\)$")
NAMED = (
    re.compile(r"(?:^|[\s:\]])" + CONSTANT + r" \((?P<message>.*)\):?\s*$"),
    re.compile(r"#<" + CONSTANT + r": (?P<message>.*)>\s*$"),
    re.compile(
        r"(?:^|[\s\]])(?P<type>(?:[A-Z]\w{0,100}::){1,10}[A-Z]\w{0,100}|[A-Z]\w{0,100}?(?:Error|Exception|Interrupt)): "
        r"(?P<message>.*)$"
    ),
    re.compile(r"^(?P<message>.*) \(" + CONSTANT + r"\)$"),
)
"""How a line above a backtrace names the exception, in the order in which they are tried."""
NAMES_END = (")", "):", ">")
"""The ends of the lines that the first, second and last of them read: looking for more would take quadratic time."""
LOGS = re.compile(r"^.{0,200}?(?:ERROR|FATAL|WARN)(?: -- [^:]{0,80})?: (?P<message>.*)$")
OF_CAUSE = re.compile(r"(?:^|\] )(?:Information for cause|Caused by|Cause): ")
OF_WHOLE = re.compile(r"(?:^|\] )Information for: ")
BLANK = re.compile(r"^\s*(?:\[[^\]\n]{1,100}\]\s{0,4}){0,4}$")
"""Nothing, or only the tags that Rails puts before every line."""
REVERSED = "Traceback (most recent call last):"
SYNTAX = re.compile(
    r"^(?P<lead>"
    + PATH
    + r":\d{1,9}:in [`'][^`'\n]{1,300}': )?(?:--> .*|(?P<path>"
    + PATH
    + r"):(?P<line>\d{1,9}): syntax error.*)"
)
LONGEST_LINE = 4000
LONGEST_MESSAGE = 50
LONGEST_WAY_UP = 16
"""Lines above a backtrace in which its exception is looked for; Rails quotes the template there."""


class Read(NamedTuple):
    """An exception, and the index after its last line."""

    trace: Trace
    after: int


def find(rows: Sequence[str]) -> tuple[Trace, ...]:
    """The traces of these rows; an exception and those it came from are one."""
    found: list[Trace] = []
    at = free = 0
    while at < len(rows):
        read = _read(rows, at, free)
        if read is None:
            free = at + 1 if ":in " in rows[at] else free  # no line is looked at by two backtraces
            at += 1
            continue
        found.append(read.trace)
        at = free = max(read.after, at + 1)
    return tuple(found)


def _read(rows: Sequence[str], at: int, free: int) -> Read | None:
    row = rows[at][:LONGEST_LINE]
    if row.rstrip().endswith(REVERSED) and at + 1 < len(rows):
        return _read_reversed(rows, at)
    if ":in " in row:
        if FRAME.match(row) or LOGGED.search(row):
            return _read_logged(rows, at, free)
        head = HEAD.search(row)
        return _read_printed(rows, at, head) if head else None
    syntax = SYNTAX.match(row) if ": syntax error" in row else None
    if syntax is None or not syntax["path"]:
        return None
    frame = frame_at(syntax["path"], int(syntax["line"]), None)
    return Read(_trace(at, at, "SyntaxError", row.partition(": ")[2], [frame]), at + 1)


def _read_printed(rows: Sequence[str], at: int, head: re.Match[str]) -> Read | None:
    """What the interpreter prints: an exception, then at once those it came from, each with its own backtrace."""
    chain: list[Trace] = []
    after = at
    while head is not None:
        one = _read_one(rows, after, head)
        if one is None or any(_is_same(one.trace, other) for other in chain):
            break
        if chain and one.trace.frames[-1] != chain[0].frames[-1]:
            break
        chain.append(one.trace)
        after = one.after
        following = HEAD.search(rows[after][:LONGEST_LINE]) if after < len(rows) else None
        if following is None:
            break
        head = following
    return Read(_joined(chain), after) if chain else None


def _read_one(rows: Sequence[str], at: int, head: re.Match[str]) -> Read | None:
    """One exception: its first line, more of the message or a marked piece of source, and the places below."""
    said = SAID.match(head["said"])
    begin, message = at, [head["said"]]
    at += 1
    while at < len(rows) and at - begin < LONGEST_MESSAGE:
        row = rows[at][:LONGEST_LINE]
        if row.endswith(REVERSED) or (":in " in row and (FRAME.match(row) or HEAD.search(row))):
            break
        if said is None:
            said = SAID.match(row)
        message.append(row)
        at += 1
    frames, after = frames_from(rows, at, "printed")
    if said is None or (not frames and at - begin > 1):
        lone = SAID.match(head["said"])
        if lone is None:
            return None
        said, message, after = lone, [head["said"]], begin + 1
    places = [frame_of(head), *frames]
    syntax = SYNTAX.match(head["said"]) if said["type"] == "SyntaxError" else None
    if syntax is not None and syntax["path"]:
        places.insert(0, frame_at(syntax["path"], int(syntax["line"]), None))
    text = "\n".join(message).replace(f" ({said['type']})", "", 1)
    return Read(_trace(begin, after - 1, said["type"], text, places), after)


def _read_reversed(rows: Sequence[str], at: int) -> Read | None:
    """What Ruby 2.5 to 2.7 print on a terminal: outermost place first, causes before what came of them."""
    chain: list[Trace] = []
    after = at + 1
    while after < len(rows) and len(chain) < LONGEST_MESSAGE:
        frames, end = frames_from(rows, after, "numbered")
        head = HEAD.search(rows[end][:LONGEST_LINE]) if end < len(rows) else None
        said = SAID.match(head["said"]) if head else None
        if head is None or said is None or (chain and not frames):
            break
        places = [frame_of(head), *reversed(frames)]
        chain.append(_trace(after if chain else at, end, said["type"], said["message"], places))
        after = end + 1
    if not chain:
        return None
    return Read(_joined(chain[::-1]), after)


def _read_logged(rows: Sequence[str], at: int, free: int) -> Read | None:
    """A backtrace that a program wrote: what it belongs to is told above it, and causes below it."""
    whole = _read_backtrace(rows, at, free)
    if whole is None:
        return None
    chain, after = [whole.trace], whole.after
    while after < len(rows) and len(chain) < LONGEST_MESSAGE:
        begin = next((index for index in range(after, min(after + 3, len(rows))) if not BLANK.match(rows[index])), None)
        if begin is None or not OF_CAUSE.search(rows[begin][:LONGEST_LINE]):
            break
        frames = range(begin + 1, min(begin + LONGEST_WAY_UP, len(rows)))
        place = next((index for index in frames if FRAME.match(rows[index][:LONGEST_LINE])), None)
        cause = _read_backtrace(rows, place, begin) if place is not None else None
        if cause is None:
            break
        chain.append(cause.trace)
        after = cause.after
    return Read(_joined(chain), after)


def _read_backtrace(rows: Sequence[str], at: int, free: int) -> Read | None:
    first = LOGGED.search(rows[at][:LONGEST_LINE])
    frames, after = frames_from(rows, at + 1 if first else at)
    places = [*([frame_of(first)] if first else []), *frames]
    begin, kind, message = _named_above(rows, at, free)
    if kind is None and len(places) < 2:
        return None
    return Read(_trace(begin, after - 1, kind, message, places), after)


def _named_above(rows: Sequence[str], at: int, free: int) -> tuple[int, str | None, str]:
    """Where the exception of a backtrace is named, its type and message."""
    lowest = max(free, at - LONGEST_WAY_UP)
    for above in range(at - 1, lowest - 1, -1):
        row = rows[above][:LONGEST_LINE]
        if OF_WHOLE.search(row):
            lowest = max(free, above - LONGEST_WAY_UP)
        match = _name_in(row.rstrip())
        if match is not None:
            more = [] if match.re is NAMED[0] else [line.strip() for line in rows[above + 1 : at] if line.strip()]
            begin, before = _begin_of_logged(rows, above, lowest) if match.re is NAMED[3] else (above, [])
            return begin, match["type"], "\n".join([*before, match["message"], *more])
    blamed = LOGS.search(rows[at - 1][:LONGEST_LINE]) if at > free else None
    return at, None, (blamed["message"] if blamed else "")


def _begin_of_logged(rows: Sequence[str], last: int, lowest: int) -> tuple[int, list[str]]:
    """Where a logged message of several lines begins that ends with its type, and its lines before the last."""
    for above in range(last, lowest - 1, -1):
        logged = LOGS.match(rows[above][:LONGEST_LINE])
        if logged is not None:
            return above, [logged["message"], *rows[above + 1 : last]] if above < last else []
    return last, []


def _name_in(row: str) -> re.Match[str] | None:
    """The exception that a line names, if it does. A word in capitals is a level."""
    logged = LOGS.match(row)
    for form in NAMED:
        if form is not NAMED[2] and not row.endswith(NAMES_END):
            continue
        match = form.search(logged["message"] if logged and form is NAMED[3] else row)
        if match is not None and not match["type"].isupper():
            return match
    return None


def _trace(begin: int, last: int, kind: str | None, message: str, frames: Sequence[Frame]) -> Trace:
    return Trace(
        item="",
        language="ruby",
        first_line=begin + 1,
        last_line=last + 1,
        exception=kind.rpartition("::")[2] if kind else None,
        message=message.strip(),
        frames=tuple(without_c_places(frames)),
    )


def _is_same(one: Trace, other: Trace) -> bool:
    return (one.exception, one.message, one.frames) == (other.exception, other.message, other.frames)


def _joined(chain: Sequence[Trace]) -> Trace:
    """A chain, the exception that was let through first, as one trace."""
    first, last = min(one.first_line for one in chain), max(one.last_line for one in chain)
    causes = tuple(reversed(chain[1:]))
    return chain[0].model_copy(update={"first_line": first, "last_line": last, "causes": causes})


READER = Reader("ruby", (":in `", ":in '", ": syntax error"), find)
