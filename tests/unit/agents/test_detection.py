import asyncio
import json
from collections.abc import Mapping

import pytest

from agents.diagnosis import Location
from agents.verification import Commands, with_tests
from agents.verification.detection import ADD
from agents.verification.runners import GO, NPM, PYTEST, UNITTEST, runner_of
from tests.fakes import FakeCommit, FakeRepository

UNIT = "import unittest\n\nclass T(unittest.TestCase):\n    def test_x(self):\n        pass\n"
BARE = "from shop import price\n\ndef test_price():\n    assert price()\n"


def found(files: Mapping[str, str], commands: Commands | None = None, failing: str | None = None) -> Commands:
    repository = FakeRepository(FakeCommit("all", files))
    location = Location(file=failing, line=1, function=None) if failing else None
    return asyncio.run(with_tests(commands or Commands(), repository, repository.shas[0], location))


@pytest.mark.parametrize(
    ("files", "command"),
    [
        pytest.param({"tests/test_a.py": BARE}, PYTEST, id="functions, which only pytest finds"),
        pytest.param({"tests/test_a.py": "import pytest\n" + UNIT}, PYTEST, id="pytest is imported"),
        pytest.param({"a_test.py": UNIT, "conftest.py": ""}, PYTEST, id="a conftest"),
        pytest.param(
            {"tests/test_a.py": UNIT, "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-q"\n'},
            PYTEST,
            id="configured in pyproject",
        ),
        pytest.param({"tests/test_a.py": UNIT, "tox.ini": "[tox]\n\n[pytest]\n"}, PYTEST, id="configured in tox.ini"),
        pytest.param({"tests/test_a.py": UNIT, "requirements-dev.txt": "pytest==9.0\n"}, PYTEST, id="required"),
        pytest.param(
            {"tests/test_a.py": UNIT, "tests/__init__.py": ""},
            (*UNITTEST, "discover", "-v", "-p", "test*.py"),
            id="unittest in a package",
        ),
        pytest.param(
            {"tests/test_a.py": UNIT},
            (*UNITTEST, "discover", "-v", "-p", "test*.py", "-s", "./tests"),
            id="unittest in a plain folder",
        ),
        pytest.param({"a_test.py": UNIT}, (*UNITTEST, "discover", "-v", "-p", "*_test.py"), id="named the other way"),
        pytest.param({"go.mod": "module x\n", "price/price_test.go": ""}, (*GO, "./..."), id="a Go module"),
        pytest.param({"package.json": json.dumps({"scripts": {"test": "node --test"}})}, NPM, id="npm"),
    ],
)
def test_a_repositorys_tests_are_found_by_its_files(files: Mapping[str, str], command: tuple[str, ...]) -> None:
    commands = found(files)
    assert (commands.test, commands.untested) == (command, None)
    assert commands.runner == runner_of(command)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"shop.py": "x = 1\n"}, id="no tests"),
        pytest.param(
            {"package.json": json.dumps({"scripts": {"test": 'echo "Error: no test specified"'}})}, id="npm init"
        ),
        pytest.param({"package.json": "{"}, id="a broken package.json"),
        pytest.param({"package.json": "[" * 100_000}, id="a package.json made to be deep"),
        pytest.param({"package.json": json.dumps({"scripts": ["test"]})}, id="scripts that are none"),
        pytest.param({"node_modules/x/test_a.py": BARE, "vendor/y/go.mod": "", "y_test.go": ""}, id="others' tests"),
        pytest.param({"go.mod": "module x\n", "a.go": ""}, id="a Go module without tests"),
        pytest.param({"pom.xml": "<project/>", "src/test/java/ATest.java": ""}, id="another language"),
    ],
)
def test_where_none_is_found_it_says_what_to_add(files: Mapping[str, str]) -> None:
    commands = found(files)
    assert (commands.test, commands.runner) == ((), None)
    assert ADD in str(commands.untested)


def test_the_command_of_the_repository_goes_before_what_is_found() -> None:
    own = Commands(test=("make", "check"))
    assert found({"tests/test_a.py": BARE}, own).test == ("make", "check")
    assert found({"tests/test_a.py": BARE}, own).runner is None
    assert found({}, Commands(test=("pytest", "-x"))).runner == "pytest"


def test_nothing_is_looked_for_where_nothing_may_be_run() -> None:
    off = Commands(off=".selfheal.yml says `verify: none`")
    assert found({"tests/test_a.py": BARE}, off) == off


@pytest.mark.parametrize(("failing", "runner"), [("shop/a.py", "unittest"), ("main.go", "go"), ("web/a.ts", "npm")])
def test_of_several_languages_the_one_that_failed_is_tested(failing: str, runner: str) -> None:
    files = {
        "tests/test_a.py": UNIT,
        "go.mod": "module x\n",
        "a_test.go": "",
        "package.json": json.dumps({"scripts": {"test": "jest"}}),
    }
    assert found(files, failing=failing).runner == runner


def test_a_tree_that_cannot_be_listed_says_so() -> None:
    repository = FakeRepository(FakeCommit("all", {}))
    repository.denied.add("files")
    commands = asyncio.run(with_tests(Commands(), repository, repository.shas[0], None))
    assert "cannot be listed" in str(commands.untested)


@pytest.mark.parametrize(
    ("argv", "runner"),
    [
        (("pytest", "-q"), "pytest"),
        (("/usr/bin/python3.12", "-m", "pytest"), "pytest"),
        (("python", "-m", "unittest", "-v"), "unittest"),
        (("go", "test", "./..."), "go"),
        (("npm", "test"), "npm"),
        (("npm", "run", "test"), None),
        (("python3", "check.py"), None),
        (("make", "test"), None),
        ((), None),
    ],
)
def test_runners_are_known_by_their_command(argv: tuple[str, ...], runner: str | None) -> None:
    assert runner_of(argv) == runner
