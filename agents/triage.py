"""Triage: everything about a failed canary that needs no judgement, computed from bundle and repositories.

Traces mapped to files, messages the canary logs otherwise, changed manifest values, commits between the versions and
ranked suspects. What could not be looked at is a note.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agents.changes import (
    MOST_COMMITS,
    Commit,
    FieldChange,
    Repository,
    ValueChange,
    at_the_canary,
    blamed,
    field_changes,
    is_template,
    manifest_changes,
    read_manifests,
)
from agents.errors import Denied
from agents.evidence import Bundle, Side, manifest_source
from agents.evidence.origin import dig, label, mappings
from agents.frames import Signature, Trace, find_traces, mapped
from agents.logs import Difference, Template, compare, digest
from agents.podstates import Found, Scene, explanations, is_of_rollout, states_of
from agents.reach import reached_by
from agents.slowness import rank_slow
from agents.suspects import Suspect, clues_of, rank
from agents.syntax import function_at
from agents.traffic import Answered, Slowdown, answers_in, slowdown

Circumstance = Literal["failed", "metric-error", "manual-abort", "inconclusive"]
MOST_FILES_READ = 400
MOST_TRACES = 20
MOST_TEMPLATES = 20
MOST_BLAMED = 40
"""Changed values whose commit is looked for."""


class Triage(BaseModel):
    """The findings. `trace` is the one that the canary has and the stable version has not, most frequent first."""

    model_config = ConfigDict(frozen=True)

    bundle: Bundle
    circumstance: Circumstance
    traces: tuple[Trace, ...]
    trace: Trace | None
    signature: Signature | None
    templates: tuple[Template, ...]
    """What only the canary logs, or logs at another level."""
    differences: tuple[Difference, ...]
    """Those, and what it logs more or less often, or not at all."""
    slowdown: Slowdown | None
    """What the canary answers more slowly."""
    states: Found
    """What is wrong with the canary's pods, ReplicaSet and analysis."""
    fields: tuple[FieldChange, ...]
    """What differs between the pods' specs as they were deployed; pointers begin below the spec."""
    values: tuple[ValueChange, ...]
    """What differs between the manifests."""
    suspects: tuple[Suspect, ...]
    commits: tuple[Commit, ...]
    """Between the versions, in the source repository, newest first."""
    compared: bool
    """Whether the two versions' source could be compared; there may be no commits between them nevertheless."""
    manifest_commits: tuple[Commit, ...]
    notes: tuple[str, ...]


async def triage(bundle: Bundle, source: Repository | None, manifests: Repository | None) -> Triage:
    """Look at everything once. Either repository may be None: then its part stays empty, with a note by the caller."""
    notes: list[str] = []
    traces, differences, old = await asyncio.to_thread(_read_logs, bundle)
    templates = tuple(one.template for one in differences if one.how in {"new", "level"})
    if not bundle.logs("canary"):
        notes.append("there are no logs of the canary")
    notes += [
        f"of {item.id} only {item.cut.kept} of {item.cut.of} lines were kept: {item.cut.how}"
        for item in (*bundle.logs("canary"), *bundle.logs("stable"))
        if item.cut is not None
    ]
    canary, commits, compared = await _source_range(bundle, source, notes)
    files: dict[str, str] = {}
    if source is not None and canary is not None:
        traces, files = await _map(traces, commits, source, canary, notes)
    trace = _primary(traces, old)
    slower = await asyncio.to_thread(_slowdown, bundle)
    if trace is None and slower is not None and source is not None and canary is not None:
        suspects = await _rank_slow(slower, commits, source, canary)
    else:
        suspects = await asyncio.to_thread(rank, commits, clues_of(trace, templates), files)
    states = await asyncio.to_thread(states_of, bundle)
    fields = await asyncio.to_thread(_deployed_difference, bundle)
    values, manifest_commits = await _manifest_range(bundle, manifests, states, notes)
    return Triage(
        bundle=bundle,
        circumstance=circumstance(bundle),
        traces=traces[:MOST_TRACES],
        trace=trace,
        signature=_signature(trace, files),
        templates=templates[:MOST_TEMPLATES],
        differences=differences[:MOST_TEMPLATES],
        slowdown=slower,
        states=states,
        fields=fields,
        values=values,
        suspects=suspects,
        commits=commits,
        compared=compared,
        manifest_commits=manifest_commits,
        notes=tuple(notes),
    )


Identity = tuple[str | None, str | None, str | None]
"""What makes two traces the same: exception, and path and function of the innermost frame."""


def _read_logs(bundle: Bundle) -> tuple[tuple[Trace, ...], tuple[Difference, ...], frozenset[Identity]]:
    """The canary's traces, what it logs otherwise than the stable version, and the stable version's traces."""

    def texts(side: Side) -> list[tuple[str, str]]:
        return [(item.id, bundle.contents[item.id]) for item in bundle.logs(side)]

    def traces(side: Side) -> list[Trace]:
        return [trace for item, text in texts(side) for trace in find_traces(item, text)]

    old = frozenset(_identity(trace) for trace in traces("stable"))
    # a Job of the analysis writes what failed where the canary's own logs are clean
    failures = traces("canary") or traces("none")
    return tuple(failures), compare(digest(texts("stable")), digest(texts("canary"))), old


def _slowdown(bundle: Bundle) -> Slowdown | None:
    def answers(side: Side) -> list[Answered]:
        return [one for item in bundle.logs(side) for one in answers_in(item.id, bundle.contents[item.id].split("\n"))]

    return slowdown(answers("stable"), answers("canary"))


async def _rank_slow(
    slower: Slowdown, commits: Sequence[Commit], source: Repository, canary: str
) -> tuple[Suspect, ...]:
    """Suspects among the functions that the slow request reaches."""
    paths = [path for path in await source.files(canary) if path.endswith(".py")]
    texts: dict[str, str] = {}
    for path in paths[:MOST_FILES_READ]:
        found = await source.read(canary, path)
        if found.status == "ok":
            texts[path] = found.text
    reached = await asyncio.to_thread(reached_by, slower.canary_example.path, texts)
    return await asyncio.to_thread(rank_slow, commits, reached, texts)


async def _source_range(
    bundle: Bundle, source: Repository | None, notes: list[str]
) -> tuple[str | None, tuple[Commit, ...], bool]:
    """The canary's commit, the commits since the stable one, and whether both were there to be compared."""
    if source is None:
        return None, (), False
    canary = await _resolve(source, bundle.manifest.canary.commit, "the canary's source revision", notes)
    stable = await _resolve(source, bundle.manifest.stable.commit, "the stable version's source revision", notes)
    if canary is None or stable is None:
        return canary, (), False
    try:
        commits = await source.commits(stable, canary)
    except Denied as error:
        notes.append(f"the changes of the source cannot be read: {error}")
        return canary, (), False
    if not commits:
        notes.append("there is no commit between the two versions of the source")
    if len(commits) >= MOST_COMMITS:
        notes.append(f"of the commits between the versions only the newest {MOST_COMMITS} were looked at")
    return canary, commits, True


def _deployed_difference(bundle: Bundle) -> tuple[FieldChange, ...]:
    """Between the pod templates of the two ReplicaSets; none where either is not known."""
    stable, canary = (Scene(bundle, side).spec for side in ("stable", "canary"))
    return field_changes(stable, canary) if stable and canary else ()


async def _manifest_range(
    bundle: Bundle, manifests: Repository | None, states: Found, notes: list[str]
) -> tuple[tuple[ValueChange, ...], tuple[Commit, ...]]:
    origin = manifest_source(bundle)
    if manifests is None or origin is None:
        return (), ()
    stable = await _resolve(manifests, origin.stable, "the stable version's manifest revision", notes)
    canary = await _resolve(manifests, origin.canary, "the canary's manifest revision", notes)
    if stable is None or canary is None:
        return (), ()
    try:
        old = await read_manifests(manifests, stable, origin)
        new = await read_manifests(manifests, canary, origin)
        values = await asyncio.to_thread(manifest_changes, old, new)
    except Denied as error:
        notes.append(f"the manifests cannot be read: {error}")
        return (), ()
    if any(is_template(path, text) for path, text in new.items()):
        notes.append("the manifests hold Helm templates, which are not rendered: their values were not looked at")
    try:
        commits = await manifests.commits(stable, canary)
        return await _with_commits(values, commits, bundle, states, manifests), commits
    except Denied as error:
        notes.append(f"the changes of the manifests cannot be read: {error}")
        return values, ()


async def _with_commits(
    values: Sequence[ValueChange], commits: Sequence[Commit], bundle: Bundle, states: Found, manifests: Repository
) -> tuple[ValueChange, ...]:
    """The changes, those that may matter with the commit that made them."""
    name = bundle.manifest.rollout
    telling = [one for state in states.own for one in explanations(state, values, name)]
    telling += [one for one in values if one.is_config or is_of_rollout(one, bundle)]
    found = {one: await blamed(one, commits, manifests) for one in list(dict.fromkeys(telling))[:MOST_BLAMED]}
    return tuple(found.get(one, one) for one in values)


async def _resolve(repository: Repository, revision: str | None, what: str, notes: list[str]) -> str | None:
    if revision is None:
        notes.append(f"{what} is not known")
        return None
    try:
        return await repository.resolve(revision)
    except Denied:
        notes.append(f"{what} {revision} is not in the repository")
        return None


async def _map(
    traces: Sequence[Trace], commits: Sequence[Commit], source: Repository, canary: str, notes: list[str]
) -> tuple[tuple[Trace, ...], dict[str, str]]:
    """Traces with their files, and the texts of those files and of the changed ones at the canary's commit."""
    texts: dict[str, str] = {}
    try:
        tree = await source.files(canary)
        first = await asyncio.to_thread(mapped, traces, tree)
        wanted = [frame.file for trace in first for one in (*trace.causes, trace) for frame in one.frames if frame.file]
        changed = await asyncio.to_thread(_changed_sources, commits)
        known = set(tree)
        for path in [path for path in dict.fromkeys((*wanted, *changed)) if path in known][:MOST_FILES_READ]:
            found = await source.read(canary, path)
            if found.status == "ok":
                texts[path] = found.text
    except Denied as error:
        notes.append(f"the source cannot be read at the canary's commit: {error}")
        return tuple(traces), {}
    return await asyncio.to_thread(mapped, traces, tree, texts), texts


def _changed_sources(commits: Sequence[Commit]) -> list[str]:
    return [hunk.file for _, hunks in at_the_canary(commits) for hunk in hunks if hunk.file.endswith(".py")]


def _primary(traces: Sequence[Trace], old: frozenset[Identity]) -> Trace | None:
    """The trace that only the canary has; of several the one seen most often, then the first."""
    new = [trace for trace in traces if _identity(trace) not in old]
    if not new:
        return None
    counts = Counter(_identity(trace) for trace in new)
    return max(new, key=lambda trace: (_in_repository(trace), counts[_identity(trace)]))


def _identity(trace: Trace) -> Identity:
    frame = trace.innermost
    return trace.exception, frame.path if frame else None, frame.function if frame else None


def _in_repository(trace: Trace) -> bool:
    return any(frame.file for one in (*trace.causes, trace) for frame in one.frames)


def _signature(trace: Trace | None, files: Mapping[str, str]) -> Signature | None:
    if trace is None or trace.exception is None:
        return None
    frame = next((frame for frame in trace.frames if frame.kind == "application" and frame.file), None)
    if frame is None or frame.file is None:
        return Signature(exception=trace.exception)
    here = function_at(files.get(frame.file, ""), frame.line)
    return Signature(
        exception=trace.exception, file=frame.file, function=frame.function or (here.name if here else None)
    )


def circumstance(bundle: Bundle) -> Circumstance:
    """What ended the canary, from its objects and the notification (FINDINGS section 2, contract 2.1).

    Only metrics that could not be measured are no verdict about the code; an abort without a cause is a person's.
    """
    body = bundle.notification
    runs = [*bundle.objects("analysisrun"), *mappings(body.get("analysisRuns"))]
    canary = bundle.manifest.canary.hash
    phases = {str(dig(run, "status").get("phase")) for run in runs if label(run) in {canary, None}}
    if "Failed" in phases:
        return "failed"
    if "Error" in phases:
        return "metric-error"
    rollouts = [*bundle.objects("rollout"), *([body["rollout"]] if isinstance(body.get("rollout"), dict) else [])]
    for rollout in rollouts:
        pauses = mappings(dig(rollout, "status").get("pauseConditions"))
        if {str(pause.get("reason")) for pause in pauses} & {"InconclusiveAnalysisRun", "InconclusiveExperiment"}:
            return "inconclusive"
    aborted = any(dig(rollout, "status").get("abort") is True for rollout in rollouts)
    return "manual-abort" if aborted and not any(_abort_has_cause(rollout) for rollout in rollouts) else "failed"


def _abort_has_cause(rollout: Mapping[str, Any]) -> bool:
    """The Progressing condition says `Rollout aborted update to revision N: <cause>`, or ends before the colon."""
    for condition in mappings(dig(rollout, "status").get("conditions")):
        message = str(condition.get("message") or "")
        if condition.get("reason") == "RolloutAborted" and ":" in message:
            return True
        if condition.get("reason") == "ProgressDeadlineExceeded":
            return True
    return False
