"""The fake of the `Forge` port."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.errors import Conflict, Denied
from agents.patch import FileChange, unified_diff
from agents.pull_request import (
    MOST_CLOSED,
    MOST_THEIRS,
    Attention,
    Comment,
    Head,
    Record,
    Text,
    Theirs,
    incident_of,
    issue_about,
)


@dataclass
class _Pull:
    record: Record
    head: str
    labels: set[str] = field(default_factory=set)
    reviewers: set[str] = field(default_factory=set)
    ever: Attention = field(default_factory=Attention)


class FakeForge:
    """`Forge` with one repository a URL, as strict as a real one; counts what was created."""

    def __init__(self, branches: Mapping[str, Mapping[str, str]], default: str = "main") -> None:
        self._default = default
        self.branches: dict[str, dict[str, str]] = {url: dict(heads) for url, heads in branches.items()}
        self.messages: dict[str, str] = {}
        self.commits: dict[str, tuple[str, tuple[FileChange, ...]]] = {}
        self._pulls: dict[str, list[_Pull]] = {url: [] for url in branches}
        self._issues: dict[str, list[Record]] = {url: [] for url in branches}
        self._comments: dict[tuple[str, int], list[Comment]] = {}
        self.created: list[str] = []
        self.authors: dict[str, str] = {}
        """The account that wrote a commit."""
        self.strangers: set[str] = set()
        """Accounts that cannot be asked for a review."""

    def labels(self, url: str, number: int) -> set[str]:
        """Those that are on it now; a person takes one off by changing the set."""
        return self._pull(url, number).labels

    def reviewers(self, url: str, number: int) -> set[str]:
        """Who is asked now; a person takes a request back by changing the set."""
        return self._pull(url, number).reviewers

    def pull_requests(self, url: str) -> tuple[Record, ...]:
        return tuple(pull.record for pull in self._pulls[url])

    def issues(self, url: str) -> tuple[Record, ...]:
        return tuple(self._issues[url])

    def edit(self, url: str, number: int, **changes: Any) -> None:
        """What a person does to a pull request."""
        for pull in self._pulls[url]:
            if pull.record.number == number:
                pull.record = pull.record.model_copy(update=changes)

    def edit_issue(self, url: str, number: int, **changes: Any) -> None:
        """What a person does to an issue."""
        self._issues[url] = [
            one.model_copy(update=changes) if one.number == number else one for one in self._issues[url]
        ]

    def add_merged(self, url: str, body: str, sha: str) -> None:
        """A pull request of earlier, merged as `sha`."""
        record = self._record(url, self._next(url), "pulls", Text(title="t", body=body))
        merged = {"state": "merged", "merged_as": sha, "branch": f"selfheal/{sha[:10]}", "base": self._default}
        self._pulls[url].append(_Pull(record.model_copy(update=merged), f"selfheal/{sha[:10]}"))

    async def default_branch(self, url: str) -> str:
        self._heads(url)
        return self._default

    async def head(self, url: str, branch: str) -> Head | None:
        sha = self._heads(url).get(branch)
        return None if sha is None else Head(sha=sha, message=self.messages.get(sha, ""))

    async def commit(self, url: str, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        self._heads(url)
        content = "".join(change.model_dump_json() for change in changes)
        sha = hashlib.sha1(f"{url} {parent} {content} {message}".encode(), usedforsecurity=False).hexdigest()
        self.commits[sha] = (parent, changes)
        self.messages[sha] = message
        return sha

    async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
        heads = self._heads(url)
        if heads.get(branch) != expected:
            raise Conflict(f"the branch {branch} is not at {expected or 'nothing'} any more")
        heads[branch] = sha

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        self._heads(url)
        mine = [pull.record for pull in self._pulls[url] if pull.head == branch]
        return max(mine, key=lambda record: (record.state == "open", record.number), default=None)

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        for needed in (branch, base):
            if needed not in self._heads(url):
                raise Denied(f"there is no branch {needed} in {url}")
        if any(pull.head == branch and pull.record.state == "open" for pull in self._pulls[url]):
            raise Conflict(f"a pull request for {branch} is open already")
        record = self._record(url, self._next(url), "pulls", text)
        record = record.model_copy(update={"branch": branch, "base": base})
        self._pulls[url].append(_Pull(record, branch))
        self.created.append(f"pull request {branch} -> {base}")
        return record

    async def update_pull_request(self, url: str, number: int, text: Text) -> None:
        self._heads(url)
        if number not in {pull.record.number for pull in self._pulls[url]}:
            raise Denied(f"there is no pull request {number}")
        self.edit(url, number, title=text.title, body=text.body)

    async def our_pull_requests(self, url: str) -> tuple[Record, ...]:
        self._heads(url)
        ours = [pull.record for pull in reversed(self._pulls[url]) if incident_of(pull.record.body)]
        closed = [record for record in ours if record.state != "open"]
        return (*(record for record in ours if record.state == "open"), *closed[:MOST_CLOSED])

    async def their_pull_requests(self, url: str, base: str, paths: tuple[str, ...]) -> tuple[Theirs, ...]:
        heads, found = self._heads(url), []
        for pull in reversed(self._pulls[url]):
            record = pull.record
            if record.state != "open" or record.base != base or incident_of(record.body):
                continue
            _, changes = self.commits.get(heads.get(pull.head, ""), ("", ()))
            diff = "".join(unified_diff(change) for change in changes if change.path in paths)
            if diff:
                found.append(Theirs(url=record.url, diff=diff))
        return tuple(found[:MOST_THEIRS])

    async def attention(self, url: str, number: int) -> Attention:
        return self._pull(url, number).ever

    async def add_labels(self, url: str, number: int, labels: tuple[str, ...]) -> None:
        pull = self._pull(url, number)
        pull.labels |= set(labels)
        known = {*pull.ever.labels, *(label.lower() for label in labels)}
        pull.ever = pull.ever.model_copy(update={"labels": frozenset(known)})
        self.created.append(f"labels of {number}: {', '.join(labels)}")

    async def request_reviews(self, url: str, number: int, reviewers: tuple[str, ...]) -> None:
        pull = self._pull(url, number)
        refused = [name for name in reviewers if name in self.strangers or name == pull.record.author]
        if refused:
            raise Denied(f"{', '.join(refused)} cannot be asked")
        pull.reviewers |= set(reviewers)
        known = {*pull.ever.reviewers, *(name.lower() for name in reviewers)}
        pull.ever = pull.ever.model_copy(update={"reviewers": frozenset(known)})
        self.created.append(f"reviewers of {number}: {', '.join(reviewers)}")

    async def account(self, url: str, commit: str) -> str | None:
        self._heads(url)
        return self.authors.get(commit)

    async def page(self, url: str, commit: str, path: str = "", line: int | None = None) -> str | None:
        self._heads(url)
        return f"{url}/blob/{commit}/{path}{f'#L{line}' if line else ''}" if path else f"{url}/commit/{commit}"

    def _pull(self, url: str, number: int) -> _Pull:
        self._heads(url)
        for pull in self._pulls[url]:
            if pull.record.number == number:
                return pull
        raise Denied(f"there is no pull request {number}")

    async def comments(self, url: str, number: int) -> tuple[Comment, ...]:
        return tuple(self._thread(url, number))

    async def create_comment(self, url: str, number: int, body: str) -> Comment:
        thread = self._thread(url, number)
        thread.append(Comment(id=len(thread) + 1, body=body))
        self.created.append(f"comment on {number}")
        return thread[-1]

    async def update_comment(self, url: str, number: int, comment: int, body: str) -> None:
        thread = self._thread(url, number)
        if not 1 <= comment <= len(thread):
            raise Denied(f"there is no comment {comment}")
        thread[comment - 1] = Comment(id=comment, body=body)

    def _thread(self, url: str, number: int) -> list[Comment]:
        self._heads(url)
        if number not in range(1, self._next(url)):
            raise Denied(f"there is no pull request or issue {number}")
        return self._comments.setdefault((url, number), [])

    def _next(self, url: str) -> int:
        """Pull requests and issues of a repository are counted together."""
        return len(self._pulls[url]) + len(self._issues[url]) + 1

    async def find_issue(self, url: str, incident: str, cause: str | None = None) -> Record | None:
        self._heads(url)
        return issue_about(self._issues[url], incident, cause)

    async def create_issue(self, url: str, text: Text) -> Record:
        self._heads(url)
        record = self._record(url, self._next(url), "issues", text)
        self._issues[url].append(record)
        self.created.append(f"issue {text.title}")
        return record

    async def close_issue(self, url: str, number: int) -> None:
        if not any(one.number == number for one in self._issues[url]):
            raise Denied(f"there is no issue {number}")
        self.edit_issue(url, number, state="closed")

    def _heads(self, url: str) -> dict[str, str]:
        if url not in self.branches:
            raise Denied(f"there is no repository {url}")
        return self.branches[url]

    def _record(self, url: str, number: int, kind: str, text: Text) -> Record:
        return Record(
            number=number,
            url=f"{url}/{kind}/{number}",
            state="open",
            draft=text.draft,
            title=text.title,
            body=text.body,
            author="selfheal",
        )
