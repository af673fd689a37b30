"""The digest of a side's logs: every line counted under its kind, in one pass and bounded memory.

Most lines of a log are one of a few kinds. So a block of lines is turned into keys by one substitution, equal keys are
counted by the hash table, and only what is new after that is read and masked.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from agents.logs.events import Event, event_at
from agents.logs.levels import RANK, Level
from agents.logs.lines import is_gap, unwrap
from agents.logs.masking import StatusPlace, coarse, finer, mask
from agents.logs.plain import is_row

BLOCK = 128 * 1024
"""Characters that are counted at once."""
BLOCKS = 32
"""Into how many blocks a shorter text is cut at least, so that bursts can be told from what happens all the time."""
LEAST_BLOCK = 4096
LONGEST_KEY = 4000
"""Characters of a line that take part in its key."""
MOST_KEYS = 50_000
MOST_KINDS = 8_000
MOST_SERIOUS = 2_000
"""Kinds of warnings and errors that still have room when other messages have used up theirs."""
LEADING, FOLLOWING, ROWS_BEFORE = 2, 30, 40
"""Lines kept around the first line of a kind: before, after as far as they continue it, and before as far as they are
rows of a trace that it ends."""
WIDEST = 600
"""Characters of a line that is kept."""
ROOM = 16 * 1024 * 1024
"""Characters of all lines that are kept."""


class Template(BaseModel):
    """A kind of message, and where it was first seen."""

    model_config = ConfigDict(frozen=True)

    text: str
    """Logger, message and error, variable parts masked."""
    count: int
    item: str
    line: int
    """Of the first one in its item, from 1."""
    level: Level | None
    items: int = 1
    """How many logs have it."""


class Kind:
    """One kind of line of one side: how often it was logged, where, and the lines around the first one."""

    __slots__ = ("bursts", "count", "item", "items", "level", "line", "shown", "text")

    def __init__(self, text: str, level: Level | None) -> None:
        self.text = text
        self.level = level
        self.item = ""
        self.line = 0
        self.shown: tuple[tuple[int, str], ...] = ()
        self.count = 0
        self.bursts = 0
        """Sum of the squares of its counts in each block: how unevenly it comes (see `comparison`)."""
        self.items: Counter[str] = Counter()

    @property
    def template(self) -> Template:
        """The kind as the stages after this one know it."""
        return Template(
            text=self.text, count=self.count, item=self.item, line=self.line, level=self.level, items=len(self.items)
        )


class _Placed:
    """What a coarse key stands for if its lines have an HTTP status: a kind for each."""

    __slots__ = ("kinds", "place")

    def __init__(self, place: StatusPlace) -> None:
        self.place = place
        self.kinds: dict[str, Kind] = {}


class Digest:
    """The kinds of lines in some logs. Lines are added item by item, an item as a whole or in parts."""

    def __init__(self) -> None:
        self.kinds: dict[tuple[Level | None, str], Kind] = {}
        self.lines: Counter[str] = Counter()
        """By item."""
        self.blocks = 0
        self.rows = Kind("rows of traces and of messages of several lines", None)
        self.blank = Kind("blank lines", None)
        self.gaps = Kind("places where lines were left out", None)
        self.rest = Kind("lines of kinds that had no room any more", None)
        self._keys: dict[str, Kind | _Placed] = {}
        self._finer: dict[str, Kind] = {}
        self._room = ROOM

    def add(self, item: str, text: str) -> None:
        """Count more lines of an item. A part begins where a line does, and the part before it ended with a line's."""
        size = max(LEAST_BLOCK, min(BLOCK, len(text) // BLOCKS))
        at = 0
        while at < len(text):
            end = _end_of_block(text, at + size)
            self._count(item, text[at:end])
            at = end

    @property
    def total(self) -> int:
        """Lines in all; each is counted in one kind, or in `rows`, `blank`, `gaps` or `rest`."""
        return sum(self.lines.values())

    def _count(self, item: str, block: str) -> None:
        lines = block.split("\n")
        if not lines[-1]:
            lines.pop()
        if max(map(len, lines)) > LONGEST_KEY:
            block = "\n".join([line[:LONGEST_KEY] for line in lines])
        keys = coarse(block).split("\n")[: len(lines)]
        counts = Counter(keys)
        seen = self.lines[item]
        if len(self._keys) > MOST_KEYS:
            self._keys.clear()
            self._finer.clear()
        fresh = counts.keys() - self._keys.keys()
        if fresh:
            self._learn(fresh, item, lines, keys, seen)
        here: Counter[Kind] = Counter()
        placed: dict[str, _Placed] = {}
        for key, count in counts.items():
            known = self._keys[key]
            if isinstance(known, Kind):
                here[known] += count
            else:
                placed[key] = known
        if placed:
            self._count_placed(here, placed, item, lines, keys, seen)
        for kind, count in here.items():
            kind.count += count
            kind.bursts += count * count
            kind.items[item] += count
        self.lines[item] += len(lines)
        self.blocks += 1

    def _learn(self, fresh: set[str], item: str, lines: Sequence[str], keys: Sequence[str], seen: int) -> None:
        left = set(fresh)
        for at, key in enumerate(keys):
            if key in left:
                left.remove(key)
                place = StatusPlace.of(lines[at])
                self._keys[key] = self._kind(item, lines, at, seen, "") if place is None else _Placed(place)

    def _count_placed(
        self,
        here: Counter[Kind],
        placed: dict[str, _Placed],
        item: str,
        lines: Sequence[str],
        keys: Sequence[str],
        seen: int,
    ) -> None:
        read = {key: known.place.read for key, known in placed.items()}
        found = [(key, read[key](line)) if key in read else None for key, line in zip(keys, lines, strict=True)]
        first: dict[tuple[str, str] | None, int] = {}
        for one, count in Counter(found).items():
            if one is None:
                continue
            key, status = one
            kind = placed[key].kinds.get(status)
            if kind is None:
                first = first or {one: at for at, one in reversed([*enumerate(found)])}
                kind = placed[key].kinds[status] = self._kind(item, lines, first[one], seen, status)
            here[kind] += count

    def _kind(self, item: str, lines: Sequence[str], at: int, seen: int, status: str) -> Kind:
        """The kind of a line whose key is new, by the finer key where it has been read before."""
        key = finer(lines[at][:LONGEST_KEY]) + "\n" + status
        kind = self._finer.get(key)
        if kind is None:
            kind = self._finer[key] = self._read(item, lines, at, seen)
        return kind

    def _read(self, item: str, lines: Sequence[str], at: int, seen: int) -> Kind:
        text = unwrap(lines[at]).text
        if not text.strip():
            return self.blank
        if is_gap(lines[at]):
            return self.gaps
        if is_row(text, unwrap(lines[at + 1]).text if at + 1 < len(lines) else ""):
            said = _said_below(item, lines, at)
            if said is None:
                return self.rows
            level, message, last = said.level, f"{said.headline}: {text.strip()}", seen + at + 1
        else:
            event = event_at(item, lines, at, seen + at + 1, rows=FOLLOWING)
            if not event_at(item, lines, at, seen + at + 1, rows=0).is_told:
                return self.rows
            level, message, last = event.level, event.headline, event.last_line
        return self._named(level, mask(message), item, lines, at, (seen, last))

    def _named(
        self, level: Level | None, text: str, item: str, lines: Sequence[str], at: int, numbers: tuple[int, int]
    ) -> Kind:
        kind = self.kinds.get((level, text))
        if kind is not None:
            return kind
        if len(self.kinds) >= MOST_KINDS + (MOST_SERIOUS if RANK[level] >= RANK["warning"] else 0):
            return self.rest
        kind = self.kinds[level, text] = Kind(text, level)
        seen, last = numbers
        first = max(0, at - LEADING)
        while first > max(0, at - ROWS_BEFORE) and is_row(unwrap(lines[first]).text):
            first -= 1
        kept = [(seen + near + 1, lines[near][:WIDEST]) for near in range(first, min(last - seen, len(lines)))]
        size = sum(len(line) for _, line in kept)
        if size > self._room:
            kept = [one for one in kept if one[0] == seen + at + 1]
        self._room -= size
        kind.item, kind.line, kind.shown = item, seen + at + 1, tuple(kept)
        return kind


def digest(logs: Iterable[tuple[str, str]]) -> Digest:
    """The digest of whole logs, given as (item id, text)."""
    made = Digest()
    for item, text in logs:
        made.add(item, text)
    return made


def _said_below(item: str, lines: Sequence[str], at: int) -> Event | None:
    """The head of an indented line that is the message itself, as .NET's console writes it; None for other rows."""
    if at == 0:
        return None
    head = event_at(item, lines, at - 1, at, rows=0)
    return head if head.level is not None and not head.is_told else None


def _end_of_block(text: str, at: int) -> int:
    """The end of the line at `at`, and of the indented ones after it."""
    for _ in range(ROWS_BEFORE):
        end = text.find("\n", at)
        if end < 0:
            return len(text)
        at = end + 1
        if not text.startswith((" ", "\t"), at):
            break
    return at
