"""What a commit only refers to, or has too much of: submodules, files of Git LFS, files that are not read.

A fix that was tried without them was tried on less than what ran, and whoever reads it has to know.
"""

import re
from collections.abc import Sequence

from agents.changes.repository import Commit, Repository

POINTER = "version https://git-lfs.github.com/spec/"
"""How the text of a file that Git LFS keeps begins, line by line in a diff."""
SUBMODULE_PATH = re.compile(r"^[ \t]*path[ \t]*=[ \t]*(\S[^\n]*)$", re.MULTILINE)
MOST_NAMED = 5


async def unread(
    repository: Repository, commit: str, commits: Sequence[Commit], traced: Sequence[str]
) -> tuple[str, ...]:
    """A sentence for everything of `commit` that was not there to be read or run.

    `commits` are those since the stable version, `traced` the files that the failure leads to.
    """
    notes = []
    for path in traced[:MOST_NAMED]:
        found = await repository.read(commit, path)
        if found.status == "denied":
            notes.append(f"{found.reason}, so it was not read")
    notes += [f"{path} was changed, but Git LFS has what is in it: that was not compared" for path in _kept(commits)]
    modules = await repository.read(commit, ".gitmodules")
    paths = SUBMODULE_PATH.findall(modules.text)[:MOST_NAMED] if modules.status == "ok" else []
    notes += [f"{path.strip()} is a submodule, which is not fetched" for path in paths]
    return tuple(notes)


def _kept(commits: Sequence[Commit]) -> list[str]:
    """The files of Git LFS that the commits changed."""
    files = (
        hunk.file
        for commit in commits
        for hunk in commit.hunks
        if any(line[1:].startswith(POINTER) for line in hunk.body)
    )
    return list(dict.fromkeys(files))[:MOST_NAMED]
