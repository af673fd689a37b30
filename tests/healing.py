"""The whole core on fakes: a shop whose canary fails, and ports around it that a test may break."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from agents.case import Case, open_case
from agents.diagnosis import diagnose
from agents.errors import Transient
from agents.evidence import Bundle
from agents.fix import propose
from agents.graph import Ports
from agents.outcome import Outcome, conclude
from agents.patch import Patch
from agents.policy import Policy, RepositoryRule
from agents.survey import survey
from agents.verification import Check, Request, Response, Served, Verification
from agents.verification.nouns import Verdict
from tests.fakes import (
    FakeCommit,
    FakeForge,
    FakeJournal,
    FakeRepositories,
    FakeRepository,
    FakeSandbox,
    FakeWorkspace,
    Files,
)
from tests.shop import APP, BASE, BROKEN, INCIDENT, SOURCE_URL, TRACE, bundle_of, history

ATTEMPT = f"{INCIDENT.key}-1"
SETTINGS = "run: python3 -m shop --port {port}\ntest: python3 -m unittest\n"
FAILURE = TRACE.replace("/app/", "/work/")
EVERYWHERE = RepositoryRule(match="*")
CULPRIT = "Drop the default price"
STORY = "# Shop\n\nEvery item has a price.\n"


def is_fixed(files: Files) -> bool:
    return "found = DEFAULT" in files["shop/prices.py"]


async def opened(house: "House") -> Case:
    """The house's case as the rules alone see it."""
    seen = await survey(house.bundle, house.repositories, house.forge, house.policy)
    rules = diagnose(seen.findings)
    return await open_case(seen, rules, rules)


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

    async def case(self) -> Case:
        """The case as the rules see it."""
        seen = await survey(self.bundle, self.repositories, self.forge, self.policy)
        rules = diagnose(seen.findings)
        return await open_case(seen, rules, rules)

    def left(self) -> list[str]:
        """Everything that left the service."""
        branches = [name for name in self.forge.branches[SOURCE_URL] if name != "main"]
        return [*branches, *self.forge.created]


class Fuse:
    """Counts the calls of all ports, and burns at the `at`-th (from 1): before it, or after it took effect.

    With `name`, only the calls of that name are counted.
    """

    def __init__(self, at: int = 0, *, after: bool = False, name: str | None = None) -> None:
        self.at, self.after, self.calls, self.name = at, after, 0, name
        self.where = ""
        self.seen: list[str] = []

    def ports(self, ports: Ports) -> Ports:
        names = ("journal", "repositories", "forge", "sandbox", "workspace")
        fused = {name: cast("Any", _Fused(getattr(ports, name), self)) for name in names}
        return Ports(**fused, policy=ports.policy, turns=ports.turns)


class _Fused:
    """One port behind the fuse."""

    def __init__(self, port: object, fuse: Fuse) -> None:
        self._port, self._fuse = port, fuse

    def __getattr__(self, name: str) -> Any:
        call, fuse = getattr(self._port, name), self._fuse

        async def counted(*args: Any, **kwargs: Any) -> Any:
            counts = fuse.name in {None, name}
            fuse.calls += counts
            fuse.seen.append(name)
            burns = counts and fuse.calls == fuse.at
            if burns:
                fuse.where = name
            if burns and not fuse.after:
                raise Transient(f"lost before {name}")
            answer = await call(*args, **kwargs)
            if burns:
                raise Transient(f"lost after {name}")
            return answer

        return counted


RUN = Check(result="failed", command="x")


def verification(verdict: Verdict) -> Verification:
    green = RUN.model_copy(update={"result": "passed"})
    why = () if verdict == "verified" else ("no sandbox",)
    return Verification(
        kind="replay", verdict=verdict, before=RUN, after=green, tests_before=green, tests_after=green, unchecked=why
    )


class Ended:
    """A case that was fixed and verified, about to be concluded."""

    def __init__(self, house: House, case: Case, patch: Patch) -> None:
        self.house, self.case, self.patch = house, case, patch

    async def conclude(
        self, verdict: Verdict = "verified", rule: RepositoryRule | None = None, **about: str | int
    ) -> Outcome:
        """`about` changes what the bundle says of the incident: `incident`, `rollout`."""
        return await conclude(
            self.house.bundle.manifest.model_copy(update=about),
            self.case,
            self.patch,
            verification(verdict),
            repositories=self.house.repositories,
            forge=self.house.forge,
            policy=Policy(repositories=(rule or RepositoryRule(match="*"),)),
        )

    def advance(self, **files: str | None) -> None:
        """Somebody commits to the default branch since."""
        tree = dict(self.house.repository.history[-1].files)
        for name, text in files.items():
            tree.pop(name, None)
            if text is not None:
                tree[name] = text
        self.house.repository.push(FakeCommit("since", tree))


async def ended_case() -> Ended:
    """The house's case with the rules' first patch."""
    house = House()
    case = await opened(house)
    assert case.ground is not None
    patch = await propose(case.diagnosis, case.ground, house.repository, 0)
    assert patch is not None
    return Ended(house, case, patch)
