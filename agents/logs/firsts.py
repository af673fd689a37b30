"""The beginning of a log, and the first line of every kind in it with what belongs to it, in one pass.

It is what must not be lost of a log that is too long: newer lines of a kind say what the first one said, but a cause
that was logged once is gone. A block of lines is turned into keys by one translation of its bytes; equal keys cost a
look into a set, and only what is new after that is read.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence

from agents.logs.lines import unwrap
from agents.logs.masking import finer
from agents.logs.plain import is_row
from agents.logs.rows import TRACE_ROW, has_headed_row

HEXADECIMAL = b"0123456789abcdefABCDEF"
"""Deleted from a line's bytes: what is left of numbers, times, addresses and ids of a kind is always the same."""
STATUS = re.compile(rb"[ :=\",]([45])\d\d(?=[ ,\"}\r\n]|$)")
"""A number that may be a status of HTTP: 500 is of another kind than 200."""
PLACE = re.compile(rb", line \d{1,7}|\.(?:java|kt|go|py|rb|[jt]sx?|php|rs|cs|scala)(?::line |[:(])\d{1,7}")
"""A line of a source file: the same function that failed elsewhere is another failure."""
FAILED = "Sxx"
LETTERS = bytes.maketrans(b"0123456789", b"ghijklmnop")
SERIOUS = frozenset(
    {
        *(
            "warn",
            "warning",
            "err",
            "errors",
            "crit",
            "critical",
            "severe",
            "alert",
            "emerg",
            "fatal",
            "panic",
            "panicked",
        ),
        *("fail", "failed", "failing", "fails", "failure", "abort", "aborted", "exit", "killed", "timed", "traceback"),
        *("cannot", "unable", "denied", "refused", "uncaught", "unexpected", "unhandled"),
    }
)
SERIOUS_ENDS = ("error", "exception", "fault", "timeout")
"""Words, and ends of words, that a warning or an error has somewhere near its start."""
WORD = re.compile(r"[A-Za-z]+")
GRADED = re.compile(r"[WEF]\d{4} |.{0,200}?\"level\":[456]0\b")
"""The levels of klog, and of pino, which are no words."""
NEAR_START = 600
LONGEST_KEY = 4000
"""Characters of a line that take part in its key."""
MOST_ALIKE = 100
"""Kinds of a family (see `_families`) that are kept: beyond that they hold free text, and are one."""
KEYISH = re.compile(r"\s*[A-Za-z0-9+/=]{40,100}\s*")
"""A line of a private key is never kept apart from the lines by which it is known as one."""
LEADING, TRAILING = 2, 2
"""Lines kept before and after the first of a kind, beside the rows of a trace."""
ROWS_BEFORE = 60
MOST_ROWS, FEW_ROWS = 200, 8
"""Rows kept after the first line of a serious kind, and of another one."""
GAP_BYTES = 48
"""What the line takes that stands before a passage for those that were left out."""
ENTRY_BYTES = 80
"""What an entry of a set of numbers takes in memory."""

Line = tuple[int, str]
"""A line with its number in the whole log, from 1."""


def written_size(line: str) -> int:
    """Bytes of a line and its end in a file."""
    return len(line.encode()) + 1


class Firsts:
    """The lines that are kept whatever comes, in at most half of `limit`, as `size` measures them."""

    def __init__(self, limit: int, size: Callable[[str], int] = written_size) -> None:
        self.kept: list[Line] = []
        """Ascending."""
        self.kinds = 0
        self.missed = 0
        """Lines that may be of further kinds, for which there was no room."""
        self._size = size
        self._rooms = {"beginning": limit // 16, "ordinary": limit * 3 // 16, "serious": limit // 4}
        self._widest = {"beginning": limit // 256, "ordinary": limit // 256, "serious": limit // 64}
        self._longest = {"beginning": limit // 16, "ordinary": limit // 128, "serious": limit // 32}
        """Of a passage, so that one trace does not take the room of all others."""
        self._most = limit // 1024
        self._most_alike = min(MOST_ALIKE, max(1, limit // 16384))
        self._held = 0
        self._known: set[int] = set()
        """Hashes of keys that need not be looked at any more. It may be emptied at any time."""
        self._seen: set[int] = set()
        """Hashes of the finer keys of all kinds."""
        self._families: Counter[int] = Counter()
        self._before: list[str] = []
        self._until = 0
        """The last line that was kept."""
        self._room, self._wanted, self._strangers = "beginning", 1 << 60, 0
        """What is being kept: from which room, how many more lines, and how many of the last ones were no rows."""
        self._left = self._longest["beginning"]
        """How much more of the passage may be kept."""
        self._stopped = 0
        """The line before which a trace was left that is longer than a passage may be; 0 where there is none."""

    @property
    def memory(self) -> int:
        """What is held, as `size` measures it, and the keys."""
        keys = len(self._known) + len(self._seen) + len(self._families)
        return self._held + sum(map(self._size, self._before)) + ENTRY_BYTES * keys

    def see(self, text: str, number: int) -> None:
        """Look at whole lines, of which the first is line `number` of the log."""
        body = text.removesuffix("\n")
        keys = [*map(hash, weighed(body.encode("utf-8", "replace")).translate(None, HEXADECIMAL).split(b"\n"))]
        fresh = set(keys) - self._known
        if fresh or self._wanted > 0:
            self._look([*self._before, *body.split("\n")], keys, fresh, number - len(self._before))
        last = [clipped(line, self._widest["ordinary"]) for line in body.rsplit("\n", ROWS_BEFORE)[-ROWS_BEFORE:]]
        self._before = [*self._before, *last][-ROWS_BEFORE:]

    def skip(self) -> None:
        """Lines are missing here: what comes belongs to nothing before."""
        self._before = []
        self._wanted = 0

    def _look(self, lines: Sequence[str], keys: Sequence[int], fresh: set[int], number: int) -> None:
        """`number` is that of the first of `lines`; the `keys` are those of the last ones."""
        shift = len(lines) - len(keys)
        for at, key in enumerate(keys, shift):
            if key not in fresh:
                continue
            fresh.discard(key)
            if len(self._known) >= self._most:
                self._known.clear()
            self._known.add(key)
            room = None if self._is_overlong(lines, at, number) else self._room_of(lines[at])
            if room is not None:
                goes_on = self._room == "beginning" or (self._room in {room, "serious"} and _is_row(lines[at]))
                self._follow(lines, at + goes_on, number)
                if not self._is_overlong(lines, at, number):
                    self._begin(lines, at, number, room)
        self._follow(lines, len(lines), number)

    def _is_overlong(self, lines: Sequence[str], at: int, number: int) -> bool:
        """Whether the line is a row of a trace that was kept as far as a passage may go."""
        first = self._stopped - number
        if self._stopped == 0 or not 0 <= first <= at or not all(map(_is_row, lines[first : at + 1])):
            self._stopped = 0
            return False
        self._stopped = number + at + 1
        return True

    def _room_of(self, line: str) -> str | None:
        """The room for a line whose key is new; None where it is of a kind that was seen, or would not fit."""
        text = unwrap(line).text[:LONGEST_KEY]
        key = finer(weighed(text.encode("utf-8", "replace")).decode("utf-8", "replace"))
        kind = hash(key)
        if kind in self._seen or not text.strip():
            return None
        families = _families(key)
        is_full = any(self._families[family] >= self._most_alike for family in families)
        is_serious = not is_full and len(self._seen) < self._most and _is_serious(text, key)
        if is_full or len(self._seen) >= (self._most if is_serious else self._most // 2):
            self.missed += 1
            return None
        self._families.update(families)
        self._seen.add(kind)
        self.kinds += 1
        return "serious" if is_serious else "ordinary"

    def _begin(self, lines: Sequence[str], at: int, number: int, room: str) -> None:
        """Keep the line with those before it, as far back as they are rows that it ends, and begin to follow it."""
        if number + at <= self._until:
            return  # it is in the beginning, or a row of the passage
        first = at
        while first > max(0, at - ROWS_BEFORE) and (at - first < LEADING or _is_row(lines[first])):
            first -= 1
        first = max(first, self._until - number + 1, 0)
        kept = [(number + near, clipped(lines[near], self._widest[room])) for near in range(first, at + 1)]
        size = sum(self._size(line) for _, line in kept) + GAP_BYTES
        if size > self._longest[room]:
            kept = kept[-1 - LEADING :]
            size = sum(self._size(line) for _, line in kept) + GAP_BYTES
        if size > self._rooms[room]:
            self.missed += 1
            return
        self._rooms[room] -= size
        self._held += size
        self.kept += [one for one in kept if not _is_keyish(one[1])]
        self._until = number + at
        self._room, self._wanted, self._strangers = room, MOST_ROWS if room == "serious" else FEW_ROWS, 0
        self._left = self._longest[room] - size

    def _follow(self, lines: Sequence[str], end: int, number: int) -> None:
        """Keep lines up to `end` as long as they are wanted: rows, blank lines, and a few others between and after."""
        for at in range(max(self._until - number + 1, 0), end):  # what comes first need not be line 1
            if self._wanted <= 0:
                self._stopped = number + at if self._room == "serious" else 0
                return
            is_row = self._room == "beginning" or not lines[at].strip() or _is_row(lines[at])
            self._strangers = 0 if is_row else self._strangers + 1
            line = clipped(lines[at], self._widest[self._room])
            size = self._size(line)
            if self._strangers > TRAILING or size > min(self._left, self._rooms[self._room]):
                self._wanted = 0
                self._stopped = number + at if is_row and self._room == "serious" else 0
                return
            if not _is_keyish(line):
                self.kept.append((number + at, line))
                self._rooms[self._room] -= size
                self._left -= size
                self._held += size
            self._until = number + at
            self._wanted -= 1


def weighed(data: bytes) -> bytes:
    """Lines with the numbers that tell kinds apart written in letters, which the keys keep."""
    return PLACE.sub(lambda found: found.group().translate(LETTERS), STATUS.sub(_class, data))


def _is_serious(text: str, key: str) -> bool:
    if FAILED in key or TRACE_ROW.match(text) or GRADED.match(text):
        return True
    words = WORD.findall(text[:NEAR_START].lower())
    return any(word in SERIOUS or word.endswith(SERIOUS_ENDS) for word in words)


def _families(key: str) -> tuple[int, int]:
    """What lines have in common that hold free text at their end, or somewhere before their last words."""
    begin, end = key.split(None, 6), key.rsplit(None, 2)
    return hash(tuple(begin[:6])), hash((*begin[:3], key.count(" "), *end[1:]))


def _class(found: re.Match[bytes]) -> bytes:
    return b" Rxx" if found[1] == b"4" else f" {FAILED}".encode()


def _is_row(line: str) -> bool:
    text = unwrap(line).text
    return is_row(text) or has_headed_row(text)


def _is_keyish(line: str) -> bool:
    return KEYISH.fullmatch(unwrap(line).text) is not None


def clipped(line: str, longest: int) -> str:
    """The first characters of a line that is too long, in whole words: half a secret is not known as one."""
    return line if len(line) <= longest else line[: line.rfind(" ", 0, longest) + 1]
