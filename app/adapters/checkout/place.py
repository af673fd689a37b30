"""Where a mirror lies: the files beside it, what a killed process leaves there, and how a new one takes its place."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FETCHING = "fetching"


class Place(NamedTuple):
    """Where a mirror lies, and the files beside it."""

    git_dir: Path

    @property
    def lock(self) -> Path:
        """Held by who writes into it, makes it or removes it."""
        return self.git_dir.with_suffix(".lock")

    @property
    def lease(self) -> Path:
        """Held by all who read it."""
        return self.git_dir.with_suffix(".lease")

    @property
    def doubt(self) -> Path:
        """There when it has to be looked at before it is used again."""
        return self.git_dir.with_suffix(".doubt")

    @property
    def new(self) -> Path:
        return self.git_dir.with_suffix(".new")

    @property
    def gone(self) -> Path:
        return self.git_dir.with_suffix(".gone")

    def clear_leftovers(self) -> None:
        """Remove what somebody who was killed has left. Whoever holds the lock is alone, git's children included."""
        for folder in (self.new, self.gone):
            shutil.rmtree(folder, ignore_errors=True)
        if (self.git_dir / FETCHING).exists():
            objects = self.git_dir / "objects"
            for found in (*self.git_dir.rglob("*.lock"), *objects.rglob("tmp_*"), *objects.rglob(".tmp-*")):
                if found.is_file():
                    found.unlink(missing_ok=True)
            (self.git_dir / FETCHING).unlink(missing_ok=True)

    def put_in(self) -> None:
        """Have the new mirror take the place of the one that was there."""
        if self.git_dir.exists():
            self.git_dir.rename(self.gone)
        self.new.rename(self.git_dir)
        shutil.rmtree(self.gone, ignore_errors=True)
        self.doubt.unlink(missing_ok=True)


@contextlib.contextmanager
def marked(git_dir: Path) -> Iterator[None]:
    """While git writes into a mirror; the mark stays where git did not end by itself."""
    (git_dir / FETCHING).touch()
    yield
    (git_dir / FETCHING).unlink(missing_ok=True)
