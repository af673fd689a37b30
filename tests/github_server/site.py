"""The pretended GitHub as a `Site`, so that the contract of the `Forge` port holds there too."""

import contextlib
import weakref
from pathlib import Path
from typing import Any

from agents.pull_request import Record
from tests.forges import BEFORE, Site
from tests.github_server.clients import WRITER_TOKEN, forge_of
from tests.github_server.hub import WRITER, Grant, Note, Thread
from tests.github_server.server import GitHubServer


class GitHubSite(Site):
    """A server of its own, which stops when the site is dropped."""

    def __init__(self, folder: Path) -> None:
        running = contextlib.ExitStack()
        self._server = running.enter_context(GitHubServer(folder / "github").running())
        weakref.finalize(self, running.close)
        self._server.hub.grants[WRITER_TOKEN] = Grant("selfheal", WRITER)
        self._repository = self._server.hub.create("acme/shop")
        self.base = self._repository.push("main", {"shop.py": BEFORE, "run.sh": "run\n"})
        self.url = self._server.url("acme/shop")
        self.forge = forge_of(self._server)

    def branches(self) -> dict[str, str]:
        return self._repository.branches()

    def pulls(self) -> list[Record]:
        return [record_of(self.url, thread) for thread in self._repository.pulls]

    def issues(self) -> list[Record]:
        return [record_of(self.url, thread) for thread in self._repository.issues]

    async def push(self, branch: str) -> None:
        self._repository.push(branch, {"hand.txt": "x\n"}, "by hand")

    def edit(self, number: int, **changes: Any) -> None:
        thread = self._repository.thread(number)
        state = changes.pop("state", None)
        if state is not None:
            thread.state, thread.merged = "open" if state == "open" else "closed", state == "merged"
        for name, value in changes.items():
            setattr(thread, name, value)

    def labels(self, number: int) -> set[str]:
        return set(self._repository.thread(number).labels)

    def reviewers(self, number: int) -> set[str]:
        """Teams with their organisation, as we name them."""
        asked = self._repository.thread(number).asked
        return {name if name in self._repository.collaborators else f"acme/{name}" for name in asked}

    def clear(self, number: int) -> None:
        thread = self._repository.thread(number)
        thread.events += [{"event": "unlabeled", "label": {"name": name}} for name in thread.labels]
        requests = [event for event in thread.events if event["event"] == "review_requested"]
        thread.events += [event | {"event": "review_request_removed"} for event in requests]
        thread.labels, thread.asked = (), ()

    def answer(self, number: int, login: str) -> None:
        """Somebody reviews, who is not asked any more then."""
        thread = self._repository.thread(number)
        thread.asked = tuple(name for name in thread.asked if name != login)
        thread.events.append({"event": "reviewed", "user": {"login": login}, "state": "approved"})

    def rename_author(self, login: str) -> None:
        """Whose account wrote the commits that people push."""
        self._repository.accounts = {"ana@shop.example": login} if login else {}

    def reopen(self, number: int) -> None:
        thread = self._repository.thread(number)
        thread.state, thread.state_reason = "open", "reopened"

    def comment(self, number: int, author: str, body: str) -> None:
        """A person comments."""
        thread = self._repository.thread(number)
        thread.comments.append(Note(number=1000 + len(thread.comments), author=author, body=body))

    def discussion(self, number: int) -> list[tuple[str, str]]:
        """Author and text of each comment."""
        return [(note.author, note.body) for note in self._repository.thread(number).comments]


def record_of(url: str, thread: Thread) -> Record:
    """What the forge has to tell of a thread of the repository."""
    kind = "pull" if thread.head else "issues"
    return Record(
        number=thread.number,
        url=f"{url}/{kind}/{thread.number}",
        state="merged" if thread.merged else thread.state,
        draft=thread.draft,
        title=thread.title,
        body=thread.body,
        branch=thread.head,
        base=thread.base,
        author=thread.author,
        merged_as=thread.merged_as,
    )
