"""Running git: an environment built from nothing, no hooks, no helpers, no protocol but what is asked for."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from pydantic import SecretStr

from agents.errors import Denied, SelfhealError, Transient

SECONDS = 120
FULL_SHA = re.compile(r"[0-9a-f]{40}")
GUARDS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.symlinks=false",
    "credential.helper=",
    "diff.external=",
    "protocol.allow=never",
    "safe.directory=*",
    "gc.auto=0",
    "maintenance.auto=false",
    "uploadpack.packObjectsHook=",
    "core.quotePath=false",
    "log.showSignature=false",
    "i18n.logOutputEncoding=UTF-8",
)
REMOTE_GUARDS = (
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
    "transfer.bundleURI=false",
)
FINAL = re.compile(
    r"repository .*not found|returned error: (?:301|302|307|308|401|403|404)|authentication failed"
    r"|unable to update url base from redirection|certificate|transport .* not allowed"
    r"|mismatched algorithms",
    re.IGNORECASE,
)
"""What git says when asking the server again would not help; everything else about a remote may pass."""


@dataclass(frozen=True)
class Origin:
    """The one place outside of the mirror that a git command may reach."""

    address: str
    """Its URL, without credentials."""
    authorization: SecretStr | None = None
    """The value of the Authorization header, for this process alone: it is in no argument and no file."""
    ca_file: Path | None = None
    """Certificates to trust instead of the public ones."""

    @property
    def is_remote(self) -> bool:
        return not self.address.startswith("file:")


class Said(NamedTuple):
    """What a git command wrote."""

    out: bytes
    err: str


async def run_git(
    git_dir: Path | None,
    *argv: str,
    origin: Origin | None = None,
    stdin: bytes | None = None,
    seconds: float = SECONDS,
    codes: frozenset[int] = frozenset({0}),
    most_bytes: int | None = None,
) -> bytes:
    """The standard output of a git command, which reaches nothing but `origin`. `codes` are exit codes that answer.

    `Denied` with git's words when it refuses, `Transient` on a time-out or where a remote may answer later. `Denied`
    too where the output is longer than `most_bytes`: it is never held in memory.
    """
    said = await talk_to_git(
        git_dir, argv, origin=origin, stdin=stdin, seconds=seconds, codes=codes, most_bytes=most_bytes
    )
    return said.out


async def talk_to_git(
    git_dir: Path | None,
    argv: Sequence[str],
    *,
    origin: Origin | None = None,
    lock: int | None = None,
    stdin: bytes | None = None,
    seconds: float = SECONDS,
    codes: frozenset[int] = frozenset({0}),
    most_bytes: int | None = None,
) -> Said:
    """As `run_git`, with what was written to standard error. The words may begin with settings, `-c name=value`.

    The command and all that it starts hold on to `lock`, the descriptor of a file lock: where this process is killed,
    the lock is free when they have ended too.
    """
    name = next(word for at, word in enumerate(argv) if "-c" not in argv[max(0, at - 1) : at + 1])
    if any("\0" in word for word in argv):
        raise Denied(f"git {name}: a name with a NUL in it is none")
    guards = [*GUARDS]
    if origin is not None:
        guards += [f"protocol.{urlsplit(origin.address).scheme}.allow=always", *REMOTE_GUARDS]
        guards += [f"http.sslCAInfo={origin.ca_file}"] if origin.ca_file else []
    command = ["git", *(word for guard in guards for word in ("-c", guard)), *argv]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_environment(git_dir) | _sign_in(origin),
        cwd="/",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # what it starts (git-remote-https, index-pack) is ended with it
        pass_fds=() if lock is None else (lock,),
    )
    try:
        out, err = await asyncio.wait_for(_talk(process, stdin or b"", most_bytes), seconds)
    except TimeoutError as error:
        raise Transient(f"git {name} took more than {seconds:.0f} s") from error
    except OverflowError as error:
        raise Denied(f"git {name}: the answer is larger than {most_bytes} bytes") from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    said = " ".join(err.decode("utf-8", "replace").split())
    if process.returncode not in codes:
        raise _refusal(name, said, origin)
    return Said(out, said)


async def _talk(process: asyncio.subprocess.Process, stdin: bytes, most_bytes: int | None) -> tuple[bytes, bytes]:
    """Standard output and error, read while the input is written; `OverflowError` where the output is too long."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise TypeError("the process was started without pipes")
    out, err, _ = await asyncio.gather(
        _read(process.stdout, most_bytes), process.stderr.read(), _write(process.stdin, stdin)
    )
    await process.wait()
    return out, err


async def _read(stream: asyncio.StreamReader, most_bytes: int | None) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := await stream.read(1 << 18):
        parts.append(part)
        size += len(part)
        if most_bytes is not None and size > most_bytes:
            raise OverflowError(size)
    return b"".join(parts)


async def _write(stream: asyncio.StreamWriter, text: bytes) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # git has said what it wanted before it read all
        stream.write(text)
        await stream.drain()
        stream.close()
        await stream.wait_closed()


def full_sha(revision: str) -> str:
    """The revision itself, if it is 40 hex digits: nothing else reaches a git command line."""
    if not FULL_SHA.fullmatch(revision):
        raise Denied(f"{revision!r} is not a full commit id")
    return revision


def _refusal(command: str, said: str, origin: Origin | None) -> SelfhealError:
    if "could not read Username" in said:
        return Denied(f"git {command}: the server does not accept our credentials")
    if origin is not None and origin.is_remote and not FINAL.search(said):
        return Transient(f"git {command}: {said[:300]}")
    return Denied(f"git {command}: {said[:300]}")


def _sign_in(origin: Origin | None) -> dict[str, str]:
    """Configuration through the environment of one process: other users cannot read it, and no file keeps it."""
    if origin is None or origin.authorization is None:
        return {}
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{origin.address}.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: {origin.authorization.get_secret_value()}",
    }


def _environment(git_dir: Path | None) -> dict[str, str]:
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "LC_ALL": "C.UTF-8",
        "HOME": "/nonexistent",
    }
    return environment if git_dir is None else environment | {"GIT_DIR": str(git_dir)}
