"""The whole core on fakes: a shop whose canary fails, and ports around it that a test may break."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from agents.errors import Transient
from agents.evidence import Bundle
from agents.graph import Ports
from agents.policy import Policy, RepositoryRule
from agents.verification import Request, Response, Served
from tests.fakes import FakeForge, FakeJournal, FakeRepositories, FakeRepository, FakeSandbox, FakeWorkspace, Files
from tests.shop import APP, BASE, BROKEN, INCIDENT, SOURCE_URL, TRACE, bundle_of, history

ATTEMPT = f"{INCIDENT.key}-1"
SETTINGS = "run: python3 -m shop --port {port}\ntest: python3 -m unittest\n"
FAILURE = TRACE.replace("/app/", "/work/")
EVERYWHERE = RepositoryRule(match="*")
CULPRIT = "Drop the default price"
STORY = "# Shop\n\nEvery item has a price.\n"


def is_fixed(files: Files) -> bool:
    return "found = DEFAULT" in files["shop/prices.py"]


class House:
    """One failed canary and everything the graph needs for it."""

    def __init__(
        self,
        fixed: Callable[[Files], bool] = is_fixed,
        settings: str | None = SETTINGS,
        rule: RepositoryRule | None = EVERYWHERE,
        annotations: Mapping[str, str] | None = None,
        revisions: Callable[[FakeRepository], tuple[str | None, str | None]] = lambda made: (
            made.shas[0],
            made.shas[-1],
        ),
    ) -> None:
        files = BASE | ({} if settings is None else {".selfheal.yml": settings})
        self.repository = history(
            ("Greet at start", {"shop/app.py": APP + '\n\ndef hello():\n    print("hello")\n'}),
            (CULPRIT, {"shop/prices.py": BROKEN, "README.md": STORY}),
            ("Sell water", {"shop/prices.py": BROKEN.replace('"coffee": 4', '"coffee": 4, "water": 1')}),
            base=files,
        )
        self.culprit = self.repository.shas[2]
        self.fixed = fixed
        rollout = {"metadata": {"name": "shop", "namespace": "shop", "annotations": dict(annotations or {})}}
        self.bundle: Bundle = bundle_of(commits=revisions(self.repository), objects=[("objects/rollout/shop", rollout)])
        self.forge = FakeForge({SOURCE_URL: {"main": self.repository.shas[-1]}})
        self.repositories = FakeRepositories({SOURCE_URL: self.repository})
        self.workspace = FakeWorkspace({SOURCE_URL: self.repository})
        self.sandbox = FakeSandbox(self.workspace, self.behave)
        self.journal = FakeJournal({ATTEMPT: self.bundle})
        self.policy = Policy(repositories=() if rule is None else (rule,))

    def behave(self, files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
        del env
        fixed = self.fixed(files)
        answer = Response(status=200 if fixed else 500, seconds=0.01)
        return Served(status="ok", listened=True, responses=(answer,) * len(requests), output="" if fixed else FAILURE)

    @property
    def ports(self) -> Ports:
        return Ports(
            journal=self.journal,
            repositories=self.repositories,
            forge=self.forge,
            sandbox=self.sandbox,
            workspace=self.workspace,
            policy=self.policy,
        )

    def left(self) -> list[str]:
        """Everything that left the service."""
        branches = [name for name in self.forge.branches[SOURCE_URL] if name != "main"]
        return [*branches, *self.forge.created]


class Fuse:
    """Counts the calls of all ports, and burns at the `at`-th (from 1): before it, or after it took effect."""

    def __init__(self, at: int = 0, *, after: bool = False) -> None:
        self.at, self.after, self.calls = at, after, 0
        self.where = ""
        self.seen: list[str] = []

    def ports(self, ports: Ports) -> Ports:
        names = ("journal", "repositories", "forge", "sandbox", "workspace")
        return Ports(**{name: cast("Any", _Fused(getattr(ports, name), self)) for name in names}, policy=ports.policy)


class _Fused:
    """One port behind the fuse."""

    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port, self._fuse = port, fuse

    def __getattr__(self, name: str) -> Any:
        call, fuse = getattr(self._port, name), self._fuse

        async def counted(*args: Any, **kwargs: Any) -> Any:
            fuse.calls += 1
            fuse.seen.append(name)
            burns = fuse.calls == fuse.at
            if burns:
                fuse.where = name
            if burns and not fuse.after:
                raise Transient(f"lost before {name}")
            answer = await call(*args, **kwargs)
            if burns:
                raise Transient(f"lost after {name}")
            return answer

        return counted
