"""The `Repository` port and the nouns that it answers with."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from agents.changes.hunks import Hunk, hunks_of, renames_of

MOST_COMMITS = 500
MOST_MATCHES = 500
LFS_POINTER = re.compile(
    r"version https://(?:git-lfs|hawser)\.github\.com/spec/v1\n(?:[a-z0-9.-]+ [^\n]*\n)*?oid \S+\n"
)
LARGEST_POINTER = 1024
"""Characters, by Git LFS's own specification."""


class Commit(BaseModel):
    """One commit of the range. `diff` is the unified diff against its first parent, three lines of context."""

    model_config = ConfigDict(frozen=True)

    sha: str
    parents: tuple[str, ...]
    author: str
    at: datetime
    subject: str
    diff: str
    is_partial: bool = False
    """Whether changes of generated or vendored files are left out of `diff`, which was too large with them."""

    @property
    def is_merge(self) -> bool:
        return len(self.parents) > 1

    @cached_property
    def hunks(self) -> tuple[Hunk, ...]:
        """The places that the commit changed, read from its diff once."""
        return hunks_of(self.diff)

    @cached_property
    def renames(self) -> Mapping[str, str]:
        """The files that the commit renamed: old path -> new path."""
        return renames_of(self.diff)


class FileText(BaseModel):
    """A file at a commit. `gone`: no such file there; `denied`: not text, a link, too large, or kept in Git LFS."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "gone", "denied"]
    reason: str | None = None
    text: str = ""


def is_lfs_pointer(text: str) -> bool:
    """Whether a file's text only says where Git LFS keeps its content: nothing to read, and nothing to edit."""
    return len(text) < LARGEST_POINTER and LFS_POINTER.match(text) is not None


class Blamed(BaseModel):
    """A line of a file, and the commit that wrote it as it stands. `line` counts from 1."""

    model_config = ConfigDict(frozen=True)

    line: int
    commit: str
    author: str
    subject: str
    text: str


class Match(BaseModel):
    """A line that holds what was searched for. `line` counts from 1."""

    model_config = ConfigDict(frozen=True)

    path: str
    line: int
    text: str


class Repository(Protocol):
    """A repository that is only read. Every commit argument is 40 hex digits, but for `resolve`."""

    async def resolve(self, revision: str) -> str:
        """The commit that a sha, branch or tag names; `Denied` if there is none."""
        ...

    async def message(self, commit: str) -> str:
        """The whole message of a commit, its trailers included."""
        ...

    async def subjects(self, commit: str, most: int) -> tuple[str, ...]:
        """The subjects of the newest `most` commits that `commit` can reach, merges left out, newest first."""
        ...

    async def commits(self, old: str, new: str) -> tuple[Commit, ...]:
        """The newest `MOST_COMMITS` of `old..new`, newest first. Empty when `new` is reachable from `old`.

        Where their diffs are too large to read they leave out what is generated, and say so; `Denied` where they still
        are.
        """
        ...

    async def compare(self, old: str, new: str, path: str = "") -> str:
        """The unified diff from `old` to `new` below `path`, without context lines; `Denied` where it is too large."""
        ...

    async def files(self, commit: str) -> tuple[str, ...]:
        """Every path of the commit's tree, from the root."""
        ...

    async def read(self, commit: str, path: str) -> FileText:
        """The text of one file."""
        ...

    async def read_all(self, commit: str, paths: Sequence[str]) -> Mapping[str, str]:
        """The texts of those of these files that can be read, by path: hundreds at the price of one."""
        ...

    async def blame(self, commit: str, path: str, first: int, last: int) -> tuple[Blamed, ...]:
        """Lines `first` to `last` of a text file, as far as it has them; `Denied` where there is no such file."""
        ...

    async def origins(
        self, commit: str, path: str, spans: Sequence[tuple[int, int]], since: str, ignoring: Sequence[str] = ()
    ) -> Mapping[int, str]:
        """Which commit of `since..commit` wrote what the lines of these spans (first, last) say, by line.

        White space, moves and the commits in `ignoring` do not count. A line that is older is not in the answer, and
        neither is any where there is no such file.
        """
        ...

    async def search(self, commit: str, text: str, path: str = "") -> tuple[Match, ...]:
        """The first `MOST_MATCHES` lines, by path and line, of text files below `path` that hold one line of `text`.

        The text is taken literally. `Denied` where it is empty or has more than one line.
        """
        ...

    async def messages_with(self, old: str, new: str, text: str) -> tuple[str, ...]:
        """The messages in `old..new` that hold `text`, newest first, at most `MOST_COMMITS`. Taken literally."""
        ...

    async def patch_id(self, diff: str) -> str:
        """What names a diff wherever its lines stand (`git patch-id --stable`); empty for one that changes nothing."""
        ...

    async def mentions(self, commit: str, words: Sequence[str], endings: Sequence[str]) -> tuple[Match, ...]:
        """The first `MOST_MATCHES` lines of files with one of these endings that hold one of these whole words.

        Some lines of each file, by path: who uses a function, not everything that does.
        """
        ...


class Repositories(Protocol):
    """Opens repositories by URL."""

    async def open(self, url: str) -> Repository:
        """Fetch what is there now and return it; `Denied` where the URL is not allowed or cannot be read."""
        ...


def at_the_canary(commits: Sequence[Commit]) -> list[tuple[Commit, tuple[Hunk, ...]]]:
    """Each commit (newest first) with its hunks, whose files have the names that they have at the canary.

    A merge has none: it repeats the commits it brought, which are in the range themselves.
    """
    return [(commit, () if commit.is_merge else hunks) for commit, hunks in named_now(commits)]


def named_now(commits: Sequence[Commit]) -> list[tuple[Commit, tuple[Hunk, ...]]]:
    """Each commit (newest first), merges too, with its hunks under the names that their files have at the canary."""
    now: dict[str, str] = {}
    found: list[tuple[Commit, tuple[Hunk, ...]]] = []
    for commit in commits:
        found.append((commit, tuple(_renamed(hunk, now) for hunk in commit.hunks)))
        if not commit.is_merge:
            now |= {old: now.get(new, new) for old, new in commit.renames.items()}
    return found


def _renamed(hunk: Hunk, now: Mapping[str, str]) -> Hunk:
    if hunk.file not in now:
        return hunk
    return hunk.model_copy(update={"file": now[hunk.file]})
