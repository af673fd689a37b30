"""Rules on traces: the change that explains a failure, or the fault that no change explains."""

from agents.diagnosis.nouns import Claim, Diagnosis, Location
from agents.diagnosis.wording import headline, innermost, sound, subject
from agents.evidence import cite_lines
from agents.frames import Trace
from agents.suspects import Suspect
from agents.triage import Triage

SURE = 6.0
"""A suspect of this score touched the failing function or line, or took away what the error misses."""
UNREACHABLE = frozenset(
    {"ConnectionRefusedError", "ConnectionResetError", "TimeoutError", "gaierror", "ConnectionError"}
)


def code_cause(findings: Triage, trace: Trace, top: Suspect, claims: tuple[Claim, ...]) -> Diagnosis:
    frame = innermost(trace)
    location = Location(file=top.file, line=top.line, function=top.function)
    if frame is not None and frame.file == top.file and top.score < SURE:
        location = Location(file=top.file, line=frame.line, function=frame.function)
    return Diagnosis(
        category="code",
        summary=f"{headline(trace)}; commit {top.commit[:12]} ({subject(findings, top.commit)}): {top.why}",
        confidence="high" if top.score >= SURE and frame is not None else "medium",
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
    unreachable = root.exception in UNREACHABLE
    frame = innermost(trace)
    if not findings.compared:
        why = "the changes between the versions could not be read"
    elif not findings.commits:
        why = "there is no commit between the versions"
    else:
        why = "no change between the versions explains it"
    if findings.compared and not unreachable:
        why += ", so it may be a latent fault"
    return Diagnosis(
        category="infrastructure" if unreachable else "code" if frame is not None else "unknown",
        summary=f"{headline(trace)}; {why}",
        confidence="low",
        location=Location(file=str(frame.file), line=frame.line, function=frame.function) if frame else None,
        culprit_commit=None,
        suspects=findings.suspects,
        claims=claims,
        strategy=None,
        repository="source" if frame is not None else None,
    )


def without_trace(findings: Triage) -> Diagnosis:
    new = [template for template in findings.templates if template.level in {"error", "critical"}][:3]
    claims = [
        Claim(
            text=f"only the canary logs this ({template.count} times)",
            evidence=(cite_lines(findings.bundle, template.item, template.line, template.line),),
        )
        for template in new
    ]
    if not findings.bundle.logs("canary"):
        summary = "the canary left no logs, so the cause is not known"
    elif not claims:
        summary = "the canary's logs hold no traceback and no error of their own; the cause is not known"
    else:
        summary = (
            "the canary's logs hold errors that the stable version's do not, but no traceback; the cause is not known"
        )
    return Diagnosis(
        category="unknown",
        summary=summary,
        confidence="low",
        location=None,
        culprit_commit=None,
        suspects=findings.suspects,
        claims=sound(findings.bundle, claims),
        strategy=None,
    )
