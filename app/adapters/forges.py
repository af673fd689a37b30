"""The `Forge` port over two forges: the URL of a repository says which of them has it."""

from agents.errors import Denied
from agents.patch import FileChange
from agents.pull_request import Attention, Comment, Forge, Head, Record, Text, Theirs


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

    async def find_issue(self, url: str, incident: str, cause: str | None = None) -> Record | None:
        return await self._of(url).find_issue(url, incident, cause)

    async def create_issue(self, url: str, text: Text) -> Record:
        return await self._of(url).create_issue(url, text)

    async def close_issue(self, url: str, number: int) -> None:
        await self._of(url).close_issue(url, number)

    async def our_pull_requests(self, url: str) -> tuple[Record, ...]:
        return await self._of(url).our_pull_requests(url)

    async def their_pull_requests(self, url: str, base: str, paths: tuple[str, ...]) -> tuple[Theirs, ...]:
        return await self._of(url).their_pull_requests(url, base, paths)

    async def attention(self, url: str, number: int) -> Attention:
        return await self._of(url).attention(url, number)

    async def add_labels(self, url: str, number: int, labels: tuple[str, ...]) -> None:
        await self._of(url).add_labels(url, number, labels)

    async def request_reviews(self, url: str, number: int, reviewers: tuple[str, ...]) -> None:
        await self._of(url).request_reviews(url, number, reviewers)

    async def account(self, url: str, commit: str) -> str | None:
        return await self._of(url).account(url, commit)

    async def page(self, url: str, commit: str, path: str = "", line: int | None = None) -> str | None:
        return await self._of(url).page(url, commit, path, line)

    async def comments(self, url: str, number: int) -> tuple[Comment, ...]:
        return await self._of(url).comments(url, number)

    async def create_comment(self, url: str, number: int, body: str) -> Comment:
        return await self._of(url).create_comment(url, number, body)

    async def update_comment(self, url: str, number: int, comment: int, body: str) -> None:
        await self._of(url).update_comment(url, number, comment, body)

    def _of(self, url: str) -> Forge:
        if not url.lower().startswith(("https:", "http:")):
            return self._local
        if self._github is None:
            raise Denied(
                f"{url} has no forge: no GitHub is configured (set SELFHEAL_GITHUB_TOKEN, or SELFHEAL_GITHUB_APP_ID "
                "with SELFHEAL_GITHUB_PRIVATE_KEY_FILE)"
            )
        return self._github
