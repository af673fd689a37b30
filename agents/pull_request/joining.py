"""One fix, one pull request: incidents that the same change cures join the one that is there.

Two incidents have one cure where they would make the same change on the same branch, or take back the same commit.
"""

import hashlib
import re
from typing import Literal, NamedTuple

from agents.incident import PIN_SUFFIX
from agents.pull_request.ensuring import INCIDENT_TRAILER, PIN_TRAILER
from agents.pull_request.listing import list_once
from agents.pull_request.markers import fix_of, incident_of, who_of
from agents.pull_request.nouns import Forge, Joined, PullRequestLink, Record

INTRODUCTION = "More than one canary failed of the same cause. This change is for all of these:"
MARKER = "<!-- selfheal joined -->"


def fix_key(base: str, change: str) -> str:
    """Names a fix: the branch it is made on, and `change`, the stable patch id of its diff or the commit it undoes."""
    return hashlib.sha256(f"{base}\n{change}".encode()).hexdigest()[:32]


def same_fix(ours: tuple[Record, ...], fix: str, incident: str) -> Record | None:
    """Another incident's open or merged pull request that makes this fix; the oldest, so that all find the same."""
    found = [record for record in ours if fix_of(record.body) == fix and incident_of(record.body) != incident]
    alive = [record for record in found if record.state in {"open", "merged"}]
    return min(alive, key=lambda record: (record.state != "open", record.number), default=None)


async def join(url: str, found: Record, incident: str, who: str, forge: Forge) -> Joined:
    """List the incident in our one comment there; `who` says on one line of Markdown which canary it is.

    The comment begins with the canary that the pull request was opened for.
    """
    first = who_of(found.body) or "the canary that this pull request tells of"
    entries = [(first, f"incident={incident_of(found.body)}"), (who, f"incident={incident}")]
    await list_once(url, found.number, (INTRODUCTION, MARKER), entries, forge)
    state: Literal["open", "merged"] = "merged" if found.state == "merged" else "open"
    link = PullRequestLink(url=found.url, branch=found.branch or "", base=found.base or "")
    return Joined(pull_request=link, state=state)


class Within(NamedTuple):
    """The fixes of ours that a range of commits holds."""

    number: int
    known: tuple[Record, ...]
    """Their pull requests, as far as they are known still, in the order in which they were opened."""


def fixes_of(records: tuple[Record, ...]) -> tuple[Record, ...]:
    """Those that were meant to heal: a pin only goes back to the stable version."""
    return tuple(record for record in records if not (record.branch or "").endswith(PIN_SUFFIX))


def attempts_within(messages: tuple[str, ...], merged: tuple[Record, ...], commits: frozenset[str]) -> Within:
    """The fixes of ours that a range of commits holds: by the trailers of their commits, or by what merging made."""
    trailer = re.compile(rf"^{INCIDENT_TRAILER}: ([0-9a-f]{{32}})\s*$", re.MULTILINE)
    pin = re.compile(rf"^{PIN_TRAILER}: ", re.MULTILINE)
    fixes = fixes_of(merged)
    named = {incident for message in messages if not pin.search(message) for incident in trailer.findall(message)}
    named |= {incident_of(record.body) or "" for record in fixes if record.merged_as in commits}
    known = sorted((record for record in fixes if incident_of(record.body) in named), key=lambda record: record.number)
    return Within(len(named), tuple(known))
