"""Labels, requests for review and the timeline of the pretended GitHub, and the commits API that names accounts."""

from typing import Any

from tests.github_server.hub import Refused, Repository, Thread, demand, invalid
from tests.github_server.routing import Request, Routes

routes = Routes()


@routes.on("POST", "labels", status=201)
def create_label(request: Request, repository: Repository) -> Any:
    demand(request.grant, repository, "issues", "write")
    name = str(request.body["name"])
    if name.lower() in {label.lower() for label in repository.labels}:
        raise invalid("Label", "name", "already_exists")
    if not 0 < len(name) <= 50:
        raise invalid("Label", "name", "invalid")
    repository.labels.add(name)
    return {"name": name, "url": f"{request.url(repository)}/labels/{name}"}


@routes.on("POST", r"issues/(?P<number>\d+)/labels")
def add_labels(request: Request, repository: Repository, number: str) -> Any:
    """GitHub may make a label that is missing; whoever relies on it being there is told here."""
    thread = repository.thread(int(number))
    demand(request.grant, repository, "issues" if thread.head is None else "pull_requests", "write")
    names = request.body["labels"] if isinstance(request.body, dict) else request.body
    if not {name.lower() for name in names} <= {label.lower() for label in repository.labels}:
        raise invalid("Label", "name", "missing")
    for name in names:
        if name not in thread.labels:
            thread.labels = (*thread.labels, name)
            thread.events.append({"event": "labeled", "label": {"name": name}, "actor": _actor(request)})
    return [{"name": name} for name in thread.labels]


@routes.on("POST", r"pulls/(?P<number>\d+)/requested_reviewers", status=201)
def request_reviews(request: Request, repository: Repository, number: str) -> Any:
    demand(request.grant, repository, "pull_requests", "write")
    pull = repository.thread(int(number))
    people, teams = request.body.get("reviewers") or [], request.body.get("team_reviewers") or []
    if pull.author in people:
        raise Refused(422, "Review cannot be requested from pull request author.")
    if not set(people) <= repository.collaborators or not set(teams) <= repository.teams:
        raise Refused(
            422,
            "Reviews may only be requested from collaborators. One or more of the users or teams you specified is not "
            f"a collaborator of the {repository.full_name} repository.",
        )
    ask(pull, *people, teams=tuple(teams))
    return {"number": pull.number}


def ask(pull: Thread, *people: str, teams: tuple[str, ...] = ()) -> None:
    """Ask for reviews, as whoever may; who is asked already is not asked again."""
    for key, named, names in (("requested_reviewer", "login", people), ("requested_team", "slug", teams)):
        for name in names:
            if name not in pull.asked:
                pull.asked = (*pull.asked, name)
                pull.events.append({"event": "review_requested", key: {named: name, "name": name}})


@routes.on("GET", r"issues/(?P<number>\d+)/timeline")
def list_timeline(request: Request, repository: Repository, number: str) -> Any:
    demand(request.grant, repository, "issues", "read")
    thread = repository.thread(int(number))
    noise = [{"event": "committed", "sha": "a" * 40}, {"event": "commented", "body": "x", "user": _actor(request)}]
    return request.page([*noise, *thread.events])


@routes.on("GET", "commits/(?P<sha>[^/]+)")
def read_commit(request: Request, repository: Repository, sha: str) -> Any:
    demand(request.grant, repository, "contents", "read")
    if repository.kind(sha) != "commit":
        raise Refused(422, f"No commit found for SHA: {sha}")
    login = repository.accounts.get(repository.git("show", "-s", "--format=%ae", sha))
    author = {"login": login, "type": "Bot" if login.endswith("[bot]") else "User"} if login else None
    url = f"{request.url(repository)}/commits/{sha}"
    return {"sha": sha, "url": url, "author": author, "commit": {"message": ""}, "files": []}


def _actor(request: Request) -> dict[str, Any]:
    return {"login": request.grant.login if request.grant else ""}
