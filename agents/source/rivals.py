"""The traces that only the canary has, and what makes two traces the same."""

from collections import Counter
from collections.abc import Sequence

from agents.frames import Trace

Identity = tuple[str | None, str | None, str | None]
"""What makes two traces the same: exception, and path and function of the innermost frame."""


def files_of(traces: Sequence[Trace]) -> list[str]:
    """The repository's files in the frames of some traces, in their order."""
    found = (frame.file for trace in traces for one in (*trace.causes, trace) for frame in one.frames if frame.file)
    return list(dict.fromkeys(found))


def rivals_of(traces: Sequence[Trace], old: frozenset[Identity]) -> list[Trace]:
    """The traces that only the canary has, each once: those in the repository first, then those seen most often."""
    new = [trace for trace in traces if identity(trace) not in old]
    counts = Counter(identity(trace) for trace in new)
    firsts = {identity(trace): trace for trace in reversed(new)}
    order = {identity(trace): at for at, trace in reversed(list(enumerate(new)))}
    return sorted(
        firsts.values(),
        key=lambda trace: (not files_of([trace]), -counts[identity(trace)], order[identity(trace)]),
    )


def identity(trace: Trace) -> Identity:
    """What makes two traces the same."""
    frame = trace.innermost
    return trace.exception, frame.path if frame else None, frame.function if frame else None
