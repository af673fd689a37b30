"""The `Forge` port on a folder: bare repositories, and pull requests as a record and a page of Markdown each.

`<folder>/acme/shop.git` is the repository; its pull requests lie beside it in `shop.pulls/<n>.json` and `<n>.md`,
its issues in `shop.issues/`. As strict as a real forge where it matters: one open pull request a head, branches
move by compare-and-swap. A person closes or merges a pull request by editing `state` in the record.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from agents.errors import Conflict, Denied, Transient
from agents.markdown import prose
from agents.patch import FileChange
from agents.pull_request import MOST_CLOSED, Comment, Head, Record, Text, incident_of

GIT_SECONDS = 60
MISSING = "0" * 40
REGULAR, EXECUTABLE = "100644", "100755"
KINDS = {"120000": "a link", "160000": "a submodule"}
Entry = tuple[str, str]
"""Mode and id of a path in a commit."""
WHO = "Self-Healing Rollouts"
MAIL = "selfheal@localhost"


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
        return await asyncio.to_thread(self._commit, self._repository(url), parent, changes, message)

    async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
        try:
            await self._git(url, "update-ref", f"refs/heads/{branch}", sha, expected or MISSING)
        except Denied as error:
            if "cannot lock ref" not in str(error):
                raise
            raise Conflict(f"the branch {branch} is not at {expected or 'nothing'} any more: {error}") from error

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        records = await asyncio.to_thread(_records, self._beside(url, "pulls"))
        mine = [record for record in records if record["head"] == branch]
        mine.sort(key=lambda record: (record["state"] == "open", record["number"]))
        return _record(mine[-1]) if mine else None

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        for needed in (branch, base):
            if await self.head(url, needed) is None:
                raise Denied(f"there is no branch {needed} in {url}")
        return await asyncio.to_thread(self._create, url, "pulls", {"head": branch, "base": base}, text)

    async def update_pull_request(self, url: str, number: int, text: Text) -> None:
        await asyncio.to_thread(self._update, self._beside(url, "pulls"), number, text)

    async def our_pull_requests(self, url: str) -> tuple[Record, ...]:
        records = [_record(one) for one in await asyncio.to_thread(_records, self._beside(url, "pulls"))]
        ours = sorted((one for one in records if incident_of(one.body)), key=lambda one: -one.number)
        others = [one for one in ours if one.state != "open"]
        return (*(one for one in ours if one.state == "open"), *others[:MOST_CLOSED])

    async def comments(self, url: str, number: int) -> tuple[Comment, ...]:
        record = await asyncio.to_thread(self._thread, url, number)
        return tuple(Comment.model_validate(one) for one in record.get("comments", []))

    async def create_comment(self, url: str, number: int, body: str) -> Comment:
        def add(comments: list[dict[str, Any]]) -> dict[str, Any]:
            comment = {"id": 1 + max((one["id"] for one in comments), default=0), "body": body}
            comments.append(comment)
            return comment

        return Comment.model_validate(await asyncio.to_thread(self._discuss, url, number, add))

    async def update_comment(self, url: str, number: int, comment: int, body: str) -> None:
        def reword(comments: list[dict[str, Any]]) -> dict[str, Any]:
            found = next((one for one in comments if one["id"] == comment), None)
            if found is None:
                raise Denied(f"there is no comment {comment}")
            found["body"] = body
            return found

        await asyncio.to_thread(self._discuss, url, number, reword)

    async def find_issue(self, url: str, incident: str) -> Record | None:
        records = await asyncio.to_thread(_records, self._beside(url, "issues"))
        return next((_record(record) for record in records if incident_of(record["body"]) == incident), None)

    async def create_issue(self, url: str, text: Text) -> Record:
        return await asyncio.to_thread(self._create, url, "issues", {}, text)

    def _create(self, url: str, kind: str, about: dict[str, str], text: Text) -> Record:
        folder = self._beside(url, kind)
        with _locked(folder):
            records = _records(folder)
            if about and any(record["state"] == "open" and record["head"] == about["head"] for record in records):
                raise Conflict(f"a pull request for {about['head']} is open already")
            number = 1 + max((record["number"] for record in records), default=0)
            record: dict[str, Any] = {
                "number": number,
                "url": (folder / f"{number}.md").as_uri(),
                "state": "open",
                "draft": text.draft,
                "title": text.title,
                "body": text.body,
                **about,
            }
            _write(folder, record)
        return _record(record)

    def _update(self, folder: Path, number: int, text: Text) -> None:
        with _locked(folder):
            record = next((record for record in _records(folder) if record["number"] == number), None)
            if record is None:
                raise Denied(f"there is no pull request {number}")
            _write(folder, record | {"title": text.title, "body": text.body})

    def _thread(self, url: str, number: int) -> dict[str, Any]:
        """The record of a pull request."""
        record = next((one for one in _records(self._beside(url, "pulls")) if one["number"] == number), None)
        if record is None:
            raise Denied(f"there is no pull request {number}")
        return record

    def _discuss(
        self, url: str, number: int, change: Callable[[list[dict[str, Any]]], dict[str, Any]]
    ) -> dict[str, Any]:
        """Change the comments of a pull request under its folder's lock; the answer is `change`'s."""
        folder = self._beside(url, "pulls")
        with _locked(folder):
            record = self._thread(url, number)
            changed = change(record.setdefault("comments", []))
            _write(folder, record)
        return changed

    def _commit(self, repository: Path, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        """Build the tree in a scratch index, so that nothing in the repository moves until `point`."""
        when = _git(repository, "show", "-s", "--format=%cI", "--end-of-options", parent).strip()
        present = _listed(_git(repository, "ls-tree", "-r", "-z", "--full-tree", parent))
        wanted = {change.path: _entry(repository, present, change) for change in changes}
        # `git update-index` passes over a path that it does not like, and puts a file in a link's place.
        expected = {path: entry for path, entry in (present | wanted).items() if entry is not None}
        # A fixed date makes the commit the same however often it is written: a repeat finds its own sha.
        who = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", WHO), ("EMAIL", MAIL), ("DATE", when))
        }
        with tempfile.TemporaryDirectory(prefix="selfheal-index-") as scratch:
            extra = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), **who}
            _git(repository, "read-tree", parent, extra=extra)
            _git(repository, "update-index", "-z", "--add", "--index-info", stdin=_index_info(wanted), extra=extra)
            if _listed(_git(repository, "ls-files", "-z", "--stage", extra=extra)) != expected:
                raise Denied(f"git cannot have these paths in one commit: {', '.join(map(repr, wanted))}")
            tree = _git(repository, "write-tree", extra=extra).strip()
            return _git(repository, "commit-tree", tree, "-p", parent, stdin=message.encode(), extra=extra).strip()

    async def _git(self, url: str, *argv: str) -> str:
        return await asyncio.to_thread(_git, self._repository(url), *argv)

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

    def _beside(self, url: str, kind: str) -> Path:
        repository = self._repository(url)
        folder = repository.parent / f"{repository.name.removesuffix('.git')}.{kind}"
        folder.mkdir(exist_ok=True)
        return folder


def _listed(out: str) -> dict[str, Entry | None]:
    """Path -> mode and id, as `ls-tree -z` (mode, kind, id) and `ls-files -z --stage` (mode, id, stage) name them."""
    found: dict[str, Entry | None] = {}
    for line in out.split("\0"):
        about, tab, path = line.partition("\t")
        if tab:
            mode, *words = about.split(" ")
            found[path] = (mode, next(word for word in words if len(word) >= len(MISSING)))
    return found


def _entry(repository: Path, present: Mapping[str, Entry | None], change: FileChange) -> Entry | None:
    """The mode that the path has, and the id of its new text; None to delete it."""
    mode, _ = present.get(change.path) or (REGULAR, "")
    if mode not in {REGULAR, EXECUTABLE}:
        raise Denied(f"{change.path} is not a file ({KINDS.get(mode, mode)})")
    if change.after is None:
        return None
    return mode, _git(repository, "hash-object", "-w", "--stdin", stdin=change.after.encode()).strip()


def _index_info(entries: Mapping[str, Entry | None]) -> bytes:
    lines = [f"{mode} {sha}\t{path}\0" for path, (mode, sha) in ((p, e or ("0", MISSING)) for p, e in entries.items())]
    return "".join(lines).encode("utf-8", "surrogateescape")


def _git(repository: Path, *argv: str, stdin: bytes = b"", extra: dict[str, str] | None = None) -> str:
    """Run git on a bare repository with nothing of the machine's configuration, and no hooks."""
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_DIR": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        **(extra or {}),
    }
    guard = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never", "-c", "safe.directory=*")
    try:
        done = subprocess.run(  # noqa: S603 - argv, no shell
            ["git", *guard, *argv],  # noqa: S607 - the PATH is ours
            input=stdin,
            capture_output=True,
            env=env,
            timeout=GIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Transient(f"git {argv[0]} took more than {GIT_SECONDS} s") from error
    if done.returncode != 0:
        raise Denied(f"git {argv[0]}: {' '.join(done.stderr.decode('utf-8', 'replace').split())[:300]}")
    return done.stdout.decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _records(folder: Path) -> list[dict[str, Any]]:
    """Every record, as a person may have edited it; `Denied` names the one that cannot be read any more."""
    found = []
    for path in sorted(folder.glob("[0-9]*.json")):
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            _record(raw)
            found.append(raw)
        except (ValueError, KeyError, TypeError) as error:
            raise Denied(f"{path} is no record of a pull request or issue: {error}") from error
    return found


def _record(raw: dict[str, Any]) -> Record:
    about = {name: raw[name] for name in ("number", "url", "state", "draft", "title", "body")}
    return Record(**about, branch=raw.get("head"), base=raw.get("base"), merged_as=raw.get("merged_as"))


def _write(folder: Path, record: dict[str, Any]) -> None:
    """The page first: a record whose page is missing would be worse than a page without a record."""
    said = [f"\n---\n\n{comment['body']}" for comment in record.get("comments", [])]
    page = f"# {prose(record['title'])}\n\n{record['body']}" + "".join(said)
    for name, text in (
        (f"{record['number']}.md", page),
        (f"{record['number']}.json", json.dumps(record, indent=2)),
    ):
        new = folder / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)
