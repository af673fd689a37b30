"""Triage: everything about a failed canary that needs no judgement, computed from bundle and repositories.

Traces mapped to files, messages only the canary logs, changed manifest values, commits between the versions and
ranked suspects. What could not be looked at is a note.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agents.changes import Commit, Repository, ValueChange, manifest_changes
from agents.errors import Denied
from agents.evidence import Bundle, ManifestSource, Side, manifest_source
from agents.evidence.origin import dig, label, mappings
from agents.frames import Frame, Signature, Trace, find_traces
from agents.logs import Template, only_in_canary
from agents.source import Identity, Seen, identity, look_at_source, resolve
from agents.suspects import Suspect
from agents.syntax import function_at
from agents.traffic import Answered, Slowdown, answers_in, slowdown

Circumstance = Literal["failed", "metric-error", "manual-abort", "inconclusive"]
MOST_FILES_READ = 400
MOST_TRACES = 20
MOST_TEMPLATES = 20


class Triage(BaseModel):
    """The findings. `trace` is the one that the canary has and the stable version has not, most frequent first."""

    model_config = ConfigDict(frozen=True)

    bundle: Bundle
    circumstance: Circumstance
    traces: tuple[Trace, ...]
    trace: Trace | None
    signature: Signature | None
    templates: tuple[Template, ...]
    slowdown: Slowdown | None
    """What the canary answers more slowly."""
    values: tuple[ValueChange, ...]
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
    traces, templates, old = await asyncio.to_thread(_read_logs, bundle)
    if not bundle.logs("canary"):
        notes.append("there are no logs of the canary")
    notes += [
        f"of {item.id} only {item.cut.kept} of {item.cut.of} lines were kept: {item.cut.how}"
        for item in (*bundle.logs("canary"), *bundle.logs("stable"))
        if item.cut is not None
    ]
    seen = Seen(traces=traces, old=old, templates=templates, slowdown=await asyncio.to_thread(_slowdown, bundle))
    found = await look_at_source(bundle, source, seen, notes)
    values, manifest_commits = await _manifest_range(bundle, manifests, notes)
    return Triage(
        bundle=bundle,
        circumstance=circumstance(bundle),
        traces=found.traces[:MOST_TRACES],
        trace=found.trace,
        signature=_signature(found.trace, found.texts),
        templates=templates[:MOST_TEMPLATES],
        slowdown=seen.slowdown,
        values=values,
        suspects=found.suspects,
        statements=found.statements,
        commits=found.commits,
        compared=found.compared,
        manifest_commits=manifest_commits,
        notes=tuple(notes),
    )


def _read_logs(bundle: Bundle) -> tuple[tuple[Trace, ...], tuple[Template, ...], frozenset[Identity]]:
    """The canary's traces, the messages that only it logs, and the stable version's traces."""

    def lines(side: Side) -> list[tuple[str, Sequence[str]]]:
        return [(item.id, bundle.contents[item.id].split("\n")) for item in bundle.logs(side)]

    def traces(side: Side) -> list[Trace]:
        return [trace for item in bundle.logs(side) for trace in find_traces(item.id, bundle.contents[item.id])]

    old = frozenset(identity(trace) for trace in traces("stable"))
    return tuple(traces("canary")), only_in_canary(lines("canary"), lines("stable")), old


def _slowdown(bundle: Bundle) -> Slowdown | None:
    def answers(side: Side) -> list[Answered]:
        return [one for item in bundle.logs(side) for one in answers_in(item.id, bundle.contents[item.id].split("\n"))]

    return slowdown(answers("stable"), answers("canary"))


async def _manifest_range(
    bundle: Bundle, manifests: Repository | None, notes: list[str]
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
    try:
        return values, await manifests.commits(stable, canary)
    except Denied as error:
        notes.append(f"the changes of the manifests cannot be read: {error}")
        return values, ()


async def read_manifests(manifests: Repository, commit: str, origin: ManifestSource) -> dict[str, str]:
    """The YAML files below the Application's folder, by path."""
    prefix = f"{origin.path.strip('/')}/" if origin.path.strip("/.") else ""
    files: dict[str, str] = {}
    for path in await manifests.files(commit):
        if path.startswith(prefix) and path.endswith((".yaml", ".yml")) and len(files) < MOST_FILES_READ:
            found = await manifests.read(commit, path)
            if found.status == "ok":
                files[path] = found.text
    return files


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
