"""Where a JavaScript error begins: its name and message, and the line of the source that is quoted above it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from agents.frames.javascript_calls import clean_path, is_source, kind_of, read_call
from agents.frames.nouns import Frame

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
MOST_COMPILED = 50


@dataclass
class Failure:
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


def find_head(lines: Sequence[str], free: int, at: int) -> Failure:
    """The error whose frames begin in row `at`, looked for in the rows above that no other trace has."""
    bare = BARE.match(lines[at][:LONGEST_TEXT])
    if bare is not None:
        return named_failure(at, at, len(bare["indent"]), bare["type"], [bare["message"]])
    nearest: Failure | None = None
    for here in range(at - 1, max(free, at - LONGEST_MESSAGE) - 1, -1):
        row = lines[here][:LONGEST_TEXT]
        head = HEAD.match(row)
        rest = lines[here + 1 : at]
        if head is not None and (FAILURE.search(head["type"]) or head["code"] or (here == at - 1 and _is_class(head))):
            return named_failure(here, at, len(head["indent"]), head["type"], [head["message"] or "", *rest])
        inside = EMBEDDED.search(row)
        if inside is not None:
            indent = len(row) - len(row.lstrip())
            return named_failure(here, at, indent, _innermost(inside), [_message_of(inside), *rest])
        if here == at - 1 and head is not None and head["message"] is not None and not head["indent"]:
            nearest = named_failure(here, at, 0, head["type"], [head["message"]])
        if EVENT.match(row) or read_call(row) is not None:
            break
    if nearest is not None:
        return nearest
    margin = len(lines[at]) - len(lines[at].lstrip())
    return Failure(first=at, last=at, indent=max(margin - 4, 0))


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


def named_failure(first: int, last: int, indent: int, kind: str, message: list[str]) -> Failure:
    exception = kind.rpartition(".")[2]
    return Failure(first=first, last=last, indent=indent, exception=exception, message=[one.strip() for one in message])


def complete(lines: Sequence[str], failure: Failure, free: int) -> None:
    """Add to the error what stands around it: the line that Node.js quotes above, the file that a message names."""
    quoted = quoted_place(lines, failure.first, free)
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
        failure.frames[:0] = [_at_line(match["path"], int(match["line"])) for match in compiled[:MOST_COMPILED]]
    elif not own:
        named = (match for line in failure.message if (match := IMPORTED.search(line[-LONGEST_TEXT:])))
        paths = [str(match["path"] or match["required"]) for match in named]
        failure.frames += [_at_line(path, 0) for path in paths[:1] if is_source(path)]


def _at_line(path: str, line: int, code: str | None = None) -> Frame:
    cleaned = clean_path(path)
    return Frame(path=cleaned, line=line, function=None, code=code, kind=kind_of(cleaned))


def quoted_place(lines: Sequence[str], head: int, free: int) -> tuple[Frame, int] | None:
    """The place that Node.js quotes above an uncaught error, and its row: path and line, the line, carets."""
    carets = next((row for row in range(head - 1, head - 4, -1) if row >= free and CARETS.match(lines[row])), None)
    if carets is None or carets - 2 < free:
        return None
    place = LOCATION.match(lines[carets - 2][-LONGEST_TEXT:])
    if place is None or not is_source(place["path"]):
        return None
    return _at_line(place["path"], int(place["line"]), lines[carets - 1].strip()[:LONGEST_TEXT]), carets - 2
