"""Rules of the layout that neither the import contracts nor the linters can see."""

import ast
import importlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path for name in ("app", "agents", "prompts") for path in (ROOT / name).rglob("*.py"))
CORE = [path for path in MODULES if path.relative_to(ROOT).parts[0] in {"agents", "prompts"}]
VAGUE = {"utils", "helpers", "common", "manager", "misc"}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("package", ["app", "agents", "prompts"])
def test_the_packages_with_common_names_are_ours(package: str) -> None:
    """`agents` is also what a package of an index calls itself; the wrong one must not shadow ours."""
    assert Path(str(importlib.import_module(package).__file__)) == ROOT / package / "__init__.py"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small_named_by_a_noun_and_says_what_it_owns(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    assert path.stem not in VAGUE
    is_a_migration = "migrations" in path.parts
    assert is_a_migration or ast.get_docstring(ast.parse(text)), "the module has no docstring"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    too_long = [
        node.name
        for node in functions(tree)
        # a factory of routes or commands is a list of small functions
        if (node.end_lineno or 0) - node.lineno >= 60 and not any(any(functions(child)) for child in node.body)
    ]
    assert too_long == []


@pytest.mark.parametrize("path", CORE, ids=name_of)
def test_the_core_opens_no_file_and_keeps_its_annotations(path: Path) -> None:
    """LangGraph reads annotations at run time, so they may not be strings or hidden behind TYPE_CHECKING."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    imported = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import) for alias in node.names
    }
    assert not names & {"open", "TYPE_CHECKING", "exec", "eval", "__import__"}
    assert "annotations" not in imported


def test_the_lock_is_hashed_and_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
    assert pins
    assert all("==" in pin for pin in pins)
    assert lock.count("--hash=sha256:") >= len(pins)
    assert "://" not in lock
    assert "index-url" not in lock


def test_nothing_in_the_tree_is_kept_by_accident() -> None:
    """What git tracks is source, data of tests and documents: no databases, logs, archives or keys."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    odd = [name for name in tracked if name.endswith((".sqlite", ".pyc", ".pem", ".whl", ".tar.gz", ".zip"))]
    assert odd == []
