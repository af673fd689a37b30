"""What was heard of a canary's logs while it still ran, and how that joins what capture read at the end."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.evidence.cluster import LogSource, LogText

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z ")
RECORDED = "the lines that were recorded while it ran"


class Recording(BaseModel):
    """The logs and the last state of the pods of one rollout, as far as they were followed."""

    model_config = ConfigDict(frozen=True)

    logs: Mapping[LogSource, str]
    pods: tuple[dict[str, Any], ...] = ()


def time_of(line: str) -> str:
    """The kubelet's time before a line, in a form that sorts: fractions have as many digits as are not zero."""
    match = TIME.match(line)
    return f"{match[1]}.{match[2] or '':0<9}" if match else ""


def join(captured: LogText | None, recorded: str) -> LogText:
    """One log of both, each line once, in the order of their times; lines without one stay behind their neighbour."""
    if captured is None or not captured.text:
        why = f" ({captured.status}: {captured.reason})" if captured is not None and captured.reason else ""
        return LogText(status="ok", reason=f"{RECORDED}{why}", text=recorded)
    known = Counter(captured.text.splitlines())
    new = []
    for line in recorded.splitlines():
        if known[line]:
            known[line] -= 1
        else:
            new.append(line)
    if not new:
        return captured
    lines = sorted([*_timed(captured.text.splitlines()), *_timed(new)], key=lambda pair: pair[0])
    return captured.model_copy(update={"text": "".join(f"{line}\n" for _, line in lines)})


def _timed(lines: list[str]) -> list[tuple[str, str]]:
    latest = ""
    timed = []
    for line in lines:
        latest = time_of(line) or latest
        timed.append((latest, line))
    return timed
