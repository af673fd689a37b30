"""Rules on traces: the change that explains a failure, or the fault that no change explains."""

from agents.diagnosis.blame import LIKELY, confidence, is_of_the_world, latent_frame
from agents.diagnosis.exclusion import narrow
from agents.diagnosis.nouns import Claim, Diagnosis, Location
from agents.diagnosis.seen import looked_at
from agents.diagnosis.wording import headline, innermost, place, sound, subject, trace_claim
from agents.evidence import cite_lines
from agents.frames import Trace
from agents.suspects import SURE, Suspect
from agents.triage import Triage

AFTER_DEATH = 8
"""Lines that a run time may write after the trace that a program dies of."""


def code_cause(findings: Triage, trace: Trace, top: Suspect, claims: tuple[Claim, ...]) -> Diagnosis:
    frame = innermost(trace)
    location = Location(file=top.file, line=top.line, function=top.function)
    if frame is not None and (frame.file == top.file or top.score < LIKELY) and top.score < SURE:
        location = place(frame)
    return Diagnosis(
        category="code",
        summary=f"{headline(trace)}; commit {top.commit[:12]} ({subject(findings, top.commit)}): {top.why}",
        confidence=confidence(findings, top, is_placed=frame is not None),
        location=location,
        culprit_commit=top.commit,
        suspects=findings.suspects,
        claims=claims,
        strategy="revert",
        repository="source",
        failure=headline(trace),
    )


def unexplained(findings: Triage, trace: Trace, claims: tuple[Claim, ...]) -> Diagnosis:
    """A trace that no change between the versions explains: a latent fault, or the world around it."""
    root = trace.root
    unreachable = is_of_the_world(root.exception, root.message)
    frame = latent_frame(trace)
    if not findings.compared:
        why = "the changes between the versions could not be read"
    elif not findings.commits:
        why = "there is no commit between the versions"
    else:
        why = "no change between the versions explains it"
    if findings.compared and not unreachable:
        why += ", so it may be a latent fault"
    found = Diagnosis(
        category="infrastructure" if unreachable else "code" if frame is not None else "unknown",
        summary=f"{headline(trace)}; {why}",
        confidence="low",
        location=place(frame) if frame else None,
        culprit_commit=None,
        suspects=findings.suspects,
        claims=claims,
        strategy=None,
        repository="source" if frame is not None else None,
    )
    return found if found.category != "unknown" or findings.compared else narrow(findings, found)


def stated_cause(findings: Triage, top: Suspect) -> Diagnosis:
    """No trace, but an error that only the canary logs, and a change that bears on the statement which logs it."""
    claims = sound(findings.bundle, _error_claims(findings))
    what = claims[0].evidence[0].quote.strip() if claims else "the canary logs errors of its own"
    return Diagnosis(
        category="code",
        summary=f"{what[:300]}; commit {top.commit[:12]} ({subject(findings, top.commit)}): {top.why}",
        confidence="medium" if confidence(findings, top, is_placed=True) == "high" else "low",
        location=Location(file=top.file, line=top.line, function=top.function),
        culprit_commit=top.commit,
        suspects=findings.suspects,
        claims=claims,
        strategy="revert",
        repository="source",
        failure=what[:300],
    )


def _error_claims(findings: Triage) -> list[Claim]:
    new = [template for template in findings.templates if template.level in {"error", "critical"}][:3]
    return [
        Claim(
            text=f"only the canary logs this ({template.count} times)",
            evidence=(cite_lines(findings.bundle, template.item, template.line, template.line),),
        )
        for template in new
    ]


def without_trace(findings: Triage) -> Diagnosis:
    claims = _error_claims(findings)
    shared = next((one for one in findings.traces if _ends_in(findings, one)), None)
    if shared is not None:
        return _around(findings, shared)
    if not findings.bundle.logs("canary"):
        seen = "the canary left no logs"
    elif not claims:
        seen = "the canary's logs hold no traceback and no error of their own"
    else:
        seen = "the canary's logs hold errors that the stable version's do not, but no traceback"
    found = Diagnosis(
        category="unknown",
        summary=seen,
        confidence="low",
        location=None,
        culprit_commit=None,
        suspects=findings.suspects,
        claims=sound(findings.bundle, claims),
        strategy=None,
        notes=(looked_at(findings),),
    )
    narrowed = narrow(findings, found) if claims else found
    if narrowed.category != "unknown":
        return narrowed
    return found.model_copy(update={"summary": f"{seen}; the cause is not known; {looked_at(findings)}", "notes": ()})


def _ends_in(findings: Triage, trace: Trace) -> bool:
    """Whether a log ends in a trace that says something around the program failed; soon, if its container died."""
    lines = findings.bundle.contents[trace.item].rstrip("\n").count("\n") + 1
    return is_of_the_world(trace.root.exception, trace.root.message) and trace.last_line >= lines - (
        AFTER_DEATH if trace.item.endswith(".previous") else 0
    )


def _around(findings: Triage, trace: Trace) -> Diagnosis:
    """What failed around both versions: the canary has no failure of its own."""
    return Diagnosis(
        category="infrastructure",
        summary=f"{headline(trace)}; the stable version fails like this too, so the change is not the cause",
        confidence="medium",
        location=None,
        culprit_commit=None,
        suspects=findings.suspects,
        claims=sound(findings.bundle, [trace_claim(findings.bundle, trace)]),
        strategy=None,
    )
