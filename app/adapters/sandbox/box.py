"""The `Sandbox` port: commands in bubblewrap, or in a plain process for code that is trusted anyway.

Owns how a command is started, limited in time, memory, processes and output, fed, read and ended as a group.
It runs as an ordinary user; its output is cut and redacted here.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agents.redaction import Redactor
from agents.verification import Completed, Request, Response, Served
from app.adapters.sandbox.bubblewrap import DRIVER, HERE, INSIDE, bare_environment, command, refuse_files, written
from app.adapters.sandbox.launch import FAILED

OUTPUT_BYTES = 256 * 1024
REPORT_BYTES = 8 * OUTPUT_BYTES
"""A report holds the output as JSON, in which a byte can take six."""
START_SECONDS = 20.0
GRACE_SECONDS = 3.0
"""Between the request to end and the end: the driver stops its program first."""
DRAIN_SECONDS = 1.0
PROCESSES = 256
FILE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one command may use."""

    seconds: float
    memory_mb: int
    uid: int | None
    """The user to become; None keeps the present one (the service runs as an ordinary user already)."""


class Box:
    """Runs commands, isolated by bubblewrap (`bubblewrap`) or not at all (`process`)."""

    def __init__(self, mode: Literal["bubblewrap", "process"], limits: Limits) -> None:
        self._boxed = mode == "bubblewrap"
        self._limits = limits

    async def run(self, tree: str, argv: tuple[str, ...], env: Mapping[str, str]) -> Completed:
        refusal = self._refusal() or _refuse_environment(env)
        if refusal:
            return Completed(status="failed", reason=refusal)
        done = await self._execute(tree, argv, env, {}, b"")
        if done.failed:
            return Completed(status="failed", reason=done.failed)
        output = _clean(done.output)
        if done.timed_out:
            return Completed(status="timeout", reason=self._too_late(), output=output)
        own = [(b"launch: ", FAILED), *([(b"bwrap: ", 1)] if self._boxed else [])]
        if any(done.exit_code == code and done.output.startswith(words) for words, code in own):
            return Completed(status="failed", reason=_complaint(done.output))
        return Completed(status="ok", exit_code=done.exit_code, output=output)

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
        refusal = self._refusal() or _refuse_environment(env) or self._refuse_files(files)
        if refusal:
            return Served(status="failed", reason=refusal)
        orders: dict[str, Any] = {
            "argv": argv,
            "env": dict(env),
            "requests": [request.model_dump() for request in requests],
            "listen_seconds": listen_seconds,
            "start_seconds": START_SECONDS,
            "output_bytes": OUTPUT_BYTES,
            "boxed": self._boxed,
        }
        own = HERE / "driver.py"
        shown = {**files, DRIVER: own.read_text(encoding="utf-8")} if self._boxed else {}
        with written(shown, self._limits.uid) as mounts, _scratch_file() as output:
            orders["output"] = str(output)
            driver = ("python3", "-I", DRIVER if self._boxed else str(own))
            done = await self._execute(tree, driver, {}, mounts, json.dumps(orders).encode())
        if done.failed:
            return Served(status="failed", reason=done.failed)
        if done.timed_out:
            return Served(status="timeout", reason=self._too_late())
        if done.output.startswith((b"bwrap: ", b"launch: ")):
            return Served(status="failed", reason=_complaint(done.output))
        return _read_report(done.output)

    def _refusal(self) -> str | None:
        if self._boxed and shutil.which("bwrap") is None:
            return "no sandbox: bubblewrap is not installed (package bubblewrap)"
        return None

    def _refuse_files(self, files: Mapping[str, str]) -> str | None:
        if files and not self._boxed:
            return "a plain process cannot be shown the files of a ConfigMap volume"
        return refuse_files(list(files))

    def _too_late(self) -> str:
        return f"not finished after {self._limits.seconds:.0f} s"

    async def _execute(
        self, tree: str, argv: Sequence[str], env: Mapping[str, str], mounts: Mapping[str, str], stdin: bytes
    ) -> "_Done":
        """Run one command. What it is given of environment never reaches a process outside of the sandbox."""
        environment = bare_environment() | {"PWD": INSIDE if self._boxed else tree}
        words = [*command(tree, mounts, environment | dict(env)), *argv] if self._boxed else list(argv)
        limits = {
            "uid": self._limits.uid if self._boxed else None,
            "memory": self._limits.memory_mb * 1024 * 1024,
            "processes": PROCESSES if self._boxed else None,
            "file": FILE_BYTES,
            "cpu": int(self._limits.seconds) + 5,
        }
        async with _pipe() as (theirs, output):
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-I",
                    "-S",
                    str(HERE / "launch.py"),
                    json.dumps(limits),
                    *words,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=theirs,
                    stderr=theirs,
                    cwd="/" if self._boxed else tree,
                    env=environment if self._boxed else environment | dict(env),
                    start_new_session=True,
                )
            except OSError as error:  # a tree that is gone, or more arguments than a process can have
                return _Done(None, b"", timed_out=False, failed=f"cannot start {argv[0]}: {error.strerror}")
            finally:
                os.close(theirs)
            return await _finish(process, stdin, output, self._limits.seconds)


@dataclass(frozen=True)
class _Done:
    exit_code: int | None
    output: bytes
    timed_out: bool
    failed: str | None = None
    """Why it was not even started."""


@contextlib.asynccontextmanager
async def _pipe() -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """A pipe for the output, to be read here; not asyncio's, for which a command has not ended until its pipe has.

    Whoever left the group may hold the other end as long as it likes.
    """
    ours, theirs = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
    )
    try:
        yield theirs, reader
    finally:
        transport.close()


async def _finish(
    process: asyncio.subprocess.Process, stdin: bytes, stream: asyncio.StreamReader, seconds: float
) -> _Done:
    """Feed, read up to the limit, and end the whole group, however the command behaves."""
    output = bytearray()
    reader = asyncio.create_task(_read(stream, output))
    timed_out = False
    try:
        async with asyncio.timeout(seconds):
            await _feed(process, stdin)
            await process.wait()
    except TimeoutError:
        timed_out = True
    finally:
        await asyncio.shield(_end(process))
        await asyncio.wait({reader}, timeout=DRAIN_SECONDS)
        reader.cancel()
    return _Done(process.returncode, bytes(output), timed_out)


async def _feed(process: asyncio.subprocess.Process, stdin: bytes) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(stdin)
            await process.stdin.drain()
        process.stdin.close()


async def _read(stream: asyncio.StreamReader, output: bytearray) -> None:
    """The last `REPORT_BYTES` of the output, however much there is."""
    while chunk := await stream.read(65536):
        output.extend(chunk)
        if len(output) > 2 * REPORT_BYTES:
            del output[:-REPORT_BYTES]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask the group to end, give it a moment, and kill what is left."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_SECONDS)


def _refuse_environment(env: Mapping[str, str]) -> str | None:
    """`env` passed on as it is, or not at all: a name with `=` would set another variable than it seems to."""
    for name, value in env.items():
        if not name or "=" in name or "\0" in name + value:
            return f"no process can have the variable {name!r}"
    return None


@contextlib.contextmanager
def _scratch_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="selfheal-output-") as folder:
        yield Path(folder) / "output"


def _read_report(raw: bytes) -> Served:
    """What the driver says, or whoever wrote in its place: checked by type, redacted, cut."""
    try:
        report = json.loads(raw)
        if "error" in report:
            return Served(status="failed", reason=_first_line(str(report["error"]).encode("utf-8", "replace")))
        return Served(
            status="ok",
            listened=report["listened"],
            exit_code=report["exit_code"],
            responses=tuple(Response(**response) for response in report["responses"]),
            output=_clean(str(report["output"]).encode("utf-8", "replace")),
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        last = _clean(raw).strip().rpartition("\n")[2][:200]
        return Served(status="failed", reason=f"the sandbox gave no report: {last or 'it printed nothing'}")


def _complaint(raw: bytes) -> str:
    """Bubblewrap's own words. A container's default profile, for one, does not let it make namespaces."""
    said = _first_line(raw)
    return f"no sandbox: {said}" if said.startswith("bwrap: ") and "execvp" not in said else said


def _clean(raw: bytes) -> str:
    text = raw[-OUTPUT_BYTES:].decode("utf-8", "replace").replace("\0", "")
    return Redactor().redact_text(text)


def _first_line(raw: bytes) -> str:
    return _clean(raw.strip().split(b"\n", 1)[0])[:200]
