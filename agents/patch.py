"""The Patch noun, and search/replace edits: the one way any fix changes a file.

An edit's search text must match exactly once; all edits apply or none does. That keeps a revert honest
when later commits moved the lines, and it is the format a model's edits will use.
"""

import difflib
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from agents.errors import SelfhealError

BY_MODEL = "model"
"""The strategy of a patch that a model wrote."""
BY_PIN = "pin"
"""The strategy of a patch that sets manifests back to the stable version: it rolls back, and cures nothing."""


class Edit(BaseModel):
    """Replace the one place in `path` where `search` stands.

    `search` None means the file must not exist yet; `replace` None deletes the file, and then `search` must be
    its whole text.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    search: str | None
    replace: str | None


class EditRejected(SelfhealError):
    """An edit does not apply; `matches` says how often its search text was found."""

    def __init__(self, path: str, matches: int, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path
        self.matches = matches


class FileChange(BaseModel):
    """One file before and after; None means it does not exist on that side."""

    model_config = ConfigDict(frozen=True)

    path: str
    before: str | None
    after: str | None


class Patch(BaseModel):
    """A proposed change to one repository, made on one commit."""

    model_config = ConfigDict(frozen=True)

    repository: str
    """The repository's URL."""
    commit: str
    """The commit whose files `changes` start from: 40 hex digits."""
    strategy: str
    why: str
    """One sentence for the reviewer: what this change does and why it is the smallest."""
    edits: tuple[Edit, ...]
    changes: tuple[FileChange, ...]
    undoes: str | None = None
    """The commit that it takes back, or a part of it."""

    @property
    def by_model(self) -> bool:
        """Whether a model wrote it; the policy and the report ask."""
        return self.strategy == BY_MODEL

    @property
    def is_pin(self) -> bool:
        return self.strategy == BY_PIN

    @property
    def diff(self) -> str:
        return "".join(unified_diff(change) for change in self.changes)

    @property
    def changed_lines(self) -> int:
        """Added plus removed lines."""
        return sum(_count_changed(change) for change in self.changes)


def apply_edits(files: Mapping[str, str | None], edits: Sequence[Edit]) -> tuple[FileChange, ...]:
    """Apply all edits in order, or raise `EditRejected` and change nothing.

    `files` holds the present text of every path the edits name, None for a file that does not exist.
    """
    now = dict(files)
    for edit in edits:
        now[edit.path] = _apply(edit, now.get(edit.path))
    touched = sorted({edit.path for edit in edits})
    return tuple(
        FileChange(path=path, before=files.get(path), after=now[path])
        for path in touched
        if files.get(path) != now[path]
    )


def _apply(edit: Edit, text: str | None) -> str | None:
    if edit.search is None:
        if text is not None:
            raise EditRejected(edit.path, 1, "the file to create exists already")
        return edit.replace
    if text is None:
        raise EditRejected(edit.path, 0, "the file to edit does not exist")
    if edit.replace is None:
        if text != edit.search:
            raise EditRejected(edit.path, 0, "the file to delete has changed")
        return None
    matches = count_overlapping(text, edit.search)
    if matches != 1:
        raise EditRejected(edit.path, matches, f"the search text stands {matches} times, not once")
    return text.replace(edit.search, edit.replace)


def count_overlapping(text: str, search: str) -> int:
    """How often `search` stands in `text`, overlapping places included; an empty search matches nowhere."""
    count, at = 0, text.find(search) if search else -1
    while at >= 0:
        count, at = count + 1, text.find(search, at + 1)
    return count


def unified_diff(change: FileChange) -> str:
    """A `git apply`-able diff of one file."""
    old = f"a/{change.path}" if change.before is not None else "/dev/null"
    new = f"b/{change.path}" if change.after is not None else "/dev/null"
    lines = [f"diff --git a/{change.path} b/{change.path}\n"]
    if change.before is None:
        lines.append("new file mode 100644\n")
    if change.after is None:
        lines.append("deleted file mode 100644\n")
    lines += [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(lines_of(change.before), lines_of(change.after), old, new)
    ]
    return "".join(lines)


def _count_changed(change: FileChange) -> int:
    body = list(difflib.unified_diff(lines_of(change.before), lines_of(change.after), n=0))[2:]
    return sum(1 for line in body if line[0] in "+-")


def lines_of(text: str | None) -> list[str]:
    """Lines as git counts them: at line feeds only, so that a form feed or U+2028 splits nothing."""
    if not text:
        return []
    parts = text.split("\n")
    lines = [f"{part}\n" for part in parts[:-1]]
    return [*lines, parts[-1]] if parts[-1] else lines
