"""The cache of what was fetched: one folder a key, whole or not there, one writer at a time, up to a quota.

A folder gets its name once it is complete, so that what a killed process left behind is never taken for packages.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from app.adapters.dependencies.tools import size_of

STALE_SECONDS = 3600.0
"""A folder in the making that is older was left by a process that was killed."""


class Shelf:
    """Folders below `root`; the longest unused go when they are together larger than `most_bytes`."""

    def __init__(self, root: Path, most_bytes: int) -> None:
        self._root = root
        self._most_bytes = most_bytes

    @asynccontextmanager
    async def locked(self, key: str) -> AsyncIterator[None]:
        """Hold a key: whoever else wants the same packages waits, and then finds them."""
        await asyncio.to_thread(self._root.mkdir, mode=0o700, parents=True, exist_ok=True)
        with (self._root / f"{key}.lock").open("w") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    await asyncio.sleep(0.1)
            yield

    def find(self, key: str) -> Path | None:
        """The folder of a key, which counts as used now; None where it is not there whole."""
        folder = self._root / key
        if not folder.is_dir():
            return None
        with contextlib.suppress(OSError):
            os.utime(folder)
        return folder

    def begin(self, key: str) -> Path:
        """A folder to fill, which nobody finds yet."""
        return Path(tempfile.mkdtemp(prefix=f"{key}.making-", dir=self._root))

    def keep(self, key: str, made: Path) -> Path:
        """Give a filled folder its name, then make room."""
        folder = self._root / key
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
        os.utime(folder)
        self._make_room(folder)
        return folder

    def drop(self, made: Path) -> None:
        """Remove a folder that came to nothing."""
        shutil.rmtree(made, ignore_errors=True)

    def _make_room(self, newest: Path) -> None:
        whole: list[tuple[float, Path]] = []
        for folder in self._root.iterdir():
            with contextlib.suppress(OSError):
                age = folder.stat().st_mtime
                if ".making-" in folder.name and time.time() - age > STALE_SECONDS:
                    self.drop(folder)
                elif folder.is_dir() and ".making-" not in folder.name:
                    whole.append((age, folder))
        sizes = {folder: size_of(folder) for _, folder in whole}
        for _, folder in sorted(whole):
            if sum(sizes.values()) <= self._most_bytes:
                break
            if folder != newest:
                self.drop(folder)
                del sizes[folder]
