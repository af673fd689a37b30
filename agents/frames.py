"""Python tracebacks: found in logs, ordered innermost first, and mapped to the files of a commit.

Container roots, virtual environments and timestamps before each line are the logs' business; a frame belongs to
the repository only if the longest common suffix of its path names one file there, and the line agrees.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import tree_sitter
import tree_sitter_python
from pydantic import BaseModel, ConfigDict

from agents.logs import strip_prefix

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
PLACEHOLDER = re.compile(r"\[REDACTED:[a-z-]+:\d+\]")
LONGEST_TRACE = 2000
"""Lines read of one trace: a recursion error repeats itself a thousand times."""
MOST_PLACEHOLDERS = 5
LONGEST_MESSAGE = 50
"""Lines that an exception's message, and notes added to it, may have before the next link of the chain."""
BLOCKS = frozenset(
    {"module", "block", "class_definition", "decorated_definition", "function_definition", "if_statement"}
    | {"elif_clause", "else_clause", "for_statement", "while_statement", "with_statement", "try_statement"}
    | {"except_clause", "except_group_clause", "finally_clause", "match_statement", "case_clause", "ERROR"}
)
"""Nodes of the syntax tree that a function can stand in; expressions, most of a file, are not walked."""


class Frame(BaseModel):
    """One call. `file` is its path in the repository once mapped, and None until then or where it is not there."""

    model_config = ConfigDict(frozen=True)

    path: str
    line: int
    function: str | None
    code: str | None
    kind: Literal["application", "dependency", "runtime"]
    file: str | None = None


class Signature(BaseModel):
    """What makes two failures the same: the exception's type and the innermost application frame."""

    model_config = ConfigDict(frozen=True)

    exception: str
    file: str | None = None
    function: str | None = None


class Trace(BaseModel):
    """One exception with its frames, innermost first. Lines count from 1 in the log item."""

    model_config = ConfigDict(frozen=True)

    item: str
    first_line: int
    last_line: int
    exception: str | None
    """The exception's type, without its module; None where the log ends before it is named."""
    message: str
    frames: tuple[Frame, ...]
    causes: tuple["Trace", ...] = ()
    """The exceptions it came from, the root cause first."""

    @property
    def root(self) -> "Trace":
        """The exception at the root of the chain."""
        return self.causes[0] if self.causes else self

    @property
    def innermost(self) -> Frame | None:
        """The innermost frame that is code of the application."""
        return next((frame for frame in self.frames if frame.kind == "application"), None)


def find_traces(item: str, text: str) -> tuple[Trace, ...]:
    """The tracebacks of a log, in order; chained ones and groups are one trace. A cut one counts if it has a frame."""
    lines = [strip_prefix(line) for line in text.split("\n")]
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
        trace, after = _read_trace(item, lines, at, begin, lead)
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


def _read_trace(item: str, lines: Sequence[str], first: int, at: int, lead: int) -> tuple[Trace | None, int]:
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
            return _trace(item, first, at, ending, frames), at + 1
    return (_trace(item, first, at - 1, None, frames) if frames else None), max(at, first + 1)


def _trace(item: str, first: int, last: int, ending: re.Match[str] | None, frames: list[Frame]) -> Trace:
    return Trace(
        item=item,
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


def mapped(traces: Sequence[Trace], files: Sequence[str], texts: Mapping[str, str] | None = None) -> tuple[Trace, ...]:
    """The traces with `file` set on every frame that is code of the repository.

    A frame is, if its path names exactly one file, and its line agrees with that file's text where `texts` has it.
    A path that shares only a name with its file (`COPY src/ /app/`) has to agree. None: nothing has been read yet.
    """
    by_name: dict[str, list[str]] = {}
    for file in files:
        by_name.setdefault(file.rpartition("/")[2], []).append(file)
    lines = {file: text.split("\n") for file, text in (texts or {}).items()}

    @cache
    def place(path: str, kind: str) -> str | None:
        near = by_name.get(path.rpartition("/")[2], [])
        if kind == "application":
            return map_path(path, near)
        return _own_file(path, near) if kind == "dependency" else None

    def placed(frame: Frame) -> Frame:
        file = place(frame.path, frame.kind)
        found = frame.model_copy(update={"file": file, "kind": "application" if file else frame.kind})
        if file is None or texts is None:
            return found
        is_sure = agrees(found, lines[file]) if file in lines else not _is_by_name(found)
        return found if is_sure else frame.model_copy(update={"file": None})

    def follow(trace: Trace) -> Trace:
        frames = tuple(placed(frame) for frame in trace.frames)
        return trace.model_copy(update={"frames": frames, "causes": tuple(follow(cause) for cause in trace.causes)})

    return tuple(follow(trace) for trace in traces)


def map_path(path: str, files: Sequence[str]) -> str | None:
    """The one file with the longest common path suffix; None where two are as good.

    A file at the repository's root wins over deeper ones that share no more than its name.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    best: list[str] = []
    longest = 0
    for file in files:
        shared = _shared_suffix(parts, file.split("/"))
        if shared > longest:
            best, longest = [file], shared
        elif shared == longest and shared:
            best.append(file)
    whole = [file for file in best if file.count("/") + 1 == longest]
    if len(whole) == 1:
        return whole[0]
    return best[0] if len(best) == 1 else None


def _shared_suffix(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(left), reversed(right), strict=False):
        if one != other:
            break
        count += 1
    return count


def _own_file(path: str, files: Sequence[str]) -> str | None:
    """The repository's file that was installed as a package: its path below site-packages exists here, src/ or not."""
    inside = DEPENDENCY.split(path)[-1]
    return next((file for file in files if "/" in inside and file in {inside, f"src/{inside}"}), None)


class Function(BaseModel):
    """A function's name and its lines in a file, decorators included."""

    model_config = ConfigDict(frozen=True)

    name: str
    first_line: int
    last_line: int


def functions(text: str) -> tuple[Function, ...]:
    """Every function of a Python file, outer ones before inner ones."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    found: list[Function] = []
    stack = [parser.parse(text.encode("utf-8", "replace")).root_node]
    while stack:
        node = stack.pop()
        if node.type == "function_definition":
            name = node.child_by_field_name("name")
            whole = node.parent if node.parent and node.parent.type == "decorated_definition" else node
            if name is not None and name.text is not None:
                first, last = whole.start_point.row + 1, node.end_point.row + 1
                found.append(Function(name=name.text.decode("utf-8", "replace"), first_line=first, last_line=last))
        stack.extend(child for child in reversed(node.children) if child.type in BLOCKS)
    return tuple(found)


def function_at(text: str, line: int) -> Function | None:
    """The innermost function that holds a line."""
    around = [one for one in functions(text) if one.first_line <= line <= one.last_line]
    return max(around, key=lambda one: one.first_line, default=None)


def agrees(frame: Frame, lines: Sequence[str]) -> bool:
    """Whether a file's lines hold the frame: the line exists, and is the quoted one where the log quotes it."""
    if not 1 <= frame.line <= len(lines):
        return False
    if frame.code is None:
        return not _is_by_name(frame)
    quoted, present = frame.code.split("\n")[0].strip(), lines[frame.line - 1].strip()
    if PLACEHOLDER.search(quoted) is None:
        return quoted == present
    parts = [re.escape(part) for part in PLACEHOLDER.split(quoted, maxsplit=MOST_PLACEHOLDERS)]
    return re.fullmatch(".+?".join(parts), present) is not None


def _is_by_name(frame: Frame) -> bool:
    """Whether a frame's path shares no folder with the file that it was mapped to."""
    file = frame.file or ""
    return "/" in file and _shared_suffix(frame.path.split("/"), file.split("/")) < 2
