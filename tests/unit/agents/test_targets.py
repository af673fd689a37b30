import asyncio
from collections.abc import Mapping

import pytest

from agents.frames import Signature
from agents.patch import FileChange, Patch
from agents.verification import Commands, aim
from agents.verification.runners import GO, PYTEST, UNITTEST, Runner, aimed_at, failing_tests
from agents.verification.targets import MOST_TARGETS
from tests.fakes import FakeCommit, FakeRepository

PYTEST_OUTPUT = """\
PASSED tests/test_a.py::test_ok
FAILED tests/test_a.py::test_x[a b] - ValueError: no - number
ERROR tests/test_b.py - ModuleNotFoundError: x
ERROR root: not a test
"""
GO_OUTPUT = """\
--- FAIL: TestCart (0.00s)
    --- FAIL: TestCart/empty (0.00s)
FAIL
FAIL\texample.org/shop/cart\t0.01s
ok  \texample.org/shop/price\t0.01s
FAIL\texample.org/shop [build failed]
FAIL
"""
SIGNATURE = Signature(exception="ValueError", file="shop/price.py", function="Prices.total")


def targets(
    files: Mapping[str, str], *changed: str, runner: Runner = "pytest", signature: Signature | None = None
) -> tuple[str, ...]:
    repository = FakeRepository(FakeCommit("all", files))
    changes = tuple(FileChange(path=path, before=files.get(path), after="changed\n") for path in changed)
    patch = Patch(repository="x", commit=repository.shas[0], strategy="revert", why="", edits=(), changes=changes)
    commands = Commands(test=("x",), runner=runner)
    return asyncio.run(aim(commands, patch, signature, repository, repository.shas[0])).targets


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("tests/test_price.py", ""),
        ("tests/price_test.py", ""),
        ("test_shop_price.py", ""),
        ("tests/test_a.py", "from shop.price import total\n"),
        ("tests/test_a.py", "def test_x():\n    import shop.price\n"),
        ("tests/test_a.py", "from shop import (\n    cart,\n    price,\n)\n"),
        ("tests/test_a.py", "from shop import cart, price\n"),
        ("tests/test_a.py", "from app import make\n\ndef test_x():\n    assert make().total() == 3\n"),
    ],
)
def test_a_test_is_near_by_its_name_its_imports_or_the_function_that_failed(path: str, text: str) -> None:
    files = {
        "shop/price.py": "x = 1\n",
        path: text,
        "tests/test_other.py": "import shop.prices\nfrom shop import cart\n",
    }
    assert targets(files, "shop/price.py", signature=SIGNATURE) == (path,)


def test_a_source_folder_is_no_part_of_a_modules_name() -> None:
    files = {"src/shop/price.py": "", "tests/test_a.py": "import shop.price\n"}
    assert targets(files, "src/shop/price.py") == ("tests/test_a.py",)


def test_tests_that_the_patch_brings_go_first_and_the_list_is_bounded() -> None:
    files = {"shop/price.py": "", **{f"tests/test_{n:02}.py": "import shop.price\n" for n in range(40)}}
    found = targets(files, "shop/price.py", "tests/test_new.py")
    assert found[0] == "tests/test_new.py"
    assert len(found) == MOST_TARGETS


def test_of_go_the_tests_of_the_changed_packages_are_near() -> None:
    files = {"cart/cart.go": "", "cart/cart_test.go": "", "price/price_test.go": "", "main_test.go": ""}
    assert targets(files, "cart/cart.go", runner="go") == ("cart/cart_test.go",)
    assert targets(files, "main.go", runner="go") == ("main_test.go",)


def test_a_change_of_no_program_file_has_no_near_tests() -> None:
    files = {"README.md": "", "tests/test_a.py": "def total(): pass\n"}
    assert targets(files, "README.md", signature=SIGNATURE) == ()


def test_a_runner_that_runs_all_or_nothing_is_not_aimed() -> None:
    assert targets({"a.js": "", "a.test.js": ""}, "a.js", runner="npm") == ()
    assert aimed_at(None, ["tests/test_a.py"]) == ()
    assert aimed_at("pytest", []) == ()


def test_a_file_name_is_never_an_option_of_the_runner() -> None:
    assert aimed_at("pytest", ["--co/test_a.py", "a/test_b.py"]) == (*PYTEST, "a/test_b.py")
    assert aimed_at("unittest", ["a/test_b.py"]) == (*UNITTEST, "-v", "a/test_b.py")
    assert aimed_at("go", ["a_test.go", "-x/b_test.go", "c/d_test.go"]) == (*GO, "./", "./c")


@pytest.mark.parametrize(
    ("output", "names"),
    [
        (
            PYTEST_OUTPUT,
            ("tests/test_a.py::test_x[a b]", "tests/test_b.py"),
        ),
        (
            "===\nFAIL: test_x (tests.test_a.T.test_x)\n---\nERROR: test_y (tests.test_a.T)\nFAILED (failures=1)\n",
            ("test_x (tests.test_a.T.test_x)", "test_y (tests.test_a.T)"),
        ),
        (
            GO_OUTPUT,
            ("example.org/shop/cart.TestCart", "example.org/shop/cart.TestCart/empty", "example.org/shop"),
        ),
        (
            "TAP version 13\nok 1 - fine\nnot ok 2 - adds up\r\n    not ok 1 - inner\nnot ok 3 later # TODO soon\n",
            ("adds up", "inner"),
        ),
        ("Tests failed\n", ()),
    ],
)
def test_failed_tests_are_read_by_name(output: str, names: tuple[str, ...]) -> None:
    assert failing_tests(output) == names


def test_a_hostile_output_is_read_in_time_that_grows_with_its_length() -> None:
    lines = ["FAILED " + "a.py" * 50_000, "not ok 1 " + "#" * 200_000, "not ok 1 - " + " " * 200_000 + "# TODO"]
    assert len(failing_tests("\n".join(lines))) <= 2
