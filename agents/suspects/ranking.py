"""Suspects, likeliest first: every hunk is scored by its reasons, and every commit by its hunks."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from agents.changes import Commit, effective
from agents.suspects.assignments import Assignments
from agents.suspects.beyond import Beyond
from agents.suspects.calls import Calls, Origins
from agents.suspects.change import Change
from agents.suspects.clues import Clues
from agents.suspects.conditions import Conditions
from agents.suspects.fields import Fields
from agents.suspects.keeping import KEPT, Kept
from agents.suspects.namesakes import Namesakes
from agents.suspects.nouns import (
    BESIDE_PATH,
    BESIDES,
    DIRECT,
    TEST_PATH,
    UNLIKELY,
    WEIGHTS,
    WORTH_NAMING,
    Kind,
    Reason,
    Suspect,
)
from agents.suspects.packages import Packages
from agents.suspects.registrations import Registrations
from agents.suspects.sources import Sources
from agents.suspects.statements import Statements
from agents.suspects.symbols import Symbols

MOST_SUSPECTS = 10
MOST_OF_A_COMMIT = 3
LARGE = 50
"""Files of a commit from which on what it merely mentions may be by chance."""
DILUTED = 0.5
EARLIER = 0.6
"""What counts of the earlier of two changes that only break something together."""


def rank(
    commits: Sequence[Commit],
    clues: Clues,
    texts: Mapping[str, str],
    *,
    difference: str | None = None,
    origins: Origins | None = None,
    reached: Mapping[str, str] | None = None,
) -> tuple[Suspect, ...]:
    """Suspects in the source, likeliest first.

    `texts`: files of frames and hunks, at the canary. `difference`: the diff between the two versions, without context.
    `origins`: who wrote the lines of the frames' functions, as far as that is known.
    `reached`: names that functions of the trace come to by one function in between, which is told.
    """
    sources = Sources(texts)
    changes = changes_of(commits, sources, difference)
    weighed = _in_order(list(_weighed(changes, clues, sources, origins, reached or {})), clues)
    return _ordered([(change, reasons, _score(change, reasons, clues.files)) for change, reasons in weighed], sources)


def changes_of(commits: Sequence[Commit], sources: Sources, difference: str | None) -> list[Change]:
    """The hunks of the range that are there at its end, newest commit first."""
    return [
        change
        for age, (commit, hunks) in enumerate(effective(commits, difference))
        for hunk in hunks
        if not (change := Change(commit, hunk, age, sources)).is_prose
    ]


def _weighed(
    changes: Sequence[Change], clues: Clues, sources: Sources, origins: Origins | None, reached: Mapping[str, str]
) -> Iterator[tuple[Change, list[Reason]]]:
    """Each change there is a reason for, with the strongest reason of each kind, strongest first."""
    calls = Calls(clues, changes, sources, origins)
    witnesses = (
        calls,
        Assignments(clues, calls.reaches, sources),
        Fields(clues, calls.reaches, sources),
        Namesakes(clues, calls.reaches, sources),
        Beyond(clues, calls.reaches, sources),
        Conditions(calls.reaches, sources),
        Symbols(clues, changes),
        Registrations(clues, sources),
        Statements(clues),
        Packages(clues, sources),
    )
    kept = Kept(clues, calls.reaches)
    sizes: defaultdict[str, set[str]] = defaultdict(set)
    for change in changes:
        sizes[change.commit.sha].add(change.file)
    for change in changes:
        best: dict[Kind, Reason] = {}
        for witness in witnesses:
            for reason in (*witness.reasons(change), *_reached(change, reached)):
                if reason.weight > best.get(reason.kind, Reason(reason.kind, 0.0, "")).weight:
                    best[reason.kind] = reason
        if "line" in best and kept.is_kept(change, best["line"].frame):
            best = {
                kind: reason if kind == "missing" else reason._replace(weight=reason.weight * KEPT)
                for kind, reason in best.items()
            }
        if len(sizes[change.commit.sha]) > LARGE:
            best = {kind: _diluted(reason) for kind, reason in best.items()}
        if best:
            yield change, sorted(best.values(), key=lambda reason: -reason.weight)


def _in_order(weighed: list[tuple[Change, list[Reason]]], clues: Clues) -> list[tuple[Change, list[Reason]]]:
    """Of a change that took away what is missing and one that brought its use, the later one broke it.

    Who wrote the failing line anew, with a use in it that was there before, did not.
    """
    took = {change.age for change, reasons in weighed for one in reasons if _takes(change, one, clues)}
    wrote = {change.age: change for change, reasons in weighed for one in reasons if one.kind == "line"}
    if not took or took & wrote.keys():
        return weighed
    kept = {age for age, change in wrote.items() if clues.absent & change.added_words & change.removed_words}
    used = {age for age, change in wrote.items() if clues.absent & change.added_words} - kept
    earlier = kept | ({age for age in took if used and min(used) < age} or used)
    return [
        (change, [one._replace(weight=one.weight * EARLIER) for one in reasons] if change.age in earlier else reasons)
        for change, reasons in weighed
    ]


def _takes(change: Change, reason: Reason, clues: Clues) -> bool:
    return reason.kind == "missing" and bool(clues.absent & change.defined_before)


def _reached(change: Change, via: Mapping[str, str]) -> list[Reason]:
    if not via or change.is_test:
        return []
    return [
        Reason("reached", WEIGHTS["reached"], f"it changed {name}, which the failing code reaches by {via[name]}")
        for name in sorted(change.defined & via.keys())[:1]
    ]


def _diluted(reason: Reason) -> Reason:
    is_weak = reason.kind in {"named", "mentioned", "shares", "feeds", "file"}
    return reason._replace(weight=reason.weight * DILUTED) if is_weak else reason


def _score(change: Change, reasons: Sequence[Reason], files: frozenset[str]) -> float:
    """How much speaks against a change; `files`: those of the trace."""
    score = reasons[0].weight + BESIDES * sum(reason.weight for reason in reasons[1:])
    is_in_trace = any(reason.kind in {"line", "decides", "function"} for reason in reasons)
    is_package = any(reason.kind == "package" for reason in reasons)
    is_beside = change.file not in files and not is_package and BESIDE_PATH.search(change.file) is not None
    is_test = TEST_PATH.search(change.file) is not None and not is_in_trace
    return score * UNLIKELY if is_test or is_beside else score


def _ordered(scored: Sequence[tuple[Change, list[Reason], float]], sources: Sources) -> tuple[Suspect, ...]:
    """Hunks by their commits: a commit counts what its best hunk does, and a part of the next ones, less for each."""
    of_commit: defaultdict[str, list[tuple[float, Change, list[Reason]]]] = defaultdict(list)
    for change, reasons, score in scored:
        of_commit[change.commit.sha].append((score, change, reasons))
    ranked = []
    for entries in of_commit.values():
        entries.sort(key=lambda entry: -entry[0])
        whole = sum(score * BESIDES**at for at, (score, _, _) in enumerate(entries[:MOST_OF_A_COMMIT]))
        ranked.append((-entries[0][0], -whole, entries[0][1].age, entries[:MOST_OF_A_COMMIT]))
    ranked.sort(key=lambda entry: (_level(-entry[0]), entry[0], entry[1], entry[2]))
    first = [(entries[0], 0) for *_, entries in ranked]
    rest = [(entry, at) for *_, entries in ranked for at, entry in enumerate(entries[1:], 1)]
    found = [_suspect(change, score, reasons[0], sources) for (score, change, reasons), _ in (*first, *rest)]
    return tuple(sorted(found[:1], key=lambda one: -one.score)) + tuple(found[1:MOST_SUSPECTS])


def _level(score: float) -> int:
    """Commits that are worth naming come before those that are not, however much of little the latter have."""
    return 0 if score >= WORTH_NAMING else 1


def _suspect(change: Change, score: float, reason: Reason, sources: Sources) -> Suspect:
    """The suspect's place: the call that it touches, else where its lines stand now."""
    frame, hunk = reason.frame, change.hunk
    standing = [places[0] for added in hunk.added if len(places := sources.places(hunk.file, added.text)) == 1]
    line = standing[0] if standing else change.touched[0] if change.touched else None
    if line is None and hunk.file in sources:
        line = max(1, hunk.new_start)
    if frame is not None and frame.file == hunk.file and reason.kind in {"line", "decides", "function"} and frame.line:
        line = frame.line
    here = sources.function_at(hunk.file, line) if line is not None else None
    return Suspect(
        file=hunk.file,
        line=line,
        function=here.name if here else None,
        commit=change.commit.sha,
        score=round(score, 2),
        why=reason.why,
        is_direct=reason.kind in DIRECT,
    )
