"""Cutting a log that is too long: one rule for whoever cuts, in one pass and in memory that does not grow with it.

The beginning, the first line of every kind with what belongs to it (`firsts`), then the newest lines. Order stays, and
a line stands wherever others were left out, with their number. What has such lines already may be cut again.
"""

import re
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from agents.logs.firsts import GAP_BYTES, Firsts, Line, clipped, written_size
from agents.logs.lines import GAP, GAP_HEAD, gap_line

VALUE = re.compile(r"\s{0,40}[\"']?value[\"']?\s{0,2}[:=]")
BLOCK = 128 * 1024
"""Characters that are looked at at once."""


class Shortened(NamedTuple):
    """A log within its limit. `kept` of `of` lines are in `text`; `how` is None where that is all of them."""

    text: str
    kept: int
    of: int
    how: str | None


class Cutter:
    """Takes a log, part by part and of any length, and has at most `limit` bytes of it at the end."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._longest = max(1, limit // 8)
        self._firsts = Firsts(limit)
        self._newest: deque[tuple[int, str, int]] = deque()
        """Blocks: the number of the first line, the text, and its bytes."""
        self._size = 0
        """Bytes of the newest blocks."""
        self._number = 1
        """Of the next line."""
        self._begun = ""
        """A line whose end has not come."""
        self._skips = False
        """Whether the rest of a line that is too long is passed over."""
        self._left_out = 0
        """Lines that were left out before this cut."""
        self._is_whole = True

    def add(self, text: str) -> None:
        """The next part; it may end anywhere."""
        if self._skips:
            end = text.find("\n")
            if end < 0:
                return
            text, self._skips = text[end:], False
        if self._begun:
            text, self._begun = self._begun + text, ""
        at = 0
        while (end := text.rfind("\n", at, at + BLOCK) + 1 or text.find("\n", at) + 1) > 0:
            self._take(text[at:end])
            at = end
        self._begun = text[at:]
        if len(self._begun) > self._longest:
            self._begun, self._skips, self._is_whole = clipped(self._begun, self._longest), True, False

    def finish(self) -> Shortened:
        """What is kept of all parts."""
        if self._begun:
            self._take(self._begun)
            self._begun = ""
        elif self._skips:
            self._number += 1  # a last line of which no word is short enough to be kept
        of = self._number - 1
        kinds = f"the beginning, the first of each of {self._firsts.kinds} kinds of lines, and the newest lines"
        if self._firsts.missed:
            kinds += f"; {self._firsts.missed} lines that may be of further kinds had no room"
        if self._is_whole and self._size <= self._limit:
            newest: list[Line] = [(number, text) for number, text, _ in self._newest]
            return Shortened(self._written([], newest), of - self._left_out, of, kinds if self._left_out else None)
        kept, start = self._firsts.kept, self._number
        newest = []
        for _ in range(2):  # what is kept of the newest lines anyway makes room for more of them
            kept = [one for one in kept if one[0] < start] if newest else kept
            newest = self._tail(self._limit - _size_of(kept))
            start = newest[0][0] if newest else self._number
        kept = [one for one in kept if one[0] < start]
        written = self._written(kept, newest)
        gaps = sum(1 for _ in GAP.finditer(written))
        return Shortened(written, (_lines_of(written) if written else 0) - gaps, of, kinds)

    def _take(self, text: str) -> None:
        """Whole lines, with places among them where others were left out."""
        if GAP_HEAD not in text:
            self._count(text)
            return
        at = 0
        for gap in GAP.finditer(text):
            if gap["count"] is None:
                continue  # how many is not known; it stays what it is
            self._count(text[at : gap.start()])
            self._number += int(gap["count"])
            self._left_out += int(gap["count"])
            self._size += GAP_BYTES
            self._firsts.skip()
            at = min(gap.end() + 1, len(text))
        self._count(text[at:])

    def _count(self, text: str) -> None:
        if not text:
            return
        if len(text) > self._longest:
            text = self._with_short_lines(text)
        self._firsts.see(text, self._number)
        size = len(text.encode("utf-8", "replace"))
        self._newest.append((self._number, text, size))
        self._number += _lines_of(text)
        self._size += size
        while self._newest and self._size - self._newest[0][2] >= self._limit:
            self._size -= self._newest.popleft()[2]
            self._is_whole = False

    def _with_short_lines(self, text: str) -> str:
        lines = text.split("\n")
        short = [clipped(line, self._longest) for line in lines]
        self._is_whole = self._is_whole and short == lines
        return "\n".join(short)

    def _tail(self, room: int) -> list[Line]:
        """The newest lines that have room, in blocks."""
        taken: list[Line] = []
        end = self._number
        for number, text, size in reversed(self._newest):
            room -= GAP_BYTES if number + _lines_of(text) != end else 0
            end = number
            if size <= room:
                taken.append((number, text))
                room -= size
                continue
            written = text.encode("utf-8", "replace")
            begin = written.find(b"\n", size - room - 1) + 1
            if room > 0 and begin:
                short = written[begin:].decode("utf-8", "replace")
                if short:
                    taken.append((number + text.count("\n") - short.count("\n"), short))
            break
        return taken[::-1]

    def _written(self, kept: Iterable[Line], newest: Iterable[Line]) -> str:
        return "".join(with_gaps((*((number, f"{line}\n") for number, line in kept), *newest), self._number))


def with_gaps(parts: Iterable[Line], end: int, begin: int = 1) -> Iterator[str]:
    """Parts of whole lines, with a line wherever the numbers from `begin` to before `end` have a gap.

    A value whose name was in the line that was left out before it goes, too: without the name nobody knows a secret.
    """
    number = begin
    for first, text in parts:
        here, said = first, text
        if first > number:
            if VALUE.match(text):
                here, said = first + 1, text.partition("\n")[2]
            yield f"{gap_line(here - number)}\n"
        yield said
        number = here + (_lines_of(said) if said else 0)
    if end > number:
        yield f"{gap_line(end - number)}\n"


def cut(text: str, limit: int) -> Shortened:
    """A whole text within `limit` bytes."""
    cutter = Cutter(limit)
    cutter.add(text)
    return cutter.finish()


def cut_bytes(parts: Iterable[bytes], limit: int) -> Shortened:
    """The same of a file that comes in parts, so that it need not be in memory as a whole."""
    cutter, decoder = Cutter(limit), getincrementaldecoder("utf-8")("replace")
    for part in parts:
        cutter.add(decoder.decode(part))
    cutter.add(decoder.decode(b"", final=True))
    return cutter.finish()


def _lines_of(text: str) -> int:
    return text.count("\n") + (not text.endswith("\n"))


def _size_of(kept: Iterable[Line]) -> int:
    """Bytes of the lines and of what stands between them where others were left out, before and after them, too."""
    size, number = 2 * GAP_BYTES, 0
    for at, line in kept:
        size += written_size(line) + (GAP_BYTES if at != number + 1 else 0)
        number = at
    return size
