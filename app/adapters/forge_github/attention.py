"""Labels, requests for review, and what GitHub remembers of both: the timeline of a pull request."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from github import GithubException
from github.Issue import Issue
from github.PullRequest import PullRequest
from github.Repository import Repository

from agents.errors import Denied
from agents.pull_request import Attention

COLOUR = "1d76db"
DESCRIPTION = "Proposed or reported by Self-Healing Rollouts"
UNPROCESSABLE = 422
SHOWN_AS_PAGE = (".md", ".markdown", ".rst", ".adoc", ".textile", ".org", ".ipynb", ".svg", ".csv", ".tsv", ".geojson")
"""Files that GitHub shows rendered, without line numbers, unless it is asked for the plain text."""


def attention_of(number: int, repository: Repository) -> Attention:
    """From the events of the timeline, which holds what was undone as well."""
    labels, reviewers = set(), set()
    for event in unread_issue(number, repository).get_timeline():
        told = event.raw_data
        if event.event == "labeled":
            labels.add(_named(told, "label", "name"))
        elif event.event in {"review_requested", "review_request_removed"}:
            team = _named(told, "requested_team", "slug")
            reviewers.add(f"{repository.owner.login}/{team}" if team else _named(told, "requested_reviewer", "login"))
        elif event.event == "reviewed":
            reviewers.add(_named(told, "user", "login"))
    found = {"labels": labels, "reviewers": reviewers}
    kept = {key: frozenset(name.lower() for name in names if name) for key, names in found.items()}
    return Attention(**kept)


def add_labels(number: int, labels: tuple[str, ...], repository: Repository) -> None:
    """Most repositories have the labels after the first time, so they are made only once adding them was refused."""
    issue = unread_issue(number, repository)
    try:
        issue.add_to_labels(*labels)
    except GithubException as error:
        if error.status != UNPROCESSABLE:
            raise
        for label in labels:
            _make_label(label, repository)
        issue.add_to_labels(*labels)


def _make_label(name: str, repository: Repository) -> None:
    """Make a label; one that is there already is left as it is."""
    try:
        repository.create_label(name, COLOUR, DESCRIPTION)
    except GithubException as error:
        if error.status != UNPROCESSABLE:
            raise


def request_reviews(number: int, reviewers: tuple[str, ...], repository: Repository) -> None:
    """Ask them in one request; GitHub asks nobody where one of them is not a collaborator, or is the author."""
    owner = repository.owner.login.lower()
    people = [name for name in reviewers if "/" not in name]
    teams = [name.partition("/") for name in reviewers if "/" in name]
    strange = [f"{of}/{team}" for of, _, team in teams if of.lower() != owner]
    if strange:
        raise Denied(f"{', '.join(strange)}: teams of another organisation cannot be asked for a review")
    pull = PullRequest(repository.requester, url=f"{repository.url}/pulls/{number}", completed=False)
    pull.create_review_request(people, [team for _, _, team in teams])


def account_of(commit: str, repository: Repository) -> str | None:
    """The login that GitHub matches the commit's author with; none for a bot's commit."""
    author = repository.get_commit(commit).raw_data.get("author") or {}
    login = author.get("login")
    return login if isinstance(login, str) and login and author.get("type") != "Bot" else None


def page_of(home: str, commit: str, path: str, line: int | None) -> str:
    """The address below the repository's page `home`."""
    if not path:
        return f"{home}/commit/{quote(commit, safe='')}"
    plain = "?plain=1" if line and path.lower().endswith(SHOWN_AS_PAGE) else ""
    return f"{home}/blob/{quote(commit, safe='')}/{quote(path)}{plain}{f'#L{line}' if line else ''}"


def unread_issue(number: int, repository: Repository) -> Issue:
    """The issue behind a pull request, of which nothing but its address is needed: it is not read."""
    return Issue(repository.requester, url=f"{repository.url}/issues/{number}", completed=False)


def _named(told: Mapping[str, Any], key: str, name: str) -> str:
    found = told.get(key)
    return str(found.get(name) or "") if isinstance(found, Mapping) else ""
