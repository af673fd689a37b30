"""Running git: an environment built from nothing, no hooks, no helpers, no protocol but what is asked for."""

import asyncio
import contextlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from agents.errors import Denied, Transient

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


async def run_git(
    git_dir: Path | None,
    *argv: str,
    allow_file: bool = False,
    stdin: bytes | None = None,
    most_bytes: int | None = None,
) -> bytes:
    """The standard output of a git command. `Denied` with git's words when it refuses, `Transient` on a time-out.

    `Denied` too where the output is longer than `most_bytes`: it is never held in memory.
    """
    if any("\0" in word for word in argv):
        raise Denied(f"git {argv[0]}: a name with a NUL in it is none")
    guards = [*GUARDS, *(("protocol.file.allow=always",) if allow_file else ())]
    command = ["git", *(word for guard in guards for word in ("-c", guard)), *argv]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_environment(git_dir),
        cwd="/",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(_talk(process, stdin or b"", most_bytes), SECONDS)
    except TimeoutError as error:
        raise Transient(f"git {argv[0]} took more than {SECONDS} s") from error
    except OverflowError as error:
        raise Denied(f"git {argv[0]}: the answer is larger than {most_bytes} bytes") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Denied(f"git {argv[0]}: {' '.join(err.decode('utf-8', 'replace').split())[:300]}")
    return out


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


def _environment(git_dir: Path | None) -> Mapping[str, str]:
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
