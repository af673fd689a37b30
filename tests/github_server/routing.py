"""A request to the pretended API, and which function answers it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.github_server.hub import Grant, Hub, Refused, Repository


@dataclass
class Request:
    """One request below the API's base URL; the answer's headers are collected on it."""

    hub: Hub
    api: str
    web: str
    method: str
    path: str
    query: dict[str, str]
    body: Any
    grant: Grant | None
    authorization: str
    headers: dict[str, str] = field(default_factory=dict)

    def url(self, repository: Repository) -> str:
        return f"{self.api}/repos/{repository.full_name}"

    def page(self, things: list[Any]) -> list[Any]:
        """The page that was asked for; a next one is announced in the `Link` header."""
        size = min(int(self.query.get("per_page", "30")), 100)
        number = int(self.query.get("page", "1"))
        if number * size < len(things):
            query = "&".join(f"{key}={value}" for key, value in {**self.query, "page": str(number + 1)}.items())
            self.headers["Link"] = f'<{self.api}{self.path}?{query}>; rel="next"'
        return things[(number - 1) * size : number * size]


Handler = Callable[..., Any]


class Routes:
    """Handlers by method and the path below a repository, or below the API where `whole` is set."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, re.Pattern[str], int, bool, Handler]] = []

    def on(self, method: str, pattern: str, *, status: int = 200, whole: bool = False) -> Callable[[Handler], Handler]:
        def register(handler: Handler) -> Handler:
            self.entries.append((method, re.compile(pattern), status, whole, handler))
            return handler

        return register


def answer(request: Request, *tables: Routes) -> tuple[int, Any]:
    """Status and body for a request, or `Refused`."""
    inside = re.fullmatch(r"/repos/([^/]+/[^/]+)(?:/(.*))?", request.path)
    for table in tables:
        for method, pattern, status, whole, handler in table.entries:
            if method != request.method:
                continue
            if whole and (found := pattern.fullmatch(request.path)):
                return status, handler(request, **found.groupdict())
            if not whole and inside and (found := pattern.fullmatch(inside[2] or "")):
                return status, handler(request, _repository(request, inside[1]), **found.groupdict())
    raise Refused(404, "Not Found")


def _repository(request: Request, full_name: str) -> Repository:
    moved = request.hub.moved.get(full_name.lower())
    if moved is not None and full_name.lower() not in request.hub.repositories:
        place = request.path.replace(full_name, moved, 1)
        status = 301 if request.method == "GET" else 307
        raise Refused(status, "Moved Permanently", headers={"Location": f"{request.api}{place}"})
    return request.hub.repository(full_name, request.grant)
