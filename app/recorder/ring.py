"""One container's log as it was heard: the first of every kind of line and the newest ones, within a bound."""

import asyncio
import sys
from collections import deque

from agents.evidence import LogSource
from agents.evidence.recording import time_of
from agents.logs import Firsts, with_gaps

LOG_BYTES = 1024 * 1024
LONGEST_LINE = 16 * 1024
POINTER = 8
NUMBERED = 96
"""What a line takes beside its text where its number is kept with it."""
AT_ONCE = 32
"""Lines that are looked at together, since that costs less."""


class Log:
    """The newest lines of one container's log, and apart from them the first of every kind."""

    def __init__(self, source: LogSource, now: float = 0.0) -> None:
        self.source = source
        self.lines: deque[str] = deque()
        self.bytes = 0
        """Memory of what is held; a line of both is counted twice."""
        self.changed_at = now
        self.latest = ""
        self._firsts = _empty()
        self._firsts_bytes = 0
        self._count = 0
        """Lines that were heard."""
        self._unseen = 0
        """How many of the newest were not looked at yet."""
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
        self.lines.append(line)
        self.bytes += size_of(line)
        self._count += 1
        self._unseen += 1
        if self._unseen >= AT_ONCE:
            self._look()
        self.changed_at = at
        while self.bytes > LOG_BYTES and self.lines:
            self.shed()
        return self.bytes - before

    def clear(self) -> int:
        """Let go of everything; how much that was."""
        size, self.bytes = self.bytes, 0
        self.lines.clear()
        self._firsts, self._firsts_bytes, self._unseen = _empty(), 0, 0
        return size

    def shed(self) -> int:
        """Let go of the oldest of the newest lines; how much less is held."""
        before = self.bytes
        if self._unseen >= len(self.lines):
            self._look()
        if self.lines:
            self.bytes -= size_of(self.lines.popleft())
        return before - self.bytes

    @property
    def text(self) -> str:
        """What is held, in order, and how many lines are not."""
        self._look()
        oldest = self._count - len(self.lines) + 1
        kept = ((number, f"{line}\n") for number, line in self._firsts.kept if number < oldest)
        newest = ((number, f"{line}\n") for number, line in enumerate(self.lines, oldest))
        return "".join(with_gaps((*kept, *newest), self._count + 1))

    def _look(self) -> None:
        if self._unseen:
            unseen = [self.lines[at] for at in range(-self._unseen, 0)]
            self._firsts.see("\n".join(unseen), self._count - self._unseen + 1)
            self._unseen = 0
            held, self._firsts_bytes = self._firsts_bytes, self._firsts.memory
            self.bytes += self._firsts_bytes - held


def size_of(line: str) -> int:
    """What a line takes in memory: more than its characters, and of some scripts four bytes for each of them."""
    return sys.getsizeof(line) + POINTER


def _empty() -> Firsts:
    return Firsts(LOG_BYTES, lambda line: size_of(line) + NUMBERED)
