""".NET traces, as `Exception.ToString()` writes them and the console, Serilog and ASP.NET Core pass them on.

An exception prints its inner ones before its own frames, innermost last opened and first closed, so it reads like a
stack of brackets. Names that the compiler made up (async methods, lambdas, local functions) are told as in the source.
"""

import re
from collections.abc import Sequence
from typing import Literal

from agents.frames.nouns import Frame, Reader, Trace

FRAME = re.compile(
    r"^\s*at (?P<method>[^\s(\[]{1,500}(?:\[[^()\n]{1,300}\])?)\((?P<arguments>[^()\n]{0,1500})\)"
    r"(?: in (?P<path>[^\n]{1,500}?):line (?P<line>\d{1,9}))?\s*(?P<closes><---)?\s*$"
)
OTHER_RUNTIMES = frozenset({"Native Method", "Unknown Source"})
"""What Java's frames have between their brackets."""
TYPE = r"(?P<type>(?:\w{1,100}+[.+]){0,20}\w{0,100}?(?:Exception|Error))(?:`\d{1,2}(?:\[[^\n\]]{0,300}\]{1,2})?)?"
HEADER = re.compile(
    r"(?<![\w.+])(?<!Unhandled )" + TYPE + r"(?: \((?:0x)?[0-9A-Fa-f]{1,10}\))?(?:: (?P<message>.*)|:?\s*)$"
)
INNER = re.compile(r"(?:^|\s)---> (?:\(Inner Exception #\d{1,4}\) )?(?=\w)")
INNER_END = re.compile(r"^\s*--- End of inner exception(?: stack trace| ExceptionDetail stack trace)? ---\s*$")
RETHROWN = re.compile(r"^\s*---? ?End of stack trace from previous location.{0,60}---\s*$")
RUNTIME = re.compile(
    r"^(?:System|Microsoft(?!\.(?:EntityFrameworkCore|Data|Identity|Azure))|Interop|Internal|MS)\.|^lambda_method"
)
DEPENDENCY = re.compile(
    r"^(?:Microsoft|Newtonsoft|Npgsql|MySql|MySqlConnector|Oracle|MongoDB|StackExchange|Dapper|Serilog|NLog|log4net|Polly|"
    r"AutoMapper|MediatR|FluentValidation|MassTransit|RabbitMQ|Confluent|Grpc|Google|Amazon|Azure|Swashbuckle|Hangfire|"
    r"Quartz|Castle|Autofac|NHibernate|RestSharp|Refit|Orleans|Akka|Elasticsearch|OpenTelemetry|xunit|Xunit|NUnit|Moq)\."
)
"""Packages that everybody uses: a release build does not say which frames are the program's own."""
ELSEWHERE = re.compile(r"^/_\d?/|(?:^|/)\.nuget/|(?:^|/)(?:[A-Za-z]:)?/agent/_work/")
"""Where packages say they were built."""
LOCAL = re.compile(r"<(?P<outer>.*)>g__(?P<name>\w{1,200})\|")
MADE_UP = re.compile(r"^<*(?P<name>[\w.$]{0,200})")
CLOSURE_CLASS = re.compile(r"^<>c(?:__DisplayClass[\d_]{1,20})?(?:`\d{1,2}|<[^.]{0,100}>)?$")
OVERFLOW = re.compile(r"^\s*(?:Process terminated\. )?Stack overflow\.\s*$")
REPEATED = re.compile(r"^\s*(?:Repeat \d{1,9} times:|-{3,80})\s*$")
LONGEST_LINE = 4000
LONGEST_TRACE = 2000
LONGEST_MESSAGE = 60
"""Lines that the messages of an exception and its inner ones may have before the first frame."""


class Open:
    """An exception whose lines are being read."""

    def __init__(self, header: re.Match[str] | None, row: int) -> None:
        """`row` is the index of the line that names it."""
        self.kind = header["type"] if header else None
        self.said = [header["message"] or ""] if header else []
        self.row = self.last = row
        self.frames: list[re.Match[str]] = []


def find(rows: Sequence[str]) -> tuple[Trace, ...]:
    """The traces of these rows; inner exceptions and those of an aggregate are the causes of the outermost one."""
    found: list[Trace] = []
    at = free = 0
    while at < len(rows):
        if OVERFLOW.match(rows[at][:100]):
            trace, at = _read_overflow(rows, at)
            found += [trace] if trace is not None else []
            free = at
            continue
        if _frame_at(rows, at) is None:
            at += 1
            continue
        opened = _opened(rows, at, free)
        trace, at = _read(rows, at, opened)
        free = at
        if trace is not None:
            found.append(trace)
    return tuple(found)


def _frame_at(rows: Sequence[str], at: int) -> re.Match[str] | None:
    """The .NET frame of a row. Java writes a file between the brackets, JavaScript a blank before them."""
    row = rows[at]
    if "at " not in row[:60]:
        return None
    match = FRAME.match(row[:LONGEST_LINE])
    if match is None or ("." not in match["method"] and not match["method"].startswith("lambda_method")):
        return None
    arguments = match["arguments"]
    if match["path"] or not arguments:
        return match
    is_net = arguments not in OTHER_RUNTIMES and ":" not in arguments and " " in arguments
    return match if is_net else None


def _opened(rows: Sequence[str], first: int, free: int) -> list[Open]:
    """The exceptions that the lines above the first frame name, outermost first. None where the log was cut."""
    reversed_: list[Open] = []
    message: list[str] = []
    for at in range(first - 1, max(free, first - LONGEST_MESSAGE) - 1, -1):
        row = rows[at][:LONGEST_LINE]
        parts = _named(row)
        if parts is None:
            message.append(row.strip())
            continue
        last = Open(parts[-1], at)
        last.said += reversed(message)
        message = []
        reversed_ += [last, *(Open(part, at) for part in reversed(parts[:-1]))]
        if not INNER.match(row.lstrip()):
            return reversed_[::-1]
    return reversed_[::-1]


def _named(row: str) -> list[re.Match[str]] | None:
    """The exceptions that a line names; an older run time writes inner ones on the line of the outer one."""
    parts = INNER.split(row) if "--->" in row else [row]
    headers = [header for part in parts if part.strip() and (header := HEADER.search(part))]
    return headers or None


def _read(rows: Sequence[str], first: int, opened: list[Open]) -> tuple[Trace | None, int]:
    """Read frames, ends of inner exceptions and further ones of an aggregate; returns the trace and the index after."""
    stack = opened or [Open(None, first)]
    begin = stack[0].row
    closed: list[Open] = []
    at = last = first
    while at < len(rows) and at - first < LONGEST_TRACE:
        frame = _frame_at(rows, at)
        if frame is not None:
            stack[-1].frames.append(frame)
            stack[-1].last = last = at
            if frame["closes"] and len(stack) > 1:
                closed.append(stack.pop())
        elif INNER_END.match(rows[at][:200]):
            last = at
            if len(stack) > 1:
                closed.append(stack.pop())
        elif RETHROWN.match(rows[at][:200]):
            last = at
        elif INNER.match(rows[at][:200].lstrip()) and (headers := _named(rows[at][:LONGEST_LINE])):
            stack += [Open(header, at) for header in headers]
            last = at
        elif not _goes_on(rows, at, last):
            break
        at += 1
    closed += reversed(stack[1:])
    causes = tuple(_trace(one, one.row, one.last) for one in closed if one.frames or one.kind)
    whole = _trace(stack[0], begin, last).model_copy(update={"causes": causes})
    has_frame = any(one.frames for one in (whole, *causes))
    return (whole if has_frame else None), last + 1


def _read_overflow(rows: Sequence[str], first: int) -> tuple[Trace | None, int]:
    """What the run time prints of a stack overflow: calls with the types of their arguments, repeated ones once."""
    one = Open(None, first)
    one.kind = "System.StackOverflowException"
    at = first + 1
    while at < len(rows) and at - first < LONGEST_TRACE:
        match = FRAME.match(rows[at][:LONGEST_LINE])
        if match is not None:
            one.frames.append(match)
        elif not REPEATED.match(rows[at][:200]):
            break
        at += 1
    return (_trace(one, first, at - 1) if one.frames else None), at


def _goes_on(rows: Sequence[str], at: int, last: int) -> bool:
    """Whether the exception goes on after a line that is none of its own: an aggregate has a blank or two between."""
    return at - last <= 2 and not rows[at].strip()


def _trace(one: Open, first: int, last: int) -> Trace:
    kind = one.kind.rpartition(".")[2].rpartition("+")[2] if one.kind else None
    return Trace(
        item="",
        language="dotnet",
        first_line=first + 1,
        last_line=last + 1,
        exception=kind,
        message="\n".join(one.said).strip(),
        frames=_frames(one.frames),
    )


def _frames(matches: Sequence[re.Match[str]]) -> tuple[Frame, ...]:
    """The frames. Where some tell their file, one that does not is of a package: those come without symbols."""
    has_files = any(match["path"] and _kind(match["method"], match["path"]) == "application" for match in matches)
    return tuple(_frame(match, has_files=has_files) for match in matches)


def _frame(match: re.Match[str], *, has_files: bool) -> Frame:
    path = (match["path"] or "").replace("\\", "/")
    module, function = _source_names(match["method"])
    kind = _kind(match["method"], path)
    if kind == "application" and has_files and not path:
        kind = "dependency"
    return Frame(path=path, line=int(match["line"] or 0), function=function, code=None, kind=kind, module=module)


def _kind(method: str, path: str) -> Literal["application", "dependency", "runtime"]:
    if RUNTIME.match(method):
        return "runtime"
    return "dependency" if DEPENDENCY.match(method) or ELSEWHERE.search(path) else "application"


def _source_names(printed: str) -> tuple[str | None, str | None]:
    """Class and method as the source has them: `Store.Cart.<Total>d__3.MoveNext` is `Total` of `Store.Cart`."""
    parts = _parts(printed.partition("[")[0] if not printed.startswith("<") else printed)
    name = parts.pop()
    if name == "MoveNext" and parts and parts[-1].startswith("<"):
        name = parts.pop()
    while parts and CLOSURE_CLASS.match(parts[-1]):
        parts.pop()
    owner = ".".join(part.partition("`")[0] for part in parts) or None
    if name in {".ctor", ".cctor"}:
        return owner, (parts[-1].partition("`")[0] if parts else None)
    local = LOCAL.search(name)
    if local is not None:
        return owner, local["name"]
    if name.startswith("<"):
        made_of = MADE_UP.match(name) if "$" not in name else None
        return owner, ((made_of["name"] or None) if made_of else None)
    for accessor in ("get_", "set_", "add_", "remove_"):
        name = name.removeprefix(accessor)
    return owner, name


def _parts(printed: str) -> list[str]:
    """The name at its dots and pluses, but for those within `<...>`; `..ctor` keeps one of its own."""
    parts, depth, start = [""], 0, True
    for sign in printed:
        if sign in ".+" and depth <= 0 and not start:
            parts.append("")
            start = True
            continue
        depth += {"<": 1, ">": -1}.get(sign, 0)
        parts[-1] += sign
        start = False
    return parts


READER = Reader("dotnet", ("Exception", ":line ", "Stack overflow."), find)
