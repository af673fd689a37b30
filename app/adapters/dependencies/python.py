"""Python: `pip download` of wheels alone, so that no `setup.py` is ever run; installed into a venv in the tree.

pip is given a requirements file of our own, made of what was parsed: an option of the repository's file never gets
there, and a requirement by URL, path or version control is refused.
"""

import asyncio
import importlib.util
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from agents.errors import Denied
from app.adapters.dependencies.tools import FOLDER, Ask, Indexes, Installation, Place, read_text, run

FILES = (
    *("requirements.txt", "requirements-dev.txt", "requirements-test.txt", "requirements-tests.txt"),
    *("requirements_dev.txt", "requirements_test.txt", "dev-requirements.txt", "test-requirements.txt"),
    *("requirements/base.txt", "requirements/dev.txt", "requirements/test.txt", "requirements/tests.txt"),
)
"""Those of the program and of its tests; others may contradict them (documentation, other platforms)."""
GROUPS = ("test", "tests", "testing", "dev")
HASH = re.compile(r"\s--hash[= ](sha(?:256|384|512):[0-9a-fA-F]{64,128})(?=\s|$)")
COMMENT = re.compile(r"(?:^|\s)#.*$")
INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)(?:\s+|=)(\S.*)|-[rc](\S.*)")
NOT_FOUND = re.compile(r"No matching distribution found for (\S+)")
MOST_LINES = 2000
MOST_APART = 40
"""Requirements that are tried one by one where they cannot be had together."""
NAME = "python"
PROBE = (
    "import importlib.util as u, json, sys; "
    "print(json.dumps([sys.version, *(u.find_spec(name) is not None for name in ('pip', 'pytest'))]))"
)


class Python:
    """pip, run by the interpreter that the sandbox has, so that what it chooses fits there."""

    name = NAME

    def __init__(self, place: Place, indexes: Indexes) -> None:
        self._place = place
        self._indexes = indexes
        self._probed: tuple[str, bool, bool] | None = None

    def ask(self, tree: Path, extra: tuple[str, ...]) -> Ask:
        refused: list[str] = []
        lines: dict[str, None] = {}
        for name in FILES:
            if (tree / name).is_file():
                lines |= dict.fromkeys(_of_file(tree, name, refused, set()))
        lines |= dict.fromkeys(_of_project(tree, refused))
        known = _names(lines)
        lines |= dict.fromkeys(f"{one}{WANTED}" for one in extra if canonicalize_name(one) not in known)
        if not lines:
            return Ask(refused=tuple(refused))
        return Ask(inputs={"requirements.txt": "".join(f"{line}\n" for line in lines)}, refused=tuple(refused))

    async def version(self) -> str:
        version, has_pip, _ = await self._probe()
        if not has_pip and not _own_pip():
            raise Denied("pip is installed neither for the sandbox's Python nor for the service's")
        return f"{self._python()} {version}"

    async def fetch(self, ask: Ask, scratch: Path, into: Path) -> tuple[str, ...]:
        """All at once, but for what there is nothing for; where they cannot be had together, one by one first."""
        *_, has_pytest = await self._probe()
        wanted = []
        for line in ask.inputs["requirements.txt"].splitlines():
            name, mark, _ = line.partition(WANTED)
            if not (mark and name == "pytest" and has_pytest):
                wanted.append(name)
        if not wanted:
            return ()
        missing: dict[str, str] = {}
        while True:
            try:
                await self._download(wanted, scratch, into)
            except Denied as error:
                if len(wanted) == 1:
                    raise Denied("; ".join(_told({**missing, wanted[0]: str(error)}))) from error
                culprit = _culprit(str(error), wanted)
                if culprit is None:
                    break
                missing[culprit] = str(error)
                wanted.remove(culprit)
            else:
                return _told(missing)
        return _told(missing | await self._one_by_one(wanted, scratch, into))

    async def _one_by_one(self, wanted: list[str], scratch: Path, into: Path) -> dict[str, str]:
        """What cannot be had together, tried apart: the rest is fetched, and why the others are not is returned."""
        missing: dict[str, str] = {}
        for line in wanted if len(wanted) <= MOST_APART else wanted[:1]:
            try:
                await self._download([line], scratch, scratch / "apart")
            except Denied as error:
                missing[line] = str(error)
        rest = [line for line in wanted if line not in missing]
        if not rest:
            raise Denied("; ".join(_told(missing)))
        await self._download(rest, scratch, into)
        return missing

    def install(self, tree: Path, fetched: Path | None) -> Installation:
        inside = self._place.inside(tree)
        source = (
            {"PYTHONPATH": f"{inside}/src"} if (tree / "src").is_dir() and (tree / "pyproject.toml").is_file() else {}
        )
        wheels = sorted(path.name for path in fetched.glob("*.whl")) if fetched is not None else []
        if not wheels or self._probed is None:
            return Installation(environment=source)
        without_pip = ("--without-pip",) if self._probed[1] else ()
        venv = f"{FOLDER}/venv"
        make = ("python3", "-m", "venv", *without_pip, "--system-site-packages", venv)
        pip = (f"{inside}/{venv}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        options = ("--no-index", "--no-deps", "--no-compile", "--no-warn-script-location", "--no-cache-dir")
        into = (*pip, *options, *(f"{inside}/{FOLDER}/{NAME}/{wheel}" for wheel in wheels))
        path = f"{inside}/{venv}/bin:{self._place.path}"
        return Installation((make, into), {**source, "PATH": path, "VIRTUAL_ENV": f"{inside}/{venv}"})

    async def _download(self, lines: list[str], scratch: Path, into: Path) -> None:
        given = scratch / "given.txt"
        await asyncio.to_thread(given.write_text, "".join(f"{line}\n" for line in lines), encoding="utf-8")
        environment = {"PATH": self._place.path, "HOME": str(scratch), "LANG": "C.UTF-8", "TMPDIR": str(scratch)}
        environment |= self._indexes.variables(("PIP_",))
        index: tuple[str, ...] = ()
        if self._indexes.python:
            environment = {name: text for name, text in environment.items() if not name.startswith("PIP_")}
            environment["PIP_CONFIG_FILE"] = os.devnull
            index = ("--index-url", self._indexes.python)
        options = ("--only-binary=:all:", "--no-input", "--no-cache-dir", "--disable-pip-version-check")
        patience = ("--retries", "1", "--timeout", "20")
        command = ("download", *options, *patience, *index, "--dest", str(into), "--requirement", str(given))
        await run((*self._pip(), *command), environment, scratch, into)

    def _python(self) -> str:
        found = shutil.which("python3", path=self._place.path)
        if found is None:
            raise Denied("there is no python3 for the sandbox")
        return found

    def _pip(self) -> tuple[str, ...]:
        if self._probed is not None and self._probed[1]:
            return (self._python(), "-I", "-m", "pip")
        return (sys.executable, "-I", "-m", "pip", "--python", self._python())

    async def _probe(self) -> tuple[str, bool, bool]:
        """The sandbox's Python: its version, and whether it has pip, and pytest."""
        if self._probed is None:
            said = await run((self._python(), "-I", "-c", PROBE), {"PATH": self._place.path}, Path("/"))
            version, has_pip, has_pytest = json.loads(said.strip().rpartition("\n")[2])
            self._probed = (version, has_pip, has_pytest)
        return self._probed


WANTED = "  # wanted by the service"


def _told(missing: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{line.split(' --hash')[0]}: {why}" for line, why in missing.items())


def _culprit(said: str, wanted: Sequence[str]) -> str | None:
    """The requirement that pip found nothing for, by its words; None where it is one that another one asks for."""
    found = NOT_FOUND.search(said)
    name = canonicalize_name(re.split(r"[^\w.-]", found[1], maxsplit=1)[0]) if found else None
    return next((line for line in wanted if name in _names({line: None})), None)


def _own_pip() -> bool:
    return importlib.util.find_spec("pip") is not None


def _names(lines: Mapping[str, None]) -> set[str]:
    return {canonicalize_name(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in lines}


def _of_file(tree: Path, name: str, refused: list[str], seen: set[str]) -> Iterator[str]:
    """The requirements of a file and of those it includes, as we write them; what is refused is told."""
    text = read_text(tree, name)
    if text is None:
        refused.append(f"{name}: cannot be read")
        return
    seen.add(name)
    for line in text.replace("\\\r\n", " ").replace("\\\n", " ").splitlines()[:MOST_LINES]:
        stated = COMMENT.sub("", line).strip()
        if not stated:
            continue
        included = INCLUDE.fullmatch(stated)
        if included:
            other = str(PurePosixPath(os.path.normpath(PurePosixPath(name).parent / (included[1] or included[2]))))
            if other.startswith(("/", "..")) or not (tree / other).is_file():
                refused.append(f"{name}: {stated}: not a file of the repository")
            elif other not in seen:
                yield from _of_file(tree, other, refused, seen)
            continue
        found = _requirement(stated)
        if found is None:
            refused.append(
                f"{name}: {stated[:200]}: not fetched; only names with versions are, from the service's index"
            )
        else:
            yield found


def _requirement(stated: str) -> str | None:
    """One requirement as we write it; None for an option, a URL, a path or what is none."""
    hashes = HASH.findall(stated)
    bare = HASH.sub("", stated).strip()
    if bare.startswith("-") or " --" in bare:
        return None
    try:
        requirement = Requirement(bare)
    except InvalidRequirement:
        return None
    if requirement.url is not None:
        return None
    return " ".join([str(requirement), *(f"--hash={one}" for one in hashes)])


def _of_project(tree: Path, refused: list[str]) -> Iterator[str]:
    """The dependencies of pyproject.toml: the program's own, and those of its tests."""
    text = read_text(tree, "pyproject.toml")
    try:
        document = tomllib.loads(text or "")
    except (tomllib.TOMLDecodeError, RecursionError):
        refused.append("pyproject.toml: cannot be read")
        return
    project = _table(document.get("project"))
    optional, groups = _table(project.get("optional-dependencies")), _table(document.get("dependency-groups"))
    stated = [project.get("dependencies"), *(table.get(name) for table in (optional, groups) for name in GROUPS)]
    for one in [one for several in stated if isinstance(several, list) for one in several]:
        found = _requirement(one) if isinstance(one, str) and "\n" not in one else None
        if found is None:
            refused.append(f"pyproject.toml: {str(one)[:200]}: not fetched; only names with versions are")
        else:
            yield found
    if _table(_table(_table(document.get("tool")).get("poetry")).get("dependencies")) and not project.get(
        "dependencies"
    ):
        refused.append("pyproject.toml: the dependencies of [tool.poetry] are not read; state them in [project]")


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
