"""Where the code of a repository lies, and under which names it runs: its modules, its own packages, its build output.

Read from the paths of a commit and a few files that name packages; nothing is guessed from a frame here.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ConfigDict

NAMING = ("go.mod", "package.json")
"""Files that name a package or module of the repository."""
MOST_NAMING = 200
VENDORED = re.compile(r"(?:^|/)(?:vendor|node_modules|third_party|bower_components)/")
GO_MODULE = re.compile(r"(?m)^module[ \t]+\"?([^\s\"]+)")


class Layout(BaseModel):
    """The paths of a commit, and what its parts are called where they are installed."""

    model_config = ConfigDict(frozen=True)

    files: tuple[str, ...]
    prefix: str = ""
    """The folder of the program in a repository of many; files below it are preferred. Empty or with a slash."""
    modules: Mapping[str, str] = {}
    """Go module or npm package -> its folder, empty or with a slash at its end."""

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[str]]:
        """The paths by the name of the file."""
        found: dict[str, list[str]] = {}
        for file in self.files:
            found.setdefault(file.rpartition("/")[2], []).append(file)
        return found

    @cached_property
    def gems(self) -> Mapping[str, str]:
        """The gems that the repository builds: name -> folder."""
        return {
            name.removesuffix(".gemspec"): path.removesuffix(name)
            for name, paths in self.by_name.items()
            if name.endswith(".gemspec")
            for path in paths
        }


def naming_files(files: Iterable[str]) -> list[str]:
    """The files to read for `layout_of`; shallow ones first."""
    found = [file for file in files if file.rpartition("/")[2] in NAMING and not VENDORED.search(file)]
    return sorted(found, key=lambda file: (file.count("/"), file))[:MOST_NAMING]


def layout_of(files: Sequence[str], texts: Mapping[str, str], source_path: str | None = None) -> Layout:
    """The layout of a commit; `texts` holds what `naming_files` asked for."""
    modules: dict[str, str] = {}
    for path, text in texts.items():
        name = path.rpartition("/")[2]
        called = _go_module(text) if name == "go.mod" else _npm_package(text) if name == "package.json" else None
        if called:
            modules.setdefault(called, path.removesuffix(name))
    prefix = (source_path or "").strip("/.")
    return Layout(files=tuple(files), prefix=f"{prefix}/" if prefix else "", modules=modules)


def _go_module(text: str) -> str | None:
    found = GO_MODULE.search(text)
    return found[1] if found else None


def _npm_package(text: str) -> str | None:
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    name = document.get("name") if isinstance(document, dict) else None
    return name if isinstance(name, str) else None
