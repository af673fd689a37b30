"""The `Sandbox` port: commands in bubblewrap, or in a plain process for code that is trusted anyway.

Owns what the inside sees: an allow-list of system folders, the working tree, a private /tmp and /proc, an
environment built from nothing, a network namespace with only its own loopback. Started from an ordinary user,
limited in time, memory, processes and output, and killed as a group. Output is cut and redacted here.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from agents.redaction import Redactor
from agents.verification import Completed, Request, Response, Served

OUTPUT_BYTES = 256 * 1024
START_SECONDS = 20.0
PROCESSES = 256
FILE_BYTES = 256 * 1024 * 1024
HERE = Path(__file__).resolve().parent
INSIDE = "/work"
NOT_STARTED = b"bwrap: "
"""How bubblewrap's own complaints begin; a container's default profile, for one, does not let it make namespaces."""
DRIVER = "/selfheal/driver.py"
ETC = (
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "nsswitch.conf",
    "protocols",
    "services",
    "ssl/openssl.cnf",
)
"""The files of /etc that ordinary programs read; none of them is private to a machine."""
PATH = "/usr/local/bin:/usr/bin:/bin"
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
MOUNTS_REFUSED = ("/usr", "/bin", "/sbin", "/lib", "/etc", "/proc", "/dev", "/sys", "/tmp", INSIDE)  # noqa: S108
"""Where a pod's ConfigMap volume cannot be shown, since the sandbox needs the place itself."""


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
        self._mode = mode
        self._limits = limits

    async def run(self, tree: str, argv: tuple[str, ...], env: Mapping[str, str]) -> Completed:
        refusal = self._refusal()
        if refusal:
            return Completed(status="failed", reason=refusal)
        done = await self._execute(tree, argv, env, mounts={}, stdin=b"")
        if done.timed_out:
            reason = f"not finished after {self._limits.seconds:.0f} s"
            return Completed(status="timeout", reason=reason, output=_clean(done.output))
        if self._mode == "bubblewrap" and done.output.startswith(NOT_STARTED):
            return Completed(status="failed", reason=f"no sandbox: {_first_line(done.output)}")
        return Completed(status="ok", exit_code=done.exit_code, output=_clean(done.output))

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
        refusal = self._refusal() or self._refuse_files(files)
        if refusal:
            return Served(status="failed", reason=refusal)
        orders: dict[str, Any] = {
            "argv": argv,
            "env": dict(env),
            "requests": [request.model_dump() for request in requests],
            "listen_seconds": listen_seconds,
            "start_seconds": START_SECONDS,
            "output_bytes": OUTPUT_BYTES,
            "boxed": self._mode == "bubblewrap",
        }
        boxed = self._mode == "bubblewrap"
        shown = dict(files) | ({DRIVER: (HERE / "driver.py").read_text(encoding="utf-8")} if boxed else {})
        with _written(shown, self._limits.uid) as mounts, _scratch_file() as output:
            orders["output"] = str(output)
            done = await self._execute(
                tree,
                ("python3", "-I", DRIVER if boxed else str(HERE / "driver.py")),
                {},
                mounts,
                json.dumps(orders).encode(),
            )
        if done.timed_out:
            return Served(status="timeout", reason=f"not finished after {self._limits.seconds:.0f} s")
        if boxed and done.output.startswith(NOT_STARTED):
            return Served(status="failed", reason=f"no sandbox: {_first_line(done.output)}")
        return _read_report(done.output)

    def _refusal(self) -> str | None:
        if self._mode == "bubblewrap" and shutil.which("bwrap") is None:
            return "no sandbox: bubblewrap is not installed (package bubblewrap)"
        return None

    def _refuse_files(self, files: Mapping[str, str]) -> str | None:
        if files and self._mode == "process":
            return "a plain process cannot be shown the files of a ConfigMap volume"
        for path in files:
            pure = PurePosixPath(path)
            inside = any(pure.is_relative_to(place) for place in MOUNTS_REFUSED)
            if not pure.is_absolute() or ".." in pure.parts or inside or len(pure.parts) < 3:
                return f"the sandbox cannot show a file at {path}"
        return None

    async def _execute(
        self, tree: str, argv: Sequence[str], env: Mapping[str, str], mounts: Mapping[str, str], stdin: bytes
    ) -> "_Done":
        inside = INSIDE if self._mode == "bubblewrap" else tree
        environment = _bare_environment() | {"PWD": inside} | dict(env)
        command = [*_bubblewrap(tree, mounts, environment), *argv] if self._mode == "bubblewrap" else list(argv)
        limits = {
            "uid": self._limits.uid if self._mode == "bubblewrap" else None,
            "memory": self._limits.memory_mb * 1024 * 1024,
            "processes": PROCESSES if self._mode == "bubblewrap" else None,
            "file": FILE_BYTES,
            "cpu": int(self._limits.seconds) + 5,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            str(HERE / "launch.py"),
            json.dumps(limits),
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=tree if self._mode == "process" else "/",
            env=environment,
            start_new_session=True,
        )
        return await _finish(process, stdin, self._limits.seconds)


@dataclass(frozen=True)
class _Done:
    exit_code: int | None
    output: bytes
    timed_out: bool


async def _finish(process: asyncio.subprocess.Process, stdin: bytes, seconds: float) -> _Done:
    """Feed, read up to the limit, and end the whole group, however the command behaves."""
    output = bytearray()
    orders, answers = process.stdin, process.stdout
    if orders is None or answers is None:
        raise RuntimeError("the process was started without pipes")

    async def converse() -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            orders.write(stdin)
            await orders.drain()
        orders.close()
        while chunk := await answers.read(65536):
            output.extend(chunk)
            if len(output) > 4 * OUTPUT_BYTES:
                del output[: len(output) - 2 * OUTPUT_BYTES]
        await process.wait()

    timed_out = False
    try:
        await asyncio.wait_for(converse(), seconds)
    except TimeoutError:
        timed_out = True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    return _Done(process.returncode, bytes(output[-2 * OUTPUT_BYTES :]), timed_out)


def _bubblewrap(tree: str, mounts: Mapping[str, str], environment: Mapping[str, str]) -> list[str]:
    command = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--clearenv",
    ]
    for folder in SYSTEM:
        path = Path(folder)
        if path.is_symlink():
            command += ["--symlink", str(path.readlink()), folder]
        elif path.is_dir():
            command += ["--ro-bind", folder, folder]
    toolchain = _toolchain()
    if toolchain is not None:
        command += ["--ro-bind", str(toolchain), str(toolchain)]
    for name in ETC:
        command += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    command += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]  # noqa: S108
    command += ["--bind", tree, INSIDE]
    for inside, outside in mounts.items():
        command += ["--ro-bind", outside, inside]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    return [*command, "--chdir", INSIDE, "--"]


def _toolchain() -> Path | None:
    """The interpreter's own folder where the system has no Python; never the service's virtual environment."""
    return None if shutil.which("python3", path=PATH) else Path(sys.base_prefix)


def _bare_environment() -> dict[str, str]:
    toolchain = _toolchain()
    return {
        "PATH": PATH if toolchain is None else f"{PATH}:{toolchain}/bin",
        "HOME": "/tmp",  # noqa: S108 - private inside the sandbox
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.contextmanager
def _written(files: Mapping[str, str], uid: int | None) -> Iterator[dict[str, str]]:
    """Write `files` below a private folder, one subfolder per mount point; yields inside -> outside."""
    with tempfile.TemporaryDirectory(prefix="selfheal-files-") as root:
        mounts: dict[str, str] = {}
        for path, text in files.items():
            pure = PurePosixPath(path)
            outside = Path(mounts.setdefault(str(pure.parent), str(Path(root) / str(len(mounts)))))
            outside.mkdir(exist_ok=True)
            (outside / pure.name).write_text(text, encoding="utf-8")
        if uid is not None:
            for place in (Path(root), *Path(root).rglob("*")):
                os.chown(place, uid, uid)
        yield mounts


@contextlib.contextmanager
def _scratch_file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="selfheal-output-") as folder:
        yield Path(folder) / "output"


def _read_report(raw: bytes) -> Served:
    try:
        report = json.loads(raw)
        if "error" in report:
            return Served(status="failed", reason=str(report["error"]))
        return Served(
            status="ok",
            listened=report["listened"],
            exit_code=report["exit_code"],
            responses=tuple(Response(**response) for response in report["responses"]),
            output=_clean(str(report["output"]).encode()),
        )
    except (ValueError, KeyError, TypeError):
        last = _clean(raw).strip().rpartition("\n")[2][:200]
        return Served(status="failed", reason=f"the sandbox gave no report: {last or 'it printed nothing'}")


def _clean(raw: bytes) -> str:
    text = raw[-OUTPUT_BYTES:].decode("utf-8", "replace").replace("\0", "")
    return Redactor().redact_text(text)


def _first_line(raw: bytes) -> str:
    return _clean(raw.strip().split(b"\n", 1)[0])[:200]
