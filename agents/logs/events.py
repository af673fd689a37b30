"""Events: what one line says, and the rows of a trace or message that follow it, whatever library wrote them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.logs.levels import RANK, Level
from agents.logs.lines import is_gap, unwrap
from agents.logs.plain import FAILURE, is_row, read_plain
from agents.logs.structured import Named, read_json, read_logfmt, read_tail

ENDING = re.compile(r"[A-Za-z_][\w.]*(?:: |:?$)")
OPENING = ("Traceback (most recent call last):", "  | Traceback", "    | Traceback", "  + Exception Group")
FRAME = re.compile(r"[ \t]+(?:at \S|File \"|from \S+:\d+:in |/\S+\.go:\d)|goroutine \d+ \[")
"""A row that makes a message without a level an error."""
LONGEST_TEXT = 16_000
"""Characters of a line of plain text that are read."""
MOST_ROWS = 200
"""Rows that one event has."""


class Event(BaseModel):
    """One message. Lines count from 1 in the log item."""

    model_config = ConfigDict(frozen=True)

    item: str
    first_line: int
    last_line: int
    time: str | None
    """As written."""
    level: Level | None
    logger: str | None
    message: str
    """Its first row; empty where the head of a message stands in a line of its own, and the message below."""
    error: str | None = None
    """What went wrong, where a field of its own says it."""
    request: str | None = None
    """Method, path and status, where fields of their own say them."""
    trace: tuple[str, ...] = ()
    """The rows after the first: a trace, or the rest of a message of several lines."""
    fields: Mapping[str, Any] = {}

    @property
    def is_told(self) -> bool:
        """Whether the line says more than time, level and logger."""
        return bool(self.message or self.error or self.request)

    @property
    def headline(self) -> str:
        """What tells the event's kind: logger, message, error and answered request, in one row."""
        parts = dict.fromkeys(part for part in (self.logger, self.message, self.error, self.request) if part)
        return ": ".join(parts)


def events_of(item: str, text: str) -> Iterator[Event]:
    """The events of a log, in order; each line is in one of them."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        event = event_at(item, lines, at, at + 1)
        at = event.last_line
        yield event


def event_at(item: str, lines: Sequence[str], at: int, number: int, rows: int = MOST_ROWS) -> Event:
    """The event that begins at `lines[at]`, which is line `number` of the item, with at most so many rows.

    A line that says that others were left out tells nothing else.
    """
    if is_gap(lines[at]):
        return Event(item=item, first_line=number, last_line=number, time=None, level=None, logger=None, message="")
    line = unwrap(lines[at])
    event = _read(item, line.text, number, line.time)
    begun = _Begun(line.text, is_serious=RANK[event.level] >= RANK["warning"])
    below: list[str] = []
    if not line.text.strip():
        return event  # nothing belongs to a blank line: a thousand of them must not be read a thousand times
    after = [unwrap(lines[at + 1])] if rows and at + 1 < len(lines) else []
    while after and len(below) < rows:
        row, following = after.pop(), at + len(below) + 2
        after = [unwrap(lines[following])] if following < len(lines) else []
        next_text = after[0].text if after else ""
        if row.stream != line.stream or not begun.goes_on(row.text, next_text):
            break
        below.append(row.text)
        begun.add(row.text)
    while below and not below[-1].strip():
        below.pop()
    if not below:
        return event
    level = event.level or ("error" if any(FRAME.match(row) for row in below) else None)
    trace = (*event.trace, *(below if event.is_told else below[1:]))
    return event.model_copy(
        update={
            "last_line": number + len(below),
            "level": level,
            "message": event.message if event.is_told else below[0].strip(),
            "trace": trace,
        }
    )


class _Begun:
    """What an event's rows so far say of whether the next line belongs to it."""

    def __init__(self, first: str, *, is_serious: bool) -> None:
        self._is_serious = is_serious
        self._has_rows = False
        self._last = first
        """The last row that is not blank."""
        self._is_open = first.startswith(OPENING)
        """Whether a trace of Python's has begun, which ends in a line that is not indented."""

    def add(self, row: str) -> None:
        """Take a row in."""
        self._has_rows = True
        self._last = row if row.strip() else self._last
        self._is_open = self._is_open or row.startswith(OPENING)

    def goes_on(self, text: str, below: str) -> bool:
        """Whether a line belongs to the event: rows, blank lines between them, and how Python ends a trace."""
        if is_row(text, below) or not text.strip():
            return True
        if not self._has_rows and self._is_serious and FAILURE.match(text) and FRAME.match(below):
            return True
        return self._is_open and self._last[:1].isspace() and ENDING.match(text) is not None


def _read(item: str, text: str, number: int, time: str | None) -> Event:
    """One line by itself."""
    named = read_json(text) if text.startswith("{") else read_logfmt(text[:LONGEST_TEXT])
    if named is not None:
        return _structured(item, text, number, named, time)
    head = read_plain(text[:LONGEST_TEXT])
    message, tail = read_tail(head.message.rstrip())
    return Event(
        item=item,
        first_line=number,
        last_line=number,
        time=head.time or time,
        level=head.level,
        logger=head.logger,
        message=message,
        error=tail.error if tail else None,
        trace=tail.trace if tail else (),
        fields=tail.fields if tail else {},
    )


def _structured(item: str, text: str, number: int, named: Named, time: str | None) -> Event:
    message = named.message or ("" if named.request or named.error else text[:LONGEST_TEXT])
    went_wrong = named.error is not None or bool(named.trace)
    return Event(
        item=item,
        first_line=number,
        last_line=number,
        time=named.time or time,
        level=named.level or ("error" if went_wrong else None),
        logger=named.logger,
        message=message,
        error=named.error,
        request=named.request,
        trace=named.trace,
        fields=named.fields,
    )
