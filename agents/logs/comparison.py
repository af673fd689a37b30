"""What the canary logs otherwise than the stable version: new, vanished, more or less often, at another level.

A canary gets a part of the traffic, in fewer pods and for a shorter time. So how often a kind is to be expected is
measured by lines, by what is typical of the kinds that both have (the median of ratios; Anders and Huber, Genome
Biology 11, 2010), which a flood of one message does not move, and by logs where a kind is one that every pod says once.
A difference counts if it holds by each of them (Berger's intersection-union test, Technometrics 24, 1982), if that is
not to be expected among so many kinds (Holm), and if it is a factor of two at least.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.logs.chance import chance_of, dispersion, least_chance, surprising
from agents.logs.digest import Digest, Kind, Template
from agents.logs.levels import RANK, Level
from agents.logs.wildcards import merged

RISK = 0.01
"""That one of all the differences said to be sure is none."""
NOTICEABLE = 2.0
"""A rate that changed by less is not told, however sure it is."""
LEAST_SHARED = 5
"""Lines on each side from which a kind that both have says how much more the one side logs."""

ONCE_A_LOG = 3
"""Lines of a kind in each log that has it, up to which it is one that comes once in a pod's life or a few times."""

How = Literal["new", "level", "rate", "vanished"]
ORDER: Mapping[How, int] = {"new": 0, "level": 1, "rate": 2, "vanished": 3}


class Difference(BaseModel):
    """A kind of message that the two versions do not log alike."""

    model_config = ConfigDict(frozen=True)

    how: How
    template: Template
    """The canary's; of one that vanished the stable version's."""
    canary: int
    stable: int
    """Lines of each side."""
    expected: float
    """Lines that the canary would have if nothing had changed, by the measure that is nearest to what it has."""
    was: Level | None = None
    """The level at which the stable version logs it, where that is the difference."""
    is_sure: bool
    """Whether chance is ruled out. What is new is told even if it is not: rare messages come on one side first."""

    @property
    def told(self) -> str:
        """The difference in a few words."""
        often = f"{self.canary} {'time' if self.canary == 1 else 'times'}"
        match self.how:
            case "new":
                return f"{often}, never by the stable version{'' if self.is_sure else ' (which may be chance)'}"
            case "level":
                return f"{often} as {self.template.level}, by the stable version as {self.was or 'no level'}"
            case "rate":
                return f"{often}, where {self.expected:.3g} were to be expected"
            case "vanished":
                return f"never, where {self.expected:.3g} times were to be expected"


def compare(stable: Digest, canary: Digest) -> tuple[Difference, ...]:
    """The differences, those first that tell most. Without lines of a side there is nothing to compare with.

    Then everything that the canary logs is new, and none of it is sure.
    """
    old, new = _together(stable, canary)
    shares = _shares(stable, canary, old, new)
    keys = sorted(old.keys() | new.keys(), key=str)
    pairs = [_Pair(key, old.get(key), new.get(key), shares) for key in keys]
    uneven = [pair.unevenness(stable, canary) for pair in pairs]
    chances = [pair.over_shares(chance_of, by) for pair, by in zip(pairs, uneven, strict=True)]
    least = [pair.over_shares(least_chance, by) for pair, by in zip(pairs, uneven, strict=True)]
    before, after = _levels(old), _levels(new)
    found = [
        pair.difference(before[pair.text], after[pair.text], is_sure=is_sure)
        for pair, is_sure in zip(pairs, surprising(chances, least, RISK), strict=True)
    ]
    return tuple(sorted((one for one in found if one is not None), key=_telling))


Key = tuple[Level | None, str]


class _Count:
    """The kinds of one side that are the same once their wildcards are found."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kinds: list[Kind] = []

    @property
    def count(self) -> int:
        return sum(kind.count for kind in self.kinds)

    @property
    def squares(self) -> int:
        return sum(kind.bursts for kind in self.kinds)

    @property
    def logs(self) -> int:
        return len({item for kind in self.kinds for item in kind.items})

    @property
    def template(self) -> Template:
        first = self.kinds[0].template
        return first.model_copy(update={"text": self.text, "count": self.count, "items": self.logs})


def _together(stable: Digest, canary: Digest) -> tuple[dict[Key, _Count], dict[Key, _Count]]:
    """Both sides' kinds by level and text, those merged that differ in one word of many."""
    texts = merged({text for _, text in (*stable.kinds, *canary.kinds)})
    sides: tuple[dict[Key, _Count], dict[Key, _Count]] = {}, {}
    for side, digest in zip(sides, (stable, canary), strict=True):
        for (level, text), kind in digest.kinds.items():
            name = texts.get(text, text)
            side.setdefault((level, name), _Count(name)).kinds.append(kind)
    return sides


def _levels(side: Mapping[Key, _Count]) -> Mapping[str, list[Level | None]]:
    levels: dict[str, list[Level | None]] = defaultdict(list)
    for level, text in side:
        levels[text].append(level)
    return levels


def _shares(
    stable: Digest, canary: Digest, old: Mapping[Key, _Count], new: Mapping[Key, _Count]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The canary's share of everything, by lines and as is typical of what both log; and by logs."""
    pairs = [(float(canary.total), float(stable.total))]
    ratios = sorted(
        (new[key].count / old[key].count, new[key].count * old[key].count / (new[key].count + old[key].count))
        for key in new.keys() & old.keys()
        if min(new[key].count, old[key].count) >= LEAST_SHARED
    )
    if ratios:
        reached = list(accumulate(weight for _, weight in ratios))
        pairs.append((ratios[bisect_left(reached, reached[-1] / 2)][0], 1.0))
    traffic = tuple(here / (here + there) for here, there in pairs if here and there)
    logs = len(canary.lines) + len(stable.lines)
    return traffic, (*traffic, *([len(canary.lines) / logs] if traffic else []))


class _Pair:
    """One kind as the two sides have it."""

    def __init__(
        self, key: Key, old: _Count | None, new: _Count | None, shares: tuple[Sequence[float], Sequence[float]]
    ) -> None:
        self.level, self.text = key
        self._old, self._new = old, new
        self._here, self._there = (new.count if new else 0), (old.count if old else 0)
        is_rare = all(side.count <= ONCE_A_LOG * side.logs for side in (old, new) if side)
        self._shares = shares[is_rare]

    def unevenness(self, stable: Digest, canary: Digest) -> float:
        """The larger of the two sides' dispersions."""
        return max(
            dispersion(self._here, self._new.squares if self._new else 0, canary.blocks),
            dispersion(self._there, self._old.squares if self._old else 0, stable.blocks),
        )

    def over_shares(self, chance: Callable[[float, float, float], float], uneven: float) -> float:
        """The largest chance by any of the shares; 1 where there is none."""
        found = (chance(self._here / uneven, self._there / uneven, share) for share in self._shares)
        return max(found, default=1.0)

    def difference(
        self, before: Sequence[Level | None], after: Sequence[Level | None], *, is_sure: bool
    ) -> Difference | None:
        """What is to be told; `before` and `after` are the levels at which each side logs the text."""
        how = self._how(before, after, is_sure=is_sure)
        told = self._new or self._old
        if how is None or told is None:
            return None
        return Difference(
            how=how,
            template=told.template,
            canary=self._here,
            stable=self._there,
            expected=self._expected,
            was=max(before, key=RANK.__getitem__) if how == "level" else None,
            is_sure=is_sure,
        )

    def _how(self, before: Sequence[Level | None], after: Sequence[Level | None], *, is_sure: bool) -> How | None:
        if self._old is None:
            if not before:
                return "new"
            rose = RANK[self.level] > max(RANK[level] for level in before)
            return "level" if rose or is_sure else None
        if not is_sure or (self._new is None and after):
            return None
        if self._new is None:
            return "vanished"
        return "rate" if not 1 / NOTICEABLE < self._here / max(self._expected, 1e-9) < NOTICEABLE else None

    @property
    def _expected(self) -> float:
        """Of what the shares let expect, what is nearest to the count."""
        all_ = (self._there * share / (1 - share) for share in self._shares)
        return min(all_, key=lambda one: abs(one - self._here), default=0.0)


def _telling(difference: Difference) -> tuple[bool, int, int, bool, int, str]:
    """Serious ones first, then what is new, what is sure, and what comes often."""
    level = RANK[difference.template.level]
    serious = level >= RANK["error"] and difference.how in {"new", "level"}
    return (
        not serious,
        ORDER[difference.how],
        -level,
        not difference.is_sure,
        -max(difference.canary, difference.stable),
        difference.template.text,
    )
