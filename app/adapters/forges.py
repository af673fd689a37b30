"""The `Forge` port over two forges: the URL of a repository says which of them has it."""

from agents.errors import Denied
from agents.patch import FileChange
from agents.pull_request import Forge, Head, Record, Text


class Forges:
    """`file:` URLs go to the local forge, https URLs to GitHub, where one is configured."""

    def __init__(self, local: Forge, github: Forge | None) -> None:
        self._local = local
        self._github = github

    async def default_branch(self, url: str) -> str:
        return await self._of(url).default_branch(url)

    async def head(self, url: str, branch: str) -> Head | None:
        return await self._of(url).head(url, branch)

    async def commit(self, url: str, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        return await self._of(url).commit(url, parent, changes, message)

    async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
        await self._of(url).point(url, branch, sha, expected)

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        return await self._of(url).find_pull_request(url, branch)

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        return await self._of(url).create_pull_request(url, branch, base, text)

    async def update_pull_request(self, url: str, number: int, text: Text) -> None:
        await self._of(url).update_pull_request(url, number, text)

    async def find_issue(self, url: str, incident: str) -> Record | None:
        return await self._of(url).find_issue(url, incident)

    async def create_issue(self, url: str, text: Text) -> Record:
        return await self._of(url).create_issue(url, text)

    def _of(self, url: str) -> Forge:
        if not url.lower().startswith(("https:", "http:")):
            return self._local
        if self._github is None:
            raise Denied(
                f"{url} has no forge: no GitHub is configured (set SELFHEAL_GITHUB_TOKEN, or SELFHEAL_GITHUB_APP_ID "
                "with SELFHEAL_GITHUB_PRIVATE_KEY_FILE)"
            )
        return self._github
