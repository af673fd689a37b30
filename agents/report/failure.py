"""The first half of a page: what failed, why, and the evidence."""

import re
from collections.abc import Sequence

from agents.diagnosis import Claim
from agents.evidence import Citation, Missed, Version
from agents.markdown import code, fence, prose
from agents.report.story import Story

MOST_CLAIMS = 5
LINES_IN_SIGHT = 20
"""Of quotations, on one page; the rest is folded."""
LINES_FOLDED = 60
MOST_FOLDED = 20_000
"""Characters of all that is folded."""
MOST_VALUES_SHOWN = 5
FULL_SHA = re.compile(r"[0-9a-f]{40}")


def what_failed(story: Story) -> list[str]:
    """Which rollout, when, by which measure, and the two versions."""
    bundle, failing = story.bundle, story.failing
    where = f"{code(bundle.rollout)} in {code(bundle.namespace)} on {code(bundle.cluster)}"
    rows = [f"- Rollout: {where}, revision {code(bundle.revision)}"]
    when = ("When", failing.at) if failing.at is not None else ("Captured", bundle.captured_at)
    rows.append(f"- {when[0]}: {when[1]:%Y-%m-%d %H:%M:%S} UTC")
    rows += [f"- Metric: {_measured(missed)}" for missed in failing.missed]
    if failing.message and not failing.missed:
        rows.append(f"- Argo Rollouts says: {prose(failing.message)}")
    rows += [
        f"- Canary: {code(bundle.canary.hash)}{_commit(bundle.canary, story.links.canary)}",
        f"- Stable: {code(bundle.stable.hash)}{_commit(bundle.stable, story.links.stable)}",
    ]
    return ["## What failed", "\n".join(rows)]


def why(story: Story) -> list[str]:
    """The cause with its place and its commit, and what shows it."""
    diagnosis, links = story.diagnosis, story.links
    facts = []
    if diagnosis.location is not None:
        where = diagnosis.location
        number = f":{where.line}" if where.line else ""
        function = f" in {code(where.function)}" if where.function else ""
        facts.append(f"- Where: {link(code(where.file + number), links.location)}{function}")
    if diagnosis.culprit_commit is not None:
        facts.append(f"- Introduced by: {commit(diagnosis.culprit_commit, links.culprit)}")
    facts.append(f"- Kind of cause: {diagnosis.category}, with {diagnosis.confidence} confidence")
    facts += [f"- {prose(sentence(note))}" for note in diagnosis.notes]
    return ["## Why", prose(sentence(diagnosis.summary)), "\n".join(facts), *_evidence(diagnosis.claims[:MOST_CLAIMS])]


def commit(sha: str, page: str | None) -> str:
    """A commit by the start of its id, as a link where there is a page, else by the whole id."""
    if not FULL_SHA.fullmatch(sha):
        return prose(sha)
    return f"[`{sha[:12]}`]({page})" if page else sha


def link(text: str, page: str | None) -> str:
    """Markdown that leads to a page, where there is one."""
    return f"[{text}]({page})" if page else text


def sentence(text: str) -> str:
    """The text with a capital at its start."""
    return text[:1].upper() + text[1:]


def _measured(missed: Missed) -> str:
    """What was measured, and what it was held against."""
    shown = ", ".join(code(value) for value in missed.values[-MOST_VALUES_SHOWN:])
    said = {"Failed": "was", "Inconclusive": "was inconclusive:", "Error": "could not be measured; before, it was"}
    parts = [f"{code(missed.name)} {said.get(missed.phase, 'was')} {shown}" if shown else _without_value(missed)]
    words = {"successCondition": "needed", "failureCondition": "fails at"}
    parts += [f"{words.get(key, key)} {code(condition)}" for key, condition in missed.conditions]
    if missed.verdict:
        parts.append(f"assessed {missed.phase.lower()} due to {prose(missed.verdict)}")
    return ", ".join(parts)


def _without_value(missed: Missed) -> str:
    what = "could not be measured" if missed.phase == "Error" else f"{missed.phase.lower()} without a value"
    return f"{code(missed.name)} {what}"


def _evidence(claims: Sequence[Claim]) -> list[str]:
    """Every claim with the places that show it; a reader who doubts it looks there.

    What is quoted once is not quoted again. Quotations that go beyond what fits in sight are folded below.
    """
    parts: list[str] = []
    folded: list[str] = []
    quoted: set[Citation] = set()
    room = LINES_IN_SIGHT
    for claim in claims:
        fresh = [one for one in dict.fromkeys(claim.evidence) if one not in quoted]
        quoted.update(fresh)
        shown: list[str] = []
        for one in fresh:
            lines = one.quote.rstrip("\n").count("\n") + 1
            if lines <= room or room == LINES_IN_SIGHT:
                shown += [*([] if one == claim.evidence[0] else [f"{code(one.ref)}:"]), fence(one.quote, most=room)]
            if lines > room:
                folded.append(f"{code(one.ref)}:\n\n{fence(one.quote, most=LINES_FOLDED)}")
            room = max(room - lines, 0)
        is_above = bool(claim.evidence) and claim.evidence[0] not in fresh
        where = ", quoted above" if is_above else "" if shown else ", quoted below"
        parts += [_said(claim, where), *shown]
    return [*parts, *_folded(folded)]


def _folded(quotations: Sequence[str]) -> list[str]:
    """What is below the fold, as far as it has room there."""
    kept: list[str] = []
    for one in quotations:
        if sum(map(len, kept)) + len(one) > MOST_FOLDED:
            break
        kept.append(one)
    left = len(quotations) - len(kept)
    more = [f"and {left} more quotation{'s' if left > 1 else ''}, which the incident lists"] if left else []
    summary = "<details><summary>The rest of the evidence</summary>"
    return ["\n\n".join([summary, *kept, *more, "</details>"])] if quotations else []


def _said(claim: Claim, where: str) -> str:
    """The claim and the first place that shows it; `where` says in what part of the page it is quoted, if not here."""
    if not claim.evidence:
        return f"{prose(sentence(claim.text))}."
    return f"{prose(sentence(claim.text))} ({code(claim.evidence[0].ref)}{where}){'.' if where else ':'}"


def _commit(version: Version, page: str | None) -> str:
    if version.commit is None or not FULL_SHA.fullmatch(version.commit):
        return ", whose commit is not known"
    how = f" (by {prose(version.found_by)}, confidence {version.confidence})" if version.found_by else ""
    return f" at {commit(version.commit, page)}{how}"
