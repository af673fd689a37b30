"""How far the evidence carries against a suspect, and where a fault lies that no change explains."""

import re

from agents.diagnosis.nouns import Confidence
from agents.frames import Frame, Trace
from agents.suspects import SURE, WORTH_NAMING, Suspect, is_helper
from agents.triage import Triage

LIKELY = 3.0
"""Below this score a suspect is named because nothing else is as plausible."""
DIRECT = 6.75
"""What a suspect needs for a high confidence: to share the failing function alone is no proof."""
STATED = 4.0
"""What a suspect needs where there is no trace, but a statement that logged an error."""
PLACED = 3.0
"""The same where the source is known to write what was logged, at a place that the suspect bears on."""
RIVAL = 0.9
"""A suspect of another commit with this share of the score could be as guilty."""
UNREACHABLE = frozenset(
    {"ConnectionRefusedError", "ConnectionResetError", "TimeoutError", "gaierror", "ConnectionError", "ConnectTimeout"}
    | {"ReadTimeout", "ConnectException", "SocketTimeoutException", "UnknownHostException", "NoRouteToHostException"}
    | {"ConnectTimeoutException", "SocketException", "ConnectionBad", "BrokenPipeError", "SSLHandshakeException"}
)
WORLD = re.compile(
    r"connection (?:was )?(?:refused|reset|timed out|closed by)"
    r"|\bE(?:CONNREFUSED|CONNRESET|CONNABORTED|TIMEDOUT|NOTFOUND|AI_AGAIN|HOSTUNREACH|NOSPC|PIPE)\b"
    r"|no such host\b|name or service not known|name resolution|i/o timeout|no route to host"
    r"|network is unreachable|could not connect to|can't connect to|unable to connect to|no connection could be made"
    r"|server closed the connection|too many connections|remaining connection slots"
    r"|certificate (?:verify failed|has expired)"
    r"|no space left on device|disk quota exceeded|deadline exceeded|context deadline|service unavailable|bad gateway",
    re.IGNORECASE,
)
"""Complaints about the world around the program: a peer, the network, the disk."""


def is_of_the_world(exception: str | None, message: str) -> bool:
    """Whether an error says that something around the program failed, not the program."""
    return exception in UNREACHABLE or WORLD.search(message[:2000]) is not None


def blamed(findings: Triage, trace: Trace) -> Suspect | None:
    """The suspect that is worth naming; where the world around failed, only one that is sure."""
    top = findings.suspects[0] if findings.suspects else None
    needed = SURE if is_of_the_world(trace.root.exception, trace.root.message) else WORTH_NAMING
    return top if top is not None and top.score >= needed else None


def blamed_by_statement(findings: Triage) -> Suspect | None:
    """The suspect that is worth naming where there is no trace, but a statement that logged an error."""
    top = findings.suspects[0] if findings.suspects else None
    errors = _errors(findings)
    if any(is_of_the_world(one.root.exception, one.root.message) for one in findings.traces):
        return None
    needed = SURE if WORLD.search(errors[:20_000]) else PLACED if findings.statements else STATED
    return top if errors and top is not None and top.score >= needed else None


def complains_of_the_world(findings: Triage) -> bool:
    """Whether what only the canary logs says that something around the program failed."""
    return WORLD.search(_errors(findings)[:20_000]) is not None


def _errors(findings: Triage) -> str:
    return " ".join(one.text for one in findings.templates if one.level in {"error", "critical", "fatal"})


def confidence(findings: Triage, top: Suspect, *, is_placed: bool) -> Confidence:
    """High only with direct evidence, against one commit alone; low where it is merely the likeliest.

    That a change shares the failing function is no direct evidence: it may be a fault that was there before.
    """
    rivals = {one.commit for one in findings.suspects if one.score >= RIVAL * top.score} - {top.commit}
    if top.score >= SURE and is_placed:
        return "medium" if rivals or top.score < DIRECT or not top.is_direct else "high"
    return "low" if top.score < LIKELY or (rivals and top.score < SURE) else "medium"


def latent_frame(trace: Trace) -> Frame | None:
    """The innermost frame of the repository that does not only raise on behalf of its caller."""
    ours = [frame for one in (trace.root, trace) for frame in one.frames if frame.file is not None]
    return next((frame for frame in ours if not is_helper(frame)), ours[0] if ours else None)
