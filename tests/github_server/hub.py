"""What the pretended GitHub knows: bare repositories, issues and pull requests, and who may do what.

The git objects are real: they lie in a bare repository and are made by the `git` command. Texts and status codes of a
refusal are those that GitHub gives.
"""

import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

Permissions = Mapping[str, str]
WRITER: Permissions = {"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write"}
READER: Permissions = {"metadata": "read", "contents": "read", "pull_requests": "read", "issues": "read"}
Level = Literal["read", "write"]
ANA = {
    f"GIT_{role}_{key}": value
    for role in ("AUTHOR", "COMMITTER")
    for key, value in (("NAME", "Ana Ruiz"), ("EMAIL", "ana@shop.example"), ("DATE", "2026-11-24T12:00:00+00:00"))
}


class Refused(Exception):
    """An answer that is not what was asked for."""

    def __init__(
        self, status: int, message: str, *errors: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message, "status": str(status)}
        if errors:
            self.body["errors"] = list(errors)
        self.headers = dict(headers or {})


def invalid(resource: str, name: str, code: str, message: str = "") -> Refused:
    """GitHub's `Validation Failed`."""
    reason = {"resource": resource, "field": name, "code": code} | ({"message": message} if message else {})
    return Refused(422, "Validation Failed", reason)


@dataclass(frozen=True)
class Grant:
    """What a token stands for. `repositories` None means every one."""

    login: str
    permissions: Permissions
    repositories: frozenset[str] | None = None
    expires: float | None = None
    of_app: bool = False


@dataclass
class App:
    """A GitHub App: who signs for it, and where it is installed."""

    app_id: str
    public_key: str
    permissions: Permissions
    installations: dict[int, frozenset[str]] = field(default_factory=dict)
    token_seconds: float = 3600


@dataclass
class Thread:
    """An issue or, where `head` is set, a pull request: GitHub numbers them together."""

    number: int
    title: str
    body: str
    author: str
    labels: tuple[str, ...] = ()
    head: str | None = None
    base: str | None = None
    source: str | None = None
    """The full name of the repository that the head lies in."""
    draft: bool = False
    state: Literal["open", "closed"] = "open"
    merged: bool = False
    merged_as: str | None = None
    state_reason: Literal["completed", "not_planned", "reopened"] | None = None
    """Of an issue that was closed once."""
    comments: list["Note"] = field(default_factory=list)
    asked: tuple[str, ...] = ()
    """Accounts and teams that are asked for a review now."""
    events: list[dict[str, Any]] = field(default_factory=list)
    """The timeline, as GitHub lists it."""


@dataclass
class Note:
    """A comment."""

    number: int
    author: str
    body: str


@dataclass
class Repository:
    """One repository and its settings."""

    owner: str
    name: str
    path: Path
    private: bool = True
    archived: bool = False
    has_drafts: bool = True
    has_issues: bool = True
    protected: frozenset[str] = frozenset()
    """Patterns of branches that a ruleset keeps for merged pull requests."""
    has_filters: bool = True
    """Whether a fetch may leave files out."""
    has_protocol_2: bool = True
    """Whether git's newer protocol is spoken, in which every object may be asked for by its id."""
    collaborators: frozenset[str] = frozenset({"ana", "ben"})
    teams: frozenset[str] = frozenset({"payments"})
    accounts: dict[str, str] = field(default_factory=lambda: {"ana@shop.example": "ana"})
    """The account of an author's mail address."""
    labels: set[str] = field(default_factory=set)
    threads: list[Thread] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def default_branch(self) -> str:
        return self.git("symbolic-ref", "--short", "HEAD")

    @property
    def pulls(self) -> list[Thread]:
        return [thread for thread in self.threads if thread.head is not None]

    @property
    def issues(self) -> list[Thread]:
        return [thread for thread in self.threads if thread.head is None]

    def thread(self, number: int) -> Thread:
        for thread in self.threads:
            if thread.number == number:
                return thread
        raise Refused(404, "Not Found")

    def open(self, thread: Thread) -> Thread:
        self.threads.append(thread)
        return thread

    def branches(self) -> dict[str, str]:
        listed = self.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
        return dict(line.split(" ", 1) for line in listed.splitlines())

    def kind(self, sha: str) -> str | None:
        """The type of an object, None where there is none of that name."""
        if not re.fullmatch(r"[0-9a-f]{40}", sha):
            return None
        done = self._run(("cat-file", "-t", sha))
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def git(self, *argv: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> str:
        return self.git_bytes(*argv, stdin=stdin, extra=extra).decode().removesuffix("\n")

    def git_bytes(self, *argv: str, stdin: bytes = b"", extra: Mapping[str, str] | None = None) -> bytes:
        done = self._run(argv, stdin, extra)
        assert done.returncode == 0, f"git {argv}: {done.stderr.decode()}"
        return done.stdout

    def push(
        self,
        branch: str,
        files: Mapping[str, str | None],
        message: str = "A person's commit",
        modes: Mapping[str, str] | None = None,
    ) -> str:
        """What a person pushes: a commit on the branch, or on `main` where it is new; None takes a file away."""
        heads = self.branches()
        parent = heads.get(branch, heads.get("main"))
        lines = []
        for path, text in files.items():
            mode = (modes or {}).get(path, "100644")
            if text is None:
                lines.append(("0", "0" * 40, path))
            else:
                sha = text if mode == "160000" else self.git("hash-object", "-w", "--stdin", stdin=text.encode())
                lines.append((mode, sha, path))
        tree = self.write_tree(parent, lines)
        on = ("-p", parent) if parent else ()
        sha = self.git("commit-tree", tree, *on, stdin=message.encode(), extra=ANA)
        self.git("update-ref", f"refs/heads/{branch}", sha)
        return sha

    def write_tree(self, base: str | None, lines: Sequence[tuple[str, str, str]]) -> str:
        """The tree of (mode, sha, path) lines on a base tree; mode 0 takes a path away."""
        with tempfile.TemporaryDirectory() as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            if base is not None:
                self.git("read-tree", base, extra=index)
            text = "".join(f"{mode} {sha}\t{path}\n" for mode, sha, path in lines)
            self.git("update-index", "--add", "--replace", "--index-info", stdin=text.encode(), extra=index)
            return self.git("write-tree", extra=index)

    def _run(
        self, argv: Sequence[str], stdin: bytes = b"", extra: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[bytes]":
        environment = {"PATH": "/usr/bin:/bin", "GIT_DIR": str(self.path), "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/"}
        return subprocess.run(
            ["git", "-c", "safe.directory=*", *argv],
            input=stdin,
            capture_output=True,
            env=environment | dict(extra or {}),
            check=False,
        )


class Hub:
    """Every repository, token and App. `lock` is held while a request is answered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.repositories: dict[str, Repository] = {}
        self.moved: dict[str, str] = {}
        self.grants: dict[str, Grant] = {}
        self.apps: dict[str, App] = {}
        self.now: Callable[[], float] = time.time
        """Of the tokens' ends."""
        self.lock = threading.RLock()

    def create(self, full_name: str) -> Repository:
        """An empty repository whose default branch is `main`."""
        owner, name = full_name.split("/")
        path = self.folder / owner / f"{name}.git"
        path.parent.mkdir(parents=True, exist_ok=True)
        repository = Repository(owner, name, path)
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--initial-branch=main", "--template=", str(path)], check=True
        )
        self.repositories[full_name.lower()] = repository
        return repository

    def copy(self, repository: Repository, full_name: str) -> Repository:
        """Another repository in the same state, pull requests and all."""
        owner, name = full_name.split("/")
        path = self.folder / owner / f"{name}.git"
        shutil.copytree(repository.path, path)
        threads = [
            replace(
                thread,
                events=list(thread.events),
                source=full_name if thread.source == repository.full_name else thread.source,
            )
            for thread in repository.threads
        ]
        twin = replace(repository, owner=owner, name=name, path=path, threads=threads, labels=set(repository.labels))
        self.repositories[full_name.lower()] = twin
        return twin

    def rename(self, old: str, new: str) -> None:
        repository = self.repositories.pop(old.lower())
        repository.owner, repository.name = new.split("/")
        self.repositories[new.lower()] = repository
        self.moved[old.lower()] = new

    def grant(self, token: str) -> Grant:
        """Who presents a token; GitHub's 401 for one that is unknown or has ended."""
        grant = self.grants.get(token)
        if grant is None or (grant.expires is not None and grant.expires < self.now()):
            raise Refused(401, "Bad credentials")
        return grant

    def repository(self, full_name: str, grant: Grant | None) -> Repository:
        """The repository if the caller may know of it, GitHub's 404 if not."""
        found = self.repositories.get(full_name.lower())
        if found is None or (found.private and not _sees(grant, found)):
            raise Refused(404, "Not Found")
        return found


def _sees(grant: Grant | None, repository: Repository) -> bool:
    if grant is None:
        return False
    return grant.repositories is None or repository.full_name.lower() in grant.repositories


def demand(grant: Grant | None, repository: Repository, what: str, level: Level) -> None:
    """Refuse, in GitHub's words, what the caller has no permission for."""
    has = grant.permissions.get(what) if grant is not None and _sees(grant, repository) else None
    if has != "write" and (level == "write" or has != "read"):
        who = "integration" if grant is not None and grant.of_app else "personal access token"
        headers = {"X-Accepted-GitHub-Permissions": f"{what}={level}"}
        raise Refused(403, f"Resource not accessible by {who}", headers=headers)
    if level == "write" and repository.archived:
        raise Refused(403, "Repository was archived so is read-only.")
