"""Revert the change that the diagnosis blames: the hunk at the failing place, then its file, then the commit.

Smallest first, because every line that is not touched is a line nobody has to review; the verification
decides whether the small one was enough.
"""

from unidiff.patch import Hunk, PatchedFile

from agents.changes import Commit
from agents.diagnosis import Location
from agents.patch import Edit
from agents.strategies.reversal import Files, NotReversible, parse, reverse_file, reverse_hunk

Candidate = tuple[tuple[Edit, ...], str]
"""The edits, and the sentence that explains them to a reviewer."""


def revert(culprit: Commit, location: Location, touched: frozenset[int], files: Files) -> list[Candidate]:
    """Candidates on the files as they are at the canary's commit.

    `touched` are the lines of `location.file`, at the culprit commit or later, that the evidence points to; a hunk that
    lies nearest to them is tried alone first.
    """
    changed = parse(culprit.diff)
    name = f'commit {culprit.sha[:12]} ("{culprit.subject}")'
    candidates: list[Candidate] = []
    here = next((file for file in changed if file.path == location.file), None)
    if here is not None and here.is_modified_file:
        hunks = sorted(here, key=lambda hunk: _distance(hunk, touched))
        if len(hunks) > 1 and touched:
            candidates += _try_hunk(here, hunks[0], files, name)
        candidates += _try_files([here], files, f"Takes back what {name} changed in {here.path}.")
    if len(changed) > 1 or here is None:
        candidates += _try_files(changed, files, f"Takes back all of {name}.")
    return _distinct(candidates)


def _try_hunk(file: PatchedFile, hunk: Hunk, files: Files, name: str) -> list[Candidate]:
    try:
        edit = reverse_hunk(file.path, hunk, files.get(file.path))
    except NotReversible:
        return []
    return [((edit,), f"Takes back the one place in {file.path} where {name} changed what failed.")]


def _try_files(changed: list[PatchedFile], files: Files, why: str) -> list[Candidate]:
    try:
        edits = tuple(edit for file in changed for edit in reverse_file(file, files))
    except NotReversible:
        return []
    return [(edits, why)] if edits else []


def _distance(hunk: Hunk, lines: frozenset[int]) -> int:
    first, last = hunk.target_start, hunk.target_start + hunk.target_length
    return min((max(first - line, line - last, 0) for line in lines), default=0)


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    seen: list[tuple[Edit, ...]] = []
    kept = []
    for edits, why in candidates:
        if edits not in seen:
            seen.append(edits)
            kept.append((edits, why))
    return kept
