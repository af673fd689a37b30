"""What a model is told at the start, as plain values for the prompts: findings, not raw logs.

Short on purpose: the tools show the rest. Whatever is quoted of a repository comes without its secrets.
"""

from collections.abc import Sequence
from typing import Any

from agents.case import Case
from agents.changes import FieldChange
from agents.diagnosis import Diagnosis
from agents.evidence import Bundle
from agents.frames import Trace
from agents.logs import Excerpt
from agents.patch import Patch
from agents.podstates import State
from agents.survey import Survey
from agents.tools import Place, Sources, describe
from agents.tools.differences import clean_diff, difference, files_of
from agents.tools.evidence import shown_value
from agents.tools.reply import cut, fit
from agents.verification import Reproduction, Verification

MOST_TRACES = 3
TRACE_LINES = 60
MOST_ROWS = 40
AROUND = 30
"""Lines shown before and after the line of the diagnosis."""


def findings_of(seen: Survey, rules: Diagnosis, sources: Sources) -> dict[str, Any]:
    """The values of `investigate.md`."""
    findings = seen.findings
    others = [one for one in findings.traces if findings.trace is None or one.exception != findings.trace.exception]
    traces = [*([findings.trace] if findings.trace else []), *others][:MOST_TRACES]
    messages = [
        f"{one.count} times, first {one.item}#L{one.line}-{one.line}| {_line(seen.bundle, one.item, one.line)}"
        for one in findings.templates
        if not any(one.item == trace.item and trace.first_line <= one.line <= trace.last_line for trace in traces)
    ]
    commits = [f"{one.sha} {one.at:%Y-%m-%d} {one.author}: {one.subject}" for one in findings.commits]
    suspects = [
        f"{one.file}:{one.line}{f' in {one.function}' if one.function else ''}, commit {one.commit}: {one.why}"
        for one in findings.suspects
    ]
    gaps = [f"{item.id}: {item.status} ({item.reason or 'no reason given'})" for item in seen.bundle.gaps()]
    return {
        "rollout": seen.bundle.manifest.rollout,
        "at_hand": [f"the {name} repository" for name in sources.places()],
        "rules": _diagnosis(rules),
        "traces": [_trace(seen.bundle, one) for one in traces],
        "messages": _rows(messages),
        "excerpt": None if traces or messages else _excerpt(findings.excerpt),
        "states": _rows([_state(one) for one in findings.states.own]),
        "fields": _rows([_field(one, sources) for one in findings.fields]),
        "values": _rows([shown_value(one, sources) for one in findings.values]),
        "commits": _rows(commits),
        "suspects": _rows(suspects),
        "gaps": _rows([*gaps, *seen.notes]),
    }


async def fix_of(
    case: Case, bundle: Bundle, place: Place, sources: Sources, refuted: tuple[Patch, Verification] | None
) -> dict[str, Any]:
    """The values of `fix.md`. `refuted` is the last patch that did not pass, and why."""
    diagnosis = case.diagnosis
    claims = [
        {"text": f"{one.text}\n{citation.ref}\n{citation.quote[:4000]}", "source": citation.ref}
        for one in diagnosis.claims
        for citation in one.evidence
    ]
    tried = None
    if refuted is not None:
        patch, verification = refuted
        tried = {
            "diff": clean_diff(patch.changes, sources.redactor),
            "verification": describe(verification, sources.redactor),
        }
    return {
        "rollout": bundle.manifest.rollout,
        "repository": diagnosis.repository,
        "diagnosis": _diagnosis(diagnosis),
        "claims": claims[:6],
        "culprit": await _culprit(diagnosis, place, sources),
        "place": await _place(diagnosis, place, sources),
        "reproduction": _reproduction(case.reproduction, case.commands.run),
        "refuted": tried,
    }


def _diagnosis(diagnosis: Diagnosis) -> str:
    lines = [f"{diagnosis.summary} (category {diagnosis.category}, confidence {diagnosis.confidence})"]
    where = diagnosis.location
    if where is not None:
        lines.append(f"where: {where.file}:{where.line or '?'}{f' in {where.function}' if where.function else ''}")
    if diagnosis.culprit_commit is not None:
        lines.append(f"commit: {diagnosis.culprit_commit}")
    return "\n".join(lines)


def _trace(bundle: Bundle, trace: Trace) -> dict[str, str]:
    """The trace's own lines, numbered for citing, from its end where it is long; and the files of its frames."""
    lines = bundle.contents[trace.item].split("\n")
    first = max(trace.first_line, trace.last_line - TRACE_LINES + 1)
    quoted = [f"{number:>5}| {cut(lines[number - 1])}" for number in range(first, trace.last_line + 1)]
    files = [f"{frame.file}:{frame.line} in {frame.function}" for frame in trace.root.frames if frame.file]
    mapped = [f"files, innermost first: {', '.join(files)}"] if files else []
    return {"text": "\n".join([*quoted, *mapped]), "source": trace.item}


def _excerpt(short: Excerpt | None) -> dict[str, str] | None:
    if short is None or not short.rows:
        return None
    return {"text": "\n".join(_rows(short.rows)), "note": short.note}


def _state(state: State) -> str:
    return f"{state.sentence} ({', '.join(citation.ref for citation in state.evidence)})"


def _field(change: FieldChange, sources: Sources) -> str:
    old, new = (
        sources.redactor.redact_text(text) if text is not None else "(not there)" for text in (change.old, change.new)
    )
    return f"{change.pointer}: {old} -> {new}"


def _line(bundle: Bundle, item: str, number: int) -> str:
    return bundle.contents[item].split("\n")[number - 1]


def _rows(rows: Sequence[str]) -> list[str]:
    shown = fit([cut(row) for row in rows[:MOST_ROWS]])
    return [*shown, *([f"({len(rows) - len(shown)} more)"] if len(shown) < len(rows) else [])]


async def _culprit(diagnosis: Diagnosis, place: Place, sources: Sources) -> str | None:
    for commit in await place.commits():
        if commit.sha == diagnosis.culprit_commit:
            old = commit.parents[0] if commit.parents else None
            diff = await difference(place.repository, old, commit.sha, files_of(commit.diff), sources.redactor)
            return sources.redactor.redact_text(commit.subject) + "\n\n" + "\n".join(fit(diff.split("\n")))
    return None


async def _place(diagnosis: Diagnosis, place: Place, sources: Sources) -> dict[str, str] | None:
    where = diagnosis.location
    if where is None:
        return None
    found = await place.repository.read(place.canary, where.file)
    if found.status != "ok":
        return None
    lines = sources.clean_lines(found.text)
    first = max(1, (where.line or 1) - AROUND)
    shown = [f"{number:>5}| {cut(text)}" for number, text in enumerate(lines[first - 1 : first + 2 * AROUND], first)]
    return {"text": "\n".join(shown), "source": f"{where.file} at canary"}


def _reproduction(reproduction: Reproduction, command: tuple[str, ...]) -> str:
    lines = [f"kind: {reproduction.kind}"]
    if command:
        lines.append(f"the program is started with: {' '.join(command)}")
    lines += [f"request: {one.method} {one.path}" for one in reproduction.requests]
    if reproduction.signature is not None:
        sign = reproduction.signature
        lines.append(f"red is: {sign.exception} in {sign.function or '?'} of {sign.file or '?'}")
    if reproduction.reason:
        lines.append(reproduction.reason)
    return "\n".join(lines)
