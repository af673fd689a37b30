"""Rows of several threads that were written into one another, put in order where they can be told apart.

By the head before each row, if it names who wrote it; and a message that stands between the rows of a trace goes behind
them. Traces whose rows carry no such mark cannot be told apart: their rows are taken out, and a row says so.
"""

import re
from collections.abc import Iterable, Sequence

from agents.logs.levels import RANK
from agents.logs.lines import Row
from agents.logs.plain import FAILURE, TIME, is_row, read_plain

MOST_WRITERS = 64
MOST_BETWEEN = 3
"""Messages that stand one after another between two rows of a trace."""
FARTHEST = 400
"""Rows that are looked through for the ends of traces."""
OPENING = "Traceback (most recent call last):"
FRAME = re.compile(
    r"\s+(?:at [\w$.<>/ ()\[\]-]{1,200}[(:]|File \"[^\"\n]{1,400}\", line \d|from \S{1,300}:\d|/\S{1,300}\.\w{1,5}:\d)"
)
NAMED = re.compile(
    r"(?P<name>(?:[A-Za-z_$][\w$]*+(?:\.|::))*+[A-Z][\w$]*(?:Error|Exception|Exit|Interrupt|Fault))(?::|$)"
)
"""The row that names the exception: before its frames, or in Python after them."""
MIXED = "~~~~ rows of several traces that cannot be told apart ~~~~"


def by_writer(rows: Sequence[Row], heads: Iterable[str]) -> Sequence[Row]:
    """Rows that follow one another, sorted by who wrote them; `heads` are those that stand before rows of traces.

    What a head says besides the time is who wrote the row: a level, a thread, a logger.
    """
    writers = [*dict.fromkeys(one for head in heads if (one := _behind_time(head)).strip())]
    known = tuple(sorted(writers[:MOST_WRITERS], key=len, reverse=True))
    if len(known) < 2:
        return rows
    ordered: list[Row] = []
    run: dict[str, list[Row]] = {}
    for row in rows:
        said = _behind_time(row.text)
        writer = next((one for one in known if said.startswith(one)), None) if said.startswith(known) else None
        if writer is not None:
            run.setdefault(writer, []).append(row)
            continue
        ordered += [*(each for written in run.values() for each in written), row]
        run = {}
    return [*ordered, *(each for written in run.values() for each in written)]


def _behind_time(text: str) -> str:
    time = TIME.match(text)
    return text[time.end("time") :] if time else text


def in_one_piece(rows: Sequence[Row]) -> list[Row]:
    """Rows without messages between those of a trace; they stand behind it then."""
    ordered: list[Row] = []
    held: list[Row] = []
    at = 0
    while at < len(rows):
        between = _messages_within(ordered, rows, at)
        held += rows[at : at + between]
        at += between
        if held and not between and not _goes_on(ordered, rows, at):
            ordered += held
            held = []
        ordered.append(rows[at])
        at += 1
    return ordered + held


def _messages_within(ordered: Sequence[Row], rows: Sequence[Row], at: int) -> int:
    """How many messages stand here, if the rows before them are a trace's which goes on behind them."""
    if not ordered:
        return 0
    is_within = ordered[-1].text[:1].isspace() and any(FRAME.match(row.text) for row in ordered[-2:])
    is_halved = ordered[-1].text.endswith(")")  # a call of Go, whose place is in the row below
    if not is_within and not is_halved:
        return 0
    end = at
    while end < min(len(rows), at + MOST_BETWEEN) and _is_message(rows[end].text):
        end += 1
    if not at < end < len(rows):
        return 0
    return end - at if rows[end].text.startswith("\t/") or (is_within and _goes_on(ordered, rows, end)) else 0


def _goes_on(ordered: Sequence[Row], rows: Sequence[Row], at: int) -> bool:
    """Whether a row continues the trace that ends `ordered`: another row of one, or the end of one of Python's."""
    text = rows[at].text
    if NAMED.match(text):
        return any('File "' in row.text for row in ordered[-2:])
    return not text.startswith(OPENING) and is_row(text, rows[at + 1].text if at + 1 < len(rows) else "")


def _is_message(text: str) -> bool:
    """Whether a line is a message by itself: it has a time or a level, and tells of no failure that rows may follow."""
    if not text.strip() or is_row(text) or FAILURE.match(text):
        return False
    head = read_plain(text)
    is_headed = head.time is not None or head.level is not None
    return is_headed and RANK[head.level] < RANK["error"] and not FAILURE.match(head.message)


def without_mixed(rows: Sequence[Row]) -> list[Row]:
    """Rows without those of traces that are mixed row by row; one row stands in their place."""
    kept: list[Row] = []
    at = 0
    while at < len(rows):
        end = _end_of_mixed_openings(rows, at) or _end_of_mixed_heads(rows, at)
        kept.append(Row(rows[at].line, MIXED) if end else rows[at])
        at = end or at + 1
    return kept


def _end_of_mixed_openings(rows: Sequence[Row], at: int) -> int:
    """Where traces of Python end that began together and have an end each; 0 where there are none.

    An opening that was cut off, with a whole trace behind it, has one end.
    """
    opened = [row.text.startswith(OPENING) for row in rows[max(0, at - 1) : at + 2]]
    if len(opened) < 2 or not all(opened[-2:]) or (at > 0 and opened[0]):
        return 0  # of several openings, one after another, the first is asked: each of them would take as long
    begun = ended = 0
    for near in range(at, min(len(rows), at + FARTHEST)):
        text = rows[near].text
        if text.startswith(OPENING):
            begun += 1
        elif NAMED.match(text):
            ended += 1
            if ended == begun:
                return near + 1
        elif not text[:1].isspace():
            break
    return 0


def _end_of_mixed_heads(rows: Sequence[Row], at: int) -> int:
    """Where frames end that follow two exceptions' heads and have the outermost frame of both; else 0."""
    one = NAMED.match(rows[at].text)
    other = NAMED.match(rows[at + 1].text) if one is not None and at + 1 < len(rows) else None
    if one is None or other is None or one["name"] == other["name"]:
        return 0
    end = at + 2
    while end < min(len(rows), at + FARTHEST) and FRAME.match(rows[end].text):
        end += 1
    frames = [row.text for row in rows[at + 2 : end]]
    return end if len(frames) > 3 and frames.count(frames[-1]) > 1 else 0
