"""`ensure`: make the forge match the wanted pull request, whoever was there before.

Exactly one branch and one pull request an incident is promised here and nowhere else: each step looks first,
writes only what is missing, and a second run changes nothing. People win: a branch somebody pushed to, a
pull request somebody closed, merged or reworded is left as it is.
"""

import hashlib

from agents.errors import Conflict
from agents.patch import FileChange
from agents.pull_request.attention import draw_attention
from agents.pull_request.markers import is_reworded
from agents.pull_request.nouns import Forge, LeftAlone, Proposed, PullRequestLink, Record, Text, Wanted

MOST_LOOKS = 4
"""How often `ensure` looks again when somebody else was quicker, before it gives up."""
INCIDENT_TRAILER = "Selfheal-Incident"
FIX_TRAILER = "Selfheal-Fix"
CHANGE_TRAILER = "Selfheal-Change"
PIN_TRAILER = "Selfheal-Pin"
"""Marks the commit of a pin: it brings the stable version back, so a canary that has it was no attempt at a fix."""


async def ensure(wanted: Wanted, forge: Forge) -> Proposed | LeftAlone:
    """Make the forge match `wanted`; calling it again, at any time, changes nothing more.

    `Conflict` where the branch is not ours and nobody proposed it, or where somebody was quicker time and again.
    """
    found = await forge.find_pull_request(wanted.repository, wanted.branch)
    if found is not None and found.state != "open":
        return LeftAlone(pull_request=_link(found, wanted), because=found.state)
    pushed = await ensure_branch(wanted, forge)
    if not pushed:
        if found is None:
            raise Conflict(f"the branch {wanted.branch} carries commits that are not ours, and no pull request")
        return LeftAlone(pull_request=_link(found, wanted), because="edited")
    text = Text(title=wanted.title, body=wanted.body, draft=wanted.draft)
    is_new = False
    if found is None:
        found, is_new = await _create(wanted, text, forge)
    elif found.body != text.body and not is_reworded(found.title, found.body):
        await forge.update_pull_request(wanted.repository, found.number, text)
    if found.state != "open":
        return LeftAlone(pull_request=_link(found, wanted), because=found.state)
    await draw_attention(wanted, found, forge, is_new=is_new)
    return Proposed(pull_request=_link(found, wanted), draft=found.draft)


async def ensure_branch(wanted: Wanted, forge: Forge) -> bool:
    """Point the branch at a commit with the wanted changes; False where a person has pushed to it."""
    for _ in range(MOST_LOOKS):
        head = await forge.head(wanted.repository, wanted.branch)
        if head is not None:
            trailers = _trailers(head.message)
            if trailers.get(INCIDENT_TRAILER) != wanted.incident:
                return False
            if trailers.get(CHANGE_TRAILER) == change_digest(wanted.changes):
                return True
        sha = await forge.commit(wanted.repository, wanted.base_commit, wanted.changes, _message(wanted))
        try:
            await forge.point(wanted.repository, wanted.branch, sha, head.sha if head else None)
        except Conflict:
            continue  # moved since we looked: by a second worker, or by a person
        return True
    raise Conflict(f"the branch {wanted.branch} moves whenever we look")


async def _create(wanted: Wanted, text: Text, forge: Forge) -> tuple[Record, bool]:
    """Create it, or adopt the one that appeared since we looked (a lost answer, a second worker); and which it was."""
    try:
        return await forge.create_pull_request(wanted.repository, wanted.branch, wanted.base, text), True
    except Conflict:
        found = await forge.find_pull_request(wanted.repository, wanted.branch)
        if found is None:
            raise
        return found, False


def change_digest(changes: tuple[FileChange, ...]) -> str:
    """Names a set of changes, whatever commit they sit on."""
    digest = hashlib.sha256()
    for change in sorted(changes, key=lambda change: change.path):
        digest.update(change.model_dump_json(include={"path", "after"}).encode())
    return digest.hexdigest()[:16]


def _message(wanted: Wanted) -> str:
    trailers = {
        INCIDENT_TRAILER: wanted.incident,
        **({PIN_TRAILER: "stable"} if wanted.is_pin else {}),
        FIX_TRAILER: wanted.fix,
        CHANGE_TRAILER: change_digest(wanted.changes),
    }
    return f"{wanted.message.rstrip()}\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers.items())


def _trailers(message: str) -> dict[str, str]:
    last = message.rstrip().split("\n\n")[-1]
    return dict(line.split(": ", 1) for line in last.splitlines() if ": " in line)


def _link(record: Record, wanted: Wanted) -> PullRequestLink:
    return PullRequestLink(url=record.url, branch=wanted.branch, base=wanted.base)
