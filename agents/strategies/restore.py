"""Give a manifest value back what the stable version had, and leave the rest of the canary's changes alone."""

import re

from unidiff.patch import Hunk

from agents.diagnosis import Location
from agents.patch import lines_of
from agents.strategies.reversal import NotReversible, is_modified, old_lines, parse, replace_lines
from agents.strategies.revert import Candidate

SEPARATOR = re.compile("[:=]")
"""Parts key and value, in YAML as in the literals of a generator."""


def restore(difference: str, location: Location, text: str | None) -> list[Candidate]:
    """Candidates for the file that holds the value: its line alone, then the place that changed around it.

    `difference` is the diff from the stable to the canary revision without context lines, so that a hunk is one place;
    `text` is the file at the canary's revision, which the hunks' new side counts in.
    """
    changed = next((file for file in parse(difference) if file.path == location.file), None)
    if changed is None or text is None or not is_modified(changed):
        return []
    hunks = sorted(changed, key=lambda hunk: _distance(hunk, location.line))
    if not hunks:
        return []
    first, count = _new_place(hunks[0])
    old = old_lines(hunks[0])
    places = [(first, count, old, f"Gives {location.file} back what the stable version had in this place.")]
    new = lines_of(text)[first - 1 : first - 1 + count]
    twin = _twin(location.line, first, new, old)
    kept = _kept(new, old)
    if twin is None and kept not in (new, old):
        why = f"Gives this place of {location.file} back the keys that it had, and leaves values that only changed."
        places.insert(0, (first, count, kept, why))
    if twin is not None and location.line is not None and (count, len(old)) != (1, 1):
        places.insert(0, (location.line, 1, [twin], f"Gives this line of {location.file} back what it was before."))
    candidates: list[Candidate] = []
    for start, length, lines, why in places:
        try:
            candidates.append(((replace_lines(location.file, text, start, length, lines),), why))
        except NotReversible:
            continue
    return candidates


def _twin(line: int | None, first: int, new: list[str], old: list[str]) -> str | None:
    """The one old line that the new line at `line` replaced: the same value under another key, or the reverse."""
    if line is None or not 0 <= line - first < len(new):
        return None
    now = new[line - first]
    twins = [was for was in old if was not in new and _is_twin(was, now)]
    return twins[0] if len(twins) == 1 and twins[0].endswith("\n") == now.endswith("\n") else None


def _kept(new: list[str], old: list[str]) -> list[str]:
    """The old lines, where a key is there again with another value the new one: other changes may stand beside."""
    left = list(new)
    kept: list[str] = []
    for was in old:
        now = next(
            (line for line in left if _key(line) == _key(was) is not None and _indent(line) == _indent(was)), was
        )
        if now is not was:
            left.remove(now)
        kept.append(now)
    return kept


def _is_twin(one: str, other: str) -> bool:
    key, value = _key(one), _value(one)
    if key is None or _key(other) is None or _indent(one) != _indent(other):
        return False
    return key == _key(other) or (bool(value) and value == _value(other))


def _key(line: str) -> str | None:
    """What stands before the first colon or equals sign; None where there is none."""
    match = SEPARATOR.search(line)
    return line[: match.start()].strip() if match else None


def _value(line: str) -> str:
    match = SEPARATOR.search(line)
    return line[match.end() :].strip() if match else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _new_place(hunk: Hunk) -> tuple[int, int]:
    """First line and number of lines on the new side; git names the line before where there are none."""
    if hunk.target_length == 0:
        return hunk.target_start + 1, 0
    return hunk.target_start, hunk.target_length


def _distance(hunk: Hunk, line: int | None) -> int:
    if line is None:
        return 0
    first, count = _new_place(hunk)
    return max(first - line, line - (first + max(count, 1) - 1), 0)
