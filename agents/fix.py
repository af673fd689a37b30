"""Propose the next patch for a diagnosis: the strategies' candidates in order, each one once.

A patch that verification refuted is not offered again; when nothing is left, the answer is None and the
analysis alone is reported.
"""

import contextlib

from pydantic import BaseModel, ConfigDict

from agents.changes import Commit, Repository
from agents.diagnosis import Diagnosis, Location
from agents.patch import EditRejected, Patch, apply_edits
from agents.strategies.restore import restore
from agents.strategies.reversal import NotReversible, parse
from agents.strategies.revert import Candidate, revert

MOST_ATTEMPTS = 4
"""Patches that are verified for one attempt before the service gives up."""


class Ground(BaseModel):
    """The repository that the fix belongs in, and the two commits that were compared."""

    model_config = ConfigDict(frozen=True)

    url: str
    stable: str
    canary: str


async def propose(diagnosis: Diagnosis, ground: Ground, repository: Repository, tried: int) -> Patch | None:
    """The candidate after the first `tried` ones, None when there is none.

    Two strategies may come to the same change by different edits; it is offered once.
    """
    if diagnosis.strategy is None or diagnosis.location is None or tried >= MOST_ATTEMPTS:
        return None
    patches: list[Patch] = []
    for strategy, candidate in await _candidates(diagnosis, ground, repository):
        patch = await _build(strategy, candidate, ground, repository)
        if patch is not None and all(patch.changes != other.changes for other in patches):
            patches.append(patch)
    return patches[tried] if tried < len(patches) else None


async def _candidates(diagnosis: Diagnosis, ground: Ground, repository: Repository) -> list[tuple[str, Candidate]]:
    found: list[tuple[str, Candidate]] = []
    location = diagnosis.location
    if location is None:
        return found
    if diagnosis.strategy == "restore":
        difference = await repository.compare(ground.stable, ground.canary, location.file)
        text = await repository.read(ground.canary, location.file)
        with contextlib.suppress(NotReversible):
            found += [
                ("restore", one) for one in restore(difference, location, text.text if text.status == "ok" else None)
            ]
    culprit = await _culprit(diagnosis, ground, repository)
    if culprit is None:
        return found
    with contextlib.suppress(NotReversible):
        touched = _lines_pointed_to(diagnosis, culprit, location)
        files = await _readable(repository, ground.canary, [file.path for file in parse(culprit.diff)])
        found += [("revert", one) for one in revert(culprit, location, touched, files)]
    return found


def _lines_pointed_to(diagnosis: Diagnosis, culprit: Commit, location: Location) -> frozenset[int]:
    """The line of the diagnosis, else those of the suspects of the same commit and file."""
    if location.line is not None:
        return frozenset({location.line})
    return frozenset(
        suspect.line
        for suspect in diagnosis.suspects
        if suspect.commit == culprit.sha and suspect.file == location.file and suspect.line is not None
    )


async def _culprit(diagnosis: Diagnosis, ground: Ground, repository: Repository) -> Commit | None:
    if diagnosis.culprit_commit is None:
        return None
    for commit in await repository.commits(ground.stable, ground.canary):
        if commit.sha == diagnosis.culprit_commit:
            return commit
    return None


async def _build(strategy: str, candidate: Candidate, ground: Ground, repository: Repository) -> Patch | None:
    edits, why = candidate
    try:
        files = await _present(repository, ground.canary, [edit.path for edit in edits])
        changes = apply_edits(files, edits)
    except EditRejected:
        return None
    if not changes:
        return None
    return Patch(repository=ground.url, commit=ground.canary, strategy=strategy, why=why, edits=edits, changes=changes)


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
