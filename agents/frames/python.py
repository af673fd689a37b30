"""Python tracebacks, as the interpreter, `logging`, `faulthandler` and loguru print them.

A failure inside a logging call has the stack of that call below its own, and is one trace with it. A dump of
`faulthandler` is the trace of the thread that crashed; its exception is `Fatal Python error`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from agents.frames.boxes import unboxed
from agents.frames.nouns import Frame, Reader, Trace

START = re.compile(r"(?:^|[\s|:+])(?P<mark>(?:Exception Group )?Traceback \(most recent call last\):)\s*$")
FRAME = re.compile(r'^(?P<lead>[\s|>]*)File "(?P<path>[^"\n]+)", line (?P<line>\d{1,9})(?:, in (?P<function>.+))?\s*$')
ENDING = re.compile(r"^(?P<type>[A-Za-z_][\w.<>]{0,300})(?::\s?(?P<message>.*))?$")
EXCEPTION = re.compile(
    r"(?!(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)$)(?:.*\.\w+|.*[A-Z]\w*|\w*error)$"
)
"""A name that can be an exception's: what follows a trace that is cut is another log line."""
BRIDGE = re.compile(r"^(?:The above exception was the direct cause|During handling of the above exception)")
BARS = re.compile(r"^\s*[|+]")
MARGIN = re.compile(r"^\s*[|+] ?")
CARETS = re.compile(r"^[\s|]*[\^~][\s\^~]*$")
DEPENDENCY = re.compile(
    r"(?:^|/)(?:site-packages|dist-packages|__pypackages__|installed_wheels)/|\.(?:egg|whl)/|(?:^|/)external/[^/]*pypi"
)
RUNTIME = re.compile(
    r"(?:^|/)[Ll]ib(?:64|32)?/(?:python|pypy)\d(?:\.\d+)?t?/|(?:^|/)[Pp]ython[\d.-]*/[Ll]ib/|(?:^|/)python\d+\.zip/"
    r"|^<|^stringsource$"
)
CALL_STACK = re.compile(r"^Call stack:\s*$")
FATAL = re.compile(r"^Fatal Python error: (?P<message>.*)$|^(?P<timeout>Timeout) \([\d:.]+\)!\s*$")
DUMPED = re.compile(r"^(?P<current>Current t|T)hread 0x[0-9a-fA-F]+.{0,200}\(most recent call first\):\s*$")
DUMPED_FRAME = re.compile(r'^\s*File "(?P<path>[^"\n]+)", line (?P<line>\d{1,9}) in (?P<function>\S+)\s*$')
MOST_IN_DUMP = 10_000
"""Lines of the threads that one dump shows."""
GROUPS = frozenset({"ExceptionGroup", "BaseExceptionGroup"})
MOST_CAUSES = 100
"""Exceptions kept of one chain or group; Python itself prints fifteen of a group."""
LONGEST_TRACE = 2000
"""Lines read of one trace: a recursion error repeats itself a thousand times."""
LONGEST_MESSAGE = 50
"""Lines that an exception's message, and notes added to it, may have before the next link of the chain."""


class _Start(NamedTuple):
    """Where a traceback may begin: the column of its first words, and whether they are of a group."""

    column: int
    opens: bool
    """Whether there is such a line at all: a syntax error and a cut log have none."""
    is_group: bool


def find(lines: Sequence[str]) -> tuple[Trace, ...]:
    """The tracebacks of these rows; chained ones and groups are one trace. A cut one counts if it has a frame."""
    lines = unboxed(lines)
    found: list[Trace] = []
    group: tuple[int, int] | None = None
    at = 0
    while at < len(lines):
        line = lines[at]
        if "(most recent call first)" in line or line.startswith(("Fatal Python error: ", "Timeout (")):
            dump, at = _read_dump(lines, at)
            found += [dump] if dump else []
            continue
        start = _start(lines, at, found)
        if start is None:
            at += 1
            continue
        if group is not None and (start.column <= group[1] or not _is_inside(lines, group[0], at)):
            group = None
        trace, after = _read_trace(lines, at, start)
        if trace is None:
            at = after
            continue
        if start.is_group and group is None:
            group = (after, start.column)
            found.append(_after_chain(lines, found, trace))
        elif group is not None:
            found.append(_with_member(lines, found.pop(), trace))
            group = (after, group[1])
        elif not start.opens and _is_interrupted(found, at):
            found[-2] = _resumed(found[-2], trace)
            found[-2:] = reversed(found[-2:])
        else:
            found.append(_after_chain(lines, found, trace))
        at = after
    return tuple(found)


def _start(lines: Sequence[str], at: int, found: Sequence[Trace]) -> _Start | None:
    line = lines[at]
    if "Traceback (most" in line:
        match = START.search(line)
        if match is not None:
            return _Start(match.start("mark"), opens=True, is_group=match["mark"].startswith("Exception Group"))
    if ", line " not in line and not (found and found[-1].last_line == at):
        return None
    if _opens_syntax_error(lines, at) or _opens_cut_log(lines, at) or _goes_on(lines, at, found):
        return _Start(0, opens=False, is_group=False)
    return None


def _is_interrupted(found: Sequence[Trace], at: int) -> bool:
    """Whether another thread's traceback, complete and just read, stands in the middle of one that was cut by it."""
    if len(found) < 2 or found[-1].last_line != at or found[-2].exception is not None:
        return False
    return found[-1].exception is not None and found[-1].first_line - found[-2].last_line <= 2


def _goes_on(lines: Sequence[str], at: int, found: Sequence[Trace]) -> bool:
    """Whether the frames of an interrupted traceback go on here, maybe with the code of its last one."""
    if not _is_interrupted(found, at):
        return False
    return any(FRAME.match(line) for line in lines[at : at + 2]) and lines[at][:1].isspace()


def _resumed(begun: Trace, rest: Trace) -> Trace:
    """A traceback that was interrupted; it is quoted from where it goes on, since the rows before are in between."""
    return rest.model_copy(update={"frames": (*rest.frames, *begun.frames)})


def _after_chain(lines: Sequence[str], found: list[Trace], trace: Trace) -> Trace:
    """The trace, with the one before it among its causes if Python says that it came from it."""
    if not found or not _is_chained(lines, found[-1].last_line, trace.first_line):
        return trace
    previous = found.pop()
    causes = previous.causes
    if len(causes) < MOST_CAUSES:
        causes = (*causes, previous.model_copy(update={"causes": ()}))
    return trace.model_copy(update={"first_line": previous.first_line, "causes": causes})


def _with_member(lines: Sequence[str], group: Trace, member: Trace) -> Trace:
    """A group with one more of its exceptions. Where that one has a cause, the cause has been read just before it."""
    causes = group.causes
    if len(causes) >= MOST_CAUSES:
        return group.model_copy(update={"last_line": member.last_line})
    if causes and _is_chained(lines, group.last_line, member.first_line):
        cause = max(causes, key=lambda one: one.last_line)
        member = member.model_copy(update={"first_line": cause.first_line})
    ordered = sorted((*causes, member), key=lambda one: one.exception in GROUPS)  # what failed, before what gathers it
    return group.model_copy(update={"last_line": member.last_line, "causes": tuple(ordered)})


def _is_inside(lines: Sequence[str], start: int, at: int) -> bool:
    """Whether the lines have the bars that Python draws beside the members of a group.

    The second and later lines of a message have none.
    """
    bare = [line for line in lines[start : min(at, start + 2 * LONGEST_MESSAGE)] if not BARS.match(line)]
    return at - start <= 2 * LONGEST_MESSAGE and len(bare) <= LONGEST_MESSAGE


def _read_trace(lines: Sequence[str], first: int, start: _Start) -> tuple[Trace | None, int]:
    """Read the frames and the ending; returns the trace and the index after it."""
    at = first + 1 if start.opens else first
    lead = lines[first][: start.column]
    grouped = bool(lead) and lead.strip() in {"|", "+"}
    indent = start.column if not lead.strip() else 0
    is_spaced = at + 1 < len(lines) and not lines[at].strip() and FRAME.match(lines[at + 1]) is not None

    def shown(here: int) -> str:
        line = _without_margin(lines[here], grouped=grouped)
        return line[indent:] if indent and line[:indent].isspace() else line

    frames: list[Frame] = []
    while at < len(lines) and at - first < LONGEST_TRACE:
        line = shown(at)
        frame = FRAME.match(line)
        if frame is not None:
            code = None
            if at + 1 < len(lines) and _is_code(shown(at + 1)):
                code = shown(at + 1).strip()
                at += 1
            frames.append(_frame(frame["path"], int(frame["line"]), frame["function"], code))
            at += 1
        elif not line.strip() or line[:1].isspace() or CARETS.match(line):
            if frames and not line.strip() and not is_spaced:
                break
            at += 1
        else:
            ending = ENDING.match(line)
            if ending is None or not frames or not EXCEPTION.match(ending["type"]):
                break
            below, after = _read_call_stack(lines, at + 1)
            return _trace(first, after - 1, ending, [*below, *frames]), after
    return (_trace(first, at - 1, None, frames) if frames else None), max(at, first + 1)


def _read_call_stack(lines: Sequence[str], at: int) -> tuple[list[Frame], int]:
    """The calls that led to a failed logging call, outermost first, if they follow here.

    With the index after them and the message that could not be logged.
    """
    begin = at
    while at < len(lines) and at < begin + 5 and not CALL_STACK.match(lines[at]):
        if START.search(lines[at]):
            return [], begin
        at += 1
    if at >= len(lines) or not CALL_STACK.match(lines[at]):
        return [], begin
    trace, after = _read_trace(lines, at, _Start(0, opens=True, is_group=False))
    return (list(reversed(trace.frames)), after) if trace else ([], begin)


def _read_dump(lines: Sequence[str], first: int) -> tuple[Trace | None, int]:
    """What `faulthandler` says of all threads, innermost frame first, as the trace of the one that crashed."""
    fatal = FATAL.match(lines[first])
    at = first + 1 if fatal else first
    chosen: list[Frame] = []
    last = first
    while at < len(lines) and at - first < MOST_IN_DUMP:
        thread = DUMPED.match(lines[at])
        if thread is None:
            if lines[at].strip() and not (fatal and at - first < 4):
                break
            at += 1
            continue
        frames = []
        at += 1
        while at < len(lines) and (match := DUMPED_FRAME.match(lines[at])):
            frames.append(_frame(match["path"], int(match["line"]), match["function"], None))
            at += 1
            last = at - 1
        is_told = any(frame.kind == "application" for frame in chosen)
        if frames and (thread["current"].startswith("Current") or not is_told):
            chosen = frames
        if thread["current"].startswith("Current"):
            break
    if not chosen:
        return None, max(at, first + 1)
    name = "Fatal Python error" if fatal and not fatal["timeout"] else fatal["timeout"] if fatal else None
    message = (fatal["message"] or "").strip() if fatal else ""
    trace = _trace(first, last, None, list(reversed(chosen)))
    return trace.model_copy(update={"exception": name, "message": message}), last + 1


def _trace(first: int, last: int, ending: re.Match[str] | None, frames: list[Frame]) -> Trace:
    return Trace(
        item="",
        first_line=first + 1,
        last_line=last + 1,
        exception=ending["type"].rpartition(".")[2] if ending else None,
        message=(ending["message"] or "").strip() if ending else "",
        frames=tuple(reversed(frames)),
    )


@lru_cache(maxsize=4096)
def _frame(path: str, line: int, function: str | None, code: str | None) -> Frame:
    """Logs repeat themselves: the same frame is one object."""
    path = path.replace("\\", "/")
    function = function.rstrip() if function else None
    kind: Literal["application", "dependency", "runtime"] = "application"
    if DEPENDENCY.search(path):
        kind = "dependency"
    elif RUNTIME.search(path):
        kind = "runtime"
    return Frame(path=path, line=line, function=function, code=code, kind=kind)


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
    between = [line.strip(" \t|") for line in lines[last : first - 1] if line.strip(" \t|")]
    return 0 < len(between) <= LONGEST_MESSAGE and BRIDGE.match(between[-1]) is not None


READER = Reader("python", ("Traceback (most recent call last)", ", line ", "(most recent call first)"), find)
