"""An excerpt of logs: at most two hundred lines of any number, the ones that tell most, and how many the rest are.

First what only the canary logs, then errors, warnings and what is rare; of each kind the first line, with the trace
that belongs to it and the lines before. What is left of the room goes to the counts of the other kinds.
"""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from agents.logs.comparison import Difference
from agents.logs.digest import Digest, Kind
from agents.logs.levels import RANK

MOST_LINES = 200
FOR_COUNTS = 40
"""Rows of the excerpt that are kept for the counts."""
SHORT = 12
"""Lines shown of a kind while there are others to be shown."""
WIDEST = 300


class Excerpt(BaseModel):
    """Rows to be read, from the logs' lines and with them; `shown` of `lines` lines and of `kinds` kinds."""

    model_config = ConfigDict(frozen=True)

    rows: tuple[str, ...]
    shown: int
    lines: int
    kinds: int
    kinds_shown: int
    has_more_kinds: bool
    """Whether there were more kinds than could be counted."""

    @property
    def note(self) -> str:
        """How much of how much it is."""
        more = "more than " if self.has_more_kinds else ""
        return f"{self.shown} of {self.lines} lines, {self.kinds_shown} of {more}{self.kinds} kinds of messages"


def excerpt(digest: Digest, differences: Sequence[Difference] = (), budget: int = MOST_LINES) -> Excerpt:
    """The excerpt of one side, of at most `budget` rows. `differences` are told first; without them levels decide."""
    ranked = _ranked(digest, differences)
    shown: dict[tuple[str, int], str] = {}
    gaps = 0
    whole: set[int] = set()
    for at, kind in enumerate(ranked):
        own = [(number, text) for number, text in _lines(kind) if (kind.item, number) not in shown]
        room = budget - min(FOR_COUNTS, len(ranked)) - len(shown) - gaps - 1
        if room < 1:
            break
        whole.add(at)
        if any(number == kind.line for number, _ in own):
            gaps += 1
            shown.update(((kind.item, number), text) for number, text in own[-room:])
    rows = [*_passages(shown)]
    left = [kind for at, kind in enumerate(ranked) if at not in whole]
    counts = [_count(kind) for kind in sorted(ranked, key=lambda kind: -kind.count) if kind.count > 1 or kind in left]
    rows += ["counts of kinds:", *counts][: max(0, budget - len(rows))] if counts else []
    return Excerpt(
        rows=tuple(rows[:budget]),
        shown=len(shown),
        lines=digest.total,
        kinds=len(digest.kinds),
        kinds_shown=len(whole),
        has_more_kinds=digest.rest.count > 0,
    )


def _ranked(digest: Digest, differences: Sequence[Difference]) -> list[Kind]:
    """What tells most first: differences in their order, then by level, then what is rare, then what came first."""
    places = {(one.template.item, one.template.line): at for at, one in reversed([*enumerate(differences)])}
    last = len(differences)

    def rank(kind: Kind) -> tuple[int, int, int, str, int]:
        return (places.get((kind.item, kind.line), last), -RANK[kind.level], kind.count, kind.item, kind.line)

    return sorted(digest.kinds.values(), key=rank)


def _lines(kind: Kind) -> Sequence[tuple[int, str]]:
    """The kind's line with a few of those around it: the start of what follows it and its end."""
    at = next(at for at, (number, _) in enumerate(kind.shown) if number == kind.line)
    before, after = kind.shown[:at], kind.shown[at:]
    if len(after) > SHORT:
        after = (*after[: SHORT // 2], *after[-SHORT // 2 :])
    return (*before[-SHORT:], *after)


def _passages(shown: dict[tuple[str, int], str]) -> Iterator[str]:
    """The lines in the order of the logs, each with the place to cite."""
    for (item, number), text in sorted(shown.items()):
        yield f"{item}#L{number}-{number}| {text[:WIDEST]}"


def _count(kind: Kind) -> str:
    logs = f" in {len(kind.items)} logs" if len(kind.items) > 1 else ""
    level = f"{kind.level} " if kind.level else ""
    return f"{kind.count} times{logs}, first {kind.item}#L{kind.line}-{kind.line}: {level}{kind.text[:WIDEST]}"
