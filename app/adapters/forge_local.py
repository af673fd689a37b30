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
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from agents.errors import Conflict, Denied, Transient
from agents.patch import FileChange
from agents.pull_request import MARKER, Head, Record, Text

GIT_SECONDS = 60
MISSING = "0" * 40
REGULAR, EXECUTABLE, LINK = "100644", "100755", "120000"
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
            raise Conflict(f"the branch {branch} is not at {expected or 'nothing'} any more") from error

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        records = await asyncio.to_thread(_records, self._beside(url, "pulls"))
        mine = [record for record in records if record["head"] == branch]
        mine.sort(key=lambda record: (record["state"] == "open", record["number"]))
        return _record(mine[-1]) if mine else None

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        if await self.head(url, branch) is None:
            raise Denied(f"there is no branch {branch} to propose")
        return await asyncio.to_thread(self._create, url, "pulls", {"head": branch, "base": base}, text)

    async def update_pull_request(self, url: str, number: int, text: Text) -> None:
        folder = self._beside(url, "pulls")
        with _locked(folder):
            record = json.loads((folder / f"{number}.json").read_text(encoding="utf-8"))
            _write(folder, record | {"title": text.title, "body": text.body})

    async def find_issue(self, url: str, incident: str) -> Record | None:
        for record in await asyncio.to_thread(_records, self._beside(url, "issues")):
            marker = MARKER.search(record["body"])
            if marker and marker.group(1) == incident:
                return _record(record)
        return None

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

    def _commit(self, repository: Path, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        """Build the tree in a scratch index, so that nothing in the repository moves until `point`."""
        when = _git(repository, "show", "-s", "--format=%cI", "--end-of-options", parent).strip()
        scratch = repository / f"selfheal-{os.getpid()}.index"
        # A fixed date makes the commit the same however often it is written: a repeat finds its own sha.
        extra = {
            "GIT_INDEX_FILE": str(scratch),
            **{
                f"GIT_{role}_{key}": value
                for role in ("AUTHOR", "COMMITTER")
                for key, value in (("NAME", WHO), ("EMAIL", MAIL), ("DATE", when))
            },
        }
        try:
            _git(repository, "read-tree", parent, extra=extra)
            for change in changes:
                entry = _index_entry(repository, parent, change)
                _git(repository, "update-index", "--add", "--index-info", stdin=entry, extra=extra)
            tree = _git(repository, "write-tree", extra=extra).strip()
            return _git(repository, "commit-tree", tree, "-p", parent, stdin=message.encode(), extra=extra).strip()
        finally:
            scratch.unlink(missing_ok=True)

    async def _git(self, url: str, *argv: str) -> str:
        return await asyncio.to_thread(_git, self._repository(url), *argv)

    def _repository(self, url: str) -> Path:
        """The bare repository of a URL; `Denied` for anything that is not one below the folder."""
        parts = urlsplit(url)
        path = Path(unquote(parts.path)).resolve()
        if parts.scheme != "file" or parts.netloc or not path.is_relative_to(self._folder):
            raise Denied(f"{url} is not a repository of the local forge")
        if not (path / "HEAD").is_file():
            raise Denied(f"there is no bare repository at {url}")
        return path

    def _beside(self, url: str, kind: str) -> Path:
        repository = self._repository(url)
        folder = repository.parent / f"{repository.name.removesuffix('.git')}.{kind}"
        folder.mkdir(exist_ok=True)
        return folder


def _index_entry(repository: Path, parent: str, change: FileChange) -> bytes:
    """A line for `update-index --index-info` that keeps the mode the path has."""
    listed = _git(repository, "ls-tree", "-z", parent, "--", f":(literal,top){change.path}")
    mode = listed.split(" ", 1)[0] if listed else REGULAR
    if change.after is None:
        return f"0 {MISSING}\t{change.path}\n".encode()
    if mode not in {REGULAR, EXECUTABLE}:
        raise Denied(f"{change.path} is a {'link' if mode == LINK else 'submodule'}, not a file")
    blob = _git(repository, "hash-object", "-w", "--stdin", stdin=change.after.encode()).strip()
    return f"{mode} {blob}\t{change.path}\n".encode()


def _git(repository: Path, *argv: str, stdin: bytes = b"", extra: dict[str, str] | None = None) -> str:
    """Run git on a bare repository with nothing of the machine's configuration, and no hooks."""
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_DIR": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
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
        raise Denied(f"git {argv[0]}: {done.stderr.decode('utf-8', 'replace').strip()[:300]}")
    return done.stdout.decode("utf-8", "replace")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]


def _record(raw: dict[str, Any]) -> Record:
    return Record.model_validate({name: raw[name] for name in Record.model_fields})


def _write(folder: Path, record: dict[str, Any]) -> None:
    """The page first: a record whose page is missing would be worse than a page without a record."""
    page = f"# {record['title']}\n\n{record['body']}"
    for name, text in (
        (f"{record['number']}.md", page),
        (f"{record['number']}.json", json.dumps(record, indent=2)),
    ):
        new = folder / f".{name}.new"
        new.write_text(text, encoding="utf-8")
        new.replace(folder / name)
