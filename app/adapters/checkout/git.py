"""Running git: an environment built from nothing, no hooks, no helpers, no protocol but what is asked for."""

import asyncio
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
)


async def run_git(
    git_dir: Path | None,
    *argv: str,
    allow_file: bool = False,
    stdin: bytes | None = None,
    codes: frozenset[int] = frozenset({0}),
) -> bytes:
    """The standard output of a git command. `Denied` with git's words when it refuses, `Transient` on a time-out.

    `codes` are the exit codes that are answers.
    """
    guards = [*GUARDS, *(("protocol.file.allow=always",) if allow_file else ())]
    command = ["git", *(word for guard in guards for word in ("-c", guard)), *argv]
    process = await asyncio.create_subprocess_exec(
        *command,
        env=_environment(git_dir),
        cwd="/",
        stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(stdin), SECONDS)
    except TimeoutError as error:
        raise Transient(f"git {argv[0]} took more than {SECONDS} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in codes:
        raise Denied(f"git {argv[0]}: {err.decode('utf-8', 'replace').strip()[:300]}")
    return out


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
