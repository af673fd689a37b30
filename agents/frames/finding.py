"""The traces of a log in every language there is a reader for."""

from agents.frames import java, javascript, python
from agents.frames.nouns import Reader, Trace
from agents.logs import Row, rows_of

READERS: tuple[Reader, ...] = (python.READER, java.READER, javascript.READER)


def find_traces(item: str, text: str) -> tuple[Trace, ...]:
    """The traces of a log, in order. Chained ones and groups are one trace; a cut one counts if it has a frame.

    Where two readers claim the same rows, the trace that begins first has them, and of two that begin together the
    longer.
    """
    readers = [reader for reader in READERS if any(hint in text for hint in reader.hints)]
    if not readers:
        return ()
    rows = rows_of(text)
    lines = [row.text for row in rows]
    found = [trace for reader in readers for trace in reader.find(lines)]
    found.sort(key=lambda trace: (trace.first_line, -trace.last_line))
    kept: list[Trace] = []
    for trace in found:
        if not kept or trace.first_line > kept[-1].last_line:
            kept.append(trace)
    return tuple(_placed(trace, item, rows) for trace in kept)


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
