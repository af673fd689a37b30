"""Go modules: `go mod download` into a module cache of its own, from a go.mod and a go.sum alone.

It compiles and runs nothing. No version control is ever started (GOVCS), no other Go version is fetched
(GOTOOLCHAIN), and a `replace` that leads out of the repository is refused.
"""

import asyncio
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from agents.errors import Denied
from app.adapters.dependencies.tools import FOLDER, Ask, Indexes, Installation, Place, read_text, run

NAME = "go"
REQUIRES = re.compile(r"^[ \t]*(?:require[ \t]+)?[\w.~/-]+[ \t]+v\d", re.MULTILINE)
REPLACE = re.compile(r"^[^\n]*=>[ \t]*(\"[^\"\n]*\"|[^\s\"]+)[ \t]*(?://[^\n]*)?$", re.MULTILINE)
"""A replacement by a folder: nothing but a comment follows."""
MOST_REPLACED = 50


class Go:
    """The go command."""

    name = NAME

    def __init__(self, place: Place, indexes: Indexes) -> None:
        self._place = place
        self._indexes = indexes

    def ask(self, tree: Path, extra: tuple[str, ...]) -> Ask:
        del extra
        text = read_text(tree, "go.mod")
        if text is None or not REQUIRES.search(text) or (tree / "vendor" / "modules.txt").is_file():
            return Ask()
        inputs = {"go.mod": text, "go.sum": read_text(tree, "go.sum") or ""}
        refused = []
        for path in _replaced(text):
            found = None
            if not path.startswith("/") and not os.path.normpath(path).startswith(".."):
                found = read_text(tree, f"{os.path.normpath(path)}/go.mod")
            if found is None:
                refused.append(
                    f"go.mod: a replace by {path}, which is no module of the repository: no module is fetched"
                )
            else:
                inputs[f"{os.path.normpath(path)}/go.mod"] = found
        return Ask(refused=tuple(refused)) if refused else Ask(inputs=inputs)

    async def version(self) -> str:
        go = shutil.which("go", path=self._place.path)
        if go is None:
            raise Denied("go is not installed")
        return f"{go} {self._indexes.go}"

    async def fetch(self, ask: Ask, scratch: Path, into: Path) -> tuple[str, ...]:
        for path, text in ask.inputs.items():
            target = scratch / "module" / path
            await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(target.write_text, text, encoding="utf-8")
        environment = {
            "PATH": self._place.path,
            "HOME": str(scratch),
            "LANG": "C.UTF-8",
            "TMPDIR": str(scratch),
            **self._indexes.variables(("GO",)),
            "GOENV": "off",
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOMODCACHE": str(into),
            "GOPATH": str(scratch / "gopath"),
            "GOCACHE": str(scratch / "cache"),
            "GOTOOLCHAIN": "local",
            "GOVCS": "*:off",
            "GOWORK": "off",
        }
        if self._indexes.go:
            environment["GOPROXY"] = self._indexes.go
        await run(("go", "mod", "download"), environment, scratch / "module", into)
        return ()

    def install(self, tree: Path, fetched: Path | None) -> Installation:
        """Nothing but where the modules are; what is compiled is kept for the next command in the tree."""
        if not (tree / "go.mod").is_file():
            return Installation()
        inside = self._place.inside(tree)
        found = {"GOCACHE": f"{inside}/{FOLDER}/go-build", "GOTOOLCHAIN": "local", "GOPROXY": "off"}
        if fetched is not None:
            found |= {"GOMODCACHE": f"{inside}/{FOLDER}/{NAME}", "GOFLAGS": "-mod=mod", "GOSUMDB": "off"}
        return Installation(environment=found)


def _replaced(text: str) -> Iterator[str]:
    """The folders that modules are replaced by."""
    for found in list(REPLACE.finditer(text))[:MOST_REPLACED]:
        path = found[1].strip('"')
        if path.startswith((".", "/")):
            yield path
