"""Running the tools that fetch: what they are given, what they may take, and how they are ended.

A tool runs in a scratch folder that holds files of our own making, with an environment built from nothing. Index
addresses come from the service's settings, else from the machine's own configuration; never from a repository.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from agents.errors import Denied
from agents.redaction import Redactor

SECONDS = 300.0
"""Time limit of one command."""
MOST_BYTES = 2 * 1024 * 1024 * 1024
"""Of all that one tree's packages of one tool may take."""
WATCH_SECONDS = 0.5
MOST_OUTPUT = 64 * 1024
MOST_TEXT = 4 * 1024 * 1024
"""Of a manifest or lock file that is read."""
FOLDER = ".selfheal"
"""Where packages lie in a tree: test runners look into no folder whose name begins with a dot."""


@dataclass(frozen=True)
class Place:
    """How the sandbox sees a tree."""

    path: str
    """PATH inside, which must hold the same programs here: what is fetched is for these."""
    root: str | None
    """Where the tree stands inside; None where it stands where it does here."""
    uid: int | None
    """Who owns the tree; None for the present user."""

    def inside(self, tree: Path) -> str:
        return self.root or str(tree)


@dataclass(frozen=True)
class Indexes:
    """Where packages come from; an empty address leaves it to the machine's own configuration."""

    python: str = ""
    npm: str = ""
    go: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)
    """The variables by which this machine configures these tools: indexes, proxies, certificates."""

    def variables(self, prefixes: Sequence[str]) -> dict[str, str]:
        """Those of the machine for one tool, and those for any."""
        return {name: value for name, value in self.machine.items() if name.upper().startswith((*prefixes, *SHARED))}


SHARED = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True)
class Ask:
    """What a tree asks of one tool. `inputs`: the files it is given, by path; they are what is fetched for."""

    inputs: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    """What is not fetched whatever the tool says, with the reason."""


@dataclass(frozen=True)
class Installation:
    """How what was fetched gets into the tree: commands for the sandbox, and variables for every later command."""

    commands: tuple[tuple[str, ...], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Tool(Protocol):
    """One package manager. `name` is its folder's, in the cache and in a tree."""

    @property
    def name(self) -> str: ...

    def ask(self, tree: Path, extra: tuple[str, ...]) -> Ask:
        """What the tree's manifests ask for, read as data; with no `inputs` there is nothing to fetch."""
        ...

    async def version(self) -> str:
        """What the cache must not mix: the tool and its target. `Denied` where the tool is not installed."""
        ...

    async def fetch(self, ask: Ask, scratch: Path, into: Path) -> tuple[str, ...]:
        """Fetch into a folder; what could not be had. `Denied` where nothing could."""
        ...

    def install(self, tree: Path, fetched: Path | None) -> Installation:
        """How it is installed from below `.selfheal` in the tree; `fetched` None where nothing was."""
        ...


async def run(
    argv: Sequence[str],
    environment: Mapping[str, str],
    cwd: Path,
    watched: Path | None = None,
    seconds: float = SECONDS,
    most_bytes: int = MOST_BYTES,
) -> str:
    """Run a tool to its end and return its output; `Denied` with its last words where it fails or takes too much."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(environment),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise Denied(f"{argv[0]} cannot be started: {error.strerror}") from error
    output = bytearray()
    reading = asyncio.create_task(_read(process, output))
    try:
        async with asyncio.timeout(seconds):
            while not await _ended(process):
                if watched is not None and await asyncio.to_thread(size_of, watched) > most_bytes:
                    raise Denied(f"more than {most_bytes} bytes")
    except TimeoutError as error:
        raise Denied(f"not finished after {seconds:.0f} s") from error
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await asyncio.wait({reading}, timeout=1)
        reading.cancel()
    text = Redactor().redact_text(output.decode("utf-8", "replace"))
    if process.returncode != 0:
        raise Denied(_last_words(text) or f"exit code {process.returncode}")
    return text


async def _ended(process: asyncio.subprocess.Process) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), WATCH_SECONDS)
    return process.returncode is not None


async def _read(process: asyncio.subprocess.Process, output: bytearray) -> None:
    if process.stdout is not None:
        while chunk := await process.stdout.read(65536):
            output.extend(chunk)
            del output[:-MOST_OUTPUT]


def _last_words(text: str) -> str:
    """The line that says what went wrong: the last one that names an error, else the last."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    errors = [line for line in lines if "error" in line.lower() and "complete log" not in line]
    return (errors or lines or [""])[-1][:300]


def size_of(folder: Path) -> int:
    """Bytes of the files below a folder; what goes away meanwhile does not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 - thousands of files
    return total


def read_text(tree: Path, name: str) -> str | None:
    """A text file of a tree; None where there is none that can be read."""
    path = tree / name
    try:
        if not path.is_file() or path.stat().st_size > MOST_TEXT:
            return None
        if not path.resolve().is_relative_to(tree.resolve()):
            return None
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        return None
