"""What of the changes in a range is there at its end.

A change that a later commit undid or wrote over cannot have broken the canary; a line that was written, taken back and
written again is the last writer's; formatting writes nothing. A merge is answerable for what it has and none of the
commits it brought has: the resolution of a conflict, whether it added a line or lost one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from agents.changes.hunks import Hunk, Line, essence, hunks_of
from agents.changes.repository import MOST_COMMITS, Commit, named_now

Changed = list[tuple[Commit, tuple[Hunk, ...]]]


class _Net:
    """The lines that the end of the range has and its start has not, and those that it has lost."""

    def __init__(self, difference: str) -> None:
        self._added: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._removed: set[str] = set()
        self._explained: set[str] = set()
        for hunk in hunks_of(difference):
            self._added[hunk.file].update(essence(line.text, hunk.file) for line in hunk.added)
            self._removed.update(essence(line.text, hunk.file) for line in hunk.removed)

    def wrote(self, hunk: Hunk, said: str) -> bool:
        """Whether a line is one of those there are more of; each counts for one commit only."""
        if self._added[hunk.file][said] <= 0:
            return False
        self._added[hunk.file][said] -= 1
        return True

    def took(self, said: str) -> bool:
        self._explained.add(said)
        return said in self._removed

    def lost(self, said: str) -> bool:
        """Whether a line is gone that no ordinary commit took."""
        return said in self._removed and said not in self._explained


def effective(commits: Sequence[Commit], difference: str | None) -> Changed:
    """Each commit (newest first) with its hunks that are not undone, under the names that files have at the canary.

    `difference` is the diff between the ends of the range, without context; None where it is not known: then nothing
    but formatting is left out, and merges have no hunks.
    """
    named = named_now(commits)
    if difference is None:
        return [(commit, () if commit.is_merge else tuple(_kept(hunks))) for commit, hunks in named]
    net = _Net(difference)
    left = {
        commit.sha: tuple(found for hunk in _kept(hunks) if (found := _left(hunk, net)) is not None)
        for commit, hunks in named
        if not commit.is_merge
    }
    for commit, hunks in named:
        for hunk in hunks if not commit.is_merge else ():
            if hunk.is_formatting:
                _left(hunk, net)  # what it rewrote is not a merge's either
    is_whole = len(commits) < MOST_COMMITS and not any(commit.is_partial for commit in commits)
    for commit, hunks in reversed(named) if is_whole else ():
        if commit.is_merge:  # the oldest first: a later merge only brings what an older one resolved
            left[commit.sha] = tuple(found for hunk in _kept(hunks) if (found := _resolved(hunk, net)) is not None)
    return [(commit, left.get(commit.sha, ())) for commit, _ in named]


def only_formats(commits: Iterable[Commit]) -> tuple[str, ...]:
    """The commits that change nothing but formatting."""
    return tuple(
        commit.sha
        for commit in commits
        if not commit.is_merge and commit.hunks and all(hunk.is_formatting for hunk in commit.hunks)
    )


def _kept(hunks: Iterable[Hunk]) -> Iterable[Hunk]:
    return (hunk for hunk in hunks if not hunk.is_formatting)


def _left(hunk: Hunk, net: _Net) -> Hunk | None:
    """The hunk, if any of its lines still counts: only the whole of it tells what it did."""
    stay = _unchanged(hunk)
    counts = [net.wrote(hunk, said) for _, said in _said(hunk, hunk.added, stay)]
    counts += [net.took(said) for _, said in _said(hunk, hunk.removed, stay)]
    return hunk if any(counts) else None


def _resolved(hunk: Hunk, net: _Net) -> Hunk | None:
    """What a merge itself did, of what it did to its first parent."""
    stay = _unchanged(hunk)
    added = [line for line, said in _said(hunk, hunk.added, stay) if net.wrote(hunk, said)]
    removed = [line for line, said in _said(hunk, hunk.removed, stay) if net.lost(said)]
    if not removed and not added:
        return None
    return hunk.model_copy(update={"removed": tuple(removed), "added": tuple(added)})


def _unchanged(hunk: Hunk) -> Counter[str]:
    """What a hunk takes out and puts in again beside what it changes; where all it does is to move lines, none."""
    old, new = (Counter(essence(line.text, hunk.file) for line in side) for side in (hunk.removed, hunk.added))
    return old & new if old != new else Counter()


def _said(hunk: Hunk, lines: Sequence[Line], unchanged: Counter[str]) -> Iterable[tuple[Line, str]]:
    """The lines that say something of their own, each with what it says."""
    left = unchanged.copy()
    for line in lines:
        said = essence(line.text, hunk.file)
        if left[said] > 0:
            left[said] -= 1
        elif said:
            yield line, said
