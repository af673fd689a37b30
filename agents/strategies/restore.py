"""Give a manifest value back what the stable version had, and leave the rest of the canary's changes alone."""

from unidiff.patch import Hunk

from agents.diagnosis import Location
from agents.strategies.reversal import NotReversible, parse, replace_lines
from agents.strategies.revert import Candidate


def restore(difference: str, location: Location, text: str | None) -> list[Candidate]:
    """Candidates for the file that holds the value.

    `difference` is the diff from the stable to the canary revision without context lines, so that a hunk is one place;
    `text` is the file at the canary's revision, which the hunks' new side counts in.
    """
    changed = next((file for file in parse(difference) if file.path == location.file), None)
    if changed is None or text is None or not changed.is_modified_file:
        return []
    hunks = sorted(changed, key=lambda hunk: _distance(hunk, location.line))
    if not hunks:
        return []
    try:
        edit = replace_lines(location.file, text, *_new_place(hunks[0]), _old_lines(hunks[0]))
    except NotReversible:
        return []
    return [((edit,), f"Gives {location.file} back what the stable version had in this place.")]


def _new_place(hunk: Hunk) -> tuple[int, int]:
    """First line and number of lines on the new side; git names the line before where there are none."""
    if hunk.target_length == 0:
        return hunk.target_start + 1, 0
    return hunk.target_start, hunk.target_length


def _old_lines(hunk: Hunk) -> list[str]:
    return [line.value for line in hunk if line.is_removed]


def _distance(hunk: Hunk, line: int | None) -> int:
    if line is None:
        return 0
    first, count = _new_place(hunk)
    return max(first - line, line - (first + max(count, 1) - 1), 0)
