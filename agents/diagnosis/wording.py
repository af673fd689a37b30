"""What the rules share: the words for a failure, the claim that shows it, and which claims hold."""

from collections.abc import Iterable

from agents.diagnosis.nouns import Claim, Location
from agents.evidence import Bundle, cite_lines, holds
from agents.frames import Frame, Trace, simple_name
from agents.triage import Triage

QUOTED_TRACE_LINES = 60


def headline(trace: Trace) -> str:
    root = trace.root
    if root.exception is None:
        return "an exception whose name the log does not hold any more"
    return f"{root.exception}: {root.message}" if root.message else root.exception


def place(frame: Frame) -> Location:
    """Where a frame is in the repository; its line is 0 where it is not known."""
    return Location(
        file=str(frame.file), line=frame.line or None, function=simple_name(frame.function) or frame.function
    )


def subject(findings: Triage, sha: str) -> str:
    return next((commit.subject for commit in findings.commits if commit.sha == sha), "")


def innermost(trace: Trace) -> Frame | None:
    """The innermost frame of the chain that is a file of the repository."""
    for one in (trace.root, trace):
        for frame in one.frames:
            if frame.file is not None:
                return frame
    return None


def trace_claim(bundle: Bundle, trace: Trace) -> Claim:
    frame = innermost(trace)
    place = f" at {frame.file}:{frame.line} in {frame.function}" if frame else ""
    first = max(trace.first_line, trace.last_line - QUOTED_TRACE_LINES + 1)
    return Claim(
        text=f"the canary raises {headline(trace)}{place}",
        evidence=(cite_lines(bundle, trace.item, first, trace.last_line),),
    )


def sound(bundle: Bundle, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """The claims whose every citation exists and contains what it quotes."""
    return tuple(claim for claim in claims if all(holds(bundle, citation) for citation in claim.evidence))
