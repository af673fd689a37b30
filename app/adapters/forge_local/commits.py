"""Commits in a bare repository, made without a working tree."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from agents.errors import Denied, Transient
from agents.patch import FileChange

GIT_SECONDS = 60
MISSING = "0" * 40
REGULAR, EXECUTABLE = "100644", "100755"
KINDS = {"120000": "a link", "160000": "a submodule"}
Entry = tuple[str, str]
"""Mode and id of a path in a commit."""
WHO = "Self-Healing Rollouts"
MAIL = "selfheal@localhost"


def write_commit(repository: Path, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
    """Build the tree in a scratch index, so that nothing in the repository moves until `point`."""
    when = run_git(repository, "show", "-s", "--format=%cI", "--end-of-options", parent).strip()
    present = _listed(run_git(repository, "ls-tree", "-r", "-z", "--full-tree", parent))
    wanted = {change.path: _entry(repository, present, change) for change in changes}
    # `git update-index` passes over a path that it does not like, and puts a file in a link's place.
    expected = {path: entry for path, entry in (present | wanted).items() if entry is not None}
    # A fixed date makes the commit the same however often it is written: a repeat finds its own sha.
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", WHO), ("EMAIL", MAIL), ("DATE", when))
    }
    with tempfile.TemporaryDirectory(prefix="selfheal-index-") as scratch:
        extra = {"GIT_INDEX_FILE": str(Path(scratch) / "index"), **who}
        run_git(repository, "read-tree", parent, extra=extra)
        run_git(repository, "update-index", "-z", "--add", "--index-info", stdin=_index_info(wanted), extra=extra)
        if _listed(run_git(repository, "ls-files", "-z", "--stage", extra=extra)) != expected:
            raise Denied(f"git cannot have these paths in one commit: {', '.join(map(repr, wanted))}")
        tree = run_git(repository, "write-tree", extra=extra).strip()
        return run_git(repository, "commit-tree", tree, "-p", parent, stdin=message.encode(), extra=extra).strip()


def _listed(out: str) -> dict[str, Entry | None]:
    """Path -> mode and id, as `ls-tree -z` (mode, kind, id) and `ls-files -z --stage` (mode, id, stage) name them."""
    found: dict[str, Entry | None] = {}
    for line in out.split("\0"):
        about, tab, path = line.partition("\t")
        if tab:
            mode, *words = about.split(" ")
            found[path] = (mode, next(word for word in words if len(word) >= len(MISSING)))
    return found


def _entry(repository: Path, present: Mapping[str, Entry | None], change: FileChange) -> Entry | None:
    """The mode that the path has, and the id of its new text; None to delete it."""
    mode, _ = present.get(change.path) or (REGULAR, "")
    if mode not in {REGULAR, EXECUTABLE}:
        raise Denied(f"{change.path} is not a file ({KINDS.get(mode, mode)})")
    if change.after is None:
        return None
    return mode, run_git(repository, "hash-object", "-w", "--stdin", stdin=change.after.encode()).strip()


def _index_info(entries: Mapping[str, Entry | None]) -> bytes:
    lines = [f"{mode} {sha}\t{path}\0" for path, (mode, sha) in ((p, e or ("0", MISSING)) for p, e in entries.items())]
    return "".join(lines).encode("utf-8", "surrogateescape")


def run_git(repository: Path, *argv: str, stdin: bytes = b"", extra: dict[str, str] | None = None) -> str:
    """Run git on a bare repository with nothing of the machine's configuration, and no hooks."""
    env = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_DIR": str(repository),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C.UTF-8",
        **(extra or {}),
    }
    guard = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.allow=never", "-c", "safe.directory=*")
    try:
        done = subprocess.run(  # noqa: S603 - argv, no shell
            ["git", *guard, *argv],  # noqa: S607 - the PATH is ours
            input=stdin,
            capture_output=True,
            env=env,
            timeout=GIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Transient(f"git {argv[0]} took more than {GIT_SECONDS} s") from error
    if done.returncode != 0:
        raise Denied(f"git {argv[0]}: {' '.join(done.stderr.decode('utf-8', 'replace').split())[:300]}")
    return done.stdout.decode("utf-8", "surrogateescape")
