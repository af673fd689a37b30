"""Lays a commit out as plain files for the sandbox: no .git, nothing that leads out of the folder.

Blobs are written one by one rather than by `git archive` or a checkout, so that no attribute of the repository
(export-ignore, filters, line ends) changes what is run.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from agents.errors import Denied
from app.adapters.checkout.git import full_sha, run_git
from app.adapters.checkout.mirrors import Mirrors

MOST_FILES = 100_000
MOST_BYTES = 1024 * 1024 * 1024
EXECUTABLE, LINK, SUBMODULE = "100755", "120000", "160000"


class Trees:
    """`agents.verification.Workspace`: private folders below `root`, owned by `uid` where that is given."""

    def __init__(self, mirrors: Mirrors, root: Path, uid: int | None) -> None:
        self._mirrors = mirrors
        self._root = root
        self._uid = uid

    async def lay_out(self, url: str, commit: str, files: Mapping[str, str | None]) -> str:
        mirror = await self._mirrors.fetch(url)
        listed = await run_git(mirror, "ls-tree", "-r", "-z", "-l", "--full-tree", full_sha(commit))
        lines = listed.decode("utf-8", "surrogateescape").split("\0")
        entries = [_entry(line) for line in lines if line and not line.startswith(SUBMODULE)]
        if len(entries) > MOST_FILES or sum(size for *_, size in entries) > MOST_BYTES:
            raise Denied(f"the commit has more than {MOST_FILES} files or {MOST_BYTES} bytes")
        names = "".join(f"{sha}\n" for _, sha, _, _ in entries).encode()
        blobs = await run_git(mirror, "cat-file", "--batch", stdin=names) if entries else b""
        return await asyncio.to_thread(self._write, entries, blobs, files)

    async def clear(self, tree: str) -> None:
        await asyncio.to_thread(shutil.rmtree, tree, ignore_errors=True)

    def _write(self, entries: list[tuple[str, str, str, int]], blobs: bytes, files: Mapping[str, str | None]) -> str:
        self._root.mkdir(mode=0o755, parents=True, exist_ok=True)
        tree = Path(tempfile.mkdtemp(prefix="tree-", dir=self._root))
        at = 0
        for mode, _, path, size in entries:
            start = blobs.index(b"\n", at) + 1
            content, at = blobs[start : start + size], start + size + 1
            target = _inside(tree, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if mode == LINK:
                _link(tree, target, content)
                continue
            target.write_bytes(content)
            target.chmod(0o755 if mode == EXECUTABLE else 0o644)
        for path, text in files.items():
            target = _inside(tree, path)
            if target.is_symlink() or text is None:
                target.unlink(missing_ok=True)
            if text is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(text.encode())
        if self._uid is not None:
            for place in (tree, *tree.rglob("*")):
                os.chown(place, self._uid, self._uid, follow_symlinks=False)
        return str(tree)


def _entry(line: str) -> tuple[str, str, str, int]:
    """(mode, sha, path, bytes) of a line of `git ls-tree -l`."""
    about, _, path = line.partition("\t")
    mode, _, sha, size = about.split()
    return mode, sha, path, int(size)


def _inside(tree: Path, path: str) -> Path:
    """The place of a path in the tree; `Denied` where the path or a link on the way leads out."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or any(p.lower() == ".git" for p in pure.parts):
        raise Denied(f"{path!r} is not a path inside the repository")
    target = tree / pure
    if not target.parent.resolve().is_relative_to(tree.resolve()):
        raise Denied(f"{path!r} leads out of the repository")
    return target


def _link(tree: Path, target: Path, content: bytes) -> None:
    """A link is kept only if it stays in the tree."""
    aim = os.fsdecode(content)
    if not aim.startswith("/") and (target.parent / aim).resolve().is_relative_to(tree.resolve()):
        target.symlink_to(aim)
