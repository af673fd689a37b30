"""Turning a diff around, hunk by hunk, into edits of the files as they are now.

A hunk that later commits have moved still applies, since its text is searched for; one that later commits
have changed does not, and says so by yielding no edit.
"""

from collections.abc import Mapping, Sequence

from unidiff.constants import (
    DEV_NULL,
    LINE_TYPE_ADDED,
    LINE_TYPE_CONTEXT,
    LINE_TYPE_EMPTY,
    LINE_TYPE_NO_NEWLINE,
    LINE_TYPE_REMOVED,
)
from unidiff.errors import UnidiffParseError
from unidiff.patch import Hunk, Line, PatchedFile, PatchSet

from agents.patch import Edit, count_overlapping, lines_of

Files = Mapping[str, str | None]
"""Path -> present text, None for a file that does not exist; what cannot be read as text is not in it."""

REGULAR = "100644"


class NotReversible(Exception):
    """A part of the diff cannot be turned around on the files as they are now."""


def parse(diff: str) -> list[PatchedFile]:
    """The files of a unified diff; `NotReversible` where it cannot be told apart which they are."""
    try:
        return list(PatchSet(diff))
    except (UnidiffParseError, ValueError, IndexError) as error:
        raise NotReversible(f"the diff cannot be read: {error}") from error


def is_added(changed: PatchedFile) -> bool:
    """Whether the diff creates the file; unidiff's own answer takes lines put before all others for a new file."""
    return changed.source_file == DEV_NULL


def is_removed(changed: PatchedFile) -> bool:
    return changed.target_file == DEV_NULL


def is_modified(changed: PatchedFile) -> bool:
    return not (is_added(changed) or is_removed(changed) or changed.is_binary_file)


def reverse_hunk(path: str, hunk: Hunk, text: str | None) -> Edit:
    """The edit that undoes one hunk in `text`, with as much context as still stands there, whole lines and once."""
    if text is None:
        raise NotReversible(f"{path} is not there as text any more")
    before, after, lead, trail = _sides(hunk)
    for cut in range(max(lead, trail) + 1):
        head, foot = min(cut, lead), min(cut, trail)
        search = "".join(after[head : len(after) - foot])
        replace = "".join(before[head : len(before) - foot])
        if search and count_overlapping(text, search) == 1:
            _refuse_torn_lines(path, text, search, replace)
            return Edit(path=path, search=search, replace=replace)
    raise NotReversible(f"later changes to {path} overlap this one")


def _refuse_torn_lines(path: str, text: str, search: str, replace: str) -> None:
    """The text that was found must be whole lines, and so must what stands there afterwards."""
    start = text.find(search)
    end = start + len(search)
    at_end = end == len(text)
    whole = (start == 0 or text[start - 1] == "\n") and (search.endswith("\n") or at_end)
    joins = bool(replace) and not replace.endswith("\n") and not at_end
    if not whole or joins:
        raise NotReversible(f"later changes to {path} overlap this one")


def places(hunk: Hunk) -> list[Hunk]:
    """The places of a hunk that were changed one by one, each with the unchanged lines around it."""
    lines = list(hunk)
    changed: list[bool] = []
    for line in lines:  # what says that a line has no end belongs to that line
        is_own = line.line_type in {LINE_TYPE_ADDED, LINE_TYPE_REMOVED, LINE_TYPE_CONTEXT}
        changed.append(line.line_type != LINE_TYPE_CONTEXT if is_own else bool(changed and changed[-1]))
    starts = [at for at, is_changed in enumerate(changed) if is_changed and not (at and changed[at - 1])]
    ends = [at + 1 for at, is_changed in enumerate(changed) if is_changed and not any(changed[at + 1 : at + 2])]
    return [
        _part(hunk, lines, ends[at - 1] if at else 0, starts[at + 1] if at + 1 < len(starts) else len(lines))
        for at in range(len(starts))
    ]


def _part(hunk: Hunk, lines: list[Line], first: int, end: int) -> Hunk:
    """The lines from `first` up to `end` as a hunk of their own."""
    part = Hunk(
        hunk.source_start + _count(lines[:first], LINE_TYPE_REMOVED),
        _count(lines[first:end], LINE_TYPE_REMOVED),
        hunk.target_start + _count(lines[:first], LINE_TYPE_ADDED),
        _count(lines[first:end], LINE_TYPE_ADDED),
    )
    part.extend(lines[first:end])
    return part


def _count(lines: list[Line], kind: str) -> int:
    """How many lines one side has: those of `kind`, and what both have."""
    return sum(1 for line in lines if line.line_type in {kind, LINE_TYPE_CONTEXT})


def reverse_file(changed: PatchedFile, files: Files) -> list[Edit]:
    """The edits that undo all of one file's part of a diff; renames, modes and binary files are not undone."""
    if changed.is_binary_file or changed.is_rename:
        raise NotReversible(f"{changed.path} was renamed or is not text")
    if is_added(changed):
        return [_unmake(changed, files)]
    if is_removed(changed):
        return [_make_again(changed, files)]
    if changed.source_mode != changed.target_mode:
        raise NotReversible(f"the mode of {changed.path} was changed")
    text = files.get(changed.path)
    edits = []
    for hunk in changed:
        edit = reverse_hunk(changed.path, hunk, text)
        edits.append(edit)
        text = str(text).replace(str(edit.search), str(edit.replace))
    return edits


def _unmake(changed: PatchedFile, files: Files) -> Edit:
    text = files.get(changed.path)
    added = "".join(line for hunk in changed for line in _sides(hunk)[1])
    if text is None or text != added:
        raise NotReversible(f"{changed.path} was changed after it was added")
    return Edit(path=changed.path, search=text, replace=None)


def _make_again(changed: PatchedFile, files: Files) -> Edit:
    """The removed file; a link, a submodule or a program would come back as something else, so they do not."""
    if changed.source_mode not in {REGULAR, None}:
        raise NotReversible(f"{changed.path} was not an ordinary file")
    if changed.path not in files or files[changed.path] is not None:
        raise NotReversible(f"{changed.path} exists again")
    removed = "".join(line for hunk in changed for line in _sides(hunk)[0])
    return Edit(path=changed.path, search=None, replace=removed)


def replace_lines(path: str, text: str, first: int, count: int, replacement: Sequence[str]) -> Edit:
    """The edit that puts `replacement` in place of `count` lines from line `first` (from 1), found by their text.

    Lines around are taken in until the search text stands only once.
    """
    lines = lines_of(text)
    start, end = first - 1, first - 1 + count
    for context in range(len(lines) + 1):
        head, foot = max(0, start - context), min(len(lines), end + context)
        search = "".join(lines[head:foot])
        if search and count_overlapping(text, search) == 1:
            new = "".join([*lines[head:start], *replacement, *lines[end:foot]])
            return Edit(path=path, search=search, replace=new)
    raise NotReversible(f"{path} is empty")


def old_lines(hunk: Hunk) -> list[str]:
    """The lines of a hunk's old side, with the line ends that they had."""
    return _sides(hunk)[0]


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
        if line.line_type == LINE_TYPE_EMPTY:  # what separates this diff from the next one in a log
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
