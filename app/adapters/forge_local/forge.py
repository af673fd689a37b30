"""The `Forge` port on a folder: bare repositories, and pull requests as a record and a page of Markdown each.

`<folder>/acme/shop.git` is the repository; its pull requests lie beside it in `shop.pulls/<n>.json` and `<n>.md`,
its issues in `shop.issues/`, counted together. As strict as a real forge where it matters: one open pull request a
head, branches move by compare-and-swap. A person closes or merges a pull request, or reopens an issue, by editing
`state` in the record.
"""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agents.errors import Conflict, Denied
from agents.patch import FileChange
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
from app.adapters.forge_local.commits import MISSING, run_git, write_commit
from app.adapters.forge_local.threads import Raw, Threads, record_of

EVER = {"labels": "labelled", "reviewers": "asked"}
"""What a record says of now, and where it keeps what ever was."""


class LocalForge:
    """Every repository below `folder`, by its `file:` URL."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    async def default_branch(self, url: str) -> str:
        return (await self._git(url, "symbolic-ref", "--short", "HEAD")).strip()

    async def head(self, url: str, branch: str) -> Head | None:
        ref = f"refs/heads/{branch}"
        listed = await self._git(url, "for-each-ref", "--format=%(refname) %(objectname)", ref)
        found = dict(line.split(" ", 1) for line in listed.splitlines())
        if ref not in found:
            return None
        message = await self._git(url, "show", "-s", "--format=%B", "--end-of-options", found[ref])
        return Head(sha=found[ref], message=message)

    async def commit(self, url: str, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        return await asyncio.to_thread(write_commit, self._repository(url), parent, changes, message)

    async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
        try:
            await self._git(url, "update-ref", f"refs/heads/{branch}", sha, expected or MISSING)
        except Denied as error:
            if "cannot lock ref" not in str(error):
                raise
            raise Conflict(f"the branch {branch} is not at {expected or 'nothing'} any more: {error}") from error

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        records = await asyncio.to_thread(self._threads(url).listed, "pulls")
        mine = [record for record in records if record["head"] == branch]
        mine.sort(key=lambda record: (record["state"] == "open", record["number"]))
        return record_of(mine[-1]) if mine else None

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        for needed in (branch, base):
            if await self.head(url, needed) is None:
                raise Denied(f"there is no branch {needed} in {url}")
        return await asyncio.to_thread(self._threads(url).create, "pulls", {"head": branch, "base": base}, text)

    async def update_pull_request(self, url: str, number: int, text: Text) -> None:
        reworded = {"title": text.title, "body": text.body}
        await asyncio.to_thread(self._threads(url).change, "pulls", number, lambda record: record | reworded)

    async def our_pull_requests(self, url: str) -> tuple[Record, ...]:
        records = [record_of(one) for one in await asyncio.to_thread(self._threads(url).listed, "pulls")]
        ours = sorted((one for one in records if incident_of(one.body)), key=lambda one: -one.number)
        others = [one for one in ours if one.state != "open"]
        return (*(one for one in ours if one.state == "open"), *others[:MOST_CLOSED])

    async def their_pull_requests(self, url: str, base: str, paths: tuple[str, ...]) -> tuple[Theirs, ...]:
        """Those whose branch is still there, newest first; what a page says may be anybody's, so git is asked."""
        records = await asyncio.to_thread(self._threads(url).listed, "pulls")
        theirs = [
            one for one in records if one["state"] == "open" and one["base"] == base and not incident_of(one["body"])
        ]
        found = []
        for one in sorted(theirs, key=lambda one: -int(one["number"]))[:MOST_THEIRS]:
            between = f"refs/heads/{base}...refs/heads/{one['head']}"
            if await self.head(url, one["head"]) is None:
                continue
            diff = await self._git(url, "diff", "--no-ext-diff", "--no-textconv", "--no-renames", between, "--", *paths)
            if diff:
                found.append(Theirs(url=one["url"], diff=diff))
        return tuple(found)

    async def attention(self, url: str, number: int) -> Attention:
        record = await asyncio.to_thread(self._threads(url).read, "pulls", number)
        labels, reviewers = (frozenset(name.lower() for name in record.get(key, ())) for key in EVER.values())
        return Attention(labels=labels, reviewers=reviewers)

    async def add_labels(self, url: str, number: int, labels: tuple[str, ...]) -> None:
        await self._add(url, number, "labels", labels)

    async def request_reviews(self, url: str, number: int, reviewers: tuple[str, ...]) -> None:
        await self._add(url, number, "reviewers", reviewers)

    async def _add(self, url: str, number: int, what: str, names: tuple[str, ...]) -> None:
        """Add to the list that people see and change, and to the one of all that was ever in it."""

        def add(record: Raw) -> Raw:
            return record | {key: sorted({*record.get(key, ()), *names}) for key in (what, EVER[what])}

        await asyncio.to_thread(self._threads(url).change, "pulls", number, add)

    async def account(self, url: str, commit: str) -> str | None:
        """None: a folder has no accounts."""
        del url, commit
        return None

    async def page(self, url: str, commit: str, path: str = "", line: int | None = None) -> str | None:
        """None: nothing serves pages of it."""
        del url, commit, path, line
        return None

    async def comments(self, url: str, number: int) -> tuple[Comment, ...]:
        found = await asyncio.to_thread(self._threads(url).comments, number)
        return tuple(Comment.model_validate(one) for one in found)

    async def create_comment(self, url: str, number: int, body: str) -> Comment:
        def add(comments: list[Raw]) -> Raw:
            comment = {"id": 1 + max((one["id"] for one in comments), default=0), "body": body}
            comments.append(comment)
            return comment

        return Comment.model_validate(await asyncio.to_thread(self._threads(url).discuss, number, add))

    async def update_comment(self, url: str, number: int, comment: int, body: str) -> None:
        def reword(comments: list[Raw]) -> Raw:
            found = next((one for one in comments if one["id"] == comment), None)
            if found is None:
                raise Denied(f"there is no comment {comment}")
            found["body"] = body
            return found

        await asyncio.to_thread(self._threads(url).discuss, number, reword)

    async def find_issue(self, url: str, incident: str, cause: str | None = None) -> Record | None:
        records = await asyncio.to_thread(self._threads(url).listed, "issues")
        return issue_about(map(record_of, records), incident, cause)

    async def create_issue(self, url: str, text: Text) -> Record:
        return await asyncio.to_thread(self._threads(url).create, "issues", {}, text)

    async def close_issue(self, url: str, number: int) -> None:
        closed = {"state": "closed", "was_closed": True}
        await asyncio.to_thread(self._threads(url).change, "issues", number, lambda record: record | closed)

    async def _git(self, url: str, *argv: str) -> str:
        return await asyncio.to_thread(run_git, self._repository(url), *argv)

    def _threads(self, url: str) -> Threads:
        return Threads(self._repository(url))

    def _repository(self, url: str) -> Path:
        """The bare repository of a URL; `Denied` for anything that is not one below the folder."""
        parts = urlsplit(url)
        name = unquote(parts.path)
        if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment or "\0" in name:
            raise Denied(f"{url!r} is not a repository of the local forge")
        path = Path(name).resolve()
        if path == self._folder or not path.is_relative_to(self._folder):
            raise Denied(f"{url!r} is not below the local forge's folder")
        if not (path / "HEAD").is_file():
            raise Denied(f"there is no bare repository at {url!r}")
        return path
