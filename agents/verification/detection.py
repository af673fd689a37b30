"""Which tests a repository has, where its .selfheal.yml names no `test:`: Python, Node and Go modules.

Files are read as data. What is run is one of a few fixed commands, whatever stands in them.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from agents.changes import Repository
from agents.errors import Denied
from agents.verification.reproduction import Commands
from agents.verification.runners import GO, NPM, PYTEST, UNITTEST, Runner, runner_of

ADD = "add `test:` to .selfheal.yml, the command that runs the repository's tests"
NOT_FOUND = f"no tests were found that could be run; {ADD}"
PYTHON_TEST = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|tests)\.py$")
GO_TEST = re.compile(r"_test\.go$")
PLACEHOLDER = "no test specified"
"""What `npm init` writes in place of a test script."""
VENDORED = re.compile(r"(?:^|/)(?:vendor|node_modules|site-packages|third_party|testdata|\.[^/]*)/")
MOST_READ = 300
"""Test modules that are read."""
CONFIGURES_PYTEST = {
    "pyproject.toml": re.compile(r"^\[tool\.pytest[.\]]", re.MULTILINE),
    "setup.cfg": re.compile(r"^\[tool:pytest\]", re.MULTILINE),
    "tox.ini": re.compile(r"^\[pytest\]", re.MULTILINE),
}
IMPORTS_PYTEST = re.compile(r"^[ \t]*(?:import|from)[ \t]+pytest\b", re.MULTILINE)
IMPORTS_UNITTEST = re.compile(r"^[ \t]*(?:import|from)[ \t]+(?:unittest|django\.test)\b", re.MULTILINE)
BARE_TEST = re.compile(r"^(?:async[ \t]+)?def[ \t]+test", re.MULTILINE)
NAMES_PYTEST = re.compile(r"^[ \t]*pytest\b", re.MULTILINE)
OF_LANGUAGE: Mapping[str, tuple[Runner, ...]] = {
    "py": ("pytest", "unittest"),
    "go": ("go",),
    **dict.fromkeys(("js", "cjs", "mjs", "ts", "tsx", "jsx"), ("npm",)),
}


class Failing(Protocol):
    """Where a diagnosis sees the failure."""

    @property
    def file(self) -> str: ...


async def with_tests(
    commands: Commands, repository: Repository | None, commit: str | None, failing: Failing | None
) -> Commands:
    """The commands with the repository's tests: its `test:`, else what is found at `commit`, else why there is none.

    Where a repository has tests of several languages, those of the file that failed come first.
    """
    if commands.off or repository is None or commit is None:
        return commands
    if commands.test:
        return commands.model_copy(update={"runner": runner_of(commands.test)})
    try:
        paths = [path for path in await repository.files(commit) if not VENDORED.search(path)]
    except Denied as error:
        return commands.model_copy(update={"untested": f"the files of the commit cannot be listed: {error}"})
    wanted = [path for path in paths if PYTHON_TEST.search(path)][:MOST_READ]
    wanted += [path for path in paths if path in {*CONFIGURES_PYTEST, "package.json"} or _is_requirements(path)]
    found = detect(paths, await repository.read_all(commit, wanted))
    if not found:
        return commands.model_copy(update={"untested": NOT_FOUND})
    preferred = OF_LANGUAGE.get(failing.file.rpartition(".")[2] if failing is not None else "", ())
    runner = next((one for one in preferred if one in found), next(iter(found)))
    return commands.model_copy(update={"test": found[runner], "runner": runner})


def detect(paths: Sequence[str], texts: Mapping[str, str]) -> dict[Runner, tuple[str, ...]]:
    """The test commands that a tree's files speak for. `texts`: what was read of them."""
    found: dict[Runner, tuple[str, ...]] = {}
    modules = [path for path in paths if PYTHON_TEST.search(path)]
    if modules and _wants_pytest(paths, modules, texts):
        found["pytest"] = PYTEST
    elif any(IMPORTS_UNITTEST.search(texts.get(path, "")) for path in modules):
        found["unittest"] = _unittest(paths, modules)
    if "go.mod" in paths and any(GO_TEST.search(path) for path in paths):
        found["go"] = (*GO, "./...")
    if _has_npm_test(texts.get("package.json", "")):
        found["npm"] = NPM
    return found


def is_test(path: str) -> bool:
    """Whether a path names a module of tests that a known runner can be aimed at."""
    return bool(PYTHON_TEST.search(path) or GO_TEST.search(path))


def _is_requirements(path: str) -> bool:
    return "/" not in path and "requirements" in path and path.endswith((".txt", ".in"))


def _wants_pytest(paths: Sequence[str], modules: Sequence[str], texts: Mapping[str, str]) -> bool:
    """Configured, asked for, imported, or the only one that would find the tests."""
    if any(path.rpartition("/")[2] in {"conftest.py", "pytest.ini"} for path in paths):
        return True
    if any(pattern.search(texts.get(name, "")) for name, pattern in CONFIGURES_PYTEST.items()):
        return True
    if any(NAMES_PYTEST.search(text) for path, text in texts.items() if _is_requirements(path)):
        return True
    read = [texts[path] for path in modules if path in texts]
    return any(IMPORTS_PYTEST.search(text) or BARE_TEST.search(text) for text in read)


def _unittest(paths: Sequence[str], modules: Sequence[str]) -> tuple[str, ...]:
    """Discovery starts in the tests' own folder where that is no package, since it does not look below such ones."""
    pattern = "test*.py" if any(path.rpartition("/")[2].startswith("test") for path in modules) else "*_test.py"
    top = {path.partition("/")[0] for path in modules if "/" in path}
    command = (*UNITTEST, "discover", "-v", "-p", pattern)
    folder = next(iter(top)) if len(top) == 1 and not any("/" not in path for path in modules) else None
    if folder is not None and f"{folder}/__init__.py" not in paths:
        return (*command, "-s", f"./{folder}")
    return command


def _has_npm_test(package: str) -> bool:
    try:
        scripts = json.loads(package or "{}").get("scripts")
        script = scripts.get("test") if isinstance(scripts, dict) else None
    except (ValueError, AttributeError, RecursionError):
        return False
    return isinstance(script, str) and bool(script.strip()) and PLACEHOLDER not in script
