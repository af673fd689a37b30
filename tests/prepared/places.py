"""Where a prepared repository lies: below the local forge, or on the strict GitHub over HTTP; and what people find."""

import contextlib
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.pull_request import Forge, Record
from app.adapters.checkout.mirrors import Remote
from app.adapters.forge_local import LocalForge
from tests.github_server import WRITER, GitHubServer, Grant
from tests.github_server.clients import WRITER_TOKEN, access_of, forge_of
from tests.github_server.hub import Thread
from tests.github_server.site import record_of
from tests.histories import History, make_repository
from tests.prepared.rows import PullRequest
from tests.scratch import Scratch

PERSON = "ana"


class Place(ABC):
    """A forge with room for repositories."""

    forge: Forge
    folder: Path
    """The folder of the local forge, whether it is used or not."""
    remote: Remote | None = None

    def __init__(self) -> None:
        self.gits: dict[str, Scratch] = {}

    def put(self, name: str, history: History) -> tuple[str, dict[str, str]]:
        """Make a repository; its URL, and the sha of each commit by its id."""
        url, path = self._room(name)
        shas = make_repository(history, path)
        self.gits[url] = Scratch(path)
        return url, shas

    @abstractmethod
    def _room(self, name: str) -> tuple[str, Path]:
        """The URL of a repository, and where git has it."""

    @abstractmethod
    def pulls(self, url: str) -> list[Record]:
        """Ours and others'."""

    @abstractmethod
    def issues(self, url: str) -> list[Record]: ...

    @abstractmethod
    def open(self, url: str, wanted: PullRequest) -> None:
        """A person opens a pull request."""

    def merge(self, url: str, record: Record, *, squash: bool) -> str:
        """A person merges a pull request into `main`; returns the commit. Squashed, its commits' messages are lost."""
        git = self.gits[url]
        tree = git.git("merge-tree", "--write-tree", "main", str(record.branch))
        parents = ["-p", "main"] if squash else ["-p", "main", "-p", str(record.branch)]
        sha = git.git("commit-tree", tree, *parents, "-m", f"{record.title} (#{record.number})")
        git.git("update-ref", "refs/heads/main", sha)
        self._merged(url, record.number, sha)
        return sha

    @abstractmethod
    def _merged(self, url: str, number: int, sha: str) -> None: ...

    def forget(self, url: str) -> None:
        """Take back everything that was published: our branches, pull requests and issues."""
        git = self.gits[url]
        for branch in git.branches():
            if branch.startswith("selfheal/"):
                git.git("update-ref", "-d", f"refs/heads/{branch}")
        self._forget_threads(url)

    @abstractmethod
    def _forget_threads(self, url: str) -> None: ...

    def protect(self, url: str, branches: Sequence[str]) -> None:
        """Let nobody push to these branches."""
        if branches:
            raise ValueError(f"{url}: this forge protects no branches")


class LocalPlace(Place):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder / "forge"
        self.folder.mkdir(parents=True)
        self.forge = LocalForge(self.folder)

    def _room(self, name: str) -> tuple[str, Path]:
        path = self.folder / "acme" / f"{name}.git"
        path.parent.mkdir(exist_ok=True)
        return path.as_uri(), path

    def pulls(self, url: str) -> list[Record]:
        return self._records(url, "pulls")

    def issues(self, url: str) -> list[Record]:
        return self._records(url, "issues")

    def open(self, url: str, wanted: PullRequest) -> None:
        folder = self.gits[url].path.with_suffix(".pulls")
        folder.mkdir(exist_ok=True)
        about: Mapping[str, Any] = {"number": 1, "url": (folder / "1.md").as_uri(), "state": "open", "draft": False}
        record = {**about, "title": wanted.title, "body": "", "head": wanted.branch, "base": "main"}
        (folder / "1.json").write_text(json.dumps(record))

    def _merged(self, url: str, number: int, sha: str) -> None:
        path = self.gits[url].path.with_suffix(".pulls") / f"{number}.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "merged", "merged_as": sha}))

    def _forget_threads(self, url: str) -> None:
        for kind in ("pulls", "issues"):
            shutil.rmtree(self.gits[url].path.with_suffix(f".{kind}"), ignore_errors=True)

    def _records(self, url: str, kind: str) -> list[Record]:
        paths = sorted(self.gits[url].path.with_suffix(f".{kind}").glob("[0-9]*.json"))
        return [Record.model_validate({"branch": None, **_named(json.loads(path.read_text()))}) for path in paths]


def _named(raw: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in raw.items() if name in Record.model_fields}
    return known | ({"branch": raw["head"]} if "head" in raw else {})


class GitHubPlace(Place):
    def __init__(self, folder: Path, server: GitHubServer) -> None:
        super().__init__()
        self.folder = folder / "forge"
        self.server = server
        server.hub.grants[WRITER_TOKEN] = Grant("selfheal", WRITER)
        self.forge = forge_of(server)
        self.remote = access_of(server)

    def _room(self, name: str) -> tuple[str, Path]:
        repository = self.server.hub.create(f"acme/{name}")
        return self.server.url(repository.full_name), repository.path

    def pulls(self, url: str) -> list[Record]:
        return [record_of(url, thread) for thread in self._repository(url).pulls]

    def issues(self, url: str) -> list[Record]:
        return [record_of(url, thread) for thread in self._repository(url).issues]

    def open(self, url: str, wanted: PullRequest) -> None:
        repository = self._repository(url)
        thread = Thread(len(repository.threads) + 1, wanted.title, "", PERSON, head=wanted.branch, base="main")
        thread.source = repository.full_name
        repository.open(thread)

    def _merged(self, url: str, number: int, sha: str) -> None:
        thread = self._repository(url).thread(number)
        thread.state, thread.merged, thread.merged_as = "closed", True, sha

    def _forget_threads(self, url: str) -> None:
        self._repository(url).threads.clear()

    def protect(self, url: str, branches: Sequence[str]) -> None:
        self._repository(url).protected = frozenset(branches)

    def _repository(self, url: str) -> Any:
        return self.server.hub.repositories[url.removeprefix(f"{self.server.web}/").lower()]


@contextlib.contextmanager
def place(kind: str, folder: Path) -> Iterator[Place]:
    """A forge of the kind, `local` or `github`, for as long as it is needed."""
    if kind == "local":
        yield LocalPlace(folder)
        return
    with GitHubServer(folder / "github").running() as server:
        yield GitHubPlace(folder, server)
