"""GitHub Apps of the pretended GitHub: the signed token of the App, its installations, and their short-lived tokens."""

import secrets
import time
from datetime import UTC, datetime
from typing import Any

import jwt

from tests.github_server.hub import App, Grant, Refused
from tests.github_server.routing import Request, Routes

routes = Routes()
MOST_JWT_SECONDS = 600


@routes.on("GET", "/repos/(?P<full_name>[^/]+/[^/]+)/installation", whole=True)
def find_installation(request: Request, full_name: str) -> Any:
    app = _signed(request)
    for number, repositories in app.installations.items():
        if full_name.lower() in repositories:
            return _installation(app, number)
    raise Refused(404, "Not Found")


@routes.on("GET", "/app/installations", whole=True)
def list_installations(request: Request) -> Any:
    app = _signed(request)
    return request.page([_installation(app, number) for number in app.installations])


@routes.on("POST", r"/app/installations/(?P<number>\d+)/access_tokens", status=201, whole=True)
def create_token(request: Request, number: str) -> Any:
    app = _signed(request)
    repositories = app.installations.get(int(number))
    if repositories is None:
        raise Refused(404, "Not Found")
    asked = request.body.get("permissions") or dict(app.permissions)
    if any(app.permissions.get(name) not in {level, "write"} for name, level in asked.items()):
        raise Refused(422, "The permissions requested are not granted to this installation.")
    until = request.hub.now() + app.token_seconds
    token = f"ghs_{secrets.token_hex(18)}"
    permissions = {"metadata": "read", **asked}
    request.hub.grants[token] = Grant(f"app-{app.app_id}[bot]", permissions, repositories, until, of_app=True)
    expires = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"token": token, "expires_at": expires, "permissions": permissions, "repository_selection": "selected"}


def _installation(app: App, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "app_id": int(app.app_id),
        "permissions": dict(app.permissions),
        "target_type": "Organization",
    }


def _signed(request: Request) -> App:
    """The App whose key signed the request."""
    scheme, _, token = request.authorization.partition(" ")
    try:
        claimed = jwt.decode(token, options={"verify_signature": False})
        app = request.hub.apps[str(claimed.get("iss"))]
        claims = jwt.decode(token, app.public_key, algorithms=["RS256"], options={"require": ["iat", "exp", "iss"]})
    except (jwt.PyJWTError, KeyError) as error:
        raise Refused(401, "A JSON web token could not be decoded") from error
    if scheme != "Bearer" or claims["exp"] - time.time() > MOST_JWT_SECONDS:
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")
    return app
