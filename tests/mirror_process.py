"""`python -m tests.mirror_process FOLDER URL`: opens a repository and keeps it, for the tests that kill it."""

import asyncio
import sys
import time
from pathlib import Path

from pydantic import SecretStr

from app.adapters.checkout import Mirrors


class PlainRemote:
    """A forge that takes any token."""

    ca_file = None

    def address(self, url: str) -> str:
        return f"{url}.git"

    async def authorization(self, url: str) -> SecretStr:
        del url
        return SecretStr("Basic eDpnaHBfd3JpdGVy")  # x:ghp_writer


async def main(folder: str, url: str) -> None:
    root = Path(folder)
    repository = await Mirrors(root / "mirrors", root / "forge", PlainRemote()).open(url)
    print(await repository.resolve("HEAD"), flush=True)  # noqa: T201 - who waits for it reads this
    time.sleep(60)  # noqa: ASYNC251 - it holds what it has opened until it is killed


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
