"""Evidence of the message: the change took away what the error misses, asks for what it wants, or says what it says."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.nouns import EVERYWHERE, WEIGHTS, Kind, Reason, says_little
from agents.syntax import strings

ASKS = 4.0
"""What it weighs that a change brought the name in which the error misses."""
MENTIONED_ONCE = 0.8
"""The share of a removal that is no definition: what only mentioned the name."""
UNUSED = 0.2
"""The share of a change that only does not use the name any more."""
GENERIC = 0.3
"""What is left where a name is a word that every program uses for something."""
MOST_MENTIONS = 3
"""A name that more commits of the range mention tells little."""


class Symbols:
    """The names of the error, and how many commits of the range mention each."""

    def __init__(self, clues: Clues, changes: Sequence[Change]) -> None:
        self._clues = clues
        names = (clues.names - EVERYWHERE) | clues.absent | clues.demanded
        self._names = {name: _whole(name) for name in names if len(name) > 2}
        mentions: dict[str, set[str]] = {}
        for change in changes:
            for name in self._mentioned(change):
                mentions.setdefault(name, set()).add(change.commit.sha)
        self._mentions = Counter({name: len(commits) for name, commits in mentions.items()})

    def reasons(self, change: Change) -> Iterator[Reason]:
        is_near = bool({change.file, change.hunk.old_file} & self._clues.files)
        for name in sorted(self._mentioned(change)):
            share = GENERIC if says_little(name) and not is_near else 1.0
            wanted = self._wanted(change, name, share)
            yield wanted or self._named(change, name, share, is_near=is_near)

    def _mentioned(self, change: Change) -> list[str]:
        return [
            name
            for name, pattern in self._names.items()
            if (name in change.added or name in change.removed)
            and (pattern.search(change.added) or pattern.search(change.removed))
        ]

    def _wanted(self, change: Change, name: str, share: float) -> Reason | None:
        """A reason where the change took away what is missing, or asks for what nobody gives."""
        clues, pattern = self._clues, self._names[name]
        is_gone = bool(pattern.search(change.removed)) and not pattern.search(change.added)
        is_new = bool(pattern.search(change.added)) and not pattern.search(change.removed)
        is_undefined = name in change.undefined and not change.is_test
        if name in clues.absent and (is_gone or is_undefined):
            share = 1.0 if is_undefined and not change.leaves(name) else share * _removal(change, name)
            return Reason("missing", WEIGHTS["missing"] * share, f"it took away {name!r}, which the error misses")
        if name in clues.demanded and is_new and name in change.defined_anew:
            return Reason("missing", WEIGHTS["missing"] * share, f"it asks for {name!r}, which the error misses")
        if name in clues.demanded and is_gone:
            share *= MENTIONED_ONCE
            return Reason("missing", WEIGHTS["missing"] * share, f"it took away {name!r}, which the error asks for")
        if name in clues.absent | clues.demanded and is_new:
            return Reason("missing", ASKS * share, f"it brought in {name!r}, which the error misses")
        if name in clues.demanded and name in change.defined:
            return Reason("missing", WEIGHTS["function"] * share, f"it changed {name!r}, which the error is about")
        return None

    def _named(self, change: Change, name: str, share: float, *, is_near: bool) -> Reason:
        is_rare = self._mentions[name] == 1 and len(name) > 3 and share == 1.0
        is_telling = is_rare and (name in change.literals or name in change.defined or not name.isalpha())
        kind: Kind = "named" if is_near or is_telling else "mentioned"
        if self._mentions[name] > MOST_MENTIONS:
            share *= 0.5
        return Reason(kind, WEIGHTS[kind] * share, f"it mentions {name!r}, as the error does")


def _removal(change: Change, name: str) -> float:
    """How much it says that a change took a name away: all where it was defined, little where it was only used."""
    if change.leaves(name):
        return UNUSED
    if name in change.defined_before or not change.is_source:
        return 1.0
    is_key = any(name in text for line in change.hunk.removed for text in strings(line.text))
    return MENTIONED_ONCE if is_key else UNUSED


def _whole(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
