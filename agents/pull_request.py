"""The wanted pull request, and `ensure`: make the forge match it, whoever was there before.

Exactly one branch and one pull request an incident is promised here and nowhere else: each step looks first,
writes only what is missing, and a second run changes nothing. People win: a branch somebody pushed to, a
pull request somebody closed, merged or reworded is left as it is.
"""

import hashlib
import re
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from agents.errors import Conflict
from agents.patch import FileChange

MARKER = re.compile(r"^<!-- selfheal incident=([0-9a-f]{32}) text=([0-9a-f]{16}) -->\s*$", re.MULTILINE)
FORGED = re.compile(r"<!--(?=\s*selfheal\b)", re.IGNORECASE)
MOST_LOOKS = 4
"""How often `ensure` looks again when somebody else was quicker, before it gives up."""
INCIDENT_TRAILER = "Selfheal-Incident"
CHANGE_TRAILER = "Selfheal-Change"


class PullRequestLink(BaseModel):
    """Where the proposal stands."""

    model_config = ConfigDict(frozen=True)

    url: str
    branch: str
    base: str


class Proposed(BaseModel):
    """A pull request is open, and it says what we want it to say."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["proposed"] = "proposed"
    pull_request: PullRequestLink
    draft: bool


class LeftAlone(BaseModel):
    """A person was first: what they did to our branch or pull request stands."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["left-alone"] = "left-alone"
    pull_request: PullRequestLink
    because: Literal["merged", "closed", "edited"]


class Head(BaseModel):
    """The commit that a branch points to."""

    model_config = ConfigDict(frozen=True)

    sha: str
    message: str


class Record(BaseModel):
    """A pull request or issue as the forge has it."""

    model_config = ConfigDict(frozen=True)

    number: int
    url: str
    state: Literal["open", "closed", "merged"]
    draft: bool = False
    title: str
    body: str


class Text(BaseModel):
    """What people read of a pull request or issue; `draft` means nothing for an issue."""

    model_config = ConfigDict(frozen=True)

    title: str
    body: str
    draft: bool = False


class Wanted(BaseModel):
    """What a reviewer should find. `text` is Markdown without the marker."""

    model_config = ConfigDict(frozen=True)

    repository: str
    incident: str
    """The incident's key."""
    branch: str
    base: str
    base_commit: str
    """The tip of `base` that `changes` start from."""
    changes: tuple[FileChange, ...]
    message: str
    title: str
    text: str
    draft: bool

    @property
    def body(self) -> str:
        return with_marker(self.incident, self.title, self.text)


class Forge(Protocol):
    """What publishing needs of GitHub or its local stand-in. `url` names the repository."""

    async def default_branch(self, url: str) -> str:
        """The branch that pull requests are made against unless the policy names one."""
        ...

    async def head(self, url: str, branch: str) -> Head | None:
        """The branch's head, None where there is no such branch."""
        ...

    async def commit(self, url: str, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        """Store a commit on `parent`, reachable from no branch yet; modes are kept. Returns its sha."""
        ...

    async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
        """Move the branch from `expected` (None: it must not exist) to `sha`, else `Conflict`."""
        ...

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        """The newest pull request with this head, open ones first."""
        ...

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        """`Conflict` where one is open for this head already."""
        ...

    async def update_pull_request(self, url: str, number: int, text: Text) -> None: ...

    async def find_issue(self, url: str, incident: str) -> Record | None:
        """The issue whose body carries the incident's marker."""
        ...

    async def create_issue(self, url: str, text: Text) -> Record: ...


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
    if found is None:
        found = await _create(wanted, text, forge)
    elif found.body != text.body and not reworded(found):
        await forge.update_pull_request(wanted.repository, found.number, text)
    if found.state != "open":
        return LeftAlone(pull_request=_link(found, wanted), because=found.state)
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


async def ensure_issue(url: str, incident: str, title: str, text: str, forge: Forge) -> str:
    """The URL of the incident's one issue; an existing one is not reworded."""
    found = await forge.find_issue(url, incident)
    if found is None:
        found = await forge.create_issue(url, Text(title=title, body=with_marker(incident, title, text)))
    return found.url


async def _create(wanted: Wanted, text: Text, forge: Forge) -> Record:
    """Create it, or adopt the one that appeared since we looked (a lost answer, a second worker)."""
    try:
        return await forge.create_pull_request(wanted.repository, wanted.branch, wanted.base, text)
    except Conflict:
        found = await forge.find_pull_request(wanted.repository, wanted.branch)
        if found is None:
            raise
        return found


def with_marker(incident: str, title: str, text: str) -> str:
    """The text and the hidden line that we find it by, and tell by whether somebody reworded it.

    Ours is the only one: what looks like it in the text, which quotes logs, is broken up.
    """
    own = FORGED.sub("<!- -", text.rstrip())
    return f"{own}\n\n<!-- selfheal incident={incident} text={_digest(title, own)} -->\n"


def incident_of(body: str) -> str | None:
    """The incident that a text of ours is about; None for one that is not ours."""
    marker = _marker(body)
    return marker.group(1) if marker else None


def reworded(record: Record) -> bool:
    """Whether a person changed title or text since we wrote it; line ends and outer space do not count."""
    marker = _marker(record.body)
    if marker is None or record.body[marker.end() :].strip():
        return True
    return marker.group(2) != _digest(record.title, record.body[: marker.start()])


def _marker(body: str) -> re.Match[str] | None:
    """The last one: what stands before it may be a quotation."""
    return max(MARKER.finditer(body), key=lambda match: match.start(), default=None)


def change_digest(changes: tuple[FileChange, ...]) -> str:
    """Names a set of changes, whatever commit they sit on."""
    digest = hashlib.sha256()
    for change in sorted(changes, key=lambda change: change.path):
        digest.update(change.model_dump_json(include={"path", "after"}).encode())
    return digest.hexdigest()[:16]


def _digest(title: str, text: str) -> str:
    lines = [title.strip(), *text.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _message(wanted: Wanted) -> str:
    trailers = {INCIDENT_TRAILER: wanted.incident, CHANGE_TRAILER: change_digest(wanted.changes)}
    return f"{wanted.message.rstrip()}\n\n" + "".join(f"{key}: {value}\n" for key, value in trailers.items())


def _trailers(message: str) -> dict[str, str]:
    last = message.rstrip().split("\n\n")[-1]
    return dict(line.split(": ", 1) for line in last.splitlines() if ": " in line)


def _link(record: Record, wanted: Wanted) -> PullRequestLink:
    return PullRequestLink(url=record.url, branch=wanted.branch, base=wanted.base)
