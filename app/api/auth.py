"""Who is calling: webhook tokens name a cluster, API tokens an actor and scopes. Compared in constant time.

Read from the header alone and before the body, so that a stranger makes the service do nothing.
"""

import base64
import binascii
import hmac
from http import HTTPStatus
from typing import TypeVar

from fastapi import Request

from app.api.problems import refuse
from app.callers import ApiToken, Scope, WebhookToken
from app.settings import Settings

Token = TypeVar("Token", WebhookToken, ApiToken)
DEV_CLUSTER = "dev"
DEV_ACTOR = "insecure-dev"
CHALLENGE = {"WWW-Authenticate": 'Bearer realm="selfheal"'}


class Doorkeeper:
    """Knows the tokens; `--insecure-dev` opens the doors that have none configured."""

    def __init__(self, settings: Settings) -> None:
        self._webhook = settings.webhook_callers
        self._api = settings.api_callers
        self._open = settings.insecure_dev

    def cluster(self, request: Request) -> str:
        """The cluster that the presented webhook token speaks for; 401 without one."""
        if self._open and not self._webhook:
            return DEV_CLUSTER
        found = _match(self._webhook, _presented(request))
        if found is None:
            raise refuse(
                HTTPStatus.UNAUTHORIZED,
                "a webhook token is needed: bearer, or basic with it as password",
                CHALLENGE,
            )
        return found.cluster

    def actor(self, request: Request, scope: Scope) -> str:
        """The name of the presented API token; 401 without one, 403 if it lacks the scope."""
        if self._open and not self._api:
            return DEV_ACTOR
        found = _match(self._api, _presented(request))
        if found is None:
            raise refuse(HTTPStatus.UNAUTHORIZED, "an API token is needed (bearer)", CHALLENGE)
        if scope not in found.scopes:
            raise refuse(HTTPStatus.FORBIDDEN, f"the token {found.name} lacks the scope {scope!r}")
        return found.name


def _match(tokens: tuple[Token, ...], presented: bytes) -> Token | None:
    """Every token is compared, matched or not, so that time tells nothing about which."""
    found = None
    for token in tokens:
        same = hmac.compare_digest(token.token.get_secret_value().encode(), presented)
        found = token if same and presented else found
    return found


def _presented(request: Request) -> bytes:
    """The token as bytes, which is what a header is made of; empty where there is none."""
    header = request.headers.get("authorization", "").encode("latin-1")
    scheme, _, value = header.partition(b" ")
    if scheme.lower() == b"bearer":
        return value.strip()
    if scheme.lower() == b"basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
