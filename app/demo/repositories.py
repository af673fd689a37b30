"""Builds the scenarios' repositories: real git, bare, in the local forge's folder."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from app.demo.story import Change, History

EVERY = timedelta(hours=7)


@dataclass(frozen=True)
class Built:
    """A repository that exists: its URL and the sha of every commit, oldest first."""

    url: str
    folder: Path
    shas: tuple[str, ...]
    moments: tuple[datetime, ...]


def build(history: History, forge: Path, until: datetime) -> Built:
    """Commit a history one change at a time, the last one at `until`, and push it to a bare repository."""
    bare = forge / f"{history.name}.git"
    bare.parent.mkdir(parents=True, exist_ok=True)
    moments = tuple(until - EVERY * (len(history.changes) - 1 - at) for at in range(len(history.changes)))
    with tempfile.TemporaryDirectory(prefix="selfheal-demo-") as folder:
        tree = Path(folder)
        _git(tree, "init", "--quiet", "--initial-branch=main")
        shas = tuple(_commit(tree, change, moment) for change, moment in zip(history.changes, moments, strict=True))
        _git(tree, "clone", "--quiet", "--bare", str(tree), str(bare))
    return Built(url=bare.resolve().as_uri(), folder=bare, shas=shas, moments=moments)


def check_out(built: Built, sha: str, target: Path) -> None:
    """The files of a commit, as a build would take them into an image."""
    target.mkdir(parents=True)
    _git(target, f"--git-dir={built.folder}", f"--work-tree={target}", "checkout", "--quiet", sha, "--", ".")


def _commit(tree: Path, change: Change, moment: datetime) -> str:
    for path, text in change.files.items():
        _write(tree / path, text)
    if change.replace is not None:
        path, old, new = change.replace
        present = (tree / path).read_text(encoding="utf-8")
        if present.count(old) != 1:
            raise ValueError(f"{change.subject}: {old!r} stands {present.count(old)} times in {path}")
        _write(tree / path, present.replace(old, new))
    name, _, mail = change.author.rstrip(">").partition(" <")
    who = {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", name), ("EMAIL", mail), ("DATE", moment.isoformat()))
    }
    _git(tree, "add", "--all")
    _git(tree, "commit", "--quiet", "--message", change.subject, extra=who)
    return _git(tree, "rev-parse", "HEAD").strip()


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _git(tree: Path, *argv: str, extra: dict[str, str] | None = None) -> str:
    env = {
        "PATH": os.defpath + ":/usr/local/bin",
        "HOME": str(tree),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        **(extra or {}),
    }
    done = subprocess.run(  # noqa: S603 - argv of our own
        ["git", *argv],  # noqa: S607 - the PATH is ours
        cwd=tree,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout
