"""One fix, one pull request: incidents that the same change cures join the one that is there.

Two incidents have one cure where they would make the same change on the same branch, or take back the same commit.
"""

import hashlib
import re
from typing import Literal

from agents.pull_request.ensuring import INCIDENT_TRAILER
from agents.pull_request.markers import FORGED, fix_of, incident_of, who_of
from agents.pull_request.nouns import Comment, Forge, Joined, PullRequestLink, Record

INTRODUCTION = "More than one canary failed of the same cause. This change is for all of these:"
MARKER = "<!-- selfheal joined -->"
LISTED = re.compile(r"^- .*<!-- incident=([0-9a-f]{32}) -->\s*$", re.MULTILINE)


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
    comment = next((one for one in await forge.comments(url, found.number) if MARKER in one.body.splitlines()), None)
    line = _line(who, incident)
    if comment is None:
        first = _line(who_of(found.body), incident_of(found.body))
        await forge.create_comment(url, found.number, f"{INTRODUCTION}\n\n{first}\n{line}\n\n{MARKER}\n")
    elif incident not in LISTED.findall(comment.body):
        await forge.update_comment(url, found.number, comment.id, _with(comment, line))
    state: Literal["open", "merged"] = "merged" if found.state == "merged" else "open"
    link = PullRequestLink(url=found.url, branch=found.branch or "", base=found.base or "")
    return Joined(pull_request=link, state=state)


def _line(who: str | None, incident: str | None) -> str:
    told = FORGED.sub("<!- -", " ".join((who or "the canary that this pull request tells of").split()))
    return f"- {told} <!-- incident={incident} -->"


def _with(comment: Comment, line: str) -> str:
    """The comment with one more line in its list, whatever a person wrote around it."""
    before, mark, after = comment.body.rpartition(MARKER)
    return f"{before.rstrip()}\n{line}\n\n{mark}{after}"


def attempts_within(messages: tuple[str, ...], merged: tuple[Record, ...], commits: frozenset[str]) -> int:
    """How many fixes of ours a range of commits holds: by the trailers of their commits, or by what merging made."""
    trailer = re.compile(rf"^{INCIDENT_TRAILER}: ([0-9a-f]{{32}})\s*$", re.MULTILINE)
    named = {incident for message in messages for incident in trailer.findall(message)}
    named |= {incident_of(record.body) or "" for record in merged if record.merged_as in commits}
    return len(named)
