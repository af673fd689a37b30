"""Revert the change that the diagnosis blames: the hunk at the failing place, then its file, then the commit.

Smallest first, because every line that is not touched is a line nobody has to review; the verification
decides whether the small one was enough.
"""

from unidiff.patch import Hunk, PatchedFile

from agents.changes import Commit
from agents.diagnosis import Location
from agents.patch import Edit, count_overlapping
from agents.strategies.reversal import (
    Files,
    NotReversible,
    is_added,
    is_modified,
    parse,
    places,
    reverse_file,
    reverse_hunk,
)

Candidate = tuple[tuple[Edit, ...], str]
"""The edits, and the sentence that explains them to a reviewer."""


def revert(culprit: Commit, location: Location, touched: frozenset[int], files: Files) -> list[Candidate]:
    """Candidates on the files as they are at the canary's commit.

    `touched` are the lines of `location.file`, at the canary's commit, that the evidence points to; the hunk that lies
    nearest to them now is tried alone first. `NotReversible` where the culprit's diff cannot be read.
    """
    changed = parse(culprit.diff)
    name = f'{"merge" if culprit.is_merge else "commit"} {culprit.sha[:12]} ("{culprit.subject}")'
    candidates: list[Candidate] = []
    here = next((file for file in changed if file.path == location.file), None)
    whole = _try_files([here], files, f"Takes back what {name} changed in {here.path}.") if here is not None else []
    if here is not None and is_modified(here) and touched:
        # What a merge changed, seen from its first parent, is mostly what others wrote: each place may be another's.
        parts = [part for hunk in here for part in (places(hunk) if culprit.is_merge else (hunk,))]
        if len(parts) > 1 or not whole:
            candidates += _try_hunk(here, parts, touched, files, name)
    # A file that was added is only one half of a change: what calls it stands elsewhere in the commit.
    if here is not None and (not is_added(here) or len(changed) == 1):
        candidates += whole
    if len(changed) > 1:
        candidates += _try_files(changed, files, f"Takes back all of {name}.")
    return _distinct(candidates)


def _try_hunk(
    file: PatchedFile, parts: list[Hunk], touched: frozenset[int], files: Files, name: str
) -> list[Candidate]:
    """The nearest hunk or none: the next one is another change."""
    text = files.get(file.path)
    hunks = sorted(parts, key=lambda hunk: _distance(hunk, file.path, text, touched))
    try:
        edit = reverse_hunk(file.path, hunks[0], text)
    except (NotReversible, IndexError):
        return []
    return [((edit,), f"Takes back the one place in {file.path} where {name} changed what failed.")]


def _try_files(changed: list[PatchedFile], files: Files, why: str) -> list[Candidate]:
    try:
        edits = tuple(edit for file in changed for edit in reverse_file(file, files))
    except NotReversible:
        return []
    return [(edits, why)] if edits else []


def _distance(hunk: Hunk, path: str, text: str | None, lines: frozenset[int]) -> int:
    """Lines between a hunk and the nearest of `lines`, where its text stands now or else where it once stood."""
    first, count = hunk.target_start, max(hunk.target_length, 1)
    try:
        search = str(reverse_hunk(path, hunk, text).search)
    except NotReversible:
        search = ""
    if text is not None and search and count_overlapping(text, search) == 1:
        first, count = text[: text.find(search)].count("\n") + 1, search.rstrip("\n").count("\n") + 1
    return min((max(first - line, line - (first + count - 1), 0) for line in lines), default=0)


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    seen: list[tuple[Edit, ...]] = []
    kept = []
    for edits, why in candidates:
        if edits not in seen:
            seen.append(edits)
            kept.append((edits, why))
    return kept
