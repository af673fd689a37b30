"""Reading the objects of one git directory, of which the blobs may have to be brought from elsewhere first.

A blob that is not there is asked for together with all others that the same reading needs: nothing is fetched while
git reads, and what could not be had is said, never taken for an empty file.
"""

import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Protocol

from agents.errors import Denied, Transient
from app.adapters.checkout.git import run_git

MOST_BROUGHT_BYTES = 512 * 1024 * 1024
"""Of blobs, as they travel, for one reading."""
DAMAGE = re.compile(
    r"git [a-z-]+: (?:error: |fatal: )?(?:packfile \S+ |packed object |loose object |inflate: |wrong index "
    r"|file \S+ is far too short|not a git repository|bad config line|unable to read tree |failed to traverse"
    r"|unable to parse )",
    re.IGNORECASE,
)
"""How git's words begin where a repository may be damaged; what follows may quote a path, which says nothing."""
MOST_UNFORESEEN = 20
UNFORESEEN = re.compile(r"(?:unable to read|cannot read blob|could not fetch) ([0-9a-f]{40})", re.IGNORECASE)


class Supply(Protocol):
    """Where a git directory's objects come from."""

    @property
    def is_partial(self) -> bool:
        """Whether blobs are left out until they are asked for."""
        ...

    async def bring(self, ids: Collection[str], most_bytes: int) -> None:
        """Fetch these blobs, as far as there are such; `Denied` where they are larger than `most_bytes` together."""
        ...

    def doubt(self) -> None:
        """Have the git directory looked at before it is used again: it may be damaged."""
        ...


class Objects:
    """The objects of `git_dir`; without a supply, what is not there is missing."""

    def __init__(self, git_dir: Path, supply: Supply | None = None) -> None:
        self._git_dir = git_dir
        self._supply = supply

    @property
    def is_partial(self) -> bool:
        return self._supply is not None and self._supply.is_partial

    async def git(
        self,
        *argv: str,
        stdin: bytes | None = None,
        codes: frozenset[int] = frozenset({0}),
        most_bytes: int | None = None,
    ) -> bytes:
        """What a git command answers, which reads only. `Transient` where the mirror may be damaged."""
        try:
            return await run_git(self._git_dir, *argv, stdin=stdin, codes=codes, most_bytes=most_bytes)
        except Denied as error:
            if self._supply is not None and DAMAGE.match(str(error)):
                self._supply.doubt()
                raise Transient(
                    f"the mirror may be damaged and is looked at when it is next opened: {error}"
                ) from error
            raise

    async def git_at_need(self, *argv: str) -> bytes:
        """The same, for a command whose blobs cannot all be foreseen: some are brought one by one, as it names them."""
        for _ in range(MOST_UNFORESEEN):
            try:
                return await self.git(*argv)
            except Denied as error:
                lacking = UNFORESEEN.search(str(error))
                if lacking is None or not self.is_partial:
                    raise
                await self.need([lacking[1]])
        return await self.git(*argv)

    async def sizes(self, ids: Iterable[str], most_bytes: int = MOST_BROUGHT_BYTES) -> dict[str, int]:
        """The size in bytes of each of these blobs that can be had; the others are left out."""
        wanted = list(dict.fromkeys(ids))
        found = await self._sizes_here(wanted)
        if self._supply is None or not self.is_partial:
            return found
        lacking = [one for one in wanted if one not in found]
        if lacking:
            await self._supply.bring(lacking, most_bytes)
            found |= await self._sizes_here(lacking)
        return found

    async def need(self, ids: Iterable[str]) -> None:
        """Have these blobs here before git reads them; `Denied` where one cannot be had.

        Where nothing is left out there is nothing to bring, and git itself tells what it lacks.
        """
        if not self.is_partial:
            return
        wanted = set(ids)
        found = await self.sizes(wanted)
        if lost := wanted - found.keys():
            raise Denied(f"{len(lost)} of the files that are needed are not at the origin any more, {min(lost)} is one")

    async def _sizes_here(self, ids: Collection[str]) -> dict[str, int]:
        if not ids:
            return {}
        out = await self.git("cat-file", "--batch-check", "--buffer", stdin="".join(f"{one}\n" for one in ids).encode())
        told = (line.split(" ") for line in out.decode().splitlines())
        return {fields[0]: int(fields[2]) for fields in told if len(fields) == 3 and fields[1] == "blob"}
