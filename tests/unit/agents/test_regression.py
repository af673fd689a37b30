"""The `test` reproduction: a regression test that comes with a patch, played by a sandbox of our own."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from agents.frames import Signature
from agents.patch import FileChange, Patch
from agents.verification import Commands, Completed, Program, Reproduction, Served, Verification, verify
from agents.verification.regression import GREEN_REPEATS
from agents.verification.runners import PYTEST
from tests.fakes import FakeCommit, FakeRepository, FakeSandbox, FakeWorkspace

URL = "file:///forge/shop.git"
TEST = "from shop.price import price\n\n\ndef test_price():\n    assert price('x') == 3\n"
REPOSITORY = FakeRepository(FakeCommit("all", {"shop/price.py": "bad()\n", "tests/test_old.py": ""}))
SIGNATURE = Signature(exception="ValueError", file="shop/price.py", function="price")
NO_RUN = Reproduction(kind="render", reason="no `run:`", signature=SIGNATURE)
COMMANDS = Commands(test=PYTEST, runner="pytest")
GREEN = Completed(status="ok", exit_code=0, output="1 passed\n")


def failing(exception: str, place: str = "/work/shop/price.py", function: str = "price") -> Completed:
    trace = (
        'Traceback (most recent call last):\n  File "/work/tests/test_price.py", line 5, in test_price\n'
        f'    assert price("x") == 3\n  File "{place}", line 1, in {function}\n    bad()\n{exception}: no\n'
    )
    return Completed(status="ok", exit_code=1, output=f"{trace}FAILED tests/test_price.py::test_price - {exception}\n")


@dataclass
class Sandboxed(FakeSandbox):
    before: Completed = GREEN
    after: Completed = GREEN
    seen: list[tuple[str, ...]] = field(default_factory=list)

    async def run(self, tree: str, argv: tuple[str, ...], env: Mapping[str, str]) -> Completed:
        files = self.workspace.trees[tree]
        if argv[-1] != "tests/test_price.py":
            return GREEN
        self.seen.append(tuple(sorted(path for path, text in files.items() if text != "bad()\n")))
        assert files["tests/test_price.py"] == TEST
        return self.after if files["shop/price.py"] == "good()\n" else self.before


def tried(
    before: Completed,
    after: Completed = GREEN,
    *,
    reproduction: Reproduction = NO_RUN,
    commands: Commands = COMMANDS,
    test: str = "tests/test_price.py",
    served: Served | None = None,
) -> tuple[Verification, Sandboxed]:
    workspace = FakeWorkspace({URL: REPOSITORY})
    sandbox = Sandboxed(workspace, lambda *_: served or pytest.fail("nothing is served"), before=before, after=after)
    changes = (
        FileChange(path="shop/price.py", before="bad()\n", after="good()\n"),
        FileChange(path=test, before=None, after=TEST),
    )
    commit = REPOSITORY.shas[0]
    patch = Patch(repository=URL, commit=commit, strategy="model", why="", edits=(), changes=changes)
    program = Program(url=URL, commit=commit)
    found = asyncio.run(verify(patch, reproduction, program, None, commands, sandbox=sandbox, workspace=workspace))
    assert workspace.trees == {}
    return found, sandbox


def test_a_test_that_fails_as_the_canary_did_and_passes_with_the_fix_verifies_it() -> None:
    found, sandbox = tried(failing("ValueError"))
    assert (found.kind, found.verdict) == ("test", "verified")
    assert (found.before.result, found.after.result) == ("failed", "passed")
    assert found.before.command == found.after.command == " ".join((*PYTEST, "tests/test_price.py"))
    assert found.before.reason == "the test fails with the canary's exception"
    assert len(sandbox.seen) == 1 + GREEN_REPEATS


def test_before_holds_nothing_of_the_patch_but_its_test() -> None:
    _, sandbox = tried(failing("ValueError"))
    assert sandbox.seen[0] == ("tests/test_old.py", "tests/test_price.py")


def test_an_assertion_about_the_function_that_failed_counts_too() -> None:
    only_the_test = failing("AssertionError", "/work/tests/test_price.py", "check")
    found, _ = tried(only_the_test)
    assert (found.verdict, found.before.reason) == ("verified", "the test fails on what it asserts of price")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(GREEN, id="it passes already"),
        pytest.param(failing("KeyError"), id="another exception"),
        pytest.param(failing("ValueError", "/work/shop/other.py"), id="another file"),
        pytest.param(
            Completed(status="ok", exit_code=2, output="ERROR tests/test_price.py - ModuleNotFoundError\n"),
            id="it cannot be imported",
        ),
        pytest.param(Completed(status="ok", exit_code=5, output="no tests ran\n"), id="there is no test in it"),
        pytest.param(Completed(status="failed", reason="no sandbox"), id="no sandbox"),
        pytest.param(Completed(status="ok", exit_code=1, output="ValueError: no number\n"), id="only the words"),
    ],
)
def test_a_test_that_does_not_fail_for_that_reason_proves_nothing(before: Completed) -> None:
    found, _ = tried(before)
    assert (found.kind, found.verdict, found.after.result) == ("test", "unverified", "not_run")
    assert found.unchecked


def test_an_assertion_of_another_matter_proves_nothing() -> None:
    other = SIGNATURE.model_copy(update={"function": "refund"})
    reproduction = NO_RUN.model_copy(update={"signature": other})
    found, _ = tried(failing("AssertionError", "/work/tests/test_price.py", "check"), reproduction=reproduction)
    assert found.verdict == "unverified"
    assert "for another reason" in found.unchecked[0]


def test_a_fix_under_which_its_test_still_fails_is_refuted() -> None:
    found, _ = tried(failing("ValueError"), failing("KeyError"))
    assert (found.verdict, found.unchecked[0]) == ("refuted", "the failure is still there after the patch")


def test_where_nothing_may_be_run_no_test_is() -> None:
    found, sandbox = tried(failing("ValueError"), commands=Commands(off="`verify: none`"))
    assert (found.kind, found.verdict, sandbox.seen) == ("none", "unverified", [])


def test_a_file_that_is_called_no_test_is_none() -> None:
    found, sandbox = tried(failing("ValueError"), test="shop/check.py")
    assert (found.kind, found.verdict, sandbox.seen) == ("none", "unverified", [])


def test_a_program_that_does_not_start_here_leaves_it_to_the_test() -> None:
    replay = NO_RUN.model_copy(update={"kind": "start", "reason": None})
    commands = COMMANDS.model_copy(update={"run": ("shop",)})
    died = Served(status="ok", exit_code=1, output="no database\n")
    found, _ = tried(failing("ValueError"), reproduction=replay, commands=commands, served=died)
    assert (found.kind, found.verdict) == ("test", "verified")
