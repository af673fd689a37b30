"""The traces of a log in every language there is a reader for."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from agents.frames import dotnet, go, java, javascript, php, python, ruby, rust
from agents.frames.nouns import Reader, Trace
from agents.logs import MIXED, Row, rows_of

READERS: tuple[Reader, ...] = (
    python.READER,
    go.READER,
    java.READER,
    javascript.READER,
    dotnet.READER,
    php.READER,
    ruby.READER,
    rust.READER,
)
MOST_ALIKE = 1000
"""Traces of one log that are kept of the same failure: enough to tell the frequent ones from the rare."""


class Found(NamedTuple):
    """The traces of a log, and the lines where traces begin that several threads mixed and nobody can tell apart."""

    traces: tuple[Trace, ...] = ()
    mixed: tuple[int, ...] = ()


def find_traces(item: str, text: str) -> tuple[Trace, ...]:
    """The traces of a log that can be told from others, in order."""
    return read_traces(item, text).traces


def read_traces(item: str, text: str) -> Found:
    """The traces of a log, in order. Chained ones and groups are one trace; a cut one counts if it has a frame.

    Where two readers claim the same rows, the trace that begins first has them, and of two that begin together the
    longer. Of more than `MOST_ALIKE` traces of one failure, the first ones are kept.
    """
    readers = [reader for reader in READERS if any(hint in text for hint in reader.hints)]
    if not readers:
        return Found()
    rows = rows_of(text)
    lines = [row.text for row in rows]
    found = [trace for reader in readers for trace in _bounded(reader.find(lines))]
    found.sort(key=lambda trace: (trace.first_line, -trace.last_line))
    traces = tuple(_placed(trace, item, rows) for trace in _unclaimed(found))
    return Found(traces, tuple(row.line for row in rows if row.text == MIXED))


def _bounded(traces: Sequence[Trace]) -> Iterator[Trace]:
    seen: Counter[Hashable] = Counter()
    for trace in traces:
        deepest = [(frame.path, frame.line) for frame in trace.frames[:1]]  # some languages print none
        failure = (trace.exception, *deepest, trace.innermost)
        seen[failure] += 1
        if seen[failure] <= MOST_ALIKE:
            yield trace


def _unclaimed(traces: Sequence[Trace]) -> Iterator[Trace]:
    """The traces, by their first row, without those whose rows another language has claimed already."""
    claimed: dict[str, int] = {}
    for trace in traces:
        if all(trace.first_line > last for language, last in claimed.items() if language != trace.language):
            claimed[trace.language] = max(trace.last_line, claimed.get(trace.language, 0))
            yield trace


def _placed(trace: Trace, item: str, rows: list[Row]) -> Trace:
    """The trace with the lines that its rows have in the log item."""
    return trace.model_copy(
        update={
            "item": item,
            "first_line": rows[trace.first_line - 1].line,
            "last_line": rows[trace.last_line - 1].line,
            "causes": tuple(_placed(cause, item, rows) for cause in trace.causes),
        }
    )
