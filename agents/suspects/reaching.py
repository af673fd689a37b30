"""Callers of what has changed: a function that the trace's functions call may call it in turn.

By names alone and one function deep: enough to say that a change is reachable, never that it was reached.
"""

from collections.abc import Mapping, Sequence

from agents.changes import Commit
from agents.suspects.clues import Clues
from agents.suspects.nouns import says_little
from agents.suspects.ranking import changes_of
from agents.suspects.reach import Reach
from agents.suspects.sources import Sources
from agents.syntax import function_at

MOST_NAMES = 40
Via = Mapping[str, str]
"""A changed name -> the function in between, which the trace's functions use."""


def called_names(
    commits: Sequence[Commit], clues: Clues, texts: Mapping[str, str], difference: str | None
) -> list[str]:
    """What the range's changes of source define, rarest words first."""
    sources = Sources(texts)
    endings = tuple({f".{call.frame.file.rpartition('.')[2]}" for call in clues.calls if call.frame.file})
    found: dict[str, None] = {}
    for change in changes_of(commits, sources, difference):
        if change.is_source and not change.is_test and change.file.endswith(endings):
            found |= dict.fromkeys(sorted(name for name in change.defined if not says_little(name)))
    return sorted((name for name in found if len(name) > 3), key=lambda name: -len(name))[:MOST_NAMES]


def reaching(names: Sequence[str], hits: Sequence[tuple[str, int, str]], clues: Clues, texts: Mapping[str, str]) -> Via:
    """Which of the names are used by a function that the trace's functions use. `hits` are (path, line, text)."""
    sources = Sources(texts)
    reaches = [Reach(call, sources) for call in clues.calls]
    used = frozenset(name for reach in reaches for name in (*reach.in_line, *reach.behind, *reach.in_body))
    found: dict[str, str] = {}
    for path, line, text in hits:
        if path not in texts:
            continue
        around = function_at(path, texts[path], line)
        if around is None or around.name not in used:
            continue
        for name in names:
            if name in text and name != around.name:
                found.setdefault(name, around.name)
    return found
