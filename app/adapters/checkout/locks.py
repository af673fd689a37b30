"""File locks between processes: one that is held for a while, and one that lasts as long as what it protects is used.

Waiting is polling, so that no thread of the event loop's pool sits in the kernel until somebody else is done.
"""

import asyncio
import contextlib
import fcntl
import os
import time
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

from agents.errors import Transient

SHORTEST_WAIT, LONGEST_WAIT = 0.01, 0.25


@contextlib.asynccontextmanager
async def locked(path: Path, seconds: float) -> AsyncIterator[int]:
    """Hold the exclusive lock of a file, and be told its descriptor; `Transient` where it is not had in time."""
    began, wait = time.monotonic(), SHORTEST_WAIT
    while (lock := take(path)) is None:
        if time.monotonic() - began > seconds:
            raise Transient(f"another process has been working on {path.stem} for {seconds:.0f} s")
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
    try:
        yield lock
    finally:
        os.close(lock)


def take(path: Path, *, shared: bool = False) -> int | None:
    """The descriptor of a lock, which closing gives back; None while somebody else has it.

    A lock file may be removed by who holds it: then another one may have been made under its name, which is the one
    that counts.
    """
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino == path.stat().st_ino:
                return lock
        except BlockingIOError:
            os.close(lock)
            return None
        except FileNotFoundError:
            pass
        os.close(lock)


class Lease:
    """Somebody uses what the file stands for, for as long as this object lives; the file's time tells since when.

    Whoever did not come to use it ends it: the frames of an error that was raised meanwhile may keep the object alive.
    """

    def __init__(self, path: Path) -> None:
        lock = take(path, shared=True)
        if lock is None:
            raise Transient(f"{path.stem} is being removed")
        os.utime(lock)
        self.end = weakref.finalize(self, os.close, lock)
