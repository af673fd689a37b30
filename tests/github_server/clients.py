"""Our adapter as a client of the pretended GitHub: no pauses between requests, short patience."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from agents.pull_request import Wanted, ensure
from app.adapters.forge_github import Access, GitHubForge
from app.clock import utc_now
from app.github_account import GitHubAccount
from tests.github_server.server import GitHubServer

WRITER_TOKEN = "ghp_writer"


def access_of(
    server: GitHubServer, token: str = WRITER_TOKEN, *, patience: float = 5, ca_file: Path | None = None
) -> Access:
    account = GitHubAccount.of(server.api, SecretStr(token), None, None, None, ca_file)
    assert account is not None
    return impatient(account, patience)


def impatient(account: GitHubAccount, patience: float = 5, now: Callable[[], datetime] = utc_now) -> Access:
    return Access(account, seconds_between_requests=0, seconds_between_writes=0, timeout=1, patience=patience, now=now)


def forge_of(server: GitHubServer, token: str = WRITER_TOKEN) -> GitHubForge:
    """The forge of a process that has just started."""
    return GitHubForge(access_of(server, token))


def publish(api: str, wanted: str) -> None:
    """One process's try at publishing, for the tests that kill it; `wanted` is JSON."""
    account = GitHubAccount.of(api, SecretStr(WRITER_TOKEN), None, None, None)
    assert account is not None
    asyncio.run(ensure(Wanted.model_validate_json(wanted), GitHubForge(impatient(account))))
