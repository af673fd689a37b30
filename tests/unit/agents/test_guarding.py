"""The repository's own tests beside a patch, test by test, with a sandbox whose tests are played from a list."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from agents.frames import Signature
from agents.patch import FileChange, Patch
from agents.verification import (
    Commands,
    Completed,
    Program,
    Reproduction,
    Request,
    Response,
    Served,
    Verification,
    verify,
)
from agents.verification.runners import PYTEST
from tests.fakes import FakeCommit, FakeRepository, FakeSandbox, FakeWorkspace, Files

URL = "file:///forge/shop.git"
TRACE = 'Traceback (most recent call last):\n  File "/work/shop/price.py", line 1, in price\nValueError: no number\n'
REPLAY = Reproduction(
    kind="replay",
    signature=Signature(exception="ValueError", file="shop/price.py", function="price"),
    requests=(Request(method="GET", path="/"),),
)
COMMANDS = Commands(run=("shop",), test=PYTEST, runner="pytest")
REPOSITORY = FakeRepository(FakeCommit("all", {"shop/price.py": "bad()\n"}))
PATCH = Patch(
    repository=URL,
    commit=REPOSITORY.shas[0],
    strategy="revert",
    why="",
    edits=(),
    changes=(FileChange(path="shop/price.py", before="bad()\n", after="good()\n"),),
)


def serve(files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
    del env
    bad = "bad" in files["shop/price.py"]
    answers = (Response(status=500 if bad else 200, seconds=0.0),) * len(requests)
    return Served(status="ok", listened=True, responses=answers, output=TRACE if bad else "")


def red(*names: str) -> Completed:
    text = "".join(f"FAILED tests/test_a.py::{name} - AssertionError\n" for name in names)
    return Completed(status="ok", exit_code=1, output=f"{text}{len(names)} failed\n")


GREEN = Completed(status="ok", exit_code=0, output="1 passed\n")
Played = Callable[[bool, tuple[str, ...], int], Completed]
"""Whether the patch is in, the command, and how often that side's was run before -> how it ends."""


@dataclass
class Sandboxed(FakeSandbox):
    played: Played = lambda *_: GREEN
    seen: list[tuple[bool, tuple[str, ...]]] = field(default_factory=list)

    async def run(self, tree: str, argv: tuple[str, ...], env: Mapping[str, str]) -> Completed:
        patched = "good" in self.workspace.trees[tree]["shop/price.py"]
        times = self.seen.count((patched, argv))
        self.seen.append((patched, argv))
        return self.played(patched, argv, times)


def tried(played: Played, commands: Commands = COMMANDS) -> tuple[Verification, Sandboxed]:
    workspace = FakeWorkspace({URL: REPOSITORY})
    sandbox = Sandboxed(workspace, serve, played=played)
    program = Program(url=URL, commit=REPOSITORY.shas[0])
    found = asyncio.run(verify(PATCH, REPLAY, program, None, commands, sandbox=sandbox, workspace=workspace))
    assert workspace.trees == {}
    return found, sandbox


def test_a_test_that_was_red_before_is_not_blamed_on_the_patch() -> None:
    found, sandbox = tried(lambda *_: red("test_old"))
    assert found.verdict == "verified"
    assert found.unchecked == (
        "the repository's own tests were red before the patch already: tests/test_a.py::test_old",
    )
    assert len(sandbox.seen) == 2


def test_a_test_that_is_newly_red_beside_an_old_one_refutes_the_patch_by_name() -> None:
    found, _ = tried(lambda patched, *_: red("test_old", "test_new") if patched else red("test_old"))
    assert found.verdict == "refuted"
    assert found.unchecked[0].endswith("fail after it: tests/test_a.py::test_new")


def test_a_test_that_is_green_again_the_second_time_is_named_as_flaky() -> None:
    found, sandbox = tried(lambda patched, _argv, times: red("test_x") if patched and times == 0 else GREEN)
    assert found.verdict == "verified"
    assert found.unchecked[0].startswith("flaky: tests/test_a.py::test_x")
    assert [patched for patched, _ in sandbox.seen] == [False, True, True, False]


def test_a_test_that_is_red_without_the_patch_too_the_second_time_is_flaky() -> None:
    found, _ = tried(lambda patched, _argv, times: red("test_x") if patched or times == 1 else GREEN)
    assert found.verdict == "verified"
    assert found.unchecked[0].startswith("flaky: tests/test_a.py::test_x")


def test_where_the_runner_names_no_test_the_exit_code_counts_and_is_tried_twice() -> None:
    silent = Completed(status="ok", exit_code=1, output="no\n")
    commands = COMMANDS.model_copy(update={"test": ("make", "check"), "runner": None})
    assert tried(lambda patched, *_: silent if patched else GREEN, commands)[0].verdict == "refuted"
    found, _ = tried(lambda patched, _argv, times: silent if patched and times == 0 else GREEN, commands)
    assert (found.verdict, found.unchecked[0].startswith("flaky: the test command")) == ("verified", True)
    assert tried(lambda *_: silent, commands)[0].verdict == "verified"


def test_names_of_a_run_that_was_cut_short_before_the_patch_are_not_compared() -> None:
    short = Completed(status="timeout", reason="not finished after 9 s", output=red("test_a").output)
    found, _ = tried(lambda patched, *_: red("test_b") if patched else short)
    assert found.verdict == "verified"
    assert "red before the patch already" in found.unchecked[0]


@pytest.mark.parametrize(
    ("ended", "says"),
    [
        (
            Completed(status="ok", exit_code=1, output="/usr/bin/python3: No module named pytest\n"),
            "pytest is not there",
        ),
        (Completed(status="ok", exit_code=5, output="no tests ran in 0.01s\n"), "there is no test in it"),
        (Completed(status="ok", exit_code=4, output="error: unrecognized arguments: --cov\n"), "arguments: --cov"),
    ],
)
def test_a_runner_that_runs_no_test_is_not_taken_for_red(ended: Completed, says: str) -> None:
    found, _ = tried(lambda *_: ended)
    assert (found.verdict, found.tests_after.result) == ("verified", "not_run")
    assert says in found.unchecked[0]


NEAR = COMMANDS.model_copy(update={"targets": ("tests/test_price.py",)})


def is_near(argv: tuple[str, ...]) -> bool:
    return argv[-1] == "tests/test_price.py"


def test_the_nearest_tests_are_run_before_all_and_shown() -> None:
    found, sandbox = tried(lambda *_: GREEN, NEAR)
    assert [is_near(argv) for _, argv in sandbox.seen] == [True, False] * 2
    assert found.targeted_before is not None
    assert found.targeted_after is not None
    assert found.targeted_after.command.endswith("tests/test_price.py")


def test_a_near_test_that_the_patch_breaks_refutes_it() -> None:
    found, _ = tried(lambda patched, argv, _: red("test_x") if patched and is_near(argv) else GREEN, NEAR)
    assert found.verdict == "refuted"
    assert "tests/test_a.py::test_x" in found.unchecked[0]


def test_near_tests_that_cannot_be_run_alone_are_not_shown() -> None:
    found, _ = tried(lambda _, argv, __: red("test_x") if is_near(argv) else GREEN, NEAR)
    assert (found.verdict, found.targeted_before) == ("verified", None)
