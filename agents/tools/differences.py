"""Differences between two commits, made of whole files without their secrets.

A line of a diff does not show what stands before it in the file, and with it whether it is a secret; so each side is
redacted as a whole, and the diff is made of that.
"""

from collections.abc import Sequence

from unidiff.errors import UnidiffParseError
from unidiff.patch import PatchSet

from agents.changes import Repository
from agents.errors import Denied
from agents.patch import FileChange, unified_diff
from agents.redaction import Redactor

MOST_FILES = 30

Renamed = tuple[str | None, str | None]
"""A file's path before and after; None on the side where it is not there."""


async def difference(
    repository: Repository, old: str | None, new: str, files: Sequence[Renamed], redactor: Redactor
) -> str:
    """The unified diff of some files from one commit to another; `old` None means that nothing was there."""
    parts = []
    for before, after in files[:MOST_FILES]:
        path = str(after or before)
        sides = []
        for commit, name in ((old, before), (new, after)):
            found = await repository.read(commit, name) if commit is not None and name is not None else None
            sides.append(found)
        if any(side is not None and side.status == "denied" for side in sides):
            parts.append(f"diff --git a/{path} b/{path}\n(not text, or too large to show)\n")
            continue
        clean = [redactor.redact_text(side.text) if side and side.status == "ok" else None for side in sides]
        parts.append(unified_diff(FileChange(path=path, before=clean[0], after=clean[1])))
    if len(files) > MOST_FILES:
        names = ", ".join(str(after or before) for before, after in files[MOST_FILES:][:MOST_FILES])
        parts.append(f"({len(files) - MOST_FILES} more files, not shown; name a path: {names})\n")
    return "".join(parts)


def clean_diff(changes: Sequence[FileChange], redactor: Redactor) -> str:
    """The unified diff of changes, made of their files without secrets."""

    def clean(text: str | None) -> str | None:
        return None if text is None else redactor.redact_text(text)

    return "".join(
        unified_diff(one.model_copy(update={"before": clean(one.before), "after": clean(one.after)})) for one in changes
    )


def files_of(diff: str, below: str = "") -> list[Renamed]:
    """The files that a diff is about, as far as they are `below` a path."""
    found: list[Renamed] = []
    try:
        changes = PatchSet(diff)
    except UnidiffParseError as error:
        raise Denied("the difference cannot be read") from error
    for changed in changes:
        before = None if changed.is_added_file else changed.source_file.removeprefix("a/")
        after = None if changed.is_removed_file else changed.path
        if not below or any(name and (name == below or name.startswith(f"{below}/")) for name in (before, after)):
            found.append((before, after))
    return found
