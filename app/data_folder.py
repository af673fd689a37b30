"""The data folder: where each database lies, and the locks that keep one process a role on it."""

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import structlog

from agents.errors import Invalid

log = structlog.get_logger(__name__)
POLL_SECONDS = 0.1


def store_url(data_dir: Path) -> str:
    """The service's own tables."""
    return _sqlite(store_file(data_dir))


def store_file(data_dir: Path) -> Path:
    """Where those tables lie."""
    return data_dir / "selfheal.sqlite"


def engine_url(data_dir: Path) -> str:
    """DBOS's tables, in a file of their own so that its polling never waits for ours."""
    return _sqlite(data_dir / "dbos.sqlite")


def checkpoint_file(data_dir: Path) -> Path:
    """LangGraph's checkpoints."""
    return data_dir / "checkpoints.sqlite"


@contextlib.contextmanager
def only_one(data_dir: Path, role: str, patience: float = 0) -> Iterator[None]:
    """Hold the role's lock on a data folder; `Invalid` where another process still has it after `patience` seconds."""
    until = time.monotonic() + patience
    with _open_lock(data_dir, role) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= until:
                    raise Invalid(f"another {role} works on {data_dir} already; one service per data folder") from error
                time.sleep(POLL_SECONDS)
        yield


def _open_lock(data_dir: Path, role: str) -> IO[str]:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _close_to_others(data_dir)
        return (data_dir / f"{role}.lock").open("w")
    except OSError as error:
        raise Invalid(
            f"SELFHEAL_DATA_DIR: {data_dir} cannot be written to: {error.strerror}. Name a folder of this user"
        ) from error


def _close_to_others(data_dir: Path) -> None:
    """Evidence and source code lie there: nobody else reads them, whatever umask the folder was made with.

    In a pod the volume belongs to root and is ours by its group, whose rights are left as they are.
    """
    mode = data_dir.stat().st_mode
    if data_dir.stat().st_uid == os.geteuid() and mode & 0o077:
        data_dir.chmod(stat.S_IMODE(mode) & ~0o077)
    elif mode & stat.S_IRWXO:
        log.warning("others may read the data folder, and it is not ours to close", folder=str(data_dir))


def _sqlite(path: Path) -> str:
    return f"sqlite:///{path.resolve()}"
