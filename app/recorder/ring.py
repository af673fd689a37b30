"""One container's log as it was heard: the newest lines and the first error, within a bound."""

import asyncio
import sys
from collections import deque

from agents.evidence import LogSource
from agents.evidence.recording import time_of
from agents.evidence.sealing import ERROR, FIRST_ERROR_LINES

LOG_BYTES = 1024 * 1024
LONGEST_LINE = 16 * 1024
POINTER = 8


class Log:
    """The newest lines of one container's log, and its first error."""

    def __init__(self, source: LogSource, now: float = 0.0) -> None:
        self.source = source
        self.lines: deque[str] = deque()
        self.first_error: list[str] = []
        self.bytes = 0
        """Memory of what is held; a line of both is counted twice."""
        self.changed_at = now
        self.latest = ""
        self._heard: tuple[str, frozenset[str]] = ("", frozenset())
        self.task: asyncio.Task[None] | None = None
        self.is_open = False
        """Whether a stream of it is open."""

    @property
    def is_busy(self) -> bool:
        """Whether somebody reads or follows it, or is about to."""
        return self.task is not None and not self.task.done()

    def reopen(self) -> None:
        """A new stream begins with lines that an earlier one told already: up to this time, and these of that time."""
        last = frozenset(line for line in self.lines if time_of(line) == self.latest)
        self._heard = (self.latest, last)

    def add(self, line: str, at: float) -> int:
        """One line, and by how much more is held now. The lines of one trace can all have the same time."""
        line = line[:LONGEST_LINE]
        time, before = time_of(line), self.bytes
        until, last = self._heard
        if time and (time < until or (time == until and line in last)):
            return 0
        self.latest = max(time, self.latest)
        if len(self.first_error) < FIRST_ERROR_LINES and (self.first_error or ERROR.search(line)):
            self.first_error.append(line)
            self.bytes += size_of(line)
        self.lines.append(line)
        self.bytes += size_of(line)
        self.changed_at = at
        while self.bytes > LOG_BYTES and self.lines:
            self.shed()
        return self.bytes - before

    def clear(self) -> int:
        """Let go of everything; how much that was."""
        size, self.bytes = self.bytes, 0
        self.lines.clear()
        self.first_error.clear()
        return size

    def shed(self) -> int:
        """Let go of the oldest line; its size."""
        size = size_of(self.lines.popleft()) if self.lines else 0
        self.bytes -= size
        return size

    @property
    def text(self) -> str:
        first = set(self.lines)
        return "".join(f"{line}\n" for line in (*(one for one in self.first_error if one not in first), *self.lines))


def size_of(line: str) -> int:
    """What a line takes in memory: more than its characters, and of some scripts four bytes for each of them."""
    return sys.getsizeof(line) + POINTER
