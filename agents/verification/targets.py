"""The tests that are nearest to a patch, to be run before all others.

Those that the patch brings, those that are called after a file it changes, and those that import it or name the
function that failed. For Go, whose tests are run by package, those of the packages that it changes.
"""

import re
from collections.abc import Iterator, Sequence

from agents.changes import Repository
from agents.frames import Signature
from agents.patch import Patch
from agents.verification.detection import GO_TEST, MOST_READ, PYTHON_TEST, VENDORED, is_test
from agents.verification.reproduction import Commands

MOST_TARGETS = 20
ROOTS = ("src/", "lib/", "app/")
"""Folders that are on the import path themselves, as a rule."""


async def aim(
    commands: Commands, patch: Patch, signature: Signature | None, repository: Repository, commit: str
) -> Commands:
    """The commands with the test files that come first; none for a runner that cannot be aimed at single files."""
    if commands.runner not in {"pytest", "unittest", "go"}:
        return commands
    changed = [change.path for change in patch.changes if change.after is not None]
    own = [path for path in changed if is_test(path)]
    paths = [path for path in await repository.files(commit) if not VENDORED.search(path)]
    if commands.runner == "go":
        near = _of_packages(paths, changed)
    else:
        tests = [path for path in paths if PYTHON_TEST.search(path)][:MOST_READ]
        texts = await repository.read_all(commit, tests)
        programs = [path for path in changed if path.endswith(".py") and not is_test(path)]
        failed = signature.function.rpartition(".")[2] if signature and signature.function and signature.file else None
        near = [
            path
            for path in tests
            if path in texts and _is_near(path, texts[path], programs, failed if programs else None)
        ]
    ending = ".go" if commands.runner == "go" else ".py"
    targets = dict.fromkeys([*(path for path in own if path.endswith(ending)), *near])
    return commands.model_copy(update={"targets": tuple(targets)[:MOST_TARGETS]})


def _of_packages(paths: Sequence[str], changed: Sequence[str]) -> list[str]:
    folders = {path.rpartition("/")[0] for path in changed if path.endswith(".go")}
    return [path for path in paths if GO_TEST.search(path) and path.rpartition("/")[0] in folders]


def _is_near(path: str, text: str, programs: Sequence[str], failed: str | None) -> bool:
    name = path.rpartition("/")[2].removesuffix(".py").removeprefix("test_").removesuffix("_test")
    for program in programs:
        parts = program.removesuffix(".py").split("/")
        if name in {parts[-1], "_".join(parts[-2:])} and parts[-1] != "__init__":
            return True
        if any(_imports(text, module) for module in _modules(program)):
            return True
    return failed is not None and bool(re.search(rf"\b{re.escape(failed)}\b", text))


def _modules(path: str) -> Iterator[str]:
    """The names that a file may be imported by."""
    for root in ("", *ROOTS):
        if path.startswith(root):
            yield path.removeprefix(root).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(text: str, module: str) -> bool:
    package, _, name = module.rpartition(".")
    whole = rf"^[ \t]*(?:import|from)[ \t]+{re.escape(module)}(?:[\s.,]|$)"
    part = rf"^[ \t]*from[ \t]+{re.escape(package)}[ \t]+import[ \t]+(?:\([^)]{{0,2000}}|[^\n]*)\b{re.escape(name)}\b"
    return bool(re.search(whole, text, re.MULTILINE) or (package and re.search(part, text, re.MULTILINE)))
