"""Repositories, pull requests and issues of the pretended GitHub."""

from typing import Any

from tests.github_server.hub import Note, Refused, Repository, Thread, demand, invalid
from tests.github_server.routing import Request, Routes

routes = Routes()
MOST_TITLE, MOST_BODY = 256, 65536


@routes.on("GET", "")
def read_repository(request: Request, repository: Repository) -> Any:
    return _repository(request, repository)


@routes.on("GET", "pulls")
def list_pulls(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "pull_requests", "read")
    head = request.query.get("head", "")
    found = [
        pull
        for pull in _listed(request, repository.pulls)
        # a filter without a colon is not one, and everything is listed
        if ":" not in head or _label(pull) == head
        if request.query.get("base") in {None, pull.base}
    ]
    return request.page([_pull(request, repository, pull) for pull in found])


@routes.on("POST", "pulls", status=201)
def create_pull(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "pull_requests", "write")
    body = request.body
    head, base, draft = str(body["head"]).removeprefix(f"{repository.owner}:"), str(body["base"]), body.get("draft")
    branches = repository.branches()
    for name, branch in (("head", head), ("base", base)):
        if branch not in branches:
            raise invalid("PullRequest", name, "invalid")
    _check_text(body, "PullRequest")
    if any(pull.head == head and pull.base == base and pull.state == "open" for pull in repository.pulls):
        message = f"A pull request already exists for {repository.owner}:{head}."
        raise invalid("PullRequest", "", "custom", message)
    if repository.git("rev-list", "--count", f"{base}..{head}") == "0":
        raise invalid("PullRequest", "", "custom", f"No commits between {base} and {head}")
    if draft and not repository.has_drafts:
        raise invalid("PullRequest", "draft", "custom", "Draft pull requests are not supported in this repository.")
    pull = Thread(
        number=len(repository.threads) + 1,
        title=str(body["title"]),
        body=str(body.get("body") or ""),
        author=_login(request),
        head=head,
        base=base,
        source=repository.full_name,
        draft=bool(draft),
    )
    return _pull(request, repository, repository.open(pull))


@routes.on("GET", r"pulls/(?P<number>\d+)")
def read_pull(request: Request, repository: Repository, number: str) -> Any:
    demand(request.grant, repository, "pull_requests", "read")
    return _pull(request, repository, repository.thread(int(number)))


@routes.on("PATCH", r"pulls/(?P<number>\d+)")
def update_pull(request: Request, repository: Repository, number: str) -> Any:
    demand(request.grant, repository, "pull_requests", "write")
    _check_text(request.body, "PullRequest")
    pull = repository.thread(int(number))
    pull.title = str(request.body.get("title", pull.title))
    pull.body = str(request.body.get("body", pull.body))
    return _pull(request, repository, pull)


@routes.on("GET", "issues")
def list_issues(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "issues", "read")
    _refuse_without_issues(repository)
    labels = {label for label in request.query.get("labels", "").split(",") if label}
    found = [thread for thread in _listed(request, repository.threads) if labels <= set(thread.labels)]
    return request.page([_issue(request, repository, thread) for thread in found])


@routes.on("POST", "issues", status=201)
def create_issue(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "issues", "write")
    _refuse_without_issues(repository)
    _check_text(request.body, "Issue")
    may_label = request.grant is not None and request.grant.permissions.get("contents") == "write"
    issue = Thread(
        number=len(repository.threads) + 1,
        title=str(request.body["title"]),
        body=str(request.body.get("body") or ""),
        author=_login(request),
        labels=tuple(request.body.get("labels") or ()) if may_label else (),
    )
    repository.labels |= set(issue.labels)
    return _issue(request, repository, repository.open(issue))


@routes.on("GET", r"issues/(?P<number>\d+)")
def read_issue(request: Request, repository: Repository, number: str) -> Any:
    demand(request.grant, repository, "issues", "read")
    return _issue(request, repository, repository.thread(int(number)))


@routes.on("PATCH", r"issues/(?P<number>\d+)")
def update_issue(request: Request, repository: Repository, number: str) -> Any:
    """GitHub takes a reason only with a state that changes, and knows three."""
    demand(request.grant, repository, "issues", "write")
    issue = repository.thread(int(number))
    state, reason = request.body.get("state", issue.state), request.body.get("state_reason")
    if state not in {"open", "closed"}:
        raise invalid("Issue", "state", "invalid")
    if reason not in {None, "completed", "not_planned", "reopened"}:
        raise invalid("Issue", "state_reason", "invalid")
    if state != issue.state:
        issue.state_reason = reason or ("completed" if state == "closed" else "reopened")
    issue.state = state
    return _issue(request, repository, issue)


@routes.on("GET", r"issues/(?P<number>\d+)/comments")
def list_comments(request: Request, repository: Repository, number: str) -> Any:
    demand(request.grant, repository, "issues", "read")
    thread = repository.thread(int(number))
    return request.page([_comment(request, repository, thread, note) for note in thread.comments])


@routes.on("POST", r"issues/(?P<number>\d+)/comments", status=201)
def create_comment(request: Request, repository: Repository, number: str) -> Any:
    """Those of a pull request may be written by who may write pull requests, or issues."""
    thread = repository.thread(int(number))
    demand(request.grant, repository, "issues" if thread.head is None else "pull_requests", "write")
    _check_text(request.body, "IssueComment")
    everything = [note for one in repository.threads for note in one.comments]
    note = Note(number=len(everything) + 1, author=_login(request), body=str(request.body["body"]))
    thread.comments.append(note)
    return _comment(request, repository, thread, note)


@routes.on("GET", r"issues/comments/(?P<number>\d+)")
def read_comment(request: Request, repository: Repository, number: str) -> Any:
    demand(request.grant, repository, "issues", "read")
    return _comment(request, repository, *_note(repository, int(number)))


@routes.on("PATCH", r"issues/comments/(?P<number>\d+)")
def update_comment(request: Request, repository: Repository, number: str) -> Any:
    thread, note = _note(repository, int(number))
    demand(request.grant, repository, "issues" if thread.head is None else "pull_requests", "write")
    _check_text(request.body, "IssueComment")
    note.body = str(request.body["body"])
    return _comment(request, repository, thread, note)


def _note(repository: Repository, number: int) -> tuple[Thread, Note]:
    for thread in repository.threads:
        for note in thread.comments:
            if note.number == number:
                return thread, note
    raise Refused(404, "Not Found")


def _comment(request: Request, repository: Repository, thread: Thread, note: Note) -> dict[str, Any]:
    kind = "issues" if thread.head is None else "pull"
    return {
        "id": note.number,
        "url": f"{request.url(repository)}/issues/comments/{note.number}",
        "issue_url": f"{request.url(repository)}/issues/{thread.number}",
        "html_url": f"{request.web}/{repository.full_name}/{kind}/{thread.number}#issuecomment-{note.number}",
        "body": note.body,
        "user": _user(request, note.author),
    }


def _listed(request: Request, threads: list[Thread]) -> list[Thread]:
    state = request.query.get("state", "open")
    return [thread for thread in reversed(threads) if state in {"all", thread.state}]


def _check_text(body: dict[str, Any], resource: str) -> None:
    if "title" in body and not 0 < len(str(body["title"])) <= MOST_TITLE:
        raise invalid(resource, "title", "invalid", f"title is too long (maximum is {MOST_TITLE} characters)")
    if len(str(body.get("body") or "")) > MOST_BODY:
        raise invalid(resource, "body", "invalid", f"body is too long (maximum is {MOST_BODY} characters)")


def _refuse_without_issues(repository: Repository) -> None:
    if not repository.has_issues:
        raise Refused(410, "Issues has been disabled in this repository.")


def _login(request: Request) -> str:
    return request.grant.login if request.grant else ""


def _label(pull: Thread) -> str:
    return f"{(pull.source or 'unknown/').split('/')[0]}:{pull.head}"


def _user(request: Request, login: str) -> dict[str, Any]:
    return {"login": login, "id": 1, "type": "User", "url": f"{request.api}/users/{login}"}


def _repository(request: Request, repository: Repository) -> dict[str, Any]:
    may_push = request.grant is not None and request.grant.permissions.get("contents") == "write"
    return {
        "id": 1,
        "name": repository.name,
        "full_name": repository.full_name,
        "private": repository.private,
        "archived": repository.archived,
        "has_issues": repository.has_issues,
        "permissions": {"pull": True, "push": may_push},
        "default_branch": repository.default_branch,
        "owner": _user(request, repository.owner),
        "url": request.url(repository),
        "html_url": f"{request.web}/{repository.full_name}",
    }


def _pull(request: Request, repository: Repository, pull: Thread) -> dict[str, Any]:
    whole = _repository(request, repository)
    source = whole | {"full_name": pull.source} if pull.source else None
    return {
        "id": pull.number,
        "number": pull.number,
        "url": f"{request.url(repository)}/pulls/{pull.number}",
        "html_url": f"{request.web}/{repository.full_name}/pull/{pull.number}",
        "state": pull.state,
        "draft": pull.draft,
        "merged_at": "2026-11-24T12:00:00Z" if pull.merged else None,
        "merge_commit_sha": pull.merged_as,
        "title": pull.title,
        "body": pull.body or None,
        "user": _user(request, pull.author),
        "head": {"ref": pull.head, "label": _label(pull), "repo": source},
        "base": {"ref": pull.base, "label": f"{repository.owner}:{pull.base}", "repo": whole},
    }


def _issue(request: Request, repository: Repository, thread: Thread) -> dict[str, Any]:
    kind = "issues" if thread.head is None else "pull"
    issue: dict[str, Any] = {
        "id": thread.number,
        "number": thread.number,
        "url": f"{request.url(repository)}/issues/{thread.number}",
        "html_url": f"{request.web}/{repository.full_name}/{kind}/{thread.number}",
        "state": thread.state,
        "state_reason": thread.state_reason,
        "title": thread.title,
        "body": thread.body or None,
        "user": _user(request, thread.author),
        "labels": [{"name": label} for label in thread.labels],
    }
    if thread.head is not None:
        issue["pull_request"] = {"url": f"{request.url(repository)}/pulls/{thread.number}"}
    return issue
