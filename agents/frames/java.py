"""Stack traces of the Java platform: Java and Kotlin, as the virtual machine and the logging libraries print them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.frames.java_names import kind_of, source_name
from agents.frames.nouns import Frame, Reader, Trace
from agents.frames.spring import read_report, with_bean

FRAME = re.compile(r"^(?P<indent>\s*)at (?P<call>[^\s()]+)\((?P<source>[^()]*)\)(?P<jar>.*)$")
SOURCE = re.compile(r"^(?:[^\s/()@]*+@[^\s/()]*+/)?(?P<file>[^\s:/<>?]+)(?::(?P<line>\d{1,9}))?$")
NOWHERE = re.compile(r"(?:Native Method|Unknown Source(?::\d+)?|<generated>|<unknown>|\?(?::\?)?)$")
"""What stands for the file where the class has none, or was compiled without its name."""
LINK = re.compile(r"^(?P<indent>\s*)(?P<word>Caused by|Wrapped by|Suppressed): (?P<rest>.*)$")
HEAD = re.compile(
    r'^(?P<indent>\s*)(?P<thread>Exception in thread "[^"]*" )?(?P<type>[\w$.]+)(?::(?P<message>.*)|\s*)$'
)
EMBEDDED = re.compile(
    r"(?<![\w$.@/])(?P<type>(?:[a-z_]\w*\.)+[\w$]*(?:Exception|Error|Throwable))(?![\w$.])(?P<message>.*)$"
)
"""An exception named in the middle of a line of a log: `checkout failed java.io.IOException: closed`."""
FAILURE = re.compile(r"(?:Exception|Error|Throwable|Failure|Fault)$")
EVENT = re.compile(
    r"\s*(?:\[?\d{4}[-/]\d\d[-/]\d\d|\[?\d\d:\d\d:\d\d|\{\"|\[?(?:TRACE|DEBUG|INFO|WARN|WARNING|ERROR|SEVERE|FATAL)\b)"
)
"""The beginning of another line of the log, so not a part of a message."""
MORE = re.compile(r"^\s*\.\.\. (?P<count>\d{1,9}) (?P<what>more|common frames)?")
LOCK = re.compile(r"^\s*- (?:locked|waiting|parking|eliminated|None)\b")
CIRCULAR = "[CIRCULAR REFERENCE:"
BOUNDARIES = ("at _COROUTINE.", "at (Coroutine")
"""Frames that kotlinx.coroutines puts where a coroutine was resumed: no call."""
STATE = "java.lang.Thread.State:"
DEADLOCK = re.compile(r"^Found (?:one|\d+) Java-level deadlock")
LONGEST_MESSAGE = 50
"""Lines that an exception's message may have before its first frame."""
LONGEST_TEXT = 10_000
MOST_FRAMES = 2000
MOST_LINKS = 50
FOREIGN = 3
"""Lines of other threads that may stand between two frames."""


@dataclass
class _Link:
    """One exception of a chain, as far as it has been read."""

    first: int
    last: int
    indent: int
    exception: str | None = None
    message: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    shared: int = 0
    """Frames it does not print, since the exception around it prints them."""
    wraps: bool = False
    """Whether it is printed after its cause."""


def find(lines: Sequence[str]) -> tuple[Trace, ...]:
    """The stack traces of these rows. A chain is one trace, whichever end of it is printed first."""
    found: list[Trace] = []
    at = free = 0
    while at < len(lines):
        row = lines[at]
        if "APPLICATION FAILED TO START" in row:
            trace, after = read_report(lines, at)
            found += [trace] if trace else []
            at = free = max(after, at + 1)
        elif STATE in row:
            at = free = _after_thread(lines, at + 1)
        elif DEADLOCK.match(row):
            trace, at = _read_deadlock(lines, at)
            found += [trace] if trace else []
            free = at
        elif _frame(row) is not None or _link(row) is not None:
            links, at = _Reading(lines, free, at).links()
            found += [_chain(links)] if any(link.frames or link.exception for link in links) else []
            free = at
        else:
            at += 1
    return tuple(found)


class _Reading:
    """Reads the exceptions of a chain whose first frame, or second exception, is in row `at`."""

    def __init__(self, lines: Sequence[str], free: int, at: int) -> None:
        self._lines = lines
        self._at = at
        self._links = [_head(lines, free, at)]
        self._aside: int | None = None  # the indent of a suppressed exception that is being read over
        self._waiting = False  # whether the first frame of an exception is still to come, and its message may go on

    def links(self) -> tuple[list[_Link], int]:
        """The exceptions as they are printed, and the row after the last of them."""
        while self._at < len(self._lines):
            row = self._lines[self._at]
            if self._takes(row):
                self._links[-1].last = self._links[0].last = self._at
                self._at += 1
                continue
            ahead = _ahead(self._lines, self._at, LONGEST_MESSAGE if self._waiting else 0)
            if ahead is None:
                break
            if self._waiting and self._aside is None:
                self._links[-1].message += [text.strip() for text in self._lines[self._at : ahead]]
            self._at = ahead
        return [link for link in self._links if link.exception or link.frames], self._at

    def _takes(self, row: str) -> bool:
        """Whether the row is a frame, opens an exception, or tells of frames left out; if so it is read."""
        here = self._links[-1]
        frame, link = _frame(row), _link(row)
        if frame is not None:
            self._waiting = False
            if self._aside is None and frame.path and len(here.frames) < MOST_FRAMES:
                here.frames.append(frame)
        elif link is not None:
            self._opens(link)
        elif more := MORE.match(row):
            self._waiting = False
            if self._aside is None and more["what"]:
                here.shared = int(more["count"])
        else:
            return CIRCULAR in row or LOCK.match(row) is not None
        return True

    def _opens(self, link: re.Match[str]) -> None:
        indent, is_circular = len(link["indent"]), CIRCULAR in link["rest"]
        self._waiting = not is_circular
        if link["word"] == "Suppressed":
            self._aside = indent if self._aside is None else min(self._aside, indent)
        elif self._aside is None or indent < self._aside:
            self._aside = None
            if not is_circular and len(self._links) < MOST_LINKS:
                self._links.append(_open(link, self._at))


def _ahead(lines: Sequence[str], at: int, longest: int) -> int | None:
    """The row at which the trace goes on after rows that are none of it: a message's, or another thread's events."""
    message = longest > 0
    for here in range(at, min(at + (longest or FOREIGN), len(lines))):
        row = lines[here]
        if _frame(row) is not None or MORE.match(row) or (_link(row) is not None and here > at):
            return here
        if message and (EVENT.match(row) or STATE in row or _opens(row)):
            return _ahead(lines, here, 0) if here == at else None
        if not message and (EVENT.match(row) is None or EMBEDDED.search(row[:LONGEST_TEXT])):
            return None
    return None


def _head(lines: Sequence[str], free: int, at: int) -> _Link:
    """The exception whose frames begin in row `at`, looked for in the rows above that no other trace has."""
    for here in range(at - 1, max(free, at - LONGEST_MESSAGE) - 1, -1):
        row = lines[here][:LONGEST_TEXT]
        head = HEAD.match(row)
        if head is not None and _is_type(head, near=here == at - 1):
            return _named(here, at, len(head["indent"]), head["type"], [head["message"] or "", *lines[here + 1 : at]])
        if EVENT.match(row) or here == at - 1 or row.startswith("Exception in thread"):
            inside = EMBEDDED.search(row)
            if inside is not None:
                message = inside["message"].lstrip(":")
                return _named(here, at, 0, inside["type"], [message, *lines[here + 1 : at]])
        if EVENT.match(row):
            break
    first = FRAME.match(lines[at])
    return _Link(first=at, last=at, indent=max(len(first["indent"]) - 1, 0) if first else 0)


def _opens(row: str) -> bool:
    """Whether a line of what may be a message is the beginning of another trace."""
    head = HEAD.match(row[:LONGEST_TEXT])
    return head is not None and not head["indent"] and _is_type(head, near=False)


def _is_type(head: re.Match[str], *, near: bool) -> bool:
    """Whether a line that begins with a name begins with an exception's. Right above a frame any class can be one."""
    name = head["type"].rpartition(".")[2].rpartition("$")[2]
    if not name[:1].isupper() or (name.isupper() and len(name) > 1 and "." not in head["type"]):
        return False
    return FAILURE.search(name) is not None or head["thread"] is not None or (near and "." in head["type"])


def _named(first: int, last: int, indent: int, kind: str, message: list[str]) -> _Link:
    exception = kind.rpartition(".")[2].rpartition("$")[2] or None
    return _Link(first=first, last=last, indent=indent, exception=exception, message=[one.strip() for one in message])


def _open(link: re.Match[str], at: int) -> _Link:
    """The link that `Caused by: java.io.IOException: closed` opens."""
    kind, _, message = link["rest"].partition(":")
    opened = _named(at, at, len(link["indent"]), kind.strip(), [message])
    opened.wraps = link["word"] == "Wrapped by"
    return opened


def _link(row: str) -> re.Match[str] | None:
    """A line that opens an exception of the chain, its type named as Java does: no space in it."""
    if " by: " not in row and "Suppressed: " not in row:
        return None
    link = LINK.match(row)
    if link is None:
        return None
    kind = link["rest"].partition(":")[0].strip()
    return link if CIRCULAR in row or re.fullmatch(r"[\w$.]+", kind) else None


def _frame(row: str) -> Frame | None:
    """The call that a line prints; its path is empty where it is only the mark of a coroutine's boundary."""
    if not row.lstrip().startswith("at "):
        return None
    match = FRAME.match(row)
    if row.lstrip().startswith(BOUNDARIES):
        return Frame(path="", line=0, function=None, code=None, kind="runtime")
    if match is None or "." not in match["call"]:
        return None
    nowhere, place = NOWHERE.search(match["source"]), SOURCE.match(match["source"])
    if nowhere is None and (place is None or not ("." in place["file"] or place["line"])):
        return None
    name = source_name(match["call"])
    path, line = f"{name.owner}.java", 0
    if nowhere is None and place is not None:
        path, line = place["file"], int(place["line"] or 0)
    elif name.generated or match["source"].startswith("<"):
        path = "<generated>"
    kind = kind_of(match["call"], name, match["jar"])
    return Frame(path=path, line=line, function=name.function, code=None, kind=kind, module=name.module)


def _chain(links: list[_Link]) -> Trace:
    """The outermost exception, with those it came from; each with the frames that it shares with the one around it."""
    first, last = min(link.first for link in links), max(link.last for link in links)
    outer_first = links[::-1] if any(link.wraps for link in links) else links
    around: list[Frame] = []
    traces: list[Trace] = []
    for link in outer_first:
        shared = around[-link.shared :] if 0 < link.shared <= len(around) else []
        around = (link.frames + shared)[:MOST_FRAMES]
        traces.append(
            Trace(
                item="",
                language="java",
                first_line=link.first + 1,
                last_line=link.last + 1,
                exception=link.exception,
                message=_message(link),
                frames=tuple(around),
            )
        )
    traces[-1] = with_bean(traces[-1], [trace.message for trace in traces])
    causes = tuple(reversed(traces[1:]))
    return traces[0].model_copy(update={"first_line": first + 1, "last_line": last + 1, "causes": causes})


def _message(link: _Link) -> str:
    text = "\n".join(link.message).strip()[:LONGEST_TEXT]
    return "" if text == "null" else text


def _after_thread(lines: Sequence[str], at: int) -> int:
    """The row after the frames of one thread in a thread dump: where it stands, not what failed."""
    while at < len(lines) and (_frame(lines[at]) is not None or LOCK.match(lines[at])):
        at += 1
    return at


def _read_deadlock(lines: Sequence[str], first: int) -> tuple[Trace | None, int]:
    """A deadlock that the virtual machine found: the frames of the first of the threads that wait for each other."""
    report: list[str] = []
    frames: list[Frame] = []
    at = first
    while at < min(first + LONGEST_MESSAGE, len(lines)) and _frame(lines[at]) is None:
        report.append(lines[at].strip())
        at += 1
    while at < len(lines) and (frame := _frame(lines[at]) or LOCK.match(lines[at])):
        frames += [frame] if isinstance(frame, Frame) else []
        at += 1
    end = at
    while end < len(lines) and (_frame(lines[end]) or LOCK.match(lines[end]) or re.match(r'".*":$', lines[end])):
        end += 1
    if not frames:
        return None, max(at, first + 1)
    trace = Trace(
        item="",
        language="java",
        first_line=first + 1,
        last_line=end,
        exception=None,
        message="\n".join(line for line in report if line.strip("="))[:LONGEST_TEXT],
        frames=tuple(frames[:MOST_FRAMES]),
    )
    return trace, end


FILES = (".java:", ".kt:", ".scala:", ".groovy:", ".clj:", "(SourceFile:", "(Unknown Source)", "(Native Method)")
WORDS = ("Caused by: ", "Exception in thread", "APPLICATION FAILED TO START")
READER = Reader("java", (*FILES, *WORDS), find)
