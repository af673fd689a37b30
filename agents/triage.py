"""Triage: everything about a failed canary that needs no judgement, computed from bundle and repositories.

Traces mapped to files, messages the canary logs otherwise, changed manifest values, commits between the versions and
ranked suspects. What could not be looked at is a note.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agents.changes import (
    Commit,
    FieldChange,
    Repository,
    ValueChange,
    blamed,
    field_changes,
    is_template,
    manifest_changes,
    read_manifests,
)
from agents.errors import Denied
from agents.evidence import Bundle, Side, manifest_source
from agents.evidence.origin import dig, label, mappings
from agents.frames import Frame, Signature, Trace, read_traces
from agents.logs import Difference, Excerpt, Template, compare, digest, excerpt
from agents.podstates import Found, Scene, explanations, is_of_rollout, states_of
from agents.source import Identity, Seen, identity, look_at_source, resolve
from agents.suspects import Suspect
from agents.syntax import function_at
from agents.traffic import Answered, Failing, Slowdown, answers_in, failing, slowdown

Circumstance = Literal["failed", "metric-error", "manual-abort", "inconclusive"]
MOST_FILES_READ = 400
MOST_TRACES = 20
MOST_TEMPLATES = 20
MOST_EXCERPT = 40
"""Rows of the canary's logs in short."""
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
    excerpt: Excerpt | None = None
    """The canary's logs in short, if it has any."""
    slowdown: Slowdown | None
    """What the canary answers more slowly."""
    failing: Failing | None = None
    """What the canary answers with errors, where the suspects are those of this route."""
    states: Found
    """What is wrong with the canary's pods, ReplicaSet and analysis."""
    fields: tuple[FieldChange, ...]
    """What differs between the pods' specs as they were deployed; pointers begin below the spec."""
    values: tuple[ValueChange, ...]
    """What differs between the manifests."""
    suspects: tuple[Suspect, ...]
    statements: tuple[Frame, ...] = ()
    """Where the source writes what only the canary logs as an error, if no trace tells."""
    commits: tuple[Commit, ...]
    """Between the versions, in the source repository, newest first."""
    compared: bool
    """Whether the two versions' source could be compared; there may be no commits between them nevertheless."""
    manifest_commits: tuple[Commit, ...]
    notes: tuple[str, ...]


async def triage(bundle: Bundle, source: Repository | None, manifests: Repository | None) -> Triage:
    """Look at everything once. Either repository may be None: then its part stays empty, with a note by the caller."""
    notes: list[str] = []
    traces, differences, old, short = await asyncio.to_thread(_read_logs, bundle, notes)
    templates = tuple(one.template for one in differences if one.how in {"new", "level"})
    if not bundle.logs("canary"):
        notes.append("there are no logs of the canary")
    notes += [
        f"of {item.id} only {item.cut.kept} of {item.cut.of} lines were kept: {item.cut.how}"
        for item in (*bundle.logs("canary"), *bundle.logs("stable"))
        if item.cut is not None
    ]
    slower, failed = await asyncio.to_thread(_requests, bundle)
    seen = Seen(traces=traces, old=old, templates=templates, slowdown=slower, failing=failed)
    found = await look_at_source(bundle, source, seen, notes)
    states = await asyncio.to_thread(states_of, bundle)
    fields = await asyncio.to_thread(_deployed_difference, bundle)
    values, manifest_commits = await _manifest_range(bundle, manifests, states, notes)
    return Triage(
        bundle=bundle,
        circumstance=circumstance(bundle),
        traces=found.traces[:MOST_TRACES],
        trace=found.trace,
        signature=_signature(found.trace, found.texts),
        templates=templates[:MOST_TEMPLATES],
        differences=differences[:MOST_TEMPLATES],
        excerpt=short,
        slowdown=seen.slowdown,
        failing=seen.failing if found.by_route else None,
        states=states,
        fields=fields,
        values=values,
        suspects=found.suspects,
        statements=found.statements,
        commits=found.commits,
        compared=found.compared,
        manifest_commits=manifest_commits,
        notes=tuple(notes),
    )


def _read_logs(
    bundle: Bundle, notes: list[str]
) -> tuple[tuple[Trace, ...], tuple[Difference, ...], frozenset[Identity], Excerpt | None]:
    """The canary's traces, what it logs otherwise than the stable version, the stable version's traces, an excerpt."""

    def texts(side: Side) -> list[tuple[str, str]]:
        return [(item.id, bundle.contents[item.id]) for item in bundle.logs(side)]

    def traces(side: Side) -> list[Trace]:
        found = [(item, read_traces(item, text)) for item, text in texts(side)]
        notes.extend(
            f"traces that several threads wrote into one another row by row were left out: {item} from line {line} on"
            for item, read in found
            for line in read.mixed[:1]
            if side == "canary"
        )
        return [trace for _, read in found for trace in read.traces]

    old = frozenset(identity(trace) for trace in traces("stable"))
    # a Job of the analysis writes what failed where the canary's own logs are clean
    failures = traces("canary") or traces("none")
    stable, canary = digest(texts("stable")), digest(texts("canary"))
    differences = compare(stable, canary)
    short = excerpt(canary, differences, MOST_EXCERPT) if canary.total else None
    return tuple(failures), differences, old, short


def _requests(bundle: Bundle) -> tuple[Slowdown | None, Failing | None]:
    """What the canary answers more slowly, and what with errors."""

    def answers(side: Side) -> list[Answered]:
        return [one for item in bundle.logs(side) for one in answers_in(item.id, bundle.contents[item.id].split("\n"))]

    stable, canary = answers("stable"), answers("canary")
    return slowdown(stable, canary), failing(stable, canary)


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
    stable = await resolve(manifests, origin.stable, "the stable version's manifest revision", notes)
    canary = await resolve(manifests, origin.canary, "the canary's manifest revision", notes)
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


def _signature(trace: Trace | None, files: Mapping[str, str]) -> Signature | None:
    if trace is None or trace.exception is None:
        return None
    frame = next((frame for frame in trace.frames if frame.kind == "application" and frame.file), None)
    if frame is None or frame.file is None:
        return Signature(exception=trace.exception)
    here = function_at(frame.file, files.get(frame.file, ""), frame.line)
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
