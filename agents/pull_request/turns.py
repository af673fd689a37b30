"""Publishing in one repository, one incident after the other: two that have one cure must see each other."""

import asyncio


class Turns:
    """A lock a repository, for the incidents of one worker."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}

    def at(self, url: str) -> asyncio.Lock:
        """To be held while a pull request or issue of that repository is looked for and made."""
        return self._locks.setdefault(url, asyncio.Lock())
