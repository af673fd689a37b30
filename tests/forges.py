"""The fake and the local forge behind one face, with what a person may do to either."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from agents.errors import Transient
from agents.patch import FileChange
from agents.pull_request import LABEL, Attention, Comment, Forge, Head, Record, Text, Theirs, Wanted, WantedIssue
from app.adapters.forge_local import LocalForge
from tests.fakes import FakeForge
from tests.scratch import Scratch

KEY = "0123456789abcdef" * 2
FIX = "fedcba9876543210" * 2
BRANCH = f"selfheal/shop-{KEY[:10]}"
BEFORE, AFTER = "price = 1\n", "price = 2\n"


class Site(ABC):
    """A repository with one commit on `main`, on some forge."""

    forge: Forge
    url: str
    base: str

    @abstractmethod
    def branches(self) -> dict[str, str]: ...

    @abstractmethod
    def pulls(self) -> list[Record]: ...

    @abstractmethod
    def issues(self) -> list[Record]: ...

    @abstractmethod
    async def push(self, branch: str) -> None:
        """A person commits on a branch."""

    @abstractmethod
    def edit(self, number: int, **changes: Any) -> None:
        """A person changes a pull request."""

    @abstractmethod
    def reopen(self, number: int) -> None:
        """A person opens an issue again."""

    @abstractmethod
    def labels(self, number: int) -> set[str]:
        """What a pull request is labelled with now."""

    @abstractmethod
    def reviewers(self, number: int) -> set[str]:
        """Who is asked to review it now."""

    @abstractmethod
    def clear(self, number: int) -> None:
        """A person takes every label off, and every request for a review back."""

    def wanted(self, after: str | None = AFTER, **changes: Any) -> Wanted:
        wanted = Wanted(
            repository=self.url,
            incident=KEY,
            branch=BRANCH,
            base="main",
            base_commit=self.base,
            changes=(FileChange(path="shop.py", before=BEFORE, after=after),),
            message="Revert the price",
            title="Revert the price",
            text="It failed.",
            draft=True,
            fix=FIX,
            labels=(LABEL,),
            reviewers=("ana", "acme/payments"),
        )
        return wanted.model_copy(update=changes)


class FakeSite(Site):
    def __init__(self, _: Path) -> None:
        self.url, self.base = "https://forge.example/acme/shop", "a" * 40
        self.fake = FakeForge({self.url: {"main": self.base}})
        self.forge = self.fake

    def branches(self) -> dict[str, str]:
        return dict(self.fake.branches[self.url])

    def pulls(self) -> list[Record]:
        return list(self.fake.pull_requests(self.url))

    def issues(self) -> list[Record]:
        return list(self.fake.issues(self.url))

    async def push(self, branch: str) -> None:
        head = self.branches().get(branch)
        sha = await self.fake.commit(self.url, head or self.base, (), "by hand")
        await self.fake.point(self.url, branch, sha, head)

    def edit(self, number: int, **changes: Any) -> None:
        self.fake.edit(self.url, number, **changes)

    def labels(self, number: int) -> set[str]:
        return self.fake.labels(self.url, number)

    def reviewers(self, number: int) -> set[str]:
        return self.fake.reviewers(self.url, number)

    def clear(self, number: int) -> None:
        self.labels(number).clear()
        self.reviewers(number).clear()

    def reopen(self, number: int) -> None:
        self.fake.edit_issue(self.url, number, state="open", reopened=True)


class LocalSite(Site):
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "forge"
        self.scratch = Scratch(self.folder / "acme" / "shop.git")
        self.base = self.scratch.commit("first", {"shop.py": BEFORE, "run.sh": "run\n"})
        self.url = self.scratch.url
        self.forge = LocalForge(self.folder)

    def branches(self) -> dict[str, str]:
        return {name: str(self.scratch.tip(name)) for name in self.scratch.branches()}

    def pulls(self) -> list[Record]:
        return self._records("pulls")

    def issues(self) -> list[Record]:
        return self._records("issues")

    async def push(self, branch: str) -> None:
        if self.scratch.tip(branch) is None:
            self.scratch.git("branch", branch, "main")
        self.scratch.commit("by hand", {"hand.txt": "x\n"}, branch=branch)

    def edit(self, number: int, **changes: Any) -> None:
        path = self.folder / "acme" / "shop.pulls" / f"{number}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def labels(self, number: int) -> set[str]:
        return set(self._raw(number).get("labels", ()))

    def reviewers(self, number: int) -> set[str]:
        return set(self._raw(number).get("reviewers", ()))

    def clear(self, number: int) -> None:
        self.edit(number, labels=[], reviewers=[])

    def reopen(self, number: int) -> None:
        path = self.folder / "acme" / "shop.issues" / f"{number}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "open"}))

    def _raw(self, number: int) -> dict[str, Any]:
        raw: dict[str, Any] = json.loads((self.folder / "acme" / "shop.pulls" / f"{number}.json").read_text())
        return raw

    def _records(self, kind: str) -> list[Record]:
        paths = sorted((self.folder / "acme" / f"shop.{kind}").glob("*.json"))
        return [_record(json.loads(path.read_text())) for path in paths]


def _record(raw: dict[str, Any]) -> Record:
    return Record.model_validate({"branch": raw.get("head"), **raw})


def wanted_issue(url: str, incident: str = KEY, **changes: Any) -> WantedIssue:
    """The issue of an incident whose cause no other has."""
    wanted = WantedIssue(
        repository=url, incident=incident, attempt=1, cause=None, title="Canary failed", text="Why.", line="again"
    )
    return wanted.model_copy(update=changes)


SITES: dict[str, Callable[[Path], Site]] = {"fake": FakeSite, "local": LocalSite}


class Cut(Transient):
    """The process ended here."""


Answer = TypeVar("Answer")


class CutForge:
    """A forge that is lost at its `at`-th call (from 1), just before or just after the call took effect."""

    def __init__(self, forge: Forge, at: int, *, after: bool) -> None:
        self._forge, self._at, self._after = forge, at, after
        self.calls = 0

    async def _pass(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        self.calls += 1
        is_last = self.calls == self._at
        if is_last and not self._after:
            call.close()
            raise Cut("lost before the call")
        answer = await call
        if is_last:
            raise Cut("lost after the call")
        return answer

    async def default_branch(self, url: str) -> str:
        return await self._pass(self._forge.default_branch(url))

    async def head(self, url: str, branch: str) -> Head | None:
        return await self._pass(self._forge.head(url, branch))

    async def commit(self, url: str, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        return await self._pass(self._forge.commit(url, parent, changes, message))

    async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
        await self._pass(self._forge.point(url, branch, sha, expected))

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        return await self._pass(self._forge.find_pull_request(url, branch))

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        return await self._pass(self._forge.create_pull_request(url, branch, base, text))

    async def update_pull_request(self, url: str, number: int, text: Text) -> None:
        await self._pass(self._forge.update_pull_request(url, number, text))

    async def our_pull_requests(self, url: str) -> tuple[Record, ...]:
        return await self._pass(self._forge.our_pull_requests(url))

    async def their_pull_requests(self, url: str, base: str, paths: tuple[str, ...]) -> tuple[Theirs, ...]:
        return await self._pass(self._forge.their_pull_requests(url, base, paths))

    async def attention(self, url: str, number: int) -> Attention:
        return await self._pass(self._forge.attention(url, number))

    async def add_labels(self, url: str, number: int, labels: tuple[str, ...]) -> None:
        await self._pass(self._forge.add_labels(url, number, labels))

    async def request_reviews(self, url: str, number: int, reviewers: tuple[str, ...]) -> None:
        await self._pass(self._forge.request_reviews(url, number, reviewers))

    async def account(self, url: str, commit: str) -> str | None:
        return await self._pass(self._forge.account(url, commit))

    async def page(self, url: str, commit: str, path: str = "", line: int | None = None) -> str | None:
        return await self._pass(self._forge.page(url, commit, path, line))

    async def comments(self, url: str, number: int) -> tuple[Comment, ...]:
        return await self._pass(self._forge.comments(url, number))

    async def create_comment(self, url: str, number: int, body: str) -> Comment:
        return await self._pass(self._forge.create_comment(url, number, body))

    async def update_comment(self, url: str, number: int, comment: int, body: str) -> None:
        await self._pass(self._forge.update_comment(url, number, comment, body))

    async def find_issue(self, url: str, incident: str, cause: str | None = None) -> Record | None:
        return await self._pass(self._forge.find_issue(url, incident, cause))

    async def create_issue(self, url: str, text: Text) -> Record:
        return await self._pass(self._forge.create_issue(url, text))

    async def close_issue(self, url: str, number: int) -> None:
        await self._pass(self._forge.close_issue(url, number))
