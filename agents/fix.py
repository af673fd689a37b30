"""Propose the next patch for a diagnosis: the strategies' candidates in order, each one once.

A patch that verification refuted is not offered again; when nothing is left, the answer is None and the
analysis alone is reported.
"""

from collections.abc import AsyncIterator

from pydantic import BaseModel, ConfigDict

from agents.changes import Commit, Repository
from agents.diagnosis import Diagnosis, Location
from agents.patch import EditRejected, Patch, apply_edits
from agents.strategies.restore import restore
from agents.strategies.reversal import parse
from agents.strategies.revert import Candidate, revert
from agents.suspects import WORTH_NAMING

MOST_ATTEMPTS = 4
"""Patches that are verified for one attempt before the service gives up."""


class Ground(BaseModel):
    """The repository that the fix belongs in, and the two commits that were compared."""

    model_config = ConfigDict(frozen=True)

    url: str
    stable: str
    canary: str


async def propose(diagnosis: Diagnosis, ground: Ground, repository: Repository, tried: int) -> Patch | None:
    """The candidate after the first `tried` ones, None when there is none."""
    if diagnosis.strategy is None or diagnosis.location is None or tried >= MOST_ATTEMPTS:
        return None
    found: list[Patch] = []
    async for attempt in _candidates(diagnosis, ground, repository):
        patch = await _build(attempt, ground, repository)
        if patch is not None and all(patch.changes != earlier.changes for earlier in found):
            found.append(patch)
        if len(found) > tried:
            return found[tried]
    return None


class _Attempt(BaseModel):
    """A strategy's candidate, and the commit that it takes back, if that is what it does."""

    model_config = ConfigDict(frozen=True)

    strategy: str
    candidate: Candidate
    undoes: str | None = None


async def _candidates(diagnosis: Diagnosis, ground: Ground, repository: Repository) -> AsyncIterator[_Attempt]:
    """The restored value, then the culprit's revert, then the reverts of the suspects after it."""
    location = diagnosis.location
    if location is None:
        return
    if diagnosis.strategy == "restore":
        difference = await repository.compare(ground.stable, ground.canary)
        text = await repository.read(ground.canary, location.file)
        for one in restore(difference, location, text.text if text.status == "ok" else None):
            yield _Attempt(strategy="restore", candidate=one)
    commits = {commit.sha: commit for commit in await repository.commits(ground.stable, ground.canary)}
    for sha, place in _culprits(diagnosis, location):
        commit = commits.get(sha)
        if commit is not None:
            for one in await _reverts(commit, place, diagnosis, ground, repository):
                yield _Attempt(strategy="revert", candidate=one, undoes=sha)


def _culprits(diagnosis: Diagnosis, location: Location) -> list[tuple[str, Location]]:
    """The commit that the diagnosis blames, then those it would blame next: the verification is the judge."""
    found = {} if diagnosis.culprit_commit is None else {diagnosis.culprit_commit: location}
    for suspect in diagnosis.suspects:
        if suspect.score >= WORTH_NAMING and suspect.repository == diagnosis.repository:
            place = Location(file=suspect.file, line=suspect.line, function=suspect.function)
            found.setdefault(suspect.commit, place)
    return list(found.items())


async def _reverts(
    commit: Commit, location: Location, diagnosis: Diagnosis, ground: Ground, repository: Repository
) -> list[Candidate]:
    lines = {
        suspect.line for suspect in diagnosis.suspects if (suspect.commit, suspect.file) == (commit.sha, location.file)
    }
    touched = frozenset(line for line in (*lines, location.line) if line is not None)
    files = await _readable(repository, ground.canary, [file.path for file in parse(commit.diff)])
    return revert(commit, location, touched, files)


async def _build(attempt: _Attempt, ground: Ground, repository: Repository) -> Patch | None:
    edits, why = attempt.candidate
    try:
        files = await _present(repository, ground.canary, [edit.path for edit in edits])
        changes = apply_edits(files, edits)
    except EditRejected:
        return None
    return Patch(
        repository=ground.url,
        commit=ground.canary,
        strategy=attempt.strategy,
        why=why,
        edits=edits,
        changes=changes,
        undoes=attempt.undoes,
    )


async def _readable(repository: Repository, commit: str, paths: list[str]) -> dict[str, str | None]:
    """The paths that can be read; the strategies take back only what is among them."""
    files: dict[str, str | None] = {}
    for path in paths:
        try:
            files |= await _present(repository, commit, [path])
        except EditRejected:
            continue
    return files


async def _present(repository: Repository, commit: str, paths: list[str]) -> dict[str, str | None]:
    """The text of each path, None where the commit has no such file; `EditRejected` for what is not text."""
    files: dict[str, str | None] = {}
    for path in dict.fromkeys(paths):
        found = await repository.read(commit, path)
        if found.status == "denied":
            raise EditRejected(path, 0, found.reason or "it cannot be read")
        files[path] = found.text if found.status == "ok" else None
    return files
