"""The test runners that are known by name: how each is started, aimed at single files, and read.

The names of failing tests are read from what a runner prints of its own accord, so that the `test:` of a repository
can be compared test by test without being changed. Where a runner names none, only its exit code is compared.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Literal

Runner = Literal["pytest", "unittest", "go", "npm"]

PYTEST = ("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=native", "-rpfE")
"""Passed tests are named before failed ones, as it is the end of a long output that is kept; traces as Python's own."""
UNITTEST = ("python3", "-m", "unittest")
GO = ("go", "test")
NPM = ("npm", "test", "--silent")

PYTEST_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s:]+\.py(?:::.*?)?)(?: - .*)?$")
UNITTEST_FAILED = re.compile(r"^(?:FAIL|ERROR): (\S+(?: \([^()]*\))?)")
GO_FAILED = re.compile(r"^ *--- FAIL: (\S+)")
GO_PACKAGE = re.compile(r"^FAIL\t(\S+)")
TAP_FAILED = re.compile(r"^ *not ok \d+(?: -)? ([^#]+)(?:#(?! *(?:TODO|SKIP)\b).*)?$", re.IGNORECASE)
PYTHONS = re.compile(r"(?:.*/)?python[0-9.]*")
NO_TESTS = 5
"""The exit code of pytest, and of unittest from Python 3.12 on, where no test was found."""
USAGE = 4
"""pytest's exit code for options that it does not know: mostly those of a plugin that is not there."""


def runner_of(argv: Sequence[str]) -> Runner | None:
    """The runner that a command starts, None for one that is not known."""
    words = list(argv)
    if words and PYTHONS.fullmatch(words[0]):
        words = words[2:] if words[1:2] == ["-m"] else []
    name = words[0].rpartition("/")[2] if words else ""
    if name in {"pytest", "py.test"}:
        return "pytest"
    if name == "unittest":
        return "unittest"
    if words[1:2] == ["test"] and name in {"go", "npm"}:
        return "go" if name == "go" else "npm"
    return None


def aimed_at(runner: Runner | None, files: Sequence[str]) -> tuple[str, ...]:
    """The command that runs the tests of these files alone; empty where the runner cannot be aimed."""
    files = [file for file in files if not file.startswith("-")]  # never an option
    if not files:
        return ()
    if runner == "pytest":
        return (*PYTEST, *files)
    if runner == "unittest":
        return (*UNITTEST, "-v", *files)
    if runner == "go":
        folders = dict.fromkeys(file.rpartition("/")[0] for file in files)
        return (*GO, *(f"./{folder}" for folder in folders))
    return ()


def failing_tests(output: str) -> tuple[str, ...]:
    """The tests that an output names as failed, in order; of Go with their package, or the package alone."""
    return tuple(dict.fromkeys(_failing(output)))


def _failing(output: str) -> Iterator[str]:
    of_package: list[str] = []
    for row in output.split("\n"):
        line = row.rstrip("\r")
        if found := GO_FAILED.match(line):
            of_package.append(found[1])
        elif found := GO_PACKAGE.match(line):
            yield from [f"{found[1]}.{name}" for name in of_package] or [found[1]]
            of_package = []
        elif found := PYTEST_FAILED.match(line) or UNITTEST_FAILED.match(line) or TAP_FAILED.match(line):
            yield found[1]


def why_not_run(runner: Runner | None, exit_code: int | None, output: str) -> str | None:
    """Why a command ran no test though it was started: it found none, or its own runner is not there."""
    last = output.rstrip().rpartition("\n")[2][:200]
    if runner in {"pytest", "unittest"} and exit_code == NO_TESTS:
        return "there is no test in it"
    if runner == "pytest" and exit_code == USAGE and not failing_tests(output):
        return f"pytest could not start: {last}"
    if runner == "pytest" and exit_code == 1 and last.endswith("No module named pytest"):
        return "pytest is not there"
    return None
