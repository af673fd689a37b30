"""Python tracebacks: found in logs, ordered innermost first, and mapped to the files of a commit.

Container roots, virtual environments and timestamps before each line are the logs' business; a frame belongs to
the repository only if the longest common suffix of its path names one file there, and the line agrees.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import tree_sitter
import tree_sitter_python
from pydantic import BaseModel, ConfigDict

from agents.logs import strip_prefix

START = re.compile(r"(?:^|[\s|:+])(?P<mark>(?:Exception Group )?Traceback \(most recent call last\):)\s*$")
FRAME = re.compile(r'^(?P<lead>[\s|]*)File "(?P<path>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<function>.+?))?\s*$')
ENDING = re.compile(r"^(?P<type>[A-Za-z_][\w.]*)(?::\s?(?P<message>.*))?$")
BRIDGE = re.compile(r"^(?:The above exception was the direct cause|During handling of the above exception)")
MARGIN = re.compile(r"^\s*[|+] ?")
CARETS = re.compile(r"^[\s|]*[\^~]+[\s\^~]*$")
DEPENDENCY = re.compile(r"(?:^|/)(?:site-packages|dist-packages)/")
RUNTIME = re.compile(r"(?:^|/)(?:lib|Lib)/python\d(?:\.\d+)?/|^<frozen |^<string>$|^<stdin>$")
LONGEST_TRACE = 2000
"""Lines read of one trace: a recursion error repeats itself a thousand times."""


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
    exception: str
    """The exception's type, without its module."""
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
    """The tracebacks of a log, in order; chained ones are one trace. A cut one counts if it has a frame."""
    lines = [strip_prefix(line) for line in text.split("\n")]
    found: list[Trace] = []
    at = 0
    while at < len(lines):
        start = START.search(lines[at])
        if start is None and not _opens_syntax_error(lines, at):
            at += 1
            continue
        begin = at + 1 if start else at
        trace, at = _read_trace(item, lines, at, begin, start.start("mark") if start else 0)
        if trace is None:
            continue
        if found and _is_chained(lines, found[-1].last_line, trace.first_line):
            previous = found.pop()
            bare = previous.model_copy(update={"causes": ()})
            trace = trace.model_copy(update={"first_line": previous.first_line, "causes": (*previous.causes, bare)})
        found.append(trace)
    return tuple(found)


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
            if ending is None or not frames:
                break
            return _trace(item, first, at, ending, frames), at + 1
    if not frames:
        return None, max(at, first + 1)
    cut = ENDING.match("UnknownException")
    return (_trace(item, first, at - 1, cut, frames) if cut else None), at


def _trace(item: str, first: int, last: int, ending: re.Match[str], frames: list[Frame]) -> Trace:
    return Trace(
        item=item,
        first_line=first + 1,
        last_line=last + 1,
        exception=ending.group("type").rpartition(".")[2],
        message=(ending.group("message") or "").strip(),
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


def _is_code(line: str) -> bool:
    return line[:1].isspace() and bool(line.strip()) and not FRAME.match(line) and not CARETS.match(line)


def _without_margin(line: str, *, grouped: bool) -> str:
    """The line without the bars that Python draws beside the members of an exception group."""
    return MARGIN.sub("", line, count=1) if grouped else line


def _is_chained(lines: Sequence[str], last: int, first: int) -> bool:
    between = [line for line in lines[last : first - 1] if line.strip(" |")]
    return len(between) == 1 and BRIDGE.match(between[0].strip(" |")) is not None


def map_trace(trace: Trace, files: Sequence[str]) -> Trace:
    """The trace with `file` set on every frame that names exactly one file of the repository."""
    causes = tuple(map_trace(cause, files) for cause in trace.causes)
    frames = tuple(frame.model_copy(update={"file": map_path(frame.path, files)}) for frame in trace.frames)
    # What the interpreter loads from the repository's own tree is the application's, wherever it was installed.
    frames = tuple(
        frame.model_copy(update={"kind": "application"})
        if frame.file and frame.kind == "dependency" and _own_package(frame, files)
        else frame.model_copy(update={"file": None})
        if frame.kind != "application"
        else frame
        for frame in frames
    )
    return trace.model_copy(update={"frames": frames, "causes": causes})


def map_path(path: str, files: Sequence[str]) -> str | None:
    """The one file with the longest common path suffix; None where two are as good, or only the name agrees by chance.

    One shared component is enough for a file at the repository's root, else the folder must agree too.
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
    if len(best) == 1 and longest >= 2:
        return best[0]
    return None


def _shared_suffix(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(left), reversed(right), strict=False):
        if one != other:
            break
        count += 1
    return count


def _own_package(frame: Frame, files: Sequence[str]) -> bool:
    """Whether an installed package is this repository's own: its path below site-packages exists here, src/ or not."""
    inside = DEPENDENCY.split(frame.path)[-1]
    return "/" in inside and any(file in {inside, f"src/{inside}"} for file in files)


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
    stack = [parser.parse(text.encode()).root_node]
    while stack:
        node = stack.pop()
        if node.type == "function_definition":
            name = node.child_by_field_name("name")
            whole = node.parent if node.parent and node.parent.type == "decorated_definition" else node
            if name is not None and name.text is not None:
                first, last = whole.start_point.row + 1, node.end_point.row + 1
                found.append(Function(name=name.text.decode(), first_line=first, last_line=last))
        stack.extend(reversed(node.children))
    return tuple(found)


def function_at(text: str, line: int) -> Function | None:
    """The innermost function that holds a line."""
    around = [one for one in functions(text) if one.first_line <= line <= one.last_line]
    return max(around, key=lambda one: one.first_line, default=None)


def agrees(frame: Frame, text: str) -> bool:
    """Whether a file's text holds the frame: the line exists, and is the quoted one where the log quotes it."""
    lines = text.split("\n")
    if frame.line > len(lines):
        return False
    return frame.code is None or frame.code.split("\n")[0].strip() == lines[frame.line - 1].strip()


def mapped(traces: Sequence[Trace], files: Sequence[str], texts: Mapping[str, str]) -> tuple[Trace, ...]:
    """Map traces, and drop the file of every frame whose line does not agree with the text at that commit."""

    def check(trace: Trace) -> Trace:
        frames = tuple(
            frame.model_copy(update={"file": None})
            if frame.file is not None and frame.file in texts and not agrees(frame, texts[frame.file])
            else frame
            for frame in trace.frames
        )
        return trace.model_copy(update={"frames": frames, "causes": tuple(check(cause) for cause in trace.causes)})

    return tuple(check(map_trace(trace, files)) for trace in traces)
