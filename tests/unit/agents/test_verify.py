import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from agents.frames import Signature
from agents.patch import FileChange, Patch
from agents.verification import (
    Commands,
    Completed,
    Environment,
    Program,
    Reproduction,
    Request,
    Response,
    Sandbox,
    Served,
    Verification,
    verify,
)
from agents.verification.nouns import tail
from agents.verification.sides import shows
from agents.verification.syntax import syntax_error
from agents.verification.verify import GREEN_REPEATS
from tests.fakes import FakeCommit, FakeRepository, FakeSandbox, FakeWorkspace, Files

URL = "file:///forge/shop.git"
TRACE = """\
Traceback (most recent call last):
  File "/work/shop/price.py", line 1, in price
    bad()
ValueError: no number
"""
OTHER = TRACE.replace("ValueError: no number", "KeyError: 'x'")
SIGNATURE = Signature(exception="ValueError", file="shop/price.py", function="price")
ASKED, FINE = Request(method="GET", path="/orders/7"), Request(method="GET", path="/fine")
REPLAY = Reproduction(kind="replay", signature=SIGNATURE, requests=(ASKED, FINE))
NOTHING = Environment(variables={}, files={})
COMMANDS = Commands(run=("python3", "-m", "shop"), test=("python3", "-m", "unittest"))
RED = Completed(status="ok", exit_code=1, output="FAILED (failures=1)\n")
GREEN = Completed(status="ok", exit_code=0, output="OK\n")
OK, ERROR = Response(status=200, seconds=0.01), Response(status=500, seconds=0.01)
BROKEN, FIXED = "bad()\n", "good()\n"


@dataclass(frozen=True)
class Shop:
    """A program that fails on one path while it holds `bad`; `after` is what it does once that is gone."""

    after: Served | None = None
    before: Served | None = None

    def __call__(self, files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
        broken = "bad" in files["shop/price.py"] and env.get("FEED") != "restored"
        if broken:
            answers = tuple(ERROR if request == ASKED else OK for request in requests)
            return self.before or Served(status="ok", listened=True, responses=answers, output=TRACE)
        return self.after or Served(status="ok", listened=True, responses=(OK,) * len(requests), output="fine\n")


class Ground:
    """A repository with the broken program, and a sandbox for it."""

    def __init__(self, shop: Shop | None = None) -> None:
        self.repository = FakeRepository(FakeCommit("all", {"shop/price.py": BROKEN}))
        self.workspace = FakeWorkspace({URL: self.repository})
        self.sandbox = FakeSandbox(self.workspace, shop or Shop())

    def verify(
        self,
        after: str = FIXED,
        reproduction: Reproduction = REPLAY,
        commands: Commands = COMMANDS,
        environment: Environment | None = None,
        repository: str | None = None,
        program: Program | None = None,
        sandbox: Sandbox | None = None,
    ) -> Verification:
        commit = self.repository.shas[0]
        repository = repository or (URL if environment is None else "file:///forge/deploy.git")
        change = FileChange(path="shop/price.py", before=BROKEN, after=after)
        if environment is not None and repository != URL:
            change = FileChange(path="config.yaml", before="a: 1\n", after="a: 2\n")
        patch = Patch(repository=repository, commit=commit, strategy="revert", why="", edits=(), changes=(change,))
        return asyncio.run(
            verify(
                patch,
                reproduction,
                program or Program(url=URL, commit=commit),
                environment,
                commands,
                sandbox=sandbox or self.sandbox,
                workspace=self.workspace,
            )
        )


def test_red_before_and_green_after_is_verified_and_leaves_nothing_behind() -> None:
    ground = Ground()
    result = ground.verify()
    assert (result.verdict, result.before.result, result.after.result) == ("verified", "failed", "passed")
    assert (result.tests_before.result, result.tests_after.result) == ("passed", "passed")
    assert result.unchecked == ()
    assert "ValueError" in result.before.output
    assert ground.workspace.trees == {}


def test_green_is_three_repeats_of_the_request_that_failed() -> None:
    seen: list[tuple[Request, ...]] = []

    class Watched(FakeSandbox):
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
            seen.append(requests)
            return await super().serve(tree, argv, env, files=files, requests=requests, listen_seconds=listen_seconds)

    ground = Ground()
    assert ground.verify(sandbox=Watched(ground.workspace, Shop())).verdict == "verified"
    assert seen == [(ASKED, FINE), (ASKED,) * GREEN_REPEATS]


def listening(output: str, *answers: Response) -> Served:
    return Served(status="ok", listened=True, responses=answers, output=output)


@pytest.mark.parametrize(
    ("after", "says"),
    [
        pytest.param(listening(TRACE, ERROR), "still there", id="the same exception"),
        pytest.param(listening(TRACE, OK), "still there", id="the same exception behind a good answer"),
        pytest.param(listening(OTHER, OK, OK, ERROR), "not as in the canary", id="another failure, one time in three"),
        pytest.param(listening("", Response(status=None, seconds=10)), "not as in the canary", id="no answer"),
        pytest.param(Served(status="ok", exit_code=2, output="SystemExit"), "did not start", id="it does not start"),
        pytest.param(Served(status="timeout", reason="not finished after 60 s"), "not finished", id="it hangs"),
    ],
)
def test_a_patch_that_does_not_end_the_failure_is_refuted(after: Served, says: str) -> None:
    result = Ground(Shop(after=after)).verify()
    assert result.verdict == "refuted"
    assert says in result.unchecked[0]


@pytest.mark.parametrize(
    ("before", "says"),
    [
        pytest.param(listening("", OK, OK), "passed here", id="the failure does not show"),
        pytest.param(listening(OTHER, ERROR, OK), "not as in the canary", id="it fails otherwise"),
        pytest.param(Served(status="ok", exit_code=1, output=OTHER), "did not start here", id="it does not start"),
        pytest.param(Served(status="failed", reason="no sandbox: install bubblewrap"), "bubblewrap", id="no sandbox"),
        pytest.param(Served(status="failed", reason="cannot start nope"), "cannot start nope", id="unknown program"),
        pytest.param(Served(status="timeout", reason="not finished after 60 s"), "not finished", id="it hangs"),
    ],
)
def test_what_could_not_be_seen_again_is_unverified_with_the_reason(before: Served, says: str) -> None:
    ground = Ground(Shop(before=before))
    result = ground.verify()
    assert (result.verdict, result.after.result) == ("unverified", "not_run")
    assert says in result.unchecked[0]
    assert ground.workspace.trees == {}


def test_a_sandbox_that_fails_after_the_patch_says_nothing_against_it() -> None:
    gone = Served(status="failed", reason="the sandbox gave no report")
    result = Ground(Shop(after=gone)).verify()
    assert (result.verdict, result.unchecked) == ("unverified", ("after the patch: the sandbox gave no report",))


@pytest.mark.parametrize(
    ("ending", "says"),
    [
        (Completed(status="ok", exit_code=3), "exit code 3"),
        (Completed(status="timeout", reason="not finished after 9 s"), "not finished"),
        (Completed(status="failed", reason="execvp make"), "execvp make"),
    ],
)
def test_a_setup_that_fails_leaves_the_patch_unverified(ending: Completed, says: str) -> None:
    ground = Ground()
    sandbox = replace(ground.sandbox, endings={("make",): ending})
    result = ground.verify(commands=replace_setup(COMMANDS), sandbox=sandbox)
    assert (result.verdict, result.before.result) == ("unverified", "not_run")
    assert "`setup`" in result.unchecked[0]
    assert says in result.unchecked[0]


def replace_setup(commands: Commands) -> Commands:
    return commands.model_copy(update={"setup": ("make",)})


def test_setup_runs_before_the_program_on_both_sides() -> None:
    ground = Ground()
    assert ground.verify(commands=replace_setup(COMMANDS)).verdict == "verified"
    assert ground.sandbox.commands == [("make",), COMMANDS.run, COMMANDS.test] * 2


@pytest.mark.parametrize(
    ("before", "after", "verdict", "says"),
    [
        (GREEN, RED, "refuted", "pass before the patch and fail after it"),
        (RED, RED, "verified", "red before the patch already"),
        (Completed(status="timeout", reason="slow"), RED, "verified", "red before the patch already"),
        (GREEN, Completed(status="timeout", reason="slow"), "refuted", "fail after it"),
        (GREEN, Completed(status="failed", reason="no unittest"), "verified", "own tests: no unittest"),
        (Completed(status="failed", reason="no unittest"), RED, "verified", "could not be run before it: no unittest"),
    ],
)
def test_the_repositorys_own_tests_are_a_guard(before: Completed, after: Completed, verdict: str, says: str) -> None:
    ground = Ground()
    ground.sandbox.suite = lambda files: before if "bad" in files["shop/price.py"] else after
    result = ground.verify()
    assert result.verdict == verdict
    assert says in result.unchecked[0]


def test_tests_that_a_patch_mends_leave_nothing_open() -> None:
    ground = Ground()
    ground.sandbox.suite = lambda files: RED if "bad" in files["shop/price.py"] else GREEN
    result = ground.verify()
    assert (result.verdict, result.tests_before.result, result.unchecked) == ("verified", "failed", ())


def test_without_tests_of_its_own_a_verified_patch_says_so() -> None:
    result = Ground().verify(commands=Commands(run=("x",)))
    assert result.verdict == "verified"
    assert "names no `test:`" in result.unchecked[0]


def test_a_commit_that_cannot_be_laid_out_leaves_the_patch_unverified() -> None:
    result = Ground().verify(program=Program(url=URL, commit="0" * 40))
    assert result.verdict == "unverified"
    assert "cannot be laid out" in result.unchecked[0]


START = Reproduction(kind="start", signature=SIGNATURE)


@pytest.mark.parametrize(
    ("before", "after", "verdict", "says"),
    [
        (Served(status="ok", exit_code=1, output=TRACE), listening(""), "verified", "names no"),
        (
            Served(status="ok", exit_code=1, output=TRACE),
            Served(status="ok", exit_code=1, output=TRACE),
            "refuted",
            "still",
        ),
        (Served(status="ok", exit_code=1, output=TRACE), Served(status="ok", exit_code=9), "refuted", "another reason"),
        (
            Served(status="ok", exit_code=1, output=TRACE),
            Served(status="ok", listened=True, exit_code=1, output=OTHER),
            "refuted",
            "another reason",
        ),
        (Served(status="ok", exit_code=1, output=OTHER), listening(""), "unverified", "another reason"),
        (listening(""), listening(""), "unverified", "passed here"),
    ],
)
def test_a_start_is_red_when_it_dies_the_same_way_and_green_when_it_goes_on(
    before: Served, after: Served, verdict: str, says: str
) -> None:
    result = Ground(Shop(before=before, after=after)).verify(reproduction=START, commands=Commands(run=("x",)))
    assert (result.verdict, result.kind) == (verdict, "start")
    assert says in result.unchecked[0]


def test_a_patch_of_manifests_is_tried_on_the_environment_that_it_gives() -> None:
    restored = Environment(variables={"FEED": "restored"}, files={})
    reproduction = REPLAY.model_copy(
        update={"environment": Environment(variables={}, files={}, stand_ins=("P: kept",))}
    )
    result = Ground().verify(environment=restored, reproduction=reproduction)
    assert (result.verdict, result.unchecked) == ("verified", ("P: kept",))
    assert Ground().verify(environment=Environment(variables={"FEED": "other"}, files={})).verdict == "refuted"


def test_a_repository_of_both_program_and_manifests_has_the_program_patched_too() -> None:
    assert Ground().verify(environment=NOTHING, repository=URL).verdict == "verified"


def test_manifests_that_change_nothing_for_the_program_prove_nothing() -> None:
    result = Ground().verify(environment=NOTHING)
    assert (result.kind, result.verdict) == ("render", "unverified")
    assert "not read when they are tried" in result.unchecked[0]


@pytest.mark.parametrize(
    "reproduction", [Reproduction(kind="render", reason="no `run:`"), Reproduction(kind="none", reason="no `run:`")]
)
def test_what_cannot_be_run_is_unverified_and_of_manifests_at_least_rendered(reproduction: Reproduction) -> None:
    of_code, of_manifests = (
        Ground().verify(reproduction=reproduction, environment=environment) for environment in (None, NOTHING)
    )
    assert (of_code.kind, of_code.verdict, of_code.unchecked) == ("none", "unverified", ("no `run:`",))
    assert (of_manifests.kind, of_manifests.verdict) == ("render", "unverified")


def patch_of(path: str, before: str | None, after: str | None) -> Patch:
    change = FileChange(path=path, before=before, after=after)
    return Patch(repository=URL, commit="0" * 40, strategy="revert", why="", edits=(), changes=(change,))


@pytest.mark.parametrize(
    ("path", "before", "after", "broken"),
    [
        ("a.py", "x = 1\n", "x = (\n", True),
        ("a.py", None, "def f(:\n", True),
        ("a.py", "x = (\n", "y = (\n", False),
        ("a.py", "x = 1\n", None, False),
        ("a.py", "x = 1\n", "x = '\u2028'\r\n", False),
        ("a.yaml", "a: 1\n", "a: [\n", True),
        ("a.yml", "a: 1\n", "a: 2026-13-45\n", True),
        ("a.yaml", "a: {{ .x }}\n", "b: {{ .x }}\n", False),
        ("a.yaml", None, "a: {{ .x }}\n", False),
        ("a.yaml", "a: 1\n", "a: 1\n---\nb: 2\n", False),
        ("a.txt", "x", "(", False),
    ],
)
def test_a_file_that_does_not_parse_any_more_refutes_the_patch(
    path: str, before: str | None, after: str | None, *, broken: bool
) -> None:
    assert (syntax_error(patch_of(path, before, after)) is not None) is broken


def test_nothing_is_run_for_a_patch_that_does_not_parse() -> None:
    ground = Ground()
    result = ground.verify(after="def f(:\n")
    assert (result.verdict, result.unchecked) == ("refuted", ("shop/price.py does not parse after the patch",))
    assert ground.sandbox.commands == []


@pytest.mark.parametrize(
    ("signature", "output", "same"),
    [
        (SIGNATURE, TRACE, True),
        (SIGNATURE, OTHER, False),
        (SIGNATURE, TRACE.replace("price.py", "rice.py"), False),
        (SIGNATURE, TRACE.replace("/work/shop/", "/work/workshop/"), False),
        (SIGNATURE, TRACE.replace("in price", "in other"), False),
        (Signature(exception="ValueError"), TRACE.replace("in price", "in other"), True),
        (SIGNATURE, "ValueError: no number", False),
    ],
)
def test_a_failure_is_the_same_by_type_and_place(signature: Signature, output: str, *, same: bool) -> None:
    assert shows(signature, output) is same


def test_of_the_output_the_last_forty_lines_are_kept() -> None:
    assert tail("".join(f"{at}\n" for at in range(100))).split("\n") == [str(at) for at in range(60, 100)]
