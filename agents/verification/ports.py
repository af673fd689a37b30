"""What verification needs of the world: a place to lay a commit out, and a box to run it in."""

from collections.abc import Mapping
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """An HTTP request that the evidence names."""

    model_config = ConfigDict(frozen=True)

    method: str
    path: str


class Response(BaseModel):
    """What the program answered; `status` None where the connection broke or timed out."""

    model_config = ConfigDict(frozen=True)

    status: int | None
    seconds: float


class Served(BaseModel):
    """A program that was started, asked and stopped again. `output` is redacted and cut: untrusted text."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "failed", "timeout"]
    """`failed`: the sandbox itself could not run it (see `reason`); the program's own death is `ok`."""
    reason: str | None = None
    listened: bool = False
    exit_code: int | None = None
    """None while it still ran at the end."""
    responses: tuple[Response, ...] = ()
    output: str = ""


class Completed(BaseModel):
    """A command that ran to its end. `output` is redacted and cut: untrusted text."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "failed", "timeout"]
    reason: str | None = None
    exit_code: int | None = None
    output: str = ""


class Sandbox(Protocol):
    """Runs code of the repository with no network, no credentials and limits. `tree` is a `Workspace` handle."""

    async def run(self, tree: str, argv: tuple[str, ...], env: Mapping[str, str]) -> Completed:
        """Run a command to its end in `tree`."""
        ...

    async def serve(
        self,
        tree: str,
        argv: tuple[str, ...],
        env: Mapping[str, str],
        *,
        files: Mapping[str, str],
        requests: tuple[Request, ...],
        listen_seconds: float,
    ) -> Served:
        """Start a server on a free loopback port, wait until it listens, ask it, and stop it.

        `{port}` in argv and PORT in the environment name the port. The requests are sent one after another; the
        program is watched for `listen_seconds` after it began to listen. `files` maps absolute paths inside
        the sandbox to their text, as a pod's volumes would.
        """
        ...


class Workspace(Protocol):
    """Lays out a commit's files for the sandbox."""

    async def lay_out(self, url: str, commit: str, files: Mapping[str, str | None]) -> str:
        """A private copy of the commit with `files` written over it (None deletes); returns its handle."""
        ...

    async def clear(self, tree: str) -> None:
        """Remove it; never fails for one that is gone."""
        ...


class Provision(BaseModel):
    """The packages that were laid into a tree, and how programs find them there."""

    model_config = ConfigDict(frozen=True)

    install: tuple[tuple[str, ...], ...] = ()
    """Commands that install them, to be run in the sandbox, in the tree, with `environment`."""
    environment: Mapping[str, str] = {}
    """What every command in the tree needs of variables to find them."""
    unchecked: tuple[str, ...] = ()
    """What the tree asks for and does not get, with the reason."""


class Dependencies(Protocol):
    """Fetches a tree's packages outside of the sandbox, by tools that execute nothing of the repository."""

    async def provide(self, tree: str, extra: tuple[str, ...] = ()) -> Provision:
        """Lay what the tree's own manifests ask for into the tree.

        Called before anything of the tree was run. `extra` names packages that are wanted besides (`pytest`). Never
        fails: what cannot be had is told in `unchecked`.
        """
        ...
