"""One bare mirror a repository, fetched when it is opened, under a file lock.

Two kinds can be opened: those of the local forge (`file:` URLs below its folder), and those of a remote forge by https
where one is configured. A mirror knows neither where it came from nor how to get there: both are said at each fetch.
"""

import asyncio
import contextlib
import fcntl
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from agents.errors import Denied
from app.adapters.checkout.git import Origin, run_git
from app.adapters.checkout.repository import GitRepository

FETCH_SECONDS = 900
"""The first fetch of a large repository takes minutes; a stalled one ends earlier, for want of speed."""


class Remote(Protocol):
    """A forge whose repositories are fetched over https, and how to sign in there."""

    @property
    def ca_file(self) -> Path | None:
        """Certificates to trust instead of the public ones."""
        ...

    def address(self, url: str) -> str | None:
        """Where the repository is fetched from, None where it is not this forge's."""
        ...

    async def authorization(self, url: str) -> SecretStr:
        """The value of the Authorization header. `Denied` or `Transient` where it cannot be had."""
        ...


class Mirrors:
    """`agents.changes.Repositories` with its mirrors below `root`."""

    def __init__(self, root: Path, forge_dir: Path, remote: Remote | None = None) -> None:
        self._root = root.resolve()
        self._forge_dir = forge_dir.resolve()
        self._remote = remote

    async def open(self, url: str) -> GitRepository:
        return GitRepository(await self.fetch(url))

    async def fetch(self, url: str) -> Path:
        """The mirror's git directory, with what the repository has now."""
        origin = await self._origin(url)
        mirror = self._root / f"{hashlib.sha256(origin.address.encode()).hexdigest()[:24]}.git"
        self._root.mkdir(parents=True, exist_ok=True)
        async with _locked(mirror.with_suffix(".lock")):
            if not (mirror / "HEAD").is_file():
                await run_git(None, "init", "--quiet", "--bare", str(mirror))
            await run_git(
                mirror, "fetch", "--quiet", "--prune", "--no-write-fetch-head", "--no-auto-gc", "--force",
                origin.address, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*",
                origin=origin, seconds=FETCH_SECONDS,
            )  # fmt: skip
            await _follow_head(mirror, origin)
        return mirror

    async def _origin(self, url: str) -> Origin:
        if url.lower().startswith(("https:", "http:")):
            if self._remote is None:
                raise Denied(f"{url} cannot be opened: no GitHub is configured (set SELFHEAL_GITHUB_TOKEN)")
            address = self._remote.address(url)
            if address is None:
                raise Denied(f"{url} is not a repository of the GitHub that is configured")
            return Origin(address, await self._remote.authorization(url), self._remote.ca_file)
        return Origin(self._allowed(url).as_uri())

    def _allowed(self, url: str) -> Path:
        """The folder of an allowed `file:` URL; links and .. are resolved before it is compared."""
        try:
            return self._inside(url)
        except (ValueError, OSError, RuntimeError) as error:  # a NUL, a name too long, a ring of links
            raise Denied(f"{url!r} is not a URL of a repository") from error

    def _inside(self, url: str) -> Path:
        parts = urlsplit(url)
        if parts.scheme != "file" or parts.netloc or parts.query or parts.fragment:
            raise Denied(f"{url}: only https URLs, and file: URLs below the local forge's folder, can be opened")
        path = Path(unquote(parts.path)).resolve()
        if path == self._forge_dir or not path.is_relative_to(self._forge_dir):
            raise Denied(f"{url} is not below the local forge's folder")
        if not (path / "HEAD").is_file():
            raise Denied(f"there is no bare repository at {url}")
        return path


async def _follow_head(mirror: Path, origin: Origin) -> None:
    """Point HEAD where the origin's points, so that `HEAD` means the default branch here too."""
    out = await run_git(None, "ls-remote", "--symref", origin.address, "HEAD", origin=origin)
    for line in out.decode("utf-8", "replace").splitlines():
        if line.startswith("ref: refs/heads/"):
            await run_git(mirror, "symbolic-ref", "HEAD", line.split("\t")[0].removeprefix("ref: "))


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    with path.open("w") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield
