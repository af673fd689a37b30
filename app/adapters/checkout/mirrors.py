"""One bare mirror a repository, fetched when it is opened, under a file lock.

Only repositories of the local forge can be opened: `file:` URLs below its folder.
"""

import asyncio
import contextlib
import fcntl
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agents.errors import Denied
from app.adapters.checkout.git import run_git
from app.adapters.checkout.repository import GitRepository


class Mirrors:
    """`agents.changes.Repositories` with its mirrors below `root`."""

    def __init__(self, root: Path, forge_dir: Path) -> None:
        self._root = root.resolve()
        self._forge_dir = forge_dir.resolve()

    async def open(self, url: str) -> GitRepository:
        return GitRepository(await self.fetch(url))

    async def fetch(self, url: str) -> Path:
        """The mirror's git directory, with what the repository has now."""
        origin = self._allowed(url)
        mirror = self._root / f"{hashlib.sha256(url.encode()).hexdigest()[:24]}.git"
        self._root.mkdir(parents=True, exist_ok=True)
        async with _locked(mirror.with_suffix(".lock")):
            if not (mirror / "HEAD").is_file():
                await run_git(None, "init", "--quiet", "--bare", str(mirror))
            await run_git(
                mirror, "fetch", "--quiet", "--prune", "--no-write-fetch-head", "--no-auto-gc", "--force",
                origin.as_uri(), "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", allow_file=True,
            )  # fmt: skip
            await _follow_head(mirror, origin)
        return mirror

    def _allowed(self, url: str) -> Path:
        """The folder of an allowed URL; links and .. are resolved before it is compared."""
        try:
            return self._inside(url)
        except (ValueError, OSError, RuntimeError) as error:  # a NUL, a name too long, a ring of links
            raise Denied(f"{url!r} is not a URL of a repository") from error

    def _inside(self, url: str) -> Path:
        parts = urlsplit(url)
        if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment:
            raise Denied(f"{url}: only repositories of the local forge (file: URLs below its folder) can be opened")
        path = Path(unquote(parts.path)).resolve()
        if path == self._forge_dir or not path.is_relative_to(self._forge_dir):
            raise Denied(f"{url} is not below the local forge's folder")
        if not (path / "HEAD").is_file():
            raise Denied(f"there is no bare repository at {url}")
        return path


async def _follow_head(mirror: Path, origin: Path) -> None:
    """Point HEAD where the origin's points, so that `HEAD` means the default branch here too."""
    out = await run_git(None, "ls-remote", "--symref", origin.as_uri(), "HEAD", allow_file=True)
    for line in out.decode("utf-8", "replace").splitlines():
        if line.startswith("ref: refs/heads/"):
            await run_git(mirror, "symbolic-ref", "HEAD", line.split("\t")[0].removeprefix("ref: "))


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with path.open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield
