"""The command's side of the REST API: `selfheal trigger` and `selfheal incidents` call a running service."""

from typing import Any

import httpx

from agents.errors import Invalid, Transient

SECONDS = 30


class Client:
    """Calls one service with one API token."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def trigger(self, call: dict[str, str]) -> dict[str, Any]:
        """Open an attempt, or join the one in progress."""
        return self._ask("POST", "/api/v1/incidents", json=call)

    def incidents(self, filters: dict[str, str]) -> dict[str, Any]:
        """A page of incidents, newest first."""
        return self._ask("GET", "/api/v1/incidents", params=filters)

    def incident(self, name: str) -> dict[str, Any]:
        """One incident, or one of its attempts."""
        if not name.replace("-", "").isalnum():
            raise Invalid(f"{name!r} is not the id of an incident")
        return self._ask("GET", f"/api/v1/incidents/{name}")

    def _ask(self, method: str, path: str, **what: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            answer = httpx.request(method, self._url + path, headers=headers, timeout=SECONDS, **what)
            document: dict[str, Any] = answer.json()
        except httpx.InvalidURL as error:
            raise Invalid(f"{self._url} is not the address of a service: {error}") from error
        except httpx.HTTPError as error:
            raise Transient(f"no answer from {self._url}: {error}; is the service running there?") from error
        except ValueError as error:
            raise Invalid(f"{self._url} does not answer as this service does (status {answer.status_code})") from error
        if answer.is_error:
            raise Invalid(f"{answer.status_code}: {document.get('detail', answer.reason_phrase)}")
        return document
