"""One fake per port: the same behaviour as the real adapter (tests/contract holds both to it), in memory.

A fake has state and rules, never expectations. The last lines tie each to its port, so mypy refuses the suite
when one drifts.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agents.changes import Repositories, Repository
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
from agents.incident import Promotion
from agents.pull_request import Forge
from agents.verification import Completed, Dependencies, Provision, Request, Sandbox, Served, Workspace
from app.intake import Queue
from tests.fake_forge import FakeForge as FakeForge  # noqa: PLC0414 - said, so that mypy lets others import it here
from tests.fake_journal import FakeJournal as FakeJournal  # noqa: PLC0414 - see above
from tests.fake_repository import START as START  # noqa: PLC0414 - see above
from tests.fake_repository import FakeCommit as FakeCommit  # noqa: PLC0414 - see above
from tests.fake_repository import FakeRepositories as FakeRepositories  # noqa: PLC0414 - see above
from tests.fake_repository import FakeRepository as FakeRepository  # noqa: PLC0414 - see above
from tests.fake_repository import Files as Files  # noqa: PLC0414 - see above
from tests.fake_repository import diff_trees as diff_trees  # noqa: PLC0414 - see above


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


@dataclass
class FakeDependencies:
    """`Dependencies` of Python alone, with the packages that there are, over the trees of a fake workspace."""

    workspace: FakeWorkspace
    packages: frozenset[str]
    provided: list[tuple[str, ...]] = field(default_factory=list)

    async def provide(self, tree: str, extra: tuple[str, ...] = ()) -> Provision:
        lines = [*self.workspace.trees[tree].get("requirements.txt", "").splitlines(), *extra]
        names = {line: re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if line.strip()}
        unchecked = tuple(
            f"packages: {line}: not fetched" for line, name in names.items() if name not in self.packages or "@" in line
        )
        had = tuple(sorted(name for line, name in names.items() if name in self.packages and "@" not in line))
        self.provided.append(had)
        if not had:
            return Provision(unchecked=unchecked)
        return Provision(install=(("install", *had),), environment={"PATH": f"{tree}/bin"}, unchecked=unchecked)


class FakeQueue:
    """The intake's heal queue: an attempt is in it once, however often it is put."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}
        self.followed: dict[str, Promotion] = {}

    async def put(self, attempt_id: str, partition: str) -> None:
        self.entries.setdefault(attempt_id, partition)

    async def follow(self, attempt_id: str, promotion: Promotion) -> None:
        self.followed.setdefault(attempt_id, promotion)

    async def close(self) -> None:
        """Nothing to let go."""


_cluster: Cluster = FakeCluster()
_repository: Repository = FakeRepository()
_repositories: Repositories = FakeRepositories({})
_forge: Forge = FakeForge({})
_workspace: Workspace = FakeWorkspace({})
_sandbox: Sandbox = FakeSandbox(FakeWorkspace({}), lambda *_: Served(status="ok"))
_dependencies: Dependencies = FakeDependencies(FakeWorkspace({}), frozenset())
_queue: Queue = FakeQueue()
_registry: Registry = FakeRegistry({})
