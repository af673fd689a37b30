from collections.abc import Callable, Mapping

import pytest

from agents.patch import Edit, FileChange, Patch
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
from tests.fakes import Behave, FakeCommit, FakeRepository, FakeSandbox, FakeWorkspace, Files, passing

URL = "file:///forge/bank.git"
COMMANDS = Commands(run=("serve", "{port}"), test=("test",))
REPRODUCTION = Reproduction(kind="latency", requests=(Request(method="GET", path="/statements/1"),))
REPOSITORY = FakeRepository(FakeCommit("quick", {"a.py": "quick"}), FakeCommit("slow", {"a.py": "slow"}))
STABLE, CANARY = REPOSITORY.shas
SECONDS = {"quick": 0.010, "slow": 0.050, "mended": 0.011, "still": 0.020}


def patch_to(text: str) -> Patch:
    change = FileChange(path="a.py", before="slow", after=text)
    edit = Edit(path="a.py", search="slow", replace=text)
    return Patch(repository=URL, commit=CANARY, strategy="revert", why="", edits=(edit,), changes=(change,))


def answering(status: int | None = 200, *, listened: bool = True, failed: str | None = None) -> Behave:
    def behave(files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
        del env
        if failed:
            return Served(status="failed", reason=failed)
        answers = tuple(
            Response(status=status, seconds=SECONDS[files["a.py"]] + 0.0001 * at) for at in range(len(requests))
        )
        return Served(status="ok", listened=listened, exit_code=None if listened else 3, responses=answers)

    return behave


def sandbox_with(behave: Behave, suite: Callable[[Files], Completed] = passing) -> FakeSandbox:
    return FakeSandbox(FakeWorkspace({URL: REPOSITORY}), behave, suite)


async def verdict_of(
    patch: Patch, sandbox: FakeSandbox, stable: str | None = STABLE, commands: Commands = COMMANDS
) -> Verification:
    program = Program(url=URL, commit=CANARY, stable=stable)
    return await verify(patch, REPRODUCTION, program, None, commands, sandbox=sandbox, workspace=sandbox.workspace)


async def test_a_patch_that_is_quick_again_is_verified() -> None:
    sandbox = sandbox_with(answering())
    found = await verdict_of(patch_to("mended"), sandbox)
    assert (found.kind, found.verdict, found.before.result, found.after.result) == (
        "latency", "verified", "failed", "passed",
    )  # fmt: skip
    assert "30 times each" in found.before.command
    assert found.before.reason == "median 50.6 ms against 10.6 ms of the stable version"
    assert (found.tests_before.result, found.tests_after.result) == ("passed", "passed")
    assert sandbox.workspace.trees == {}


async def test_the_three_versions_take_turns() -> None:
    order: list[str] = []

    def behave(files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
        order.append(files["a.py"])
        return answering()(files, env, requests)

    await verdict_of(patch_to("mended"), sandbox_with(behave))
    assert order == ["quick", "slow", "mended"] * 3


async def test_a_patch_that_is_still_slow_is_refuted() -> None:
    found = await verdict_of(patch_to("still"), sandbox_with(answering()))
    assert found.verdict == "refuted"
    assert found.unchecked[0].startswith("it is still slow after the patch: median 20.5 ms")


async def test_a_patch_that_breaks_the_tests_is_refuted() -> None:
    def suite(files: Files) -> Completed:
        return Completed(status="ok", exit_code=1 if files["a.py"] == "mended" else 0)

    found = await verdict_of(patch_to("mended"), sandbox_with(answering(), suite))
    assert found.verdict == "refuted"
    assert "own tests pass before the patch and fail after" in found.unchecked[0]


@pytest.mark.parametrize(
    ("behave", "stable", "why"),
    [
        (answering(), None, "the stable version's commit is not known"),
        (answering(500), STABLE, "the request fails here"),
        (answering(None), STABLE, "the request fails here"),
        (answering(listened=False), STABLE, "it did not start here (exit code 3)"),
        (answering(failed="no sandbox: bubblewrap is not installed"), STABLE, "no sandbox"),
    ],
)
async def test_what_cannot_be_measured_is_not_verified(behave: Behave, stable: str | None, why: str) -> None:
    found = await verdict_of(patch_to("mended"), sandbox_with(behave), stable)
    assert found.verdict == "unverified"
    assert why in found.unchecked[0]


async def test_a_slowness_that_does_not_come_back_is_not_verified() -> None:
    def behave(files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
        return answering()(dict.fromkeys(files, "quick"), env, requests)

    found = await verdict_of(patch_to("mended"), sandbox_with(behave))
    assert (found.verdict, found.before.result) == ("unverified", "passed")
    assert "could not be seen again" in found.unchecked[0]
