"""One bare mirror a repository, fetched when it is opened, under a file lock; those used least recently make room.

Two kinds can be opened: those of the local forge (`file:` URLs below its folder), and those of a remote forge by https
where one is configured.
"""

import asyncio
import hashlib
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from agents.errors import Denied
from app.adapters.checkout.git import Origin
from app.adapters.checkout.locks import Lease, locked
from app.adapters.checkout.mirror import PATIENCE_SECONDS, Mirror
from app.adapters.checkout.place import Place
from app.adapters.checkout.quota import make_room
from app.adapters.checkout.repository import GitRepository

MOST_BYTES = 20 * 1024**3


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
    """`agents.changes.Repositories` with its mirrors below `root`, which take `most_bytes` together."""

    def __init__(self, root: Path, forge_dir: Path, remote: Remote | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._root = root.resolve()
        self._forge_dir = forge_dir.resolve()
        self._remote = remote
        self._most_bytes = most_bytes

    async def open(self, url: str) -> GitRepository:
        mirror = await self.mirror(url)
        return GitRepository(mirror.git_dir, mirror)

    async def mirror(self, url: str, commit: str | None = None) -> Mirror:
        """The repository's mirror with what is there now, or with `commit` at least: it is not asked for again.

        It is not removed while somebody has it.
        """
        origin = await self._origin(url)
        place = Place(self._root / f"{hashlib.sha256(origin.address.encode()).hexdigest()[:24]}.git")
        self._root.mkdir(parents=True, exist_ok=True)
        async with locked(place.lock, PATIENCE_SECONDS) as lock:
            lease = Lease(place.lease)
            mirror = Mirror(place, lambda: self._origin(url), lease, self._most_bytes)
            try:
                await mirror.refresh(origin, lock, commit)
            except BaseException:
                lease.end()
                raise
        await asyncio.to_thread(make_room, self._root, self._most_bytes)
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
