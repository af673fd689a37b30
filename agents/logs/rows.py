"""Rows: a log's lines without their prefixes, in an order in which every trace is in one piece.

Lines of several programs are sorted by program, parts of a line that was cut are joined, what structured logging folded
into one string is unfolded, heads that a logger repeats before every row of a trace are taken off, and what several
threads wrote into one another is put in order (`tangles`).
"""

import re
from collections.abc import Iterator, Sequence

from agents.logs.lines import Row, is_gap, unwrap
from agents.logs.plain import TIME, is_row
from agents.logs.structured import OPENED, folded, unescaped
from agents.logs.tangles import FRAME, by_writer, in_one_piece, without_mixed

LONGEST_JOINED = 1_000_000
"""Characters of a line that are put together again from its parts."""
TRACE_ROW = re.compile(
    r"\s*(?:at [\w$.<>/ ()\[\]-]{1,200}[(:]|File \"[^\"\n]{1,400}\", line \d|Traceback \(most recent call last\):"
    r"|Caused by: |goroutine \d+ \[|\.\.\. \d+ (?:more|common)|from \S{1,300}:\d+:in |#\d+ \S{1,300}[(:]"
    r"|/\S{1,300}\.\w{1,5}:\d+|panic: )"
)
ESCAPED_END = re.compile(r"(?:\\r)?\\n")
ESCAPED = re.compile(r"\\n(?:\\t|(?:\\t| ){0,8}(?:at |File |goroutine |Caused by: |#\d|/|from ))")
"""The end of a line inside a string that was not unescaped, with a row of a trace after it."""
HEAD_END = re.compile(r"\] ?|: |- |\| ?|\) |\t| {2,}")
MOST_ENDS = 12
"""Places at the start of a line where a head may end."""
ENDING = re.compile(
    r"(?:[A-Za-z_$][\w$]*[.:])*[A-Z][\w$]*(?:Error|Exception|Exit|Interrupt|Timeout|Fault)\b(?:: |$)|\s"
)
DIGITS = re.compile(r"\d+")
GAP = "where lines were left out"
"""Stands for every stream."""
_Begun = dict[tuple[str, str], tuple[int, list[str], int]]
"""Of each stream and channel a line that is not at its end: its number, its parts and their length."""


def rows_of(text: str) -> list[Row]:
    """The rows of a log: of each stream in order, the streams one after the other as they first appear.

    A line that folds several lines into a string gives a row for each of them. Every line of the log is in some row,
    but for parts of one that was cut, which are in the row of the first part. Where lines were left out, every stream
    has a row that says so: no trace goes on behind it.
    """
    streams: dict[str, list[Row]] = {}
    for stream, row in _joined(text):
        if stream is GAP:
            for others in streams.values() or [streams.setdefault("", [])]:
                others.append(row)
            continue
        rows = streams.setdefault(stream, [])
        parts = _unfolded(row.text)
        rows += [Row(row.line, part) for part in parts] or [row]
    return [row for rows in streams.values() for row in _untangled(rows)]


def _untangled(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows of one stream, every trace in one piece as far as several threads wrote them."""
    heads: dict[str, None] = {}
    plain = [*_without_heads(rows, heads)]
    if len(heads) > 1 and (sorted_rows := by_writer(rows, heads)) is not rows:
        plain = [*_without_heads(sorted_rows, {})]
    return without_mixed(in_one_piece(plain)) if any(FRAME.match(row.text) for row in plain) else plain


def _joined(text: str) -> Iterator[tuple[str, Row]]:
    """Lines with their stream; those that the container runtime cut are one again."""
    begun: _Begun = {}
    for number, raw in enumerate(text.split("\n"), 1):
        if is_gap(raw):
            yield from _ended(begun)
            begun.clear()
            yield GAP, Row(number, raw)
            continue
        line = unwrap(raw)
        before = begun.pop((line.stream, line.channel), None)
        first, parts, size = before or (number, [], 0)
        parts.append(line.text)
        size += len(line.text)
        if line.is_partial and size < LONGEST_JOINED:
            begun[line.stream, line.channel] = (first, parts, size)
        else:
            yield line.stream, Row(first, "".join(parts) if len(parts) > 1 else line.text)
    yield from _ended(begun)


def _ended(begun: _Begun) -> Iterator[tuple[str, Row]]:
    for (stream, _), (first, parts, _) in begun.items():
        yield stream, Row(first, "".join(parts))


def _unfolded(line: str) -> tuple[str, ...]:
    if line.startswith("{"):
        rows = folded(line)
        if rows:
            return rows
    if "\\n" not in line:
        return ()
    for quoted in OPENED.finditer(line):
        if not quoted["close"]:
            break
        if "\\n" in quoted["inside"] and ESCAPED.search(quoted["inside"]):
            inside = unescaped(quoted["inside"]).split("\n")
            return (line[: quoted.start()].rstrip(" ={"), *inside) if quoted.start() else tuple(inside)
    if ESCAPED.search(line):
        return tuple(part.replace("\\t", "\t") for part in ESCAPED_END.split(line))
    return ()


def _without_heads(rows: Sequence[Row], heads: dict[str, None]) -> Iterator[Row]:
    """Rows, without the head (time, level, logger) where every row of a trace has one; adds these to `heads`."""
    run: str | None = None
    held: Row | None = None
    for row in rows:
        start = _head_length(row.text)
        if start:
            run = DIGITS.sub("0", row.text[:start])
            heads[row.text[:start]] = None
            if held is not None:
                yield _opening(held, run)
                held = None
            yield Row(row.line, row.text[start:])
            continue
        if held is not None:
            yield held
            held = None
        rest = _same_head(row.text, run) if run is not None else None
        if rest is not None and (ENDING.match(rest) or is_row(rest)):
            yield Row(row.line, rest)
        else:
            run, held = None, row
    if held is not None:
        yield held


def has_headed_row(text: str) -> bool:
    """Whether a line is a row of a trace with a head before it."""
    return _head_length(text) > 0


def _opening(row: Row, shape: str) -> Row:
    """The line before the first row of a trace: without the same head, where it names the exception."""
    rest = _same_head(row.text, shape)
    return Row(row.line, rest) if rest is not None and ENDING.match(rest) else row


def _same_head(text: str, shape: str) -> str | None:
    """What follows a head of this shape."""
    for end in HEAD_END.finditer(text[:400]):
        if DIGITS.sub("0", text[: end.end()]) == shape:
            return text[end.end() :]
    return None


def _head_length(text: str) -> int:
    """How long the head before a row of a trace is; 0 where there is none."""
    time = TIME.match(text)
    if time is None and text[:1] not in "[IWEFDC":
        return 0
    for count, end in enumerate(HEAD_END.finditer(text[:400])):
        if count == MOST_ENDS:
            break
        # the blanks that belong to the row's indent are no part of the head
        at = end.start() + len(end.group().rstrip(" ")) if end.group().isspace() else end.end()
        if at and TRACE_ROW.match(text, at):
            return at
    return 0
