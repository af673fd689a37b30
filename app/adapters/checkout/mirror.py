"""One bare mirror on disk: made aside and put in its place whole, fetched into, supplied with blobs, made anew.

Where the server can leave blobs out, a mirror begins without any, and those that a reading needs are fetched together.
Its config knows neither where it came from nor how to get there: both are said at each fetch.
"""

import asyncio
import contextlib
import re
import shutil
from collections.abc import Awaitable, Callable, Collection, Coroutine
from pathlib import Path
from typing import Any

import structlog

from agents.errors import Denied, SelfhealError
from app.adapters.checkout.git import Origin, Said, run_git, talk_to_git
from app.adapters.checkout.locks import Lease, locked
from app.adapters.checkout.objects import Objects
from app.adapters.checkout.place import Place, marked

FETCH_SECONDS = 900
"""The first fetch of a large repository takes minutes; a stalled one ends earlier, for want of speed."""
PATIENCE_SECONDS = 2 * FETCH_SECONDS
"""For somebody else's fetch of the same mirror."""
DAMAGE = re.compile(
    r"does not match index|wrong index|too short to be|is corrupt|inflate|not a git repository|bad config"
    r"|unable to read tree|failed to traverse|unable to parse|checksum mismatch|reference broken|invalid sha1 pointer"
    r"|did not send all necessary objects|(?:unterminated|unexpected) line in",
    re.IGNORECASE,
)
"""What git says when it cannot fetch into a mirror that may be damaged: reason to look closer, not to believe it."""
FILTER = "blob:none"
FETCH = ("fetch", "--quiet", "--no-write-fetch-head", "--no-auto-gc", "--recurse-submodules=no")
BRANCHES, TAGS = "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"
MOST_IDS = 10_000
"""Blobs of one request, which stays below the size from which git cuts it into chunks."""
AT_ONCE = ("-c", "fetch.negotiationAlgorithm=noop")
"""What the server gets to know of what is here: nothing, since blobs do not build on one another."""
IN_PACKS = ("-c", "fetch.unpackLimit=1")
MOST_PACKS = 50
MOST_LOST = 3
LOST = re.compile(r"not our ref ([0-9a-f]{40})")
SHORTEST_WATCH, LONGEST_WATCH = 0.02, 0.25

log = structlog.get_logger(__name__)


class Mirror:
    """The mirror at a place, in use for as long as this lives. `origin` tells how to get there now.

    Nothing larger than `most_bytes` is fetched.
    """

    def __init__(self, place: Place, origin: Callable[[], Awaitable[Origin]], lease: Lease, most_bytes: int) -> None:
        self._place = place
        self._origin = origin
        self._lease = lease
        self._most_bytes = most_bytes
        self._is_partial = False

    @property
    def git_dir(self) -> Path:
        return self._place.git_dir

    @property
    def objects(self) -> Objects:
        return Objects(self.git_dir, self)

    @property
    def is_partial(self) -> bool:
        return self._is_partial

    def doubt(self) -> None:
        self._place.doubt.touch()

    async def refresh(self, origin: Origin, lock: int, commit: str | None = None) -> None:
        """Have what the repository has now, by whoever holds the lock; nothing is fetched where `commit` is here."""
        await asyncio.to_thread(self._place.clear_leftovers)
        if not self.git_dir.is_dir() or (self._place.doubt.exists() and not await self._is_sound()):
            await self._make(origin, lock)
            return
        self._place.doubt.unlink(missing_ok=True)
        try:
            self._is_partial = await self._says_partial()
            if commit is None or not await self._has(commit):
                await self._fetch(self.git_dir, origin, lock)
                await self._tidy(lock)
        except SelfhealError as error:
            if not DAMAGE.search(str(error)) or await self._is_sound():
                raise
            log.warning("a damaged mirror is made anew", mirror=self.git_dir.name, error=str(error))
            await self._make(origin, lock)

    async def bring(self, ids: Collection[str], most_bytes: int) -> None:
        origin = await self._origin()
        async with locked(self._place.lock, PATIENCE_SECONDS) as lock:
            await asyncio.to_thread(self._place.clear_leftovers)
            here = await Objects(self.git_dir).sizes(ids)  # somebody else may have brought some of them meanwhile
            left, lost = [one for one in ids if one not in here], 0
            while left:
                try:
                    await self._bring_some(left[:MOST_IDS], origin, lock, most_bytes)
                    left = left[MOST_IDS:]
                except SelfhealError as error:
                    if "unadvertised object" in str(error):
                        log.warning("the server gives no single files; its mirror is made whole", origin=origin.address)
                        await self._make(origin, lock, partial=False)
                        return
                    gone = LOST.search(str(error))
                    if gone is None or gone[1] not in left:
                        if DAMAGE.search(str(error)):
                            self.doubt()
                        raise
                    left.remove(gone[1])
                    lost += 1
                    if lost > MOST_LOST:
                        raise Denied("files that are needed are not at the origin any more") from error

    async def _bring_some(self, ids: Collection[str], origin: Origin, lock: int, most_bytes: int) -> None:
        asked = talk_to_git(
            self.git_dir,
            (*_named(origin, partial=True), *AT_ONCE, *FETCH, "--no-tags", f"--filter={FILTER}", "--stdin", "forge"),
            origin=origin,
            lock=lock,
            stdin="".join(f"{one}\n" for one in ids).encode(),
            seconds=FETCH_SECONDS,
        )
        with marked(self.git_dir):
            await _watched(asked, self.git_dir, min(most_bytes, self._most_bytes))

    async def _make(self, origin: Origin, lock: int, *, partial: bool | None = None) -> None:
        """The mirror from nothing, in the place of the one that is there."""
        new = self._place.new
        wants = origin.is_remote if partial is None else partial
        try:
            await run_git(None, "init", "--quiet", "--bare", "--template=", str(new))
            self._is_partial = wants
            said = await self._fetch(new, origin, lock)
            if wants and "filtering not recognized" in said:
                log.info("the server leaves no files out; its mirror is whole", origin=origin.address)
                self._is_partial = False
            if self._is_partial:
                await run_git(new, "config", "selfheal.filter", FILTER)
            await run_git(new, "pack-refs", "--all")
            await asyncio.to_thread(self._place.put_in)
        finally:
            if new.exists():
                await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)

    async def _fetch(self, git_dir: Path, origin: Origin, lock: int) -> str:
        """Branches, tags and where HEAD points; what git said besides."""
        filtered = (f"--filter={FILTER}",) if self._is_partial else ()
        argv = (*FETCH, "--prune", "--force", *filtered)
        asked = talk_to_git(
            git_dir,
            (*_named(origin, partial=self._is_partial), *IN_PACKS, *argv, "forge", BRANCHES, TAGS),
            origin=origin,
            lock=lock,
            seconds=FETCH_SECONDS,
        )
        with marked(git_dir):
            said = await _watched(asked, git_dir, self._most_bytes)
            await _follow_head(git_dir, origin)
        return said.err

    async def _has(self, commit: str) -> bool:
        try:
            await run_git(self.git_dir, "cat-file", "-e", f"{commit}^{{commit}}")
        except Denied:
            return False
        return True

    async def _tidy(self, lock: int) -> None:
        """Put many small packs together: each fetch leaves one, and git looks for an object in one after the other."""
        packs = await asyncio.to_thread(lambda: len(list((self.git_dir / "objects" / "pack").glob("*.pack"))))
        if packs > MOST_PACKS:
            argv = ("repack", "-a", "-d", "--quiet", "--no-write-bitmap-index")
            promised = ("-c", "remote.forge.promisor=true") if self._is_partial else ()
            with marked(self.git_dir):
                await talk_to_git(self.git_dir, (*promised, *argv), lock=lock, seconds=FETCH_SECONDS)
            await run_git(self.git_dir, "pack-refs", "--all")

    async def _says_partial(self) -> bool:
        out = await run_git(
            None, "config", "--file", str(self.git_dir / "config"), "--default=", "--get", "selfheal.filter"
        )
        return out.decode().strip() == FILTER

    async def _is_sound(self) -> bool:
        """Whether everything can be read, and nothing lacks but blobs. Takes as long as reading it all."""
        content = ("-c", "remote.forge.promisor=true", "fsck", "--no-dangling", "--no-progress")
        links = ("rev-list", "--all", "--objects", "--quiet", f"--filter={FILTER}")
        for argv in (content, links):
            try:
                await talk_to_git(self.git_dir, argv, seconds=FETCH_SECONDS)
            except Denied as error:
                log.warning("a mirror is damaged", mirror=self.git_dir.name, error=str(error))
                return False
        return True


def _named(origin: Origin, *, partial: bool) -> tuple[str, ...]:
    """The remote `forge` for one command: with it in the config, git would fetch blobs one by one as it reads."""
    promised = ("-c", "remote.forge.promisor=true", "-c", f"remote.forge.partialCloneFilter={FILTER}")
    return ("-c", f"remote.forge.url={origin.address}", *(promised if partial else ()))


async def _follow_head(git_dir: Path, origin: Origin) -> None:
    """Point HEAD where the origin's points, so that `HEAD` means the default branch here too."""
    out = await run_git(None, "ls-remote", "--symref", origin.address, "HEAD", origin=origin)
    for line in out.decode("utf-8", "replace").splitlines():
        if line.startswith("ref: refs/heads/"):
            await run_git(git_dir, "symbolic-ref", "HEAD", line.split("\t")[0].removeprefix("ref: "))


async def _watched(asked: Coroutine[Any, Any, Said], git_dir: Path, most_bytes: int) -> Said:
    """Wait for a fetch; `Denied` as soon as more has come than was meant to: sizes cannot be asked for beforehand."""
    task, wait = asyncio.ensure_future(asked), SHORTEST_WATCH
    try:
        while not (await asyncio.wait({task}, timeout=wait))[0]:
            wait = min(2 * wait, LONGEST_WATCH)
            if sum(_size(part) for part in (git_dir / "objects" / "pack").glob("tmp_pack_*")) > most_bytes:
                raise Denied(f"git fetch: what is needed is larger than {most_bytes} bytes")
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
