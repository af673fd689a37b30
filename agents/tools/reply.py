"""What a tool answers: a status, how much there is and how to see the rest, and one page of untrusted text.

No error becomes evidence: only `ok`, `truncated` and `empty` say anything about what was asked for.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from agents.errors import SelfhealError, Transient
from agents.evidence import Status
from prompts import quote

MOST_LINES = 200
MOST_BYTES = 12_000
LINE_WIDTH = 600
"""Characters of one line."""


class Reply(BaseModel):
    """One answer. `text` is untrusted, from `source`; `note` and `reason` are one line each."""

    model_config = ConfigDict(frozen=True)

    status: Status
    source: str = ""
    text: str = ""
    note: str | None = None
    reason: str | None = None

    def render(self) -> str:
        """The tool message that the model reads."""
        lines = [f"status: {self.status}"]
        if self.reason:
            lines.append(f"reason: {one_line(self.reason)}")
        if self.note:
            lines.append(f"shown: {one_line(self.note)}")
        if self.text:
            lines.append(quote(self.text, self.source))
        return "\n".join(lines)


def refused(status: Status, reason: str) -> Reply:
    """An answer without content."""
    return Reply(status=status, reason=reason)


def told(error: Exception) -> str | None:
    """What a model is told of an error that a tool raised; None for one that is a fault of ours."""
    if isinstance(error, SelfhealError):
        return refused("failed" if isinstance(error, Transient) else "denied", str(error)).render()
    return None


def page(lines: Sequence[str], first: int, count: int, source: str, how: str) -> Reply:
    """Lines `first` (from 1) and on, numbered, as many as are asked for and fit."""
    if not 1 <= first <= len(lines):
        return Reply(status="empty", source=source, note=f"nothing: there are {len(lines)} lines")
    wanted = lines[first - 1 : first - 1 + count]
    shown = fit([f"{number:>5}| {cut(line)}" for number, line in enumerate(wanted, first)])
    last = first - 1 + len(shown)
    note = f"lines {first}-{last} of {len(lines)}"
    if last < len(lines):
        note += f"; for more: {how} with first_line={last + 1}"
    whole = first == 1 and last == len(lines)
    return Reply(status="ok" if whole else "truncated", source=source, text="\n".join(shown), note=note)


def listing(entries: Sequence[str], source: str, what: str, how: str) -> Reply:
    """As many entries of a list as fit."""
    if not entries:
        return Reply(status="empty", source=source, note=f"0 {what}")
    shown = fit([cut(entry) for entry in entries])
    note = f"{len(shown)} of {len(entries)} {what}" + (f"; {how}" if len(shown) < len(entries) else "")
    status: Status = "ok" if len(shown) == len(entries) else "truncated"
    return Reply(status=status, source=source, text="\n".join(shown), note=note)


def fit(lines: Sequence[str]) -> list[str]:
    """The first lines that make up one page; always one at least."""
    kept: list[str] = []
    room = MOST_BYTES
    for line in lines[:MOST_LINES]:
        room -= len(line.encode()) + 1
        if room < 0 and kept:
            break
        kept.append(line)
    return kept


def cut(line: str) -> str:
    line = line.rstrip("\r\n")
    return line if len(line) <= LINE_WIDTH else f"{line[:LINE_WIDTH]} [... {len(line) - LINE_WIDTH} more characters]"


def one_line(text: str) -> str:
    """Prose that may hold what a model or a log said, for a place outside the delimiters."""
    return " ".join(text.replace("<", "(").replace(">", ")").split())[:400]
