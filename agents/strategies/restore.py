"""Give a manifest value back what the stable version had, and leave the rest of the canary's changes alone."""

from unidiff.patch import Hunk

from agents.diagnosis import Location
from agents.patch import lines_of
from agents.strategies.reversal import NotReversible, is_modified, old_lines, parse, replace_lines
from agents.strategies.revert import Candidate


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
    twin = _twin(location.line, first, lines_of(text)[first - 1 : first - 1 + count], old)
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


def _is_twin(one: str, other: str) -> bool:
    key, colon, value = (part.strip() for part in one.partition(":"))
    other_key, other_colon, other_value = (part.strip() for part in other.partition(":"))
    if not (colon and other_colon) or _indent(one) != _indent(other):
        return False
    return key == other_key or (bool(value) and value == other_value)


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
