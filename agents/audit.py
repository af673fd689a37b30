"""The audit trail: every side effect outside of the service, noted before it is tried and after it is known.

An effect whose answer was lost has a beginning and no end, which is the truth about it. Notes are only added.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

from agents.errors import SelfhealError, Transient
from agents.patch import FileChange
from agents.pull_request import Attention, Comment, Forge, Head, Record, Text, Theirs

Answer = TypeVar("Answer")
MOST_REASON = 300


class Act(BaseModel):
    """One side effect: what is done to what, on which evidence, and how far it came."""

    model_config = ConfigDict(frozen=True)

    action: str
    """`write-commit`, `move-branch`, `create-pull-request`, `ask-model`, ..."""
    target: str
    """The URL or name of what is changed or asked."""
    phase: Literal["begun", "done", "refused", "lost"]
    """`lost`: the answer never came, so it may have happened or not."""
    result: str | None = None
    """What came of it: a sha, a URL, or why it was refused."""
    evidence: tuple[str, ...] = ()
    """Citations of the bundle that it rests on."""


class Trail(Protocol):
    """Where acts are kept; nothing is ever changed or taken away there."""

    async def note(self, attempt_id: str, act: Act) -> None:
        """Add an act of an attempt, with the time."""
        ...


class AuditedForge:
    """A `Forge` whose writes are noted. Reading leaves no trace and has none."""

    def __init__(self, forge: Forge, trail: Trail, attempt_id: str, evidence: tuple[str, ...]) -> None:
        self._forge = forge
        self._trail = trail
        self._attempt = attempt_id
        self._evidence = evidence

    async def default_branch(self, url: str) -> str:
        return await self._forge.default_branch(url)

    async def head(self, url: str, branch: str) -> Head | None:
        return await self._forge.head(url, branch)

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        return await self._forge.find_pull_request(url, branch)

    async def our_pull_requests(self, url: str) -> tuple[Record, ...]:
        return await self._forge.our_pull_requests(url)

    async def comments(self, url: str, number: int) -> tuple[Comment, ...]:
        return await self._forge.comments(url, number)

    async def their_pull_requests(self, url: str, base: str, paths: tuple[str, ...]) -> tuple[Theirs, ...]:
        return await self._forge.their_pull_requests(url, base, paths)

    async def attention(self, url: str, number: int) -> Attention:
        return await self._forge.attention(url, number)

    async def account(self, url: str, commit: str) -> str | None:
        return await self._forge.account(url, commit)

    async def page(self, url: str, commit: str, path: str = "", line: int | None = None) -> str | None:
        return await self._forge.page(url, commit, path, line)

    async def find_issue(self, url: str, incident: str, cause: str | None = None) -> Record | None:
        return await self._forge.find_issue(url, incident, cause)

    async def commit(self, url: str, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        files = ", ".join(change.path for change in changes)
        write = partial(self._forge.commit, url, parent, changes, message)
        return await self._noted("write-commit", f"{url} on {parent}: {files}", write, str)

    async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
        move = partial(self._forge.point, url, branch, sha, expected)
        await self._noted("move-branch", f"{url} {branch}", move, lambda _: f"{expected or 'nothing'} -> {sha}")

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        create = partial(self._forge.create_pull_request, url, branch, base, text)
        return await self._noted("create-pull-request", f"{url} {branch} -> {base}", create, _url)

    async def update_pull_request(self, url: str, number: int, text: Text) -> None:
        update = partial(self._forge.update_pull_request, url, number, text)
        await self._noted("update-pull-request", f"{url} #{number}", update, lambda _: text.title)

    async def add_labels(self, url: str, number: int, labels: tuple[str, ...]) -> None:
        add = partial(self._forge.add_labels, url, number, labels)
        await self._noted("add-labels", f"{url} #{number}", add, lambda _: ", ".join(labels))

    async def request_reviews(self, url: str, number: int, reviewers: tuple[str, ...]) -> None:
        ask = partial(self._forge.request_reviews, url, number, reviewers)
        await self._noted("request-reviews", f"{url} #{number}: {', '.join(reviewers)}", ask, lambda _: "asked")

    async def create_issue(self, url: str, text: Text) -> Record:
        return await self._noted("create-issue", url, partial(self._forge.create_issue, url, text), _url)

    async def close_issue(self, url: str, number: int) -> None:
        close = partial(self._forge.close_issue, url, number)
        await self._noted("close-issue", f"{url} #{number}", close, lambda _: "closed")

    async def create_comment(self, url: str, number: int, body: str) -> Comment:
        create = partial(self._forge.create_comment, url, number, body)
        return await self._noted("create-comment", f"{url} #{number}", create, lambda made: str(made.id))

    async def update_comment(self, url: str, number: int, comment: int, body: str) -> None:
        update = partial(self._forge.update_comment, url, number, comment, body)
        await self._noted("update-comment", f"{url} #{number}", update, lambda _: str(comment))

    async def _noted(
        self, action: str, target: str, effect: Callable[[], Awaitable[Answer]], result: Callable[[Answer], str]
    ) -> Answer:
        act = Act(action=action, target=target, phase="begun", evidence=self._evidence)
        await self._trail.note(self._attempt, act)
        try:
            answer = await effect()
        except SelfhealError as error:
            phase = "lost" if isinstance(error, Transient) else "refused"
            ended = {"phase": phase, "result": str(error)[:MOST_REASON]}
            await self._trail.note(self._attempt, act.model_copy(update=ended))
            raise
        done = {"phase": "done", "result": result(answer)}
        await self._trail.note(self._attempt, act.model_copy(update=done))
        return answer


def _url(record: Record) -> str:
    return record.url
