"""Turning a diff around, hunk by hunk, into edits of the files as they are now.

A hunk that later commits have moved still applies, since its text is searched for; one that later commits
have changed does not, and says so by yielding no edit.
"""

from collections.abc import Mapping, Sequence

from unidiff.constants import LINE_TYPE_ADDED, LINE_TYPE_CONTEXT, LINE_TYPE_NO_NEWLINE, LINE_TYPE_REMOVED
from unidiff.patch import Hunk, PatchedFile, PatchSet

from agents.patch import Edit, count_overlapping

Files = Mapping[str, str | None]
"""Path -> present text, None for a file that does not exist."""


class NotReversible(Exception):
    """A part of the diff cannot be turned around on the files as they are now."""


def reverse_hunk(path: str, hunk: Hunk, text: str | None) -> Edit:
    """The edit that undoes one hunk in `text`, with as much context as still matches exactly once."""
    if text is None:
        raise NotReversible(f"{path} does not exist any more")
    before, after, lead, trail = _sides(hunk)
    for cut in range(max(lead, trail) + 1):
        head, foot = min(cut, lead), min(cut, trail)
        search = "".join(after[head : len(after) - foot])
        if search and count_overlapping(text, search) == 1:
            return Edit(path=path, search=search, replace="".join(before[head : len(before) - foot]))
    raise NotReversible(f"later changes to {path} overlap this one")


def reverse_file(changed: PatchedFile, files: Files) -> list[Edit]:
    """The edits that undo all of one file's part of a diff; renames, modes and binary files are not undone."""
    if changed.is_binary_file or changed.is_rename:
        raise NotReversible(f"{changed.path} was renamed or is not text")
    text = files.get(changed.path)
    if changed.is_added_file:
        added = "".join(line for hunk in changed for line in _sides(hunk)[1])
        if text is None or text != added:
            raise NotReversible(f"{changed.path} was changed after it was added")
        return [Edit(path=changed.path, search=text, replace=None)]
    if changed.is_removed_file:
        if text is not None:
            raise NotReversible(f"{changed.path} exists again")
        removed = "".join(line for hunk in changed for line in _sides(hunk)[0])
        return [Edit(path=changed.path, search=None, replace=removed)]
    if text is None:
        raise NotReversible(f"{changed.path} does not exist any more")
    edits = []
    for hunk in changed:
        edit = reverse_hunk(changed.path, hunk, text)
        edits.append(edit)
        text = text.replace(str(edit.search), str(edit.replace))
    return edits


def replace_lines(path: str, text: str, first: int, count: int, replacement: Sequence[str]) -> Edit:
    """The edit that puts `replacement` in place of `count` lines from line `first` (from 1), found by their text.

    Lines around are taken in until the search text stands only once.
    """
    lines = text.splitlines(keepends=True)
    start, end = first - 1, first - 1 + count
    for context in range(len(lines) + 1):
        head, foot = max(0, start - context), min(len(lines), end + context)
        search = "".join(lines[head:foot])
        if search and count_overlapping(text, search) == 1:
            new = "".join([*lines[head:start], *replacement, *lines[end:foot]])
            return Edit(path=path, search=search, replace=new)
    raise NotReversible(f"{path} is empty")


def parse(diff: str) -> list[PatchedFile]:
    """The files of a unified diff."""
    return list(PatchSet(diff))


def _sides(hunk: Hunk) -> tuple[list[str], list[str], int, int]:
    """A hunk's old lines, its new lines, and how many context lines open and close it."""
    before: list[str] = []
    after: list[str] = []
    kinds: list[str] = []
    for line in hunk:
        if line.line_type == LINE_TYPE_NO_NEWLINE:
            for side in _last_written(kinds, before, after):
                side[-1] = side[-1].removesuffix("\n")
            continue
        kinds.append(line.line_type)
        if line.line_type in {LINE_TYPE_CONTEXT, LINE_TYPE_REMOVED}:
            before.append(line.value)
        if line.line_type in {LINE_TYPE_CONTEXT, LINE_TYPE_ADDED}:
            after.append(line.value)
    return before, after, _run_of_context(kinds), _run_of_context(kinds[::-1])


def _last_written(kinds: list[str], before: list[str], after: list[str]) -> list[list[str]]:
    if kinds[-1] == LINE_TYPE_CONTEXT:
        return [before, after]
    return [before] if kinds[-1] == LINE_TYPE_REMOVED else [after]


def _run_of_context(kinds: list[str]) -> int:
    for count, kind in enumerate(kinds):
        if kind != LINE_TYPE_CONTEXT:
            return count
    return len(kinds)
