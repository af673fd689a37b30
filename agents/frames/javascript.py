"""Stacks of JavaScript and TypeScript, as Node.js, Deno and Bun print them and the logging libraries write them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from agents.frames.javascript_calls import clean_path, is_source, kind_of, read_call
from agents.frames.nouns import Frame, Reader, Trace

HEAD = re.compile(
    r"^(?P<indent>\s*)(?:Uncaught (?:\(in promise\) )?)?(?P<type>[A-Za-z_$][\w$.]*)(?P<code>(?: \[[\w.-]+\])*)"
    r"(?::(?P<message>.*)|\s*)$"
)
EMBEDDED = re.compile(
    r"(?<![\w$.])(?P<type>[A-Za-z_$][\w$]*(?:Error|Exception|Rejection|Warning)|Error|Exception)(?: \[[\w.-]+\])*"
    r":(?P<message>.*)$"
)
"""An error named in the middle of a line: `(node:1) UnhandledPromiseRejectionWarning: TypeError: x`."""
BARE = re.compile(r"^(?P<indent>\s*)\[(?P<type>[A-Za-z_$][\w$]*)(?: \[[\w.-]+\])*: (?P<message>.*)\](?P<block> \{)?$")
"""An error that has no stack of its own, as Node.js prints it."""
FAILURE = re.compile(r"(?:Error|Exception|Rejection)$")
CAUSE = re.compile(r"^(?P<indent>\s*)(?:\[cause\]: |[Cc]aused by: )(?P<rest>.*)$")
SHARED = re.compile(r"^\s*\.\.\. (?P<count>\d{1,9}) lines matching cause stack trace \.\.\.$")
EMITTED = re.compile(r"^Emitted '.*' event(?: on .*)? at:$")
MATCHING = "[... lines matching original stack trace ...]"
LOCATION = re.compile(r"^(?P<path>\S.*?):(?P<line>\d{1,9})$")
CARETS = re.compile(r"^\s*\^+\s*$")
COMPILED = re.compile(r"^(?P<path>[^\s:()][^:()]*)[:(](?P<line>\d{1,9})[:,]\d{1,9}\)?(?: - |: )error TS\d+")
"""What the compiler of TypeScript reports: `src/cart.ts:12:10 - error TS2339: Property ...`."""
IMPORTED = re.compile(r"imported from (?P<path>\S+)\s*$|^- (?P<required>\S+)$")
EVENT = re.compile(
    r"\s*(?:\[?\d{4}[-/]\d\d[-/]\d\d|\[?\d\d:\d\d:\d\d|\{\"|\[Nest\]|\[?(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\b"
    r"|(?:trace|debug|info|warn|error|fatal):? )"
)
"""The beginning of another line of the log, so not a part of a message."""
LONGEST_MESSAGE = 60
LONGEST_TEXT = 10_000
LONGEST_BLOCK = 400
"""Lines of properties of an error that are read for its causes."""
MOST_FRAMES = 2000
MOST_ERRORS = 50


@dataclass
class _Failure:
    """One error, as far as it has been read."""

    first: int
    last: int
    indent: int
    exception: str | None = None
    message: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    shared: tuple[int, int] | None = None
    """Where frames are left out that its cause has too, and how many."""
    margin: int = -1
    """The indent of its frames."""
    relation: Literal["cause", "member"] = "cause"
    parent: int = -1


def find(lines: Sequence[str]) -> tuple[Trace, ...]:
    """The stacks of these rows. An error with its causes, and one that is several, are one trace."""
    found: list[Trace] = []
    at = free = 0
    while at < len(lines):
        row = lines[at]
        if read_call(row) is None and BARE.match(row[:LONGEST_TEXT]) is None:
            trace, after = _thrown_value(lines, at) if CARETS.match(row) else (None, at)
            if trace is not None:
                found.append(trace)
                free = after
            at = max(after, at + 1)
            continue
        failures, after = _Reading(lines, free, at).failures()
        _complete(lines, failures[0], free)
        if any(failure.frames for failure in failures):
            found.append(_trace(failures))
            free = after
        at = max(after, at + 1)
    return tuple(found)


class _Reading:
    """Reads the errors of one printout, whose first frame is in row `at`."""

    def __init__(self, lines: Sequence[str], free: int, at: int) -> None:
        self._lines = lines
        self._at = at
        self._all = [_head(lines, free, at)]
        self._open = [0]  # the errors that the row read is inside of, the innermost last
        self._in_block = False
        self._waiting = False  # whether the message of the error opened last may go on
        self._aside = False  # whether frames are read that tell where an error was emitted

    def failures(self) -> tuple[list[_Failure], int]:
        """The errors, the outermost first, and the row after the last of them."""
        root, idle = self._all[0], 0
        while self._at < len(self._lines) and idle < LONGEST_BLOCK:
            row = self._lines[self._at]
            indent = len(row) - len(row.lstrip())
            if self._takes(row, indent):
                idle = 0
            elif self._in_block and (indent > root.indent or not row.strip()):
                self._read_over(row)
                idle += 1
            elif self._in_block and row.strip().startswith(("}", "]")):
                root.last = self._at
                return self._all, self._at + 1
            else:
                break
            self._at += 1
        return self._all, self._at

    def _takes(self, row: str, indent: int) -> bool:
        """Whether the row is a frame, or opens an error; if so it is read."""
        frame = read_call(row)
        if frame is not None:
            self._add(frame, row, indent)
            return True
        shared, cause = SHARED.match(row), CAUSE.match(row)
        if shared is not None:
            here = self._all[self._open[-1]]
            here.shared = (len(here.frames), int(shared["count"]))
        elif cause is not None and (self._in_block or self._all[0].frames):
            self._opens(cause["rest"], indent, "cause")
        elif (bare := BARE.match(row[:LONGEST_TEXT])) and self._at == self._all[0].first:
            self._in_block = bare["block"] is not None
        elif EMITTED.match(row) or MATCHING in row:
            self._aside = True
        elif self._in_block and self._is_member(row, indent):
            self._opens(row, indent, "member")
        else:
            return False
        return True

    def _add(self, frame: Frame, row: str, indent: int) -> None:
        while len(self._open) > 1 and self._all[self._open[-1]].indent >= indent:
            self._open.pop()
        here = self._all[self._open[-1]]
        if here.margin < 0:
            here.margin = indent
        if indent == here.margin and not self._aside and len(here.frames) < MOST_FRAMES:
            here.frames.append(frame)
        here.last = max(here.last, self._at)
        self._all[0].last = self._at
        self._waiting = False
        self._in_block = self._in_block or row.rstrip().endswith("{")

    def _opens(self, text: str, indent: int, relation: Literal["cause", "member"]) -> None:
        self._waiting = False
        named = (
            HEAD.match(text[:LONGEST_TEXT]) or EMBEDDED.search(text[:LONGEST_TEXT]) or BARE.match(text[:LONGEST_TEXT])
        )
        if named is None or len(self._all) >= MOST_ERRORS:
            return
        chained = not self._in_block
        while len(self._open) > 1 and self._all[self._open[-1]].indent >= indent and not chained:
            self._open.pop()
        parent = self._open[-1]
        opened = _named(self._at, self._at, indent, named["type"], [named["message"] or ""])
        opened.relation, opened.parent = relation, parent
        self._all.append(opened)
        self._open.append(len(self._all) - 1)
        self._all[0].last = self._at
        self._waiting = True

    def _is_member(self, row: str, indent: int) -> bool:
        """Whether the row is one of the errors of an AggregateError: its frames follow, further to the right."""
        if HEAD.match(row[:LONGEST_TEXT]) is None or self._at + 1 >= len(self._lines):
            return False
        below = self._lines[self._at + 1]
        return read_call(below) is not None and len(below) - len(below.lstrip()) > indent

    def _read_over(self, row: str) -> None:
        here = self._all[self._open[-1]]
        if self._waiting and len(here.message) < LONGEST_MESSAGE:
            here.message.append(row.strip())


def _head(lines: Sequence[str], free: int, at: int) -> _Failure:
    """The error whose frames begin in row `at`, looked for in the rows above that no other trace has."""
    bare = BARE.match(lines[at][:LONGEST_TEXT])
    if bare is not None:
        return _named(at, at, len(bare["indent"]), bare["type"], [bare["message"]])
    nearest: _Failure | None = None
    for here in range(at - 1, max(free, at - LONGEST_MESSAGE) - 1, -1):
        row = lines[here][:LONGEST_TEXT]
        head = HEAD.match(row)
        rest = lines[here + 1 : at]
        if head is not None and (FAILURE.search(head["type"]) or head["code"] or (here == at - 1 and _is_class(head))):
            return _named(here, at, len(head["indent"]), head["type"], [head["message"] or "", *rest])
        inside = EMBEDDED.search(row)
        if inside is not None:
            indent = len(row) - len(row.lstrip())
            return _named(here, at, indent, _innermost(inside), [_message_of(inside), *rest])
        if here == at - 1 and head is not None and head["message"] is not None and not head["indent"]:
            nearest = _named(here, at, 0, head["type"], [head["message"]])
        if EVENT.match(row) or read_call(row) is not None:
            break
    if nearest is not None:
        return nearest
    margin = len(lines[at]) - len(lines[at].lstrip())
    return _Failure(first=at, last=at, indent=max(margin - 4, 0))


def _is_class(head: re.Match[str]) -> bool:
    """Whether a name in front of the frames is written as a class is: `NotFound: no order`."""
    name = head["type"].rpartition(".")[2]
    return name[:1].isupper() and not name.isupper()


def _innermost(inside: re.Match[str]) -> str:
    """The error's type after the name of a warning that reports it."""
    reported = HEAD.match(str(inside["message"]).strip())
    if inside["type"].endswith("Warning") and reported is not None and FAILURE.search(reported["type"]):
        return str(reported["type"])
    return str(inside["type"])


def _message_of(inside: re.Match[str]) -> str:
    message = str(inside["message"]).strip()
    return message if _innermost(inside) == inside["type"] else message.partition(":")[2]


def _named(first: int, last: int, indent: int, kind: str, message: list[str]) -> _Failure:
    exception = kind.rpartition(".")[2]
    return _Failure(
        first=first, last=last, indent=indent, exception=exception, message=[one.strip() for one in message]
    )


def _complete(lines: Sequence[str], failure: _Failure, free: int) -> None:
    """Add to the error what stands around it: the line that Node.js quotes above, the file that a message names."""
    quoted = _quoted(lines, failure.first, free)
    own = any(frame.kind == "application" for frame in failure.frames)
    if quoted is not None:
        frame, failure.first = quoted
        at = [(one.path, one.line) for one in failure.frames]
        if (frame.path, frame.line) in at:
            here = at.index((frame.path, frame.line))
            failure.frames[here] = failure.frames[here].model_copy(update={"code": frame.code})
        elif frame.kind == "application" or not failure.frames:
            failure.frames.insert(0, frame)
            own = own or frame.kind == "application"
    compiled = [match for line in failure.message if (match := COMPILED.match(line))]
    if compiled:
        failure.frames[:0] = [_at_line(match["path"], int(match["line"])) for match in compiled[:MOST_ERRORS]]
    elif not own:
        named = (match for line in failure.message if (match := IMPORTED.search(line[-LONGEST_TEXT:])))
        paths = [str(match["path"] or match["required"]) for match in named]
        failure.frames += [_at_line(path, 0) for path in paths[:1] if is_source(path)]


def _at_line(path: str, line: int, code: str | None = None) -> Frame:
    cleaned = clean_path(path)
    return Frame(path=cleaned, line=line, function=None, code=code, kind=kind_of(cleaned))


def _quoted(lines: Sequence[str], head: int, free: int) -> tuple[Frame, int] | None:
    """The place that Node.js quotes above an uncaught error, and its row: path and line, the line, carets."""
    carets = next((row for row in (head - 1, head - 2) if row >= free and CARETS.match(lines[row])), None)
    if carets is None or carets - 2 < free:
        return None
    place = LOCATION.match(lines[carets - 2][-LONGEST_TEXT:])
    if place is None or not is_source(place["path"]):
        return None
    return _at_line(place["path"], int(place["line"]), lines[carets - 1].strip()[:LONGEST_TEXT]), carets - 2


def _thrown_value(lines: Sequence[str], carets: int) -> tuple[Trace | None, int]:
    """What Node.js prints of a thrown value that is no error: the place, and the value, without a stack."""
    value = next((row for row in (carets + 1, carets + 2) if row < len(lines) and lines[row].strip()), None)
    if value is None or BARE.match(lines[value][:LONGEST_TEXT]):
        return None, carets
    ahead = lines[value : value + LONGEST_MESSAGE]
    if any(read_call(row) is not None for row in ahead):
        return None, carets
    quoted = _quoted(lines, value, 0)
    if quoted is None or quoted[0].kind != "application":
        return None, carets
    head = HEAD.match(lines[value][:LONGEST_TEXT])
    named = head is not None and FAILURE.search(head["type"]) is not None
    failure = _named(quoted[1], value, 0, head["type"] if head and named else "", [lines[value][:LONGEST_TEXT]])
    if head and named:
        failure.message = [head["message"] or ""]
    failure.frames, failure.exception = [quoted[0]], failure.exception or None
    return _trace([failure]), value + 1


def _trace(failures: list[_Failure]) -> Trace:
    """The outermost error, with its causes root first, and with the members of an AggregateError in their order."""
    traces: list[Trace] = []
    chains: list[tuple[Trace, ...]] = [()] * len(failures)
    members: list[tuple[Trace, ...]] = [()] * len(failures)
    by_cause: dict[int, list[Frame]] = {}
    for index in range(len(failures) - 1, -1, -1):
        failure = failures[index]
        frames = _without_helpers(_with_shared(failure, by_cause.get(index, [])))
        bare = Trace(
            item="",
            language="javascript",
            first_line=failure.first + 1,
            last_line=failure.last + 1,
            exception=failure.exception,
            message="\n".join(failure.message).strip()[:LONGEST_TEXT],
            frames=tuple(frames),
        )
        whole = bare.model_copy(update={"causes": (*chains[index], *members[index])})
        traces.append(whole)
        if failure.parent < 0:
            continue
        if failure.relation == "cause":
            by_cause.setdefault(failure.parent, frames)
            chains[failure.parent] = (*chains[index], *members[index], bare)
        else:
            members[failure.parent] = (whole, *members[failure.parent])
    return traces[-1]


def _with_shared(failure: _Failure, cause: list[Frame]) -> list[Frame]:
    """The frames with those put back that were left out since the cause has them as well."""
    if failure.shared is None or not 0 < failure.shared[0] <= len(failure.frames):
        return failure.frames
    at, count = failure.shared
    before = failure.frames[at - 1]
    start = next((index for index, frame in enumerate(cause) if frame == before), None)
    if start is None:
        return failure.frames
    return [*failure.frames[:at], *cause[start + 1 : start + 1 + count], *failure.frames[at:]][:MOST_FRAMES]


def _without_helpers(frames: list[Frame]) -> list[Frame]:
    """The frames, with the steps that a compiler of async functions put into the application's files as run time."""
    found = list(frames)
    for index, frame in enumerate(frames):
        if frame.kind == "runtime" and frame.function in {"next", "throw"} and index + 1 < len(frames):
            below = frames[index + 1]
            if below.function in {None, "fulfilled", "rejected", "step"} and below.kind == "application":
                found[index + 1] = below.model_copy(update={"kind": "runtime"})
    return found


READER = Reader(
    "javascript", ("    at ", "Node.js v", "UnhandledPromiseRejection", "file:///", "[cause]", "[errors]"), find
)
