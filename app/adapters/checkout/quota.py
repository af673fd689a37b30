"""Room for mirrors: where they take more than they may, those that were used least recently are removed."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import structlog

from app.adapters.checkout.locks import take
from app.adapters.checkout.place import Place

log = structlog.get_logger(__name__)


def make_room(root: Path, most_bytes: int) -> None:
    """Remove mirrors until the rest takes at most `most_bytes`, but none that is in use or being fetched.

    One process at a time: another one that is at it already makes the same room.
    """
    turn = take(root / "quota.lock")
    if turn is None:
        return
    try:
        mirrors = {path: _bytes_of(path) for path in root.glob("*.git")}
        _clear_orphans(root)
        total = sum(mirrors.values())
        for path in sorted(mirrors, key=_last_used):
            if total <= most_bytes:
                return
            if _remove(Place(path)):
                total -= mirrors[path]
                log.info("a mirror made room", mirror=path.name, bytes=mirrors[path])
        if total > most_bytes:
            log.warning("the mirrors in use take more room than they may", bytes=total, most=most_bytes)
    finally:
        os.close(turn)


def _clear_orphans(root: Path) -> None:
    """What is left of mirrors that were never finished, or whose removal was."""
    for lock in root.glob("*.lock"):
        place = Place(lock.with_suffix(".git"))
        if lock.name != "quota.lock" and not place.git_dir.exists():
            _remove(place)


def _remove(place: Place) -> bool:
    """Whether the mirror was free, and is gone with all that lay beside it."""
    with contextlib.ExitStack() as stack:
        for path in (place.lock, place.lease):
            held = take(path)
            if held is None:
                return False
            stack.callback(os.close, held)
        if place.git_dir.exists():
            place.git_dir.rename(place.gone)
        for folder in (place.gone, place.new):
            shutil.rmtree(folder, ignore_errors=True)
        for path in (place.doubt, place.lease, place.lock):
            path.unlink(missing_ok=True)
    return True


def _last_used(mirror: Path) -> float:
    """When it was last opened; one that was made before there were leases counts by its folder."""
    for path in (Place(mirror).lease, mirror):
        with contextlib.suppress(FileNotFoundError):
            return path.stat().st_mtime
    return 0.0


def _bytes_of(folder: Path) -> int:
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for here, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                yield (Path(here) / name).stat().st_size
