"""The two revisions of the source, and the commits between them. What cannot be read is a note."""

from agents.changes import MOST_COMMITS, Commit, Repository
from agents.errors import Denied


async def resolve(repository: Repository, revision: str | None, what: str, notes: list[str]) -> str | None:
    """The full sha of a revision; None, with a note, where it is not known or not there."""
    if revision is None:
        notes.append(f"{what} is not known")
        return None
    try:
        return await repository.resolve(revision)
    except Denied:
        notes.append(f"{what} {revision} is not in the repository")
        return None


async def range_between(
    repository: Repository, stable: str | None, canary: str, notes: list[str]
) -> tuple[tuple[Commit, ...], str | None, bool]:
    """The commits since the stable one, the difference they make, and whether they could be read."""
    if stable is None:
        return (), None, False
    try:
        commits = await repository.commits(stable, canary)
    except Denied as error:
        notes.append(f"the changes of the source cannot be read: {error}")
        return (), None, False
    if not commits:
        notes.append("there is no commit between the two versions of the source")
    if len(commits) >= MOST_COMMITS:
        notes.append(f"of the commits between the versions only the newest {MOST_COMMITS} were looked at")
    if any(commit.is_partial for commit in commits):
        notes.append("the changes of generated and vendored files were left out, there are so many")
    try:
        difference = await repository.compare(stable, canary) if commits else None
    except Denied:
        difference = None  # then nothing is known to be undone
    return commits, difference, True
