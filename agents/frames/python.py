"""Python tracebacks, as the interpreter and `logging` print them."""

import re
from collections.abc import Sequence
from typing import Literal

from agents.frames.nouns import Frame, Reader, Trace

START = re.compile(r"(?:^|[\s|:+])(?P<mark>(?:Exception Group )?Traceback \(most recent call last\):)\s*$")
FRAME = re.compile(r'^(?P<lead>[\s|]*)File "(?P<path>[^"\n]+)", line (?P<line>\d{1,9})(?:, in (?P<function>.+?))?\s*$')
ENDING = re.compile(r"^(?P<type>[A-Za-z_][\w.<>]*)(?::\s?(?P<message>.*))?$")
EXCEPTION = re.compile(
    r"(?!(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)$)(?:.*\.\w+|.*[A-Z]\w*|\w*error)$"
)
"""A name that can be an exception's: what follows a trace that is cut is another log line."""
BRIDGE = re.compile(r"^(?:The above exception was the direct cause|During handling of the above exception)")
BARS = re.compile(r"^\s*[|+]")
MARGIN = re.compile(r"^\s*[|+] ?")
CARETS = re.compile(r"^[\s|]*[\^~]+[\s\^~]*$")
DEPENDENCY = re.compile(r"(?:^|/)(?:site-packages|dist-packages)/")
RUNTIME = re.compile(r"(?:^|/)(?:lib|Lib)/python\d(?:\.\d+)?/|^<")
LONGEST_TRACE = 2000
"""Lines read of one trace: a recursion error repeats itself a thousand times."""
LONGEST_MESSAGE = 50
"""Lines that an exception's message, and notes added to it, may have before the next link of the chain."""


def find(lines: Sequence[str]) -> tuple[Trace, ...]:
    """The tracebacks of these rows; chained ones and groups are one trace. A cut one counts if it has a frame."""
    found: list[Trace] = []
    group: tuple[int, int] | None = None
    at = 0
    while at < len(lines):
        start = START.search(lines[at])
        if start is None and not (_opens_syntax_error(lines, at) or _opens_cut_log(lines, at)):
            at += 1
            continue
        lead = start.start("mark") if start else 0
        begin = at + 1 if start else at
        if group is not None and (lead <= group[1] or not _is_inside(lines, group[0], at)):
            group = None
        trace, after = _read_trace(lines, at, begin, lead)
        if trace is None:
            at = after
            continue
        if start and start["mark"].startswith("Exception Group") and group is None:
            group = (after, lead)
            found.append(_after_chain(lines, found, trace))
        elif group is not None:
            found.append(_with_member(lines, found.pop(), trace))
        else:
            found.append(_after_chain(lines, found, trace))
        at = after
    return tuple(found)


def _after_chain(lines: Sequence[str], found: list[Trace], trace: Trace) -> Trace:
    """The trace, with the one before it among its causes if Python says that it came from it."""
    if not found or not _is_chained(lines, found[-1].last_line, trace.first_line):
        return trace
    previous = found.pop()
    bare = previous.model_copy(update={"causes": ()})
    return trace.model_copy(update={"first_line": previous.first_line, "causes": (*previous.causes, bare)})


def _with_member(lines: Sequence[str], group: Trace, member: Trace) -> Trace:
    """A group with one more of its exceptions. Where that one has a cause, the cause has been read just before it."""
    causes = group.causes
    if causes and _is_chained(lines, group.last_line, member.first_line):
        member = member.model_copy(update={"first_line": group.causes[-1].first_line})
    return group.model_copy(update={"last_line": member.last_line, "causes": (*causes, member)})


def _is_inside(lines: Sequence[str], start: int, at: int) -> bool:
    """Whether every line has the bars that Python draws beside the members of a group."""
    return all(BARS.match(line) for line in lines[start:at])


def _read_trace(lines: Sequence[str], first: int, at: int, lead: int) -> tuple[Trace | None, int]:
    """Read the frames and the ending; returns the trace and the index after it."""
    frames: list[Frame] = []
    grouped = bool(lead) and lines[first][:lead].strip() in {"|", "+"}
    while at < len(lines) and at - first < LONGEST_TRACE:
        line = _without_margin(lines[at], grouped=grouped)
        frame = FRAME.match(line)
        if frame is not None:
            code = None
            if at + 1 < len(lines) and _is_code(_without_margin(lines[at + 1], grouped=grouped)):
                code = _without_margin(lines[at + 1], grouped=grouped).strip()
                at += 1
            frames.append(_frame(frame, code))
            at += 1
        elif not line.strip() or line[:1].isspace() or CARETS.match(line):
            if frames and not line.strip():
                break
            at += 1
        else:
            ending = ENDING.match(line)
            if ending is None or not frames or not EXCEPTION.match(ending["type"]):
                break
            return _trace(first, at, ending, frames), at + 1
    return (_trace(first, at - 1, None, frames) if frames else None), max(at, first + 1)


def _trace(first: int, last: int, ending: re.Match[str] | None, frames: list[Frame]) -> Trace:
    return Trace(
        item="",
        first_line=first + 1,
        last_line=last + 1,
        exception=ending["type"].rpartition(".")[2] if ending else None,
        message=(ending["message"] or "").strip() if ending else "",
        frames=tuple(reversed(frames)),
    )


def _frame(match: re.Match[str], code: str | None) -> Frame:
    path = match.group("path").replace("\\", "/")
    kind: Literal["application", "dependency", "runtime"] = "application"
    if DEPENDENCY.search(path):
        kind = "dependency"
    elif RUNTIME.search(path):
        kind = "runtime"
    return Frame(path=path, line=int(match.group("line")), function=match.group("function"), code=code, kind=kind)


def _opens_syntax_error(lines: Sequence[str], at: int) -> bool:
    """`File "x", line 3` with no function and no Traceback line before it: a SyntaxError at start."""
    frame = FRAME.match(lines[at])
    if frame is None or frame.group("function"):
        return False
    return any(line.startswith(("SyntaxError", "IndentationError", "TabError")) for line in lines[at : at + 6])


def _opens_cut_log(lines: Sequence[str], at: int) -> bool:
    """A frame in the first two lines of a log: the line that opens the trace is not in it any more."""
    frame = FRAME.match(lines[at])
    return frame is not None and frame["function"] is not None and (at == 0 or (at == 1 and _is_code(lines[0])))


def _is_code(line: str) -> bool:
    return line[:1].isspace() and bool(line.strip()) and not FRAME.match(line) and not CARETS.match(line)


def _without_margin(line: str, *, grouped: bool) -> str:
    """The line without the bars that Python draws beside the members of an exception group."""
    return MARGIN.sub("", line, count=1) if grouped else line


def _is_chained(lines: Sequence[str], last: int, first: int) -> bool:
    """Whether Python's sentence about causes stands between two traces, after the rest of a message of many lines."""
    between = [line.strip(" |") for line in lines[last : first - 1] if line.strip(" |")]
    return 0 < len(between) <= LONGEST_MESSAGE and BRIDGE.match(between[-1]) is not None


READER = Reader("python", ("Traceback (most recent call last)", ", line "), find)
