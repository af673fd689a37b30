"""What changed between the stable and the canary version: commits, hunks and manifest values.

Owns the `Repository` port, through which the core reads source and manifests and never writes.
"""

from datetime import datetime
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict


class Commit(BaseModel):
    """One commit of the range. `diff` is the unified diff against its first parent, three lines of context."""

    model_config = ConfigDict(frozen=True)

    sha: str
    parents: tuple[str, ...]
    author: str
    at: datetime
    subject: str
    diff: str


class FileText(BaseModel):
    """A file at a commit. `gone`: no such file there; `denied`: not text, a link, or too large to read."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "gone", "denied"]
    reason: str | None = None
    text: str = ""


class Repository(Protocol):
    """A repository that is only read. Every commit argument is 40 hex digits, but for `resolve`."""

    async def resolve(self, revision: str) -> str:
        """The commit that a sha, branch or tag names; `Denied` if there is none."""
        ...

    async def commits(self, old: str, new: str) -> tuple[Commit, ...]:
        """The commits of `old..new`, newest first. Empty when `new` is reachable from `old`."""
        ...

    async def compare(self, old: str, new: str, path: str = "") -> str:
        """The unified diff from `old` to `new` below `path`, without context lines."""
        ...

    async def files(self, commit: str) -> tuple[str, ...]:
        """Every path of the commit's tree, from the root."""
        ...

    async def read(self, commit: str, path: str) -> FileText:
        """The text of one file."""
        ...


class Repositories(Protocol):
    """Opens repositories by URL."""

    async def open(self, url: str) -> Repository:
        """Fetch what is there now and return it; `Denied` where the URL is not allowed or cannot be read."""
        ...
