"""Rust traces: panics with and without a backtrace, and the error chains that anyhow and eyre print.

A panic always tells one place, of the caller where a library blames its caller (`#[track_caller]`); a backtrace adds
the rest, with files only where the build kept them. Symbols are told as in the source: no hashes, no generics.
"""

import re
from collections.abc import Sequence

from agents.frames.nouns import Frame, Reader, Trace
from agents.frames.rust_symbols import Call, classed, placed

PLACE = r"(?P<path>[^\s:']{1,500}):(?P<line>\d{1,9}):\d{1,9}"
PANIC = re.compile(r"thread '(?P<thread>[^'\n]{0,200})'(?: \(\d{1,20}\))? panicked at (?P<rest>.*)$")
AT = re.compile(r"^" + PLACE + r":?$")
QUOTED_AT = re.compile(r"^(?:'(?P<message>.*)', )?" + PLACE + r"$")
QUOTED_END = re.compile(r"^(?P<message>.*)', " + PLACE + r"$")
DIED = re.compile(
    r"^(?:thread '[^'\n]{0,200}'(?: \(\d{1,20}\))? has overflowed its stack|"
    r"memory allocation of \d{1,30} bytes failed)"
)
BACKTRACE = re.compile(r"^\s*(?:stack backtrace|Stack backtrace|Backtrace|━{3,40} BACKTRACE ━{3,40}):?\s*$")
NOTE = re.compile(r"^\s*note: (?:run with|Some details)")
FRAME = re.compile(r"^\s*\d{1,5}:\s{1,24}(?:0x[0-9a-f]{1,16} - )?(?P<name>\S.{0,2000})$")
FRAME_AT = re.compile(r"^\s+at (?P<path>[^\s:][^:\n]{0,500}):(?P<line>\d{1,9})(?::\d{1,9})?\s*$")
HIDDEN = re.compile(r"^\s*⋮")
CAUSED_BY = re.compile(r"^\s*Caused by:\s*$")
CAUSE = re.compile(r"^\s{2,8}(?:(?P<number>\d{1,4}): )?(?P<message>\S.*)$")
ERROR = re.compile(r"(?:^|[\s\]])(?:Error|ERROR|error)\b:? ?(?P<message>.*)$")
CRASHED = re.compile(r"^\s*The application panicked \(crashed\)\.\s*$")
"""How color-eyre tells of a panic: the message and the place on lines of their own."""
CRASHED_MESSAGE = re.compile(r"^\s*Message:\s{1,8}(?P<message>.*)$")
CRASHED_AT = re.compile(r"^\s*Location:\s{1,8}(?P<path>[^\s:]{1,500}):(?P<line>\d{1,9})\s*$")
LOCATION = re.compile(r"^\s*Location:\s*$")
LOCATION_AT = re.compile(r"^\s+" + PLACE + r"\s*$")
LONGEST_LINE = 4000
LONGEST_TRACE = 2000
LONGEST_MESSAGE = 50


def find(rows: Sequence[str]) -> tuple[Trace, ...]:
    """The panics, aborts and printed error chains of these rows, in order."""
    found: list[Trace] = []
    at = free = 0
    while at < len(rows):
        row = rows[at][:LONGEST_LINE]
        trace, after = None, at + 1
        if "panicked at " in row and (panic := PANIC.search(row)):
            trace, after = _read_panic(rows, at, panic)
        elif row.startswith(("thread '", "memory allocation of")) and DIED.match(row):
            kind = "stack overflow" if row.startswith("thread") else "out of memory"
            trace = _trace(at, at, kind, row.strip(), ())
        elif CRASHED.match(row):
            trace, after = _read_crashed(rows, at)
        elif CAUSED_BY.match(row):
            trace, after = _read_chain(rows, at, free)
        elif BACKTRACE.match(row):
            trace, after = _read_lone_backtrace(rows, at, free)
        else:
            at += 1
            continue
        found += [trace] if trace is not None else []
        at = free = max(after, at + 1)
    return tuple(found)


def _read_panic(rows: Sequence[str], at: int, panic: re.Match[str]) -> tuple[Trace | None, int]:
    place = AT.match(panic["rest"].rstrip())
    if place is not None and panic["rest"].rstrip().endswith(":"):
        message, after = _message(rows, at + 1)
    else:
        place, message, after = _quoted(rows, at, panic["rest"].rstrip())
    if place is None:
        return None, at + 1
    calls, after = _backtrace(rows, after)
    frames = placed(classed(calls), place["path"], int(place["line"]))
    return _trace(at, after - 1, "panic", message, frames), after


def _read_crashed(rows: Sequence[str], at: int) -> tuple[Trace | None, int]:
    said = CRASHED_MESSAGE.match(rows[at + 1][:LONGEST_LINE]) if at + 1 < len(rows) else None
    if said is None:
        return None, at + 1
    message = [said["message"]]
    for end in range(at + 2, min(at + LONGEST_MESSAGE, len(rows))):
        place = CRASHED_AT.match(rows[end][:LONGEST_LINE])
        if place is not None:
            calls, after = _backtrace(rows, _after_blanks(rows, end + 1))
            after = after if calls else end + 1
            frames = placed(classed(calls), place["path"], int(place["line"]))
            return _trace(at, after - 1, "panic", "\n".join(message), frames), after
        if CRASHED.match(rows[end][:200]):
            break
        message.append(rows[end])
    return None, at + 1


def _message(rows: Sequence[str], at: int) -> tuple[str, int]:
    """The lines of a panic's message: to the backtrace or the note. Without either only the first one is sure."""
    for end in range(at, min(at + LONGEST_MESSAGE, len(rows))):
        row = rows[end][:LONGEST_LINE]
        if row.startswith("stack backtrace:") or NOTE.match(row):
            return "\n".join(rows[at:end]), end
        if PANIC.search(row) or DIED.match(row) or BACKTRACE.match(row):
            break
    return (rows[at], at + 1) if at < len(rows) else ("", at)


def _quoted(rows: Sequence[str], at: int, rest: str) -> tuple[re.Match[str] | None, str, int]:
    """Place and message as Rust wrote them before 1.73: the message in quotes, over several lines if it has them."""
    place = QUOTED_AT.match(rest)
    if place is not None:
        return place, place["message"] or "", at + 1
    said = [rest.removeprefix("'")]
    for end in range(at + 1, min(at + LONGEST_MESSAGE, len(rows))):
        row = rows[end][:LONGEST_LINE]
        place = QUOTED_END.match(row.rstrip())
        if place is not None:
            return place, "\n".join([*said, place["message"]]), end + 1
        if PANIC.search(row):
            break
        said.append(row)
    return None, "", at + 1


def _read_chain(rows: Sequence[str], at: int, free: int) -> tuple[Trace | None, int]:
    """An error chain as anyhow and eyre print it: the error, what caused it, and a backtrace if there is one."""
    begin, message = _error_above(rows, at, free)
    if begin is None:
        return None, at + 1
    causes, after = _causes(rows, at + 1)
    if not causes:
        return None, at + 1
    frames, after = _where(rows, after)
    links = [_trace(at, after - 1, "Error", said, frames if said is causes[-1] else ()) for said in causes]
    whole = _trace(begin, after - 1, "Error", message, frames)
    return whole.model_copy(update={"causes": tuple(reversed(links))}), after


def _error_above(rows: Sequence[str], at: int, free: int) -> tuple[int | None, str]:
    said: list[str] = []
    for above in range(at - 1, max(free, at - LONGEST_MESSAGE) - 1, -1):
        row = rows[above][:LONGEST_LINE].strip()
        error = ERROR.search(row)
        if error is not None:
            return above, "\n".join([error["message"], *reversed(said)]).strip()
        if row:
            said.append(row)
    return None, ""


def _causes(rows: Sequence[str], at: int) -> tuple[list[str], int]:
    """The messages below `Caused by:`, outermost first; one alone has no number."""
    causes: list[str] = []
    begin = at
    while at < len(rows) and at - begin < LONGEST_MESSAGE:
        cause = CAUSE.match(rows[at][:LONGEST_LINE])
        if cause is None or LOCATION.match(rows[at]) or BACKTRACE.match(rows[at][:200]):
            break
        if causes and cause["number"] is None:
            causes[-1] = f"{causes[-1]}\n{cause['message']}"
        else:
            causes.append(cause["message"])
        at += 1
    return causes, at


def _where(rows: Sequence[str], at: int) -> tuple[tuple[Frame, ...], int]:
    """The frames that may follow an error: eyre's `Location:`, a backtrace, or both."""
    start = _after_blanks(rows, at)
    location = None
    if start + 1 < len(rows) and LOCATION.match(rows[start][:200]):
        location = LOCATION_AT.match(rows[start + 1][:LONGEST_LINE])
        at = start + 2 if location else at
    calls, after = _backtrace(rows, _after_blanks(rows, at))
    frames = classed(calls)
    if location is not None:
        frames = placed(frames, location["path"], int(location["line"]))
    return tuple(frames), (after if calls else at)


def _after_blanks(rows: Sequence[str], at: int) -> int:
    end = min(at + 3, len(rows))
    while at < end and not rows[at].strip():
        at += 1
    return at


def _read_lone_backtrace(rows: Sequence[str], at: int, free: int) -> tuple[Trace | None, int]:
    """A backtrace under an error without causes, or under nothing where the log was cut."""
    calls, after = _backtrace(rows, at)
    if not calls:
        return None, at + 1
    begin, message = _error_above(rows, at, max(free, at - 4))
    kind = None if begin is None else "Error"
    return _trace(at if begin is None else begin, after - 1, kind, message, classed(calls)), after


def _backtrace(rows: Sequence[str], at: int) -> tuple[list[Call], int]:
    """The frames of a backtrace that begins here, or just below a note; and the index after it."""
    start = at
    while start < len(rows) and start - at < 2 and NOTE.match(rows[start][:200]):
        start += 1
    if start >= len(rows) or not BACKTRACE.match(rows[start][:200]):
        return [], start
    calls: list[Call] = []
    end = start + 1
    while end < len(rows) and end - start < LONGEST_TRACE:
        row = rows[end][:LONGEST_LINE]
        place = FRAME_AT.match(row)
        frame = FRAME.match(row) if place is None else None
        if place is not None and calls:
            if not calls[-1].path:
                calls[-1] = Call(calls[-1].name, place["path"], int(place["line"]))
        elif frame is not None:
            calls.append(Call(frame["name"].strip(), "", 0))
        elif not HIDDEN.match(row):
            break
        end += 1
    if end < len(rows) and NOTE.match(rows[end][:200]):
        end += 1
    return calls, end


def _trace(first: int, last: int, kind: str | None, message: str, frames: Sequence[Frame]) -> Trace:
    return Trace(
        item="",
        language="rust",
        first_line=first + 1,
        last_line=max(first, last) + 1,
        exception=kind,
        message=message.strip(),
        frames=tuple(frames),
    )


READER = Reader(
    "rust",
    (
        "panicked at ",
        "Caused by:",
        "ack backtrace:",
        "overflowed its stack",
        "memory allocation of ",
        "BACKTRACE",
        "panicked (crashed)",
    ),
    find,
)
