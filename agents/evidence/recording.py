"""What was heard of a canary while it still ran, and how that joins what capture read at the end."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from agents.evidence.cluster import LogSource, LogText
from agents.evidence.origin import dig, mappings
from agents.logs import gap_line, is_gap
from agents.redaction import PLACEHOLDER, Redactor

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ")
RECORDED = "the lines that were recorded while it ran"
STATUSES = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
ENDED = ("finishedAt", "exitCode", "reason")
NUMBERS_FROM = 1_000_000
"""Placeholders of a recording begin here, so that they are not taken for those of the notification's body."""


class Recording(BaseModel):
    """The logs, the states of the pods and the events of one rollout, as far as they were followed."""

    model_config = ConfigDict(frozen=True)

    logs: Mapping[LogSource, str] = {}
    pods: tuple[dict[str, Any], ...] = ()
    """Of each pod the last state, then earlier ones that tell of ends of containers which no later one tells of."""
    events: tuple[dict[str, Any], ...] = ()

    def redacted(self) -> "Recording":
        """Without secrets, so that it may be stored. Times, names and shas are the same afterwards."""
        redactor = Redactor(NUMBERS_FROM)
        return Recording(
            pods=tuple(redactor.redact_json(pod) for pod in self.pods),
            events=tuple(redactor.redact_json(event) for event in self.events),
            logs={source: redactor.redact_text(text) for source, text in self.logs.items()},
        )


class Ending(NamedTuple):
    """One end of one run of a container."""

    container: str
    at: str
    exit_code: str
    reason: str


def endings(pod: Mapping[str, Any]) -> frozenset[Ending]:
    """The ends of containers that a pod's state tells of: of the last run, and of the one before."""
    return frozenset(
        Ending(*(str(value) for value in (one.get("name"), *(ended.get(key) for key in ENDED))))
        for group in STATUSES
        for one in mappings(dig(pod, "status").get(group))
        for state in ("state", "lastState")
        if (ended := dig(one, state, "terminated"))
    )


def time_of(line: str) -> str:
    """The kubelet's time before a line, in a form that sorts: fractions have as many digits as are not zero."""
    match = TIME.match(line)
    return f"{match[1]}.{match[2] or '':0<9}" if match else ""


def join(captured: LogText | None, recorded: str) -> LogText:
    """One log of both, each line once, in the order of their times; lines without one stay behind their neighbour.

    What an earlier process recorded is redacted by now; it is compared with what the captured lines would be then.
    """
    if captured is None or not captured.text:
        why = f" ({captured.status}: {captured.reason})" if captured is not None and captured.reason else ""
        return LogText(status="ok", reason=f"{RECORDED}{why}", text=recorded)
    text = captured.text
    if "[REDACTED:" in recorded:
        redactor = Redactor(NUMBERS_FROM)
        redactor.reserve(recorded)
        text = redactor.redact_text(text)
    new = _new_lines(Counter(map(_nameless, text.splitlines())), recorded.splitlines())
    if not new:
        return captured
    # how many lines are left out where some of them were recorded, nobody knows any more
    known = [gap_line() if is_gap(line) else line for line in text.splitlines()]
    lines = sorted([*_timed(known), *_timed(new)], key=lambda pair: pair[0])
    return captured.model_copy(update={"text": "".join(f"{line}\n" for _, line in lines), "cut": None})


def _new_lines(known: Counter[str], recorded: Sequence[str]) -> list[str]:
    """Recorded lines that are not known, and the gaps before them."""
    new: list[str] = []
    gap: list[str] = []
    for line in recorded:
        if is_gap(line):
            gap = [gap_line()]
        elif known[_nameless(line)]:
            known[_nameless(line)] -= 1
            gap = []
        else:
            new += [*gap, line]
            gap = []
    return new


def _nameless(line: str) -> str:
    """The line with its placeholders unnumbered: two redactors count differently."""
    return PLACEHOLDER.sub("[REDACTED]", line) if "[REDACTED:" in line else line


def _timed(lines: list[str]) -> list[tuple[str, str]]:
    latest = ""
    timed = []
    for line in lines:
        latest = time_of(line) or latest
        timed.append((latest, line))
    return timed
