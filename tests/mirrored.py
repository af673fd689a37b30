"""A repository as the service sees it that lies on GitHub: a mirror without files, behind git's own HTTP server."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from app.adapters.checkout import GitRepository, Mirrors
from tests.github_server import GitHubServer, Repository
from tests.github_server.clients import access_of
from tests.scratch import Scratch

Mirrored = Callable[[Scratch], Awaitable[GitRepository]]


def mirrors_of(github: GitHubServer, folder: Path, token: str = "ghp_writer") -> Mirrors:
    """The mirrors of a service that signs in with this token."""
    return Mirrors(folder / "mirrors", folder / "forge", access_of(github, token))


def serve(github: GitHubServer, scratch: Scratch, name: str = "acme/made") -> str:
    """The URL under which the server now has the repository."""
    owner, short = name.split("/")
    github.hub.repositories[name] = Repository(owner, short, scratch.path)
    return github.url(name)
