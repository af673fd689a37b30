"""Lays a commit out as plain files for the sandbox: no .git, nothing that leads out of the folder.

Blobs are written one by one rather than by `git archive` or a checkout, so that no attribute of the repository
(export-ignore, filters, line ends) changes what is run.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from agents.errors import Denied
from app.adapters.checkout.git import full_sha
from app.adapters.checkout.mirrors import Mirrors
from app.adapters.checkout.wanted import SUBMODULE, Entry, entries_of

MOST_FILES = 100_000
MOST_BYTES = 1024 * 1024 * 1024
EXECUTABLE, LINK = "100755", "120000"


class Trees:
    """`agents.verification.Workspace`: private folders below `root`, owned by `uid` where that is given.

    Services may share `root`: the names of one's folders begin with its `prefix`.
    """

    def __init__(self, mirrors: Mirrors, root: Path, uid: int | None, prefix: str = "tree") -> None:
        self._mirrors = mirrors
        self._root = root
        self._uid = uid
        self._prefix = prefix

    async def sweep(self) -> None:
        """Clear every tree of this prefix: what a process that was killed has left behind."""
        if await asyncio.to_thread(self._is_ours):
            for tree in self._root.glob(f"{self._prefix}-*"):
                await self.clear(str(tree))

    async def lay_out(self, url: str, commit: str, files: Mapping[str, str | None]) -> str:
        objects = (await self._mirrors.mirror(url, full_sha(commit))).objects
        listed = await objects.git("ls-tree", "-r", "-z", "--full-tree", commit)
        entries = [entry for entry in entries_of(listed) if entry.mode != SUBMODULE]
        sizes: dict[str, int] = {}
        if len(entries) <= MOST_FILES:
            sizes = await objects.sizes((entry.blob for entry in entries), MOST_BYTES)
            if lost := [entry.path for entry in entries if entry.blob not in sizes]:
                raise Denied(f"{lost[0]!r} is damaged in the repository, or not there any more")
        if len(entries) > MOST_FILES or sum(sizes[entry.blob] for entry in entries) > MOST_BYTES:
            raise Denied(f"the commit has more than {MOST_FILES} files or {MOST_BYTES} bytes")
        names = "".join(f"{entry.blob}\n" for entry in entries).encode()
        blobs = await objects.git("cat-file", "--batch", "--buffer", stdin=names) if entries else b""
        return await asyncio.to_thread(self._make, entries, blobs, files)

    async def clear(self, tree: str) -> None:
        await asyncio.to_thread(_remove, Path(tree))

    def _is_ours(self) -> bool:
        """Whether nobody else can put anything into the root, which may lie in a folder that all write to."""
        return self._root.is_dir() and not self._root.is_symlink() and self._root.stat().st_uid == os.geteuid()

    def _make(self, entries: list[Entry], blobs: bytes, files: Mapping[str, str | None]) -> str:
        try:
            self._root.mkdir(mode=0o755, parents=True, exist_ok=True)
            is_ours = self._is_ours()
        except OSError as error:
            raise Denied(f"{self._root} cannot be used ({error.strerror}); set SELFHEAL_SANDBOX_DIR") from error
        if not is_ours:
            raise Denied(f"{self._root} belongs to somebody else; set SELFHEAL_SANDBOX_DIR to a folder of its own")
        tree = Path(tempfile.mkdtemp(prefix=f"{self._prefix}-", dir=self._root))
        try:
            _write(tree, entries, blobs, files)
            if self._uid is not None:
                for place in (tree, *tree.rglob("*")):
                    os.chown(place, self._uid, self._uid, follow_symlinks=False)
        except OSError as error:  # a name that is too long, a file where a folder should be
            _remove(tree)
            raise Denied(f"the commit cannot be laid out: {error.strerror}: {error.filename}") from error
        except Denied:
            _remove(tree)
            raise
        return str(tree)


def _write(tree: Path, entries: Iterable[Entry], blobs: bytes, files: Mapping[str, str | None]) -> None:
    """Files, then links, since a link may lead to what is written after it; then `files` over both."""
    links: list[tuple[Path, bytes]] = []
    folders: set[Path] = set()
    at = 0
    for entry in entries:
        start = blobs.index(b"\n", at) + 1
        name, _, size = blobs[at : start - 1].decode().partition(" blob ")
        if name != entry.blob or not size.isdigit():
            raise Denied(f"{entry.path!r} is not in the repository whole")
        content, at = blobs[start : start + int(size)], start + int(size) + 1
        target = _inside(tree, entry.path)
        if target.parent not in folders:
            target.parent.mkdir(parents=True, exist_ok=True)
            folders.add(target.parent)
        if entry.mode == LINK:
            links.append((target, content))
            continue
        target.write_bytes(content)
        target.chmod(0o755 if entry.mode == EXECUTABLE else 0o644)
    _link(tree, links)
    for path, text in files.items():
        target = _inside(tree, path)
        if not _stays(tree, target.parent):
            raise Denied(f"{path!r} leads out of the repository")
        if target.is_symlink() or text is None:
            target.unlink(missing_ok=True)
        if text is not None:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())


def _inside(tree: Path, path: str) -> Path:
    """The place of a path in the tree, by its words alone; `Denied` where they lead out, or into a .git."""
    pure = PurePosixPath(path)
    odd = pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in path
    if odd or any(part.lower() == ".git" for part in pure.parts):
        raise Denied(f"{path!r} is not a path inside the repository")
    return tree / pure


def _link(tree: Path, links: list[tuple[Path, bytes]]) -> None:
    """Make the links that stay in the tree. Where one leads may hang on the others, so they are looked at together."""
    for target, content in links:
        with contextlib.suppress(OSError, ValueError):  # empty, or no path at all
            target.symlink_to(os.fsdecode(content))
    left = [target for target, content in links if target.is_symlink()]
    while out := [target for target in left if str(target.readlink()).startswith("/") or not _stays(tree, target)]:
        for target in out:
            target.unlink()
        left = [target for target in left if target not in out]


def _stays(tree: Path, place: Path) -> bool:
    """Whether a place is in the tree when every link on the way is followed, loops included."""
    return Path(os.path.realpath(place)).is_relative_to(os.path.realpath(tree))


def _remove(tree: Path) -> None:
    """Remove a tree whatever the code in it did to its folders' modes; what is gone is fine."""
    for folder, below, _ in os.walk(tree):
        for place in [Path(folder), *(Path(folder) / name for name in below)]:
            with contextlib.suppress(OSError):
                if not place.is_symlink():
                    place.chmod(0o700)
    shutil.rmtree(tree, ignore_errors=True)
