"""The report that Spring Boot prints in place of a stack trace when an application cannot start."""

import re
from collections.abc import Sequence

from agents.frames.java_names import kind_of, source_name
from agents.frames.nouns import Frame, Trace

LOCATION = re.compile(r"^\s*(?P<call>[^\s()]+)\((?P<file>[\w$.-]+\.\w+):(?P<line>\d{1,9})\)$")
"""The caller of a method that does not exist, as its own line."""
MEMBER = re.compile(r"\b(?:method|Field|field) (?P<name>\w+) in $")
CLASS = re.compile(r"(?<![\w.$/])(?:[a-z_]\w*\.)+[A-Z][\w$]*(?![\w.$(])")
END = ("Action:",)
LONGEST_REPORT = 80
LONGEST_LINE = 4000


def read_report(lines: Sequence[str], at: int) -> tuple[Trace | None, int]:
    """The report as a trace without an exception, and the row after it.

    Its frames are the places and then the classes of the application that it names; a class has line 0.
    """
    last = min(at + LONGEST_REPORT, len(lines))
    begin = next((row for row in range(at, last) if lines[row].strip() == "Description:"), None)
    if begin is None:
        return None, at + 1
    stop = next((row for row in range(begin, last) if lines[row].strip() in END), None)
    end = stop if stop is not None else _paragraph_end(lines, begin + 1, last)
    described = [line.strip()[:LONGEST_LINE] for line in lines[begin + 1 : end]]
    after = _paragraph_end(lines, stop + 1, last) if stop is not None else end
    message = "\n".join(line for line in described if line)
    places = [_located(match) for line in described if (match := LOCATION.match(line))]
    classes = [frame for line in described for frame in _classes(line)]
    own = [frame for frame in [*places, *classes] if frame.kind == "application"]
    frames = tuple({(frame.module, frame.line): frame for frame in reversed(own)}.values())[::-1]
    trace = Trace(
        item="", language="java", first_line=at + 1, last_line=after, exception=None, message=message, frames=frames
    )
    return trace, after


def _paragraph_end(lines: Sequence[str], at: int, last: int) -> int:
    """The row after the paragraph that begins at or below row `at`."""
    while at < last and not lines[at].strip():
        at += 1
    while at < last and lines[at].strip():
        at += 1
    return at


def _located(match: re.Match[str]) -> Frame:
    name = source_name(match["call"])
    kind = kind_of(match["call"], name, "")
    return Frame(
        path=match["file"], line=int(match["line"]), function=name.function, code=None, kind=kind, module=name.module
    )


def _classes(line: str) -> list[Frame]:
    found: list[Frame] = []
    for match in CLASS.finditer(line):
        name = source_name(f"{match[0]}.<init>")
        member = MEMBER.search(line[: match.start()][-200:])
        function = member["name"] if member else None
        kind = kind_of(match[0], name, "")
        found.append(
            Frame(path=f"{name.owner}.java", line=0, function=function, code=None, kind=kind, module=name.module)
        )
    return found
