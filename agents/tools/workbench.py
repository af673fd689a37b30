"""The files of one commit as a model has changed them so far: in memory, by search and replace, all or nothing.

An edit's search text must stand exactly once. Placeholders of secrets are mapped back here, before it is searched for,
and may go into a file only where they came out of it.
"""

import asyncio
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from agents.changes import Repository
from agents.errors import Denied
from agents.fix import Ground
from agents.patch import BY_MODEL, Edit, EditRejected, FileChange, Patch, apply_edits
from agents.redaction import PLACEHOLDER, Redactor
from agents.tools.differences import clean_diff
from agents.tools.reply import Reply, page, refused
from agents.tools.repositories import FilePath, checked_path
from agents.tools.sources import WITHHELD
from prompts import plain

MOST_BYTES = 200_000
"""Of one file that a model creates or changes."""
NEAR = 4
"""Lines shown before and after the place that comes nearest to a search text that matches nowhere."""

MOST_COMPARED = 5000
MOST_SOUGHT = 60
"""Lines of a file, and of a search text, that are looked at for what comes nearest."""

FileText = Annotated[str, Field(max_length=MOST_BYTES)]


class Replacement(BaseModel):
    """Replace the one place in a file where a text stands."""

    path: FilePath
    search: FileText = Field(
        description="Copied exactly from the file, with its indentation and without line numbers; "
        "enough lines that it stands only once"
    )
    replace: FileText = Field(description="What stands there instead; may be empty")


class Workbench:
    """Edits on the fix's ground. `refuse` says why a path may not be touched, or None."""

    def __init__(
        self, ground: Ground, repository: Repository, refuse: Callable[[str], str | None], redactor: Redactor
    ) -> None:
        self._ground = ground
        self._repository = repository
        self._refuse = refuse
        self._redactor = redactor
        self._before: dict[str, str | None] = {}
        self._edits: tuple[Edit, ...] = ()
        self._lock = asyncio.Lock()

    def text_of(self, path: str) -> str | None:
        """A file's text where it has been changed; None where it has not been, or is deleted."""
        return self._now().get(path)

    def patch(self, why: str) -> Patch:
        """The changes so far."""
        return Patch(
            repository=self._ground.url,
            commit=self._ground.canary,
            strategy=BY_MODEL,
            why=why,
            edits=self._edits,
            changes=apply_edits(self._before, self._edits),
        )

    async def edit_files(
        self, edits: Annotated[list[Replacement], Field(min_length=1, max_length=20, description="All, or none")]
    ) -> str:
        """Change files by search and replace. If one search text does not stand exactly once, nothing is changed."""
        wanted = []
        for edit in edits:
            path = self._allowed(edit.path)
            search, replace = plain(edit.search), plain(edit.replace)
            _refuse_placeholders(path, search, replace)
            ends = (await self._present(path)) or ""
            wanted.append(
                Edit(
                    path=path,
                    search=_with_ends_of(ends, self._redactor.restore(search)),
                    replace=_with_ends_of(ends, self._redactor.restore(replace)),
                )
            )
        return (await self._apply(wanted)).render()

    async def create_file(self, path: FilePath, text: FileText) -> str:
        """Create a file that does not exist yet."""
        path, text = self._allowed(path), plain(text)
        _refuse_placeholders(path, "", text)
        return (await self._apply([Edit(path=path, search=None, replace=text)])).render()

    async def delete_file(self, path: FilePath) -> str:
        """Delete a file."""
        path = self._allowed(path)
        text = await self._present(path)
        if text is None:
            return refused("gone", f"there is no file {path}").render()
        return (await self._apply([Edit(path=path, search=text, replace=None)])).render()

    async def show_changes(self) -> str:
        """Show all changes so far, as a diff."""
        diff = clean_diff(self.patch("").changes, self._redactor)
        if not diff:
            return Reply(status="empty", note="nothing is changed").render()
        return page(diff.removesuffix("\n").split("\n"), 1, 200, "the changes so far", "show_changes").render()

    def _clean(self, text: str | None) -> str | None:
        return None if text is None else self._redactor.redact_text(text)

    def _allowed(self, path: str) -> str:
        path = checked_path(path)
        reason = self._refuse(path)
        if reason:
            raise Denied(reason)
        return path

    def _now(self) -> Mapping[str, str | None]:
        after: dict[str, str | None] = dict(self._before)
        for change in apply_edits(self._before, self._edits):
            after[change.path] = change.after
        return after

    async def _present(self, path: str) -> str | None:
        """A file's text as it is now; `Denied` for what is no text file."""
        if path not in self._before:
            found = await self._repository.read(self._ground.canary, path)
            if found.status == "denied":
                raise Denied(found.reason or f"{path} cannot be read")
            self._before[path] = found.text if found.status == "ok" else None
        return self._now()[path]

    async def _apply(self, edits: Sequence[Edit]) -> Reply:
        async with self._lock:
            for edit in edits:
                await self._present(edit.path)
            done = self._edits
            for edit in edits:
                try:
                    changes = apply_edits(self._before, (*done, edit))
                except EditRejected as error:
                    return self._rejected(error, edit)
                done = (*done, edit)
            large = next((one.path for one in changes if len((one.after or "").encode()) > MOST_BYTES), None)
            if large is not None:
                return refused("denied", f"{large} would be larger than {MOST_BYTES} bytes")
            self._edits = done
        return Reply(status="ok", note=f"done; {_summary(changes)}")

    def _rejected(self, error: EditRejected, edit: Edit) -> Reply:
        """Why an edit does not apply, with the lines that come nearest to its search text."""
        text = self._now().get(error.path)
        reason = f"nothing was changed. {error}"
        if text is None or not edit.search:
            return refused("denied", reason)
        clean = self._clean(text) or ""
        lines, wanted = clean.split("\n"), (self._clean(edit.search) or "").split("\n")
        if error.matches > 1:
            places = [at for at in range(len(lines)) if _begins(lines, at, wanted)]
            where = ", ".join(str(at + 1) for at in places[:10])
            return refused("denied", f"{reason}; it begins at lines {where}. Take more lines around it into the search")
        at = nearest(lines, wanted)
        if at is None:
            return refused("denied", f"{reason}; no line of the file is like it")
        shown = page(lines, max(1, at + 1 - NEAR), len(wanted) + 2 * NEAR, error.path, "read_file")
        return shown.model_copy(update={"status": "denied", "reason": f"{reason}. This comes nearest:"})


def _summary(changes: Sequence[FileChange]) -> str:
    names = [f"{change.path}{' (deleted)' if change.after is None else ''}" for change in changes]
    return f"changed so far: {', '.join(names) or 'nothing'}"


def _refuse_placeholders(path: str, search: str, replace: str) -> None:
    """A secret may stay where it is, and go nowhere else; nor may what only stands for one in what a model reads."""
    if WITHHELD in replace or WITHHELD in search:
        raise Denied(f"{path}: {WITHHELD} stands for what was left out; it is not in the file")
    known = {match.group() for match in PLACEHOLDER.finditer(search)}
    for match in PLACEHOLDER.finditer(replace):
        if match.group() not in known:
            raise Denied(f"{path}: {match.group()} stands for a secret that is not in the search text")


def _with_ends_of(text: str, written: str) -> str:
    """What a model wrote, with the line ends of the file it is for."""
    return written.replace("\r\n", "\n").replace("\n", "\r\n") if "\r\n" in text else written


def _begins(lines: Sequence[str], at: int, wanted: Sequence[str]) -> bool:
    if len(wanted) == 1:
        return wanted[0] in lines[at]
    return lines[at].endswith(wanted[0]) and list(lines[at + 1 : at + len(wanted) - 1]) == list(wanted[1:-1])


def nearest(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """The index of the line where a block like `wanted` begins, white space aside; None where nothing is like it."""
    bare = [line.strip() for line in lines[:MOST_COMPARED]]
    sought = [line.strip() for line in wanted[:MOST_SOUGHT]]
    offsets: dict[int, int] = {}
    for offset, line in enumerate(sought):
        if line:
            for at, other in enumerate(bare):
                if other == line:
                    offsets[at - offset] = offsets.get(at - offset, 0) + 1
    if offsets:
        return max(0, max(offsets, key=lambda at: (offsets[at], -at)))
    longest = max(sought, key=len)
    like = difflib.get_close_matches(longest[:300], [line[:300] for line in bare], n=1, cutoff=0.6)
    return next((at for at, line in enumerate(bare) if line[:300] == like[0]), None) if like else None
