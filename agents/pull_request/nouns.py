"""The nouns of publishing, and the `Forge` port."""

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict

from agents.patch import FileChange
from agents.pull_request.markers import with_marker

MOST_CLOSED = 200
MOST_THEIRS = 20
"""Other people's pull requests that are looked at, those that changed last."""
LABEL = "self-healing"
"""On every issue of ours, which is found by it, and on pull requests unless the policy names others."""


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
    pin: PullRequestLink | None = None
    """The second one, which sets the GitOps repository back to the stable version meanwhile."""


class LeftAlone(BaseModel):
    """A person was first: what they did to our branch or pull request stands."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["left-alone"] = "left-alone"
    pull_request: PullRequestLink
    because: Literal["merged", "closed", "edited"]
    pin: PullRequestLink | None = None


class Joined(BaseModel):
    """Another incident's pull request makes the same change: it serves this one too, and says so."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["joined"] = "joined"
    pull_request: PullRequestLink
    state: Literal["open", "merged"]
    pin: PullRequestLink | None = None


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
    branch: str | None = None
    """The head of a pull request; None for an issue."""
    base: str | None = None
    merged_as: str | None = None
    """The commit that merging made on the base branch."""
    author: str | None = None
    """The account that opened it, which nobody can ask to review it; None where the forge has no accounts."""
    reopened: bool = False
    """Whether somebody opened an issue again that had been closed."""


class Comment(BaseModel):
    """A comment on a pull request or issue."""

    model_config = ConfigDict(frozen=True)

    id: int
    body: str


class Attention(BaseModel):
    """To what and to whom a pull request was ever brought. What a person took off again is still in it."""

    model_config = ConfigDict(frozen=True)

    labels: frozenset[str] = frozenset()
    """Every label that was ever on it, in lower case."""
    reviewers: frozenset[str] = frozenset()
    """Everybody who was ever asked for a review, or gave one, in lower case; a team is `organisation/team`."""


class Theirs(BaseModel):
    """Somebody's open pull request, and its diff of the files that were asked for."""

    model_config = ConfigDict(frozen=True)

    url: str
    diff: str


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
    fix: str
    """The key of the fix, which two incidents with one cure share: 32 hex digits."""
    is_pin: bool = False
    """Whether it only sets manifests back to the stable version, and so is no attempt at a fix."""
    who: str | None = None
    """Which canary it is for, on one line of Markdown: whoever joins lists it too."""
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    """Accounts and teams (`organisation/team`) to ask for a review."""

    @property
    def body(self) -> str:
        return with_marker(self.incident, self.title, self.text, self.fix, who=self.who)


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

    async def our_pull_requests(self, url: str) -> tuple[Record, ...]:
        """Those that carry our marker and have their head in the repository: open ones, then others, newest first.

        Of those that are not open, only the `MOST_CLOSED` that changed last are looked at.
        """
        ...

    async def their_pull_requests(self, url: str, base: str, paths: tuple[str, ...]) -> tuple[Theirs, ...]:
        """Of the `MOST_THEIRS` open ones against `base` that are not ours and changed last, those that change a path.

        A file whose difference the forge does not tell is not in their diff.
        """
        ...

    async def attention(self, url: str, number: int) -> Attention:
        """What a pull request was ever labelled with, and who was ever asked to review it or did."""
        ...

    async def add_labels(self, url: str, number: int, labels: tuple[str, ...]) -> None:
        """Label a pull request; a label that the repository does not have is made."""
        ...

    async def request_reviews(self, url: str, number: int, reviewers: tuple[str, ...]) -> None:
        """Ask accounts and teams to review; `Denied`, and nobody is asked, where one of them cannot be."""
        ...

    async def account(self, url: str, commit: str) -> str | None:
        """The account of the person who wrote a commit; None where the forge knows none, or it is a program's."""
        ...

    async def page(self, url: str, commit: str, path: str = "", line: int | None = None) -> str | None:
        """Where people see a commit, or a file as it has it; None where the forge has no pages. Asks nobody."""
        ...

    async def comments(self, url: str, number: int) -> tuple[Comment, ...]:
        """What the author of a pull request or issue wrote below it, oldest first: what others write is not ours."""
        ...

    async def create_comment(self, url: str, number: int, body: str) -> Comment: ...

    async def update_comment(self, url: str, number: int, comment: int, body: str) -> None: ...

    async def find_issue(self, url: str, incident: str, cause: str | None = None) -> Record | None:
        """The issue whose body carries the incident's marker, else the oldest open one that carries the cause's."""
        ...

    async def create_issue(self, url: str, text: Text) -> Record: ...

    async def close_issue(self, url: str, number: int) -> None:
        """Close it as completed; one that is closed stays as it is."""
        ...
