"""The `Forge` port on GitHub's REST API."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice

from github import UnknownObjectException
from github.GitRef import GitRef
from github.Issue import Issue
from github.IssueComment import IssueComment
from github.NamedUser import NamedUser
from github.Organization import Organization
from github.PullRequest import PullRequest
from github.Repository import Repository

from agents.errors import Conflict, Denied, Transient
from agents.patch import FileChange
from agents.pull_request import (
    LABEL,
    MOST_CLOSED,
    Attention,
    Comment,
    Head,
    Record,
    Text,
    Theirs,
    incident_of,
    issue_about,
)
from app.adapters.forge_github.access import PAGE, Access
from app.adapters.forge_github.attention import (
    account_of,
    add_labels,
    attention_of,
    page_of,
    request_reviews,
    unread_issue,
)
from app.adapters.forge_github.commits import create_commit
from app.adapters.forge_github.theirs import their_pull_requests

NO_DRAFTS = "draft pull requests are not supported"


class GitHubForge:
    """Every repository that `access` may see, by its https URL."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def default_branch(self, url: str) -> str:
        return await self._access.call(url, "reading the repository", lambda repository: repository.default_branch)

    async def head(self, url: str, branch: str) -> Head | None:
        return await self._access.call(url, f"reading the branch {branch}", partial(_head, branch))

    async def commit(self, url: str, parent: str, changes: tuple[FileChange, ...], message: str) -> str:
        return await self._access.call(url, "writing a commit", partial(create_commit, parent, changes, message))

    async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
        doing = f"pointing the branch {branch} to {sha[:12]}"
        await self._access.call(url, doing, partial(_point, branch, sha, expected))

    async def find_pull_request(self, url: str, branch: str) -> Record | None:
        doing = f"looking for a pull request of {branch}"
        return await self._access.call(url, doing, partial(_find_pull_request, branch))

    async def create_pull_request(self, url: str, branch: str, base: str, text: Text) -> Record:
        """A repository whose plan has no drafts gets none, and no pull request that only looks like one.

        A draft is what keeps people, code owners and auto-merge away from an unproven fix.
        """
        try:
            doing = f"creating a pull request of {branch} against {base}"
            return await self._access.call(url, doing, partial(_create_pull_request, branch, base, text))
        except Denied as error:
            if NO_DRAFTS not in str(error).lower():
                raise
            raise Denied(
                f"{url} has no draft pull requests (its plan lacks them): allow `mode: ready` for it in the policy, "
                "and verified fixes are proposed"
            ) from None

    async def update_pull_request(self, url: str, number: int, text: Text) -> None:
        def edit(repository: Repository) -> None:
            pull = PullRequest(repository.requester, url=f"{repository.url}/pulls/{number}", completed=False)
            pull.edit(title=text.title, body=text.body)

        await self._access.call(url, f"updating the pull request {number}", edit)

    async def our_pull_requests(self, url: str) -> tuple[Record, ...]:
        return await self._access.call(url, "listing our pull requests", _our_pull_requests)

    async def their_pull_requests(self, url: str, base: str, paths: tuple[str, ...]) -> tuple[Theirs, ...]:
        doing = "reading other people's pull requests"
        return await self._access.call(url, doing, partial(their_pull_requests, base, paths))

    async def attention(self, url: str, number: int) -> Attention:
        return await self._access.call(url, f"reading the history of {number}", partial(attention_of, number))

    async def add_labels(self, url: str, number: int, labels: tuple[str, ...]) -> None:
        await self._access.call(url, f"labelling {number}", partial(add_labels, number, labels))

    async def request_reviews(self, url: str, number: int, reviewers: tuple[str, ...]) -> None:
        doing = f"asking {', '.join(reviewers)} to review {number}"
        await self._access.call(url, doing, partial(request_reviews, number, reviewers))

    async def account(self, url: str, commit: str) -> str | None:
        return await self._access.call(url, f"reading who wrote {commit[:12]}", partial(account_of, commit))

    async def page(self, url: str, commit: str, path: str = "", line: int | None = None) -> str | None:
        address = self._access.address(url)
        return None if address is None else page_of(address.removesuffix(".git"), commit, path, line)

    async def comments(self, url: str, number: int) -> tuple[Comment, ...]:
        return await self._access.call(url, f"reading the comments of {number}", partial(_comments, number))

    async def create_comment(self, url: str, number: int, body: str) -> Comment:
        def create(repository: Repository) -> Comment:
            made = unread_issue(number, repository).create_comment(body)
            return Comment(id=_number(made.id), body=made.body or "")

        return await self._access.call(url, f"commenting on {number}", create)

    async def update_comment(self, url: str, number: int, comment: int, body: str) -> None:
        def edit(repository: Repository) -> None:
            url = f"{repository.url}/issues/comments/{comment}"
            IssueComment(repository.requester, url=url, completed=False).edit(body)

        await self._access.call(url, f"updating a comment of {number}", edit)

    async def find_issue(self, url: str, incident: str, cause: str | None = None) -> Record | None:
        return await self._access.call(url, "looking for the incident's issue", partial(_find_issue, incident, cause))

    async def create_issue(self, url: str, text: Text) -> Record:
        def create(repository: Repository) -> Record:
            return _issue_record(repository.create_issue(text.title, text.body, labels=[LABEL]))

        return await self._access.call(url, "creating an issue", create)

    async def close_issue(self, url: str, number: int) -> None:
        def close(repository: Repository) -> None:
            issue = repository.get_issue(number)
            if issue.state == "open":
                issue.edit(state="closed", state_reason="completed")

        await self._access.call(url, f"closing the issue {number}", close)


def _head(branch: str, repository: Repository) -> Head | None:
    ref = _ref(branch, repository)
    if ref is None:
        return None
    return Head(sha=ref.object.sha, message=repository.get_git_commit(ref.object.sha).message)


def _ref(branch: str, repository: Repository) -> GitRef | None:
    try:
        return repository.get_git_ref(f"heads/{branch}")
    except UnknownObjectException:
        return None


def _point(branch: str, sha: str, expected: str | None, repository: Repository) -> None:
    """Create the branch, or move it from `expected`.

    Creating is a compare-and-swap of GitHub's. For moving there is none in its REST API, and the new commit does not
    descend from the old one, so the move must be forced: what is pushed between our look and the move is pushed over.
    That is the time of one request, and only on a branch whose head carries our own trailers; the commit that lost
    stays in GitHub's timeline of the pull request.
    """
    if expected is None:
        repository.create_git_ref(f"refs/heads/{branch}", sha)
        return
    ref = _ref(branch, repository)
    if ref is None or ref.object.sha != expected:
        raise Conflict(f"the branch {branch} is {'gone' if ref is None else f'not at {expected} any more'}")
    ref.edit(sha, force=True)


def _find_pull_request(branch: str, repository: Repository) -> Record | None:
    owner = repository.owner.login
    listed = repository.get_pulls(state="all", head=f"{owner}:{branch}")
    # GitHub ignores a filter that it cannot read, and an owner may have a fork with the same branch
    ours = [_pull_record(pull) for pull in listed if pull.head.ref == branch and _is_from(pull, repository)]
    return max(ours, key=lambda record: (record.state == "open", record.number), default=None)


def _is_from(pull: PullRequest, repository: Repository) -> bool:
    """Whether the head lies in the repository itself; that of a deleted fork lies nowhere."""
    source = pull.head.raw_data.get("repo") or {}
    return str(source.get("full_name")).lower() == repository.full_name.lower()


def _create_pull_request(branch: str, base: str, text: Text, repository: Repository) -> Record:
    return _pull_record(repository.create_pull(base, branch, title=text.title, body=text.body, draft=text.draft))


def _our_pull_requests(repository: Repository) -> tuple[Record, ...]:
    """Listed, not searched: GitHub's search lags behind what was written a moment ago."""
    closed = repository.get_pulls(state="closed", sort="updated", direction="desc")
    pulls = (*repository.get_pulls(state="open"), *islice(closed, MOST_CLOSED))
    ours = {pull.number: pull for pull in pulls if incident_of(pull.body or "") and _is_from(pull, repository)}
    records = [_pull_record(pull) for pull in ours.values()]
    return tuple(sorted(records, key=lambda record: (record.state != "open", -record.number)))


def _comments(number: int, repository: Repository) -> tuple[Comment, ...]:
    thread = repository.get_issue(number)
    return tuple(
        Comment(id=_number(one.id), body=one.body or "")
        for one in thread.get_comments()
        if _login(one) is not None and _login(one) == _login(thread)
    )


def _login(written: Issue | IssueComment | PullRequest) -> str | None:
    """Who wrote it; None where the account is gone. Its `raw_data` would be asked for anew, one by one."""
    user: NamedUser | Organization | None = written.user
    return None if user is None else user.login


def _find_issue(incident: str, cause: str | None, repository: Repository) -> Record | None:
    """By the markers, among the issues with our label; then among the newest of all.

    GitHub drops the label silently where our credentials may write issues but not contents, and people take labels off.
    """
    labelled = repository.get_issues(state="all", labels=[LABEL])
    found = issue_about(_issues_in(labelled), incident, cause)
    if found is not None:
        return found
    newest = repository.get_issues(state="all", sort="created", direction="desc").get_page(0)[:PAGE]
    return issue_about(_issues_in(newest), incident, cause)


def _issues_in(listed: Iterable[Issue]) -> Iterator[Record]:
    """GitHub lists pull requests among the issues, and ours carry the same marker."""
    return (_issue_record(issue) for issue in listed if issue.pull_request is None)


def _pull_record(pull: PullRequest) -> Record:
    return Record(
        number=_number(pull.number),
        url=pull.html_url,
        state="merged" if pull.merged_at is not None else "open" if pull.state == "open" else "closed",
        draft=bool(pull.draft),
        title=pull.title,
        body=pull.body or "",
        branch=pull.head.ref,
        base=pull.base.ref,
        author=_login(pull),
        merged_as=pull.merge_commit_sha if pull.merged_at is not None else None,
    )


def _issue_record(issue: Issue) -> Record:
    return Record(
        number=_number(issue.number),
        url=issue.html_url,
        state="open" if issue.state == "open" else "closed",
        title=issue.title,
        body=issue.body or "",
        author=_login(issue),
        reopened=issue.state_reason == "reopened",
    )


def _number(number: int | None) -> int:
    """PyGithub takes a redirect's or a proxy's page for an object without attributes."""
    if not isinstance(number, int):
        raise Transient("GitHub's answer is not what was asked for")
    return number
