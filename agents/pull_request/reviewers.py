"""Who is asked to look at a pull request: those whom the repository names, and those who wrote what is changed."""

from collections.abc import Sequence

from agents.changes import Repository, hunks_of
from agents.errors import Denied
from agents.patch import FileChange, Patch, unified_diff
from agents.pull_request.codeowners import PLACES, owners_of
from agents.pull_request.nouns import Forge
from agents.report import Reviewer

MOST_AUTHORS = 3
"""Commits whose author is asked for at the forge."""
MOST_BLAMED = 20
"""Changed places whose lines are blamed."""


async def reviewers_of(
    final: Patch,
    culprit: str | None,
    named: Sequence[str],
    most: int,
    repository: Repository,
    forge: Forge,
) -> tuple[Reviewer, ...]:
    """At most `most` of them, the likeliest to know first.

    Those that the repository's settings name (`named`), the author of the commit that broke it, the code owners of the
    changed files, and, where that commit's author is not known, who wrote the lines that are changed. `final` starts
    from the tip of the base branch, so files of a fork or of the canary's branch have no say.
    """
    if most == 0:
        return ()
    paths = [change.path for change in final.changes]
    found = [Reviewer(name=name.removeprefix("@"), why="named in .selfheal.yml") for name in named]
    author = await _author(culprit, final.repository, forge) if culprit is not None else None
    if author is not None and culprit is not None:
        found.append(Reviewer(name=author, why=f"wrote {culprit[:12]}"))
    found += await _owners(paths, final.commit, repository)
    if author is None and len(found) < most:
        found += await _writers(final, culprit, repository, forge)
    distinct = {one.name.lower(): one for one in reversed(found)}
    return tuple(dict.fromkeys(distinct[one.name.lower()] for one in found))[:most]


async def _author(commit: str, url: str, forge: Forge) -> str | None:
    try:
        return await forge.account(url, commit)
    except Denied:
        return None


async def _owners(paths: Sequence[str], commit: str, repository: Repository) -> list[Reviewer]:
    """The owners by the first CODEOWNERS file that there is, those of the first path first."""
    for place in PLACES:
        found = await repository.read(commit, place)
        if found.status == "ok":
            owned = [(owner, path) for path in paths for owner in owners_of(found.text, path)]
            return [Reviewer(name=owner, why=f"owns {path}") for owner, path in owned]
        if found.status == "denied":
            return []  # it counts, and cannot be read
    return []


async def _writers(final: Patch, culprit: str | None, repository: Repository, forge: Forge) -> list[Reviewer]:
    """Who wrote most of the lines that the patch takes away or replaces."""
    written: dict[str, int] = {}
    for first, last, path in _touched(final.changes)[:MOST_BLAMED]:
        try:
            blamed = await repository.blame(final.commit, path, first, last)
        except Denied:
            continue
        for line in blamed:
            written[line.commit] = written.get(line.commit, 0) + 1
    commits = sorted((one for one in written if one != culprit), key=lambda one: -written[one])[:MOST_AUTHORS]
    authors = [(await _author(commit, final.repository, forge), commit) for commit in commits]
    return [Reviewer(name=name, why=f"wrote lines that this changes, in {sha[:12]}") for name, sha in authors if name]


def _touched(changes: Sequence[FileChange]) -> list[tuple[int, int, str]]:
    """First and last line, as they are before the patch, of each place that it takes lines from."""
    places = []
    for change in changes:
        for hunk in hunks_of(unified_diff(change)):
            lines = [line.old for line in hunk.removed if line.old is not None]
            if lines:
                places.append((min(lines), max(lines), change.path))
    return places
