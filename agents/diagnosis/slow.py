"""Rules on requests: the canary answers, but slowly, or with errors that no trace explains."""

from agents.diagnosis.nouns import Claim, Diagnosis, Location
from agents.diagnosis.wording import sound, subject
from agents.evidence import cite_lines
from agents.suspects import WORTH_NAMING
from agents.traffic import Failing, Slowdown
from agents.triage import Triage


def slow_cause(findings: Triage, slower: Slowdown) -> Diagnosis:
    """The canary answers, but slowly: the nearest change to the route, as far as one is near."""
    what = (
        f"{slower.method} {slower.prefix} takes {slower.canary_seconds * 1000:.3g} ms in the canary and "
        f"{slower.stable_seconds * 1000:.3g} ms in the stable version "
        f"(medians of {slower.canary_count} and {slower.stable_count} requests)"
    )
    examples = [slower.canary_example, slower.stable_example]
    evidence = tuple(cite_lines(findings.bundle, one.item, one.line, one.line) for one in examples)
    claims = sound(findings.bundle, [Claim(text=what, evidence=evidence)])
    return _nearest_change(findings, what, claims)


def failing_cause(findings: Triage, failing: Failing) -> Diagnosis:
    """The canary answers a route with errors and logs no trace: the one change there is, and none of several.

    Which of several it was, nothing tells: how near a change is to a handler says little of what it breaks.
    """
    what = (
        f"{failing.method} {failing.path} is answered with {failing.status} {failing.failed} of {failing.count} times "
        f"by the canary and {failing.stable_failed} of {failing.stable_count} times by the stable version"
    )
    one = failing.example
    claim = Claim(text=what, evidence=(cite_lines(findings.bundle, one.item, one.line, one.line),))
    found = _nearest_change(findings, what, sound(findings.bundle, [claim]))
    if len(findings.commits) > 1:
        summary = f"{what}; which of {len(findings.commits)} commits between the versions did it, nothing tells"
        nothing = {"summary": summary, "location": None, "culprit_commit": None, "strategy": None, "repository": None}
        found = found.model_copy(update=nothing)
    return found.model_copy(update={"confidence": "low"})


def _nearest_change(findings: Triage, what: str, claims: tuple[Claim, ...]) -> Diagnosis:
    top = findings.suspects[0] if findings.suspects else None
    if top is None or top.score < WORTH_NAMING:
        return Diagnosis(
            category="unknown",
            summary=f"{what}; no change between the versions explains it",
            confidence="low",
            location=None,
            culprit_commit=None,
            suspects=findings.suspects,
            claims=claims,
            strategy=None,
        )
    rivals = {suspect.commit for suspect in findings.suspects if suspect.score >= top.score}
    return Diagnosis(
        category="code",
        summary=f"{what}; commit {top.commit[:12]} ({subject(findings, top.commit)}): {top.why}",
        confidence="medium" if len(rivals) == 1 else "low",
        location=Location(file=top.file, line=top.line, function=top.function),
        culprit_commit=top.commit,
        suspects=findings.suspects,
        claims=claims,
        strategy="revert",
        repository="source",
        failure=what,
    )
