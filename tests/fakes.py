"""One fake per port: the same behaviour as the real adapter (tests/contract holds both to it), in memory.

A fake has state and rules, never expectations. The last lines tie each to its port, so mypy refuses the suite
when one drifts.
"""

import difflib
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.changes import MOST_MATCHES, Blamed, Commit, FileText, Match, Repositories, Repository
from agents.errors import Denied
from agents.evidence import (
    Cluster,
    ImageLabels,
    ImageReference,
    Kind,
    LogSource,
    LogText,
    Objects,
    Registry,
    Target,
)
from agents.pull_request import Forge
from agents.verification import Completed, Request, Sandbox, Served, Workspace
from app.intake import Queue
from tests.fake_forge import FakeForge as FakeForge  # noqa: PLC0414 - said, so that mypy lets others import it here
from tests.fake_journal import FakeJournal as FakeJournal  # noqa: PLC0414 - as above

START = datetime(2026, 11, 24, 12, tzinfo=UTC)
Files = Mapping[str, str]


class FakeClock:
    """Starts at noon and moves only when told to."""

    def __init__(self, start: datetime = START) -> None:
        self.moment = start

    def __call__(self) -> datetime:
        return self.moment

    def advance(self, **amount: float) -> None:
        self.moment += timedelta(**amount)


class FakeCluster:
    """`Cluster` with the objects and logs it is given; `answers` and `log_answers` put a failure in a kind's place."""

    def __init__(
        self,
        objects: Mapping[Kind, Sequence[dict[str, Any]]] | None = None,
        logs: Mapping[str, str] | None = None,
        answers: Mapping[Kind, Objects] | None = None,
        log_answers: Mapping[str, LogText] | None = None,
    ) -> None:
        self._objects = dict(objects or {})
        self._logs = dict(logs or {})
        self._answers = dict(answers or {})
        self._log_answers = dict(log_answers or {})
        self.asked: list[str] = []

    async def find(self, cluster: str, namespace: str, rollout: str) -> Objects:
        del cluster
        for thing in self._objects.get("rollout", ()):
            metadata = thing["metadata"]
            if (metadata.get("namespace"), metadata["name"]) == (namespace, rollout):
                return Objects(status="ok", objects=(thing,))
        return Objects(status="gone", reason=f"there is no rollout {namespace}/{rollout}")

    async def read(self, cluster: str, kind: Kind, namespace: str, name: str) -> Objects:
        del cluster
        for thing in self._objects.get(kind, ()):
            metadata = thing["metadata"]
            if (metadata.get("namespace"), metadata["name"]) == (namespace, name):
                return Objects(status="ok", objects=(thing,))
        return Objects(status="gone", reason=f"there is no {kind} {namespace}/{name}")

    async def objects(self, target: Target, kind: Kind) -> Objects:
        del target
        self.asked.append(kind)
        if kind in self._answers:
            return self._answers[kind]
        found = tuple(sorted(self._objects.get(kind, ()), key=_created))
        return Objects(status="ok" if found else "empty", objects=found)

    async def log(self, target: Target, source: LogSource) -> LogText:
        del target
        self.asked.append(source.item_id)
        if source.item_id in self._log_answers:
            return self._log_answers[source.item_id]
        text = self._logs.get(source.item_id)
        if text is None:
            return LogText(status="gone", reason="the log is not kept")
        return LogText(status="ok" if text else "empty", text=text)


def _created(thing: dict[str, Any]) -> str:
    return str(thing["metadata"].get("creationTimestamp") or "")


@dataclass(frozen=True)
class FakeCommit:
    """A commit to be: its subject, the whole tree after it, and the rest of its message."""

    subject: str
    files: Files
    body: str = ""


class FakeRepository:
    """`Repository` with a straight history. `shas` names the commits, oldest first; `main` is the last one."""

    def __init__(self, *history: FakeCommit) -> None:
        self.history: tuple[FakeCommit, ...] = ()
        self.shas: tuple[str, ...] = ()
        self.branches: dict[str, str] = {}
        self.denied: set[str] = set()
        """Methods that are refused, as a repository refuses what is too large to read."""
        for commit in history:
            self.push(commit)

    def _allow(self, method: str) -> None:
        if method in self.denied:
            raise Denied(f"{method} is refused")

    def push(self, commit: FakeCommit) -> str:
        """A commit on top of `main`."""
        sha = hashlib.sha1(f"{len(self.shas)} {commit.subject}".encode(), usedforsecurity=False).hexdigest()
        self.history, self.shas = (*self.history, commit), (*self.shas, sha)
        self.branches["main"] = sha
        return sha

    async def resolve(self, revision: str) -> str:
        self._allow("resolve")
        sha = self.branches.get(revision.removeprefix("refs/heads/"), revision)
        if revision == "HEAD" and self.shas:
            return self.shas[-1]
        found = [one for one in self.shas if one.startswith(sha)] if len(sha) >= 7 else []
        if len(found) != 1:
            raise Denied(f"the revision {revision} is not in the repository")
        return found[0]

    async def message(self, commit: str) -> str:
        self._tree(commit)
        said = self.history[self.shas.index(commit)]
        return f"{said.subject}\n\n{said.body}" if said.body else f"{said.subject}\n"

    async def commits(self, old: str, new: str) -> tuple[Commit, ...]:
        self._allow("commits")
        if old not in self.shas or new not in self.shas:
            raise Denied("a commit is not in the repository")
        first, last = self.shas.index(old), self.shas.index(new)
        return tuple(self._commit(at) for at in range(last, first, -1))

    async def compare(self, old: str, new: str, path: str = "") -> str:
        self._allow("compare")
        before, after = self._tree(old), self._tree(new)
        prefix = f"{path.rstrip('/')}/" if path else ""
        keep = [name for name in {*before, *after} if name == path or name.startswith(prefix)]
        return diff_trees(
            {name: before[name] for name in keep if name in before},
            {name: after[name] for name in keep if name in after},
            context=0,
        )

    async def files(self, commit: str) -> tuple[str, ...]:
        self._allow("files")
        return tuple(sorted(self._tree(commit)))

    async def read(self, commit: str, path: str) -> FileText:
        self._allow("read")
        text = self._tree(commit).get(path)
        if text is None:
            return FileText(status="gone", reason=f"{path} is not in the commit")
        if "\0" in text:
            return FileText(status="denied", reason=f"{path} is not text")
        return FileText(status="ok", text=text)

    async def blame(self, commit: str, path: str, first: int, last: int) -> tuple[Blamed, ...]:
        found = await self.read(commit, path)
        if found.status != "ok":
            raise Denied(found.reason or path)
        lines: list[str] = []
        wrote: list[int] = []
        for at in range(self.shas.index(commit) + 1):
            text = self.history[at].files.get(path, "")
            new = text.removesuffix("\n").split("\n") if text else []
            same = difflib.SequenceMatcher(None, lines, new, autojunk=False).get_matching_blocks()
            kept = {block.b + n: wrote[block.a + n] for block in same for n in range(block.size)}
            lines, wrote = new, [kept.get(n, at) for n in range(len(new))]
        return tuple(
            Blamed(
                line=n,
                commit=self.shas[wrote[n - 1]],
                author="Ana Ruiz",
                subject=self.history[wrote[n - 1]].subject,
                text=lines[n - 1],
            )
            for n in range(first, min(last, len(lines)) + 1)
            if first >= 1
        )

    async def search(self, commit: str, text: str, path: str = "") -> tuple[Match, ...]:
        if not text.strip() or "\n" in text or "\0" in text:
            raise Denied("search for one line, or a part of one")
        tree = {name: content for name, content in self._tree(commit).items() if "\0" not in content}
        below = {name for name in tree if not path or name == path or name.startswith(f"{path.rstrip('/')}/")}
        found = [
            Match(path=name, line=number, text=line)
            for name in sorted(below)
            for number, line in enumerate(tree[name].split("\n"), 1)
            if text in line
        ]
        return tuple(found[:MOST_MATCHES])

    def _tree(self, sha: str) -> Files:
        if sha not in self.shas:
            raise Denied(f"{sha} is not in the repository")
        return self.history[self.shas.index(sha)].files

    def _commit(self, at: int) -> Commit:
        before = self.history[at - 1].files if at else {}
        return Commit(
            sha=self.shas[at],
            parents=(self.shas[at - 1],) if at else (),
            author="Ana Ruiz",
            at=START + timedelta(hours=at),
            subject=self.history[at].subject,
            diff=diff_trees(before, self.history[at].files, context=3),
        )


def diff_trees(before: Files, after: Files, context: int) -> str:
    """The unified diff of two trees, as git writes it; of renames it knows those that change nothing else."""
    parts: list[str] = []
    gone = {text: path for path, text in before.items() if path not in after}
    renamed = {gone[text]: path for path, text in after.items() if path not in before and text in gone}
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new or path in renamed.values():
            continue
        if path in renamed:
            parts.append(f"diff --git a/{path} b/{renamed[path]}\nsimilarity index 100%\n")
            parts.append(f"rename from {path}\nrename to {renamed[path]}\n")
            continue
        parts.append(f"diff --git a/{path} b/{path}\n")
        if old is None:
            parts.append("new file mode 100644\n")
        if new is None:
            parts.append("deleted file mode 100644\n")
        names = ("/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}")
        lines = difflib.unified_diff(
            re.findall(r"[^\n]*\n|[^\n]+", old or ""), re.findall(r"[^\n]*\n|[^\n]+", new or ""), *names, n=context
        )
        parts += [line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines]
    return "".join(parts)


class FakeRepositories:
    """`Repositories` by URL; a URL that is not there is denied."""

    def __init__(self, repositories: Mapping[str, Repository]) -> None:
        self._repositories = dict(repositories)

    async def open(self, url: str) -> Repository:
        if url not in self._repositories:
            raise Denied(f"{url} cannot be read")
        return self._repositories[url]


class FakeRegistry:
    """`Registry` with the labels of each digest; only its own hosts are asked."""

    def __init__(self, labels: Mapping[str, Mapping[str, str]], hosts: Sequence[str] = ("registry.example",)) -> None:
        self._labels = dict(labels)
        self._hosts = hosts
        self.asked: list[str] = []

    async def labels(self, image: ImageReference) -> ImageLabels:
        if image.registry not in self._hosts:
            return ImageLabels(status="denied", reason=f"{image.registry}: SELFHEAL_REGISTRIES does not name it")
        self.asked.append(str(image))
        found = self._labels.get(image.digest) if image.digest else None
        if found is None:
            return ImageLabels(status="gone", reason=f"{image.registry}: not there")
        return ImageLabels(status="ok" if found else "empty", labels=found)


class FakeWorkspace:
    """`Workspace` over fake repositories: a handle names a tree in memory."""

    def __init__(self, repositories: Mapping[str, Repository]) -> None:
        self._repositories = dict(repositories)
        self.trees: dict[str, dict[str, str]] = {}
        self.laid_out = 0

    async def lay_out(self, url: str, commit: str, files: Mapping[str, str | None]) -> str:
        if url not in self._repositories:
            raise Denied(f"{url} cannot be read")
        repository = self._repositories[url]
        tree = {path: (await repository.read(commit, path)).text for path in await repository.files(commit)}
        for path, text in files.items():
            parts = path.split("/")
            if path[:1] in {"", "/"} or "\0" in path or ".." in parts or ".git" in path.lower().split("/"):
                raise Denied(f"{path!r} is not a path inside the repository")
            tree.pop(path, None)
            if text is not None:
                tree[path] = text
        self.laid_out += 1
        handle = f"tree-{self.laid_out}"
        self.trees[handle] = tree
        return handle

    async def clear(self, tree: str) -> None:
        self.trees.pop(tree, None)


Behave = Callable[[Files, Mapping[str, str], tuple[Request, ...]], Served]
"""What a program does: its files, its environment (variables and ConfigMap files) and the requests, to what is seen."""


def passing(files: Files) -> Completed:
    """A test suite that is green."""
    del files
    return Completed(status="ok", exit_code=0, output="OK\n")


@dataclass
class FakeSandbox:
    """`Sandbox` whose program and test suite are functions of the tree they run in."""

    workspace: FakeWorkspace
    behave: Behave
    suite: Callable[[Files], Completed] = passing
    endings: Mapping[tuple[str, ...], Completed] = field(default_factory=dict)
    """Commands that end in a way of their own, by their argv."""
    commands: list[tuple[str, ...]] = field(default_factory=list)

    async def run(self, tree: str, argv: tuple[str, ...], env: Mapping[str, str]) -> Completed:
        del env
        self.commands.append(argv)
        return self.endings.get(argv) or self.suite(self.workspace.trees[tree])

    async def serve(
        self,
        tree: str,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        *,
        files: Mapping[str, str],
        requests: tuple[Request, ...],
        listen_seconds: float,
    ) -> Served:
        del listen_seconds
        self.commands.append(argv)
        return self.behave(self.workspace.trees[tree], {**env, **files}, requests)


class FakeQueue:
    """The intake's heal queue: an attempt is in it once, however often it is put."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    async def put(self, attempt_id: str, partition: str) -> None:
        self.entries.setdefault(attempt_id, partition)

    async def close(self) -> None:
        """Nothing to let go."""


_cluster: Cluster = FakeCluster()
_repository: Repository = FakeRepository()
_repositories: Repositories = FakeRepositories({})
_forge: Forge = FakeForge({})
_workspace: Workspace = FakeWorkspace({})
_sandbox: Sandbox = FakeSandbox(FakeWorkspace({}), lambda *_: Served(status="ok"))
_queue: Queue = FakeQueue()
_registry: Registry = FakeRegistry({})
