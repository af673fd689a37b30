"""The place that a commit is tried in: its packages, its `setup`, and what becomes of it."""

import asyncio
from collections.abc import Mapping

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
from tests.fakes import FakeCommit, FakeDependencies, FakeRepository, FakeSandbox, FakeWorkspace, Files

URL = "file:///forge/shop.git"
TRACE = 'Traceback (most recent call last):\n  File "/work/price.py", line 1, in price\nValueError: no number\n'
REPLAY = Reproduction(
    kind="replay",
    signature=Signature(exception="ValueError", file="price.py", function="price"),
    requests=(Request(method="GET", path="/"),),
)
COMMANDS = Commands(run=("shop",), setup=("make",), test=("python3", "-m", "pytest"), runner="pytest")
INSTALL = ("install", "cups", "pytest")


def shop(files: Files, env: Mapping[str, str], requests: tuple[Request, ...]) -> Served:
    """Starts only where its packages are found."""
    if not env.get("PATH", "").endswith("/bin"):
        return Served(status="ok", exit_code=1, output="ModuleNotFoundError: No module named 'cups'\n")
    bad = "bad" in files["price.py"]
    answers = (Response(status=500 if bad else 200, seconds=0.0),) * len(requests)
    return Served(status="ok", listened=True, responses=answers, output=TRACE if bad else "")


def tried(
    requirements: str,
    packages: tuple[str, ...] = ("cups", "pytest"),
    endings: Mapping[tuple[str, ...], Completed] | None = None,
) -> tuple[Verification, FakeSandbox, FakeDependencies]:
    repository = FakeRepository(FakeCommit("all", {"price.py": "bad()\n", "requirements.txt": requirements}))
    workspace = FakeWorkspace({URL: repository})
    sandbox = FakeSandbox(workspace, shop, endings=endings or {})
    dependencies = FakeDependencies(workspace, frozenset(packages))
    commit = repository.shas[0]
    change = FileChange(path="price.py", before="bad()\n", after="good()\n")
    patch = Patch(repository=URL, commit=commit, strategy="revert", why="", edits=(), changes=(change,))
    found = asyncio.run(
        verify(
            patch,
            REPLAY,
            Program(url=URL, commit=commit),
            None,
            COMMANDS,
            sandbox=sandbox,
            workspace=workspace,
            dependencies=dependencies,
        )
    )
    return found, sandbox, dependencies


def test_packages_are_installed_before_setup_and_found_by_the_program_on_both_sides() -> None:
    found, sandbox, dependencies = tried("cups==1.0\n")
    assert (found.verdict, found.unchecked) == ("verified", ())
    assert sandbox.commands == [INSTALL, ("make",), COMMANDS.run, COMMANDS.test] * 2
    assert dependencies.provided == [("cups", "pytest")] * 2


def test_a_package_that_cannot_be_had_is_told_once_and_the_verification_goes_on() -> None:
    found, _, _ = tried("cups\nsaucers\n")
    assert found.verdict == "verified"
    assert found.unchecked == ("packages: saucers: not fetched",)


def test_without_its_packages_a_program_that_does_not_start_is_not_verified_and_both_are_told() -> None:
    found, _, _ = tried("cups\n", packages=())
    assert found.verdict == "unverified"
    assert "did not start here" in found.unchecked[0]
    assert "packages: cups: not fetched" in found.unchecked


@pytest.mark.parametrize(
    "ending",
    [
        Completed(status="ok", exit_code=2, output="no room\n"),
        Completed(status="timeout", reason="not finished after 9 s"),
        Completed(status="failed", reason="cannot start install"),
    ],
)
def test_an_installation_that_fails_is_told_and_ends_nothing(ending: Completed) -> None:
    found, sandbox, _ = tried("cups\n", endings={INSTALL: ending})
    assert found.verdict == "verified"
    assert found.unchecked[-1].startswith("the packages could not be installed: ")
    assert ("make",) in sandbox.commands
