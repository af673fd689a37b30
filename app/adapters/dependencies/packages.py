"""The `Dependencies` port: what a tree's manifests ask for, from the cache or fetched now, laid into the tree."""

import asyncio
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from agents.errors import Denied
from agents.verification import Provision
from app.adapters.dependencies.go import Go
from app.adapters.dependencies.node import Node
from app.adapters.dependencies.python import Python
from app.adapters.dependencies.shelf import Shelf
from app.adapters.dependencies.tools import FOLDER, Ask, Indexes, Place, Tool

AGAIN_SECONDS = 600.0
"""What could not be had is asked for again after this long."""
PROBLEMS = "problems.json"
CONTENT = "content"


class Packages:
    """Packages of Python, Node and Go, in a cache below `root` of at most `most_bytes`."""

    def __init__(self, root: Path, place: Place, indexes: Indexes, most_bytes: int) -> None:
        self._shelf = Shelf(root, most_bytes)
        self._place = place
        self._machine = sorted(indexes.machine.items())
        self._tools: Sequence[Tool] = (Python(place, indexes), Node(place, indexes), Go(place, indexes))

    async def provide(self, tree: str, extra: tuple[str, ...] = ()) -> Provision:
        folder = Path(tree)
        # Whatever the repository has by this name, link or folder: it is ours to fill, and nothing of it may lead away.
        await asyncio.to_thread(_clear, folder / FOLDER)
        commands: tuple[tuple[str, ...], ...] = ()
        environment: dict[str, str] = {}
        unchecked: list[str] = []
        for tool in self._tools:
            ask = await asyncio.to_thread(tool.ask, folder, extra)
            unchecked += [f"packages: {one}" for one in ask.refused]
            laid = None
            if ask.inputs:
                try:
                    found, missing = await self._find(tool, ask)
                    laid = await asyncio.to_thread(self._lay, found / CONTENT, folder / FOLDER / tool.name)
                    unchecked += [f"packages: {one}" for one in missing]
                except Denied as error:
                    unchecked.append(f"packages for {tool.name} could not be fetched: {error}")
            done = await asyncio.to_thread(tool.install, folder, laid)
            commands += done.commands
            environment |= done.environment
        return Provision(install=commands, environment=environment, unchecked=tuple(dict.fromkeys(unchecked)))

    async def _find(self, tool: Tool, ask: Ask) -> tuple[Path, tuple[str, ...]]:
        """The folder with what is asked for, and what is missing from it."""
        material = json.dumps([tool.name, await tool.version(), self._machine, sorted(ask.inputs.items())])
        key = f"{tool.name}-{hashlib.sha256(material.encode()).hexdigest()[:32]}"
        async with self._shelf.locked(key):
            known = await asyncio.to_thread(self._known, key)
            if known is not None:
                return known
            made = await asyncio.to_thread(self._shelf.begin, key)
            try:
                with tempfile.TemporaryDirectory(prefix="selfheal-fetch-", ignore_cleanup_errors=True) as scratch:
                    (made / CONTENT).mkdir()
                    missing = await tool.fetch(ask, Path(scratch), made / CONTENT)
                    (made / PROBLEMS).write_text(json.dumps(missing), encoding="utf-8")
                return await asyncio.to_thread(self._shelf.keep, key, made), missing
            except OSError as error:  # a full disk, for one
                raise Denied(f"the cache cannot be written: {error.strerror}") from error
            finally:
                await asyncio.to_thread(self._shelf.drop, made)

    def _known(self, key: str) -> tuple[Path, tuple[str, ...]] | None:
        folder = self._shelf.find(key)
        if folder is None:
            return None
        try:
            problems = folder / PROBLEMS
            missing = tuple(json.loads(problems.read_text(encoding="utf-8")))
            is_old = time.time() - problems.stat().st_mtime > AGAIN_SECONDS
        except (OSError, ValueError):
            return None
        return None if missing and is_old else (folder, missing)

    def _lay(self, found: Path, target: Path) -> Path:
        """A copy, never a link: what runs in the tree may write to it, and must not reach the cache."""
        target.parent.mkdir(mode=0o755, exist_ok=True)
        shutil.copytree(found, target, symlinks=True)
        target.parent.chmod(0o755)
        if self._place.uid is not None:
            for place in (target.parent, target, *target.rglob("*")):
                os.chown(place, self._place.uid, self._place.uid, follow_symlinks=False)
        return target


def _clear(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    elif place.is_dir():
        shutil.rmtree(place)
