"""Fetching from the pretended GitHub: git's own HTTP server behind GitHub's answers to who may read."""

import base64
import binascii
import subprocess
from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.github_server.hub import Grant, Hub, Refused, demand

SERVICE = "git-upload-pack"


def serve_git(
    hub: Hub, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer to `git fetch` or `git ls-remote`."""
    parts = urlsplit(target)
    owner, name, *rest = parts.path.strip("/").split("/")
    full_name = f"{owner}/{name.removesuffix('.git')}"
    grant = _signed_in(hub, headers.get("Authorization"))
    if grant is None and (full_name.lower() not in hub.repositories or hub.repositories[full_name.lower()].private):
        raise Refused(401, "Repository not found.", headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
    try:
        repository = hub.repository(full_name, grant)
    except Refused as refused:
        raise Refused(404, "Repository not found.") from refused
    if SERVICE not in f"{parts.query}/{'/'.join(rest)}":
        raise Refused(403, "Write access to repository not granted.")
    if repository.private:
        demand(grant, repository, "contents", "read")
    done = subprocess.run(
        ["git", "http-backend"],
        input=body,
        capture_output=True,
        check=False,  # it has failed where it refuses, which the answer says
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": "/",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_CONFIG_KEY_1": "uploadpack.allowFilter",
            "GIT_CONFIG_VALUE_1": "true" if repository.has_filters else "false",
            "GIT_PROJECT_ROOT": str(repository.path),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": headers.get("Git-Protocol", "") if repository.has_protocol_2 else "",
            "PATH_INFO": f"/{'/'.join(rest)}",
            "REQUEST_METHOD": method,
            "QUERY_STRING": parts.query,
            "CONTENT_TYPE": headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": headers.get("Content-Encoding", ""),
        },
    )
    head, _, payload = done.stdout.partition(b"\r\n\r\n")
    answered = dict(line.split(": ", 1) for line in head.decode().splitlines())
    return int(answered.pop("Status", "200 OK").split()[0]), answered, payload


def _signed_in(hub: Hub, authorization: str | None) -> Grant | None:
    """Who a Basic header's password is; the user name does not matter to GitHub."""
    if authorization is None:
        return None
    scheme, _, value = authorization.partition(" ")
    try:
        _, _, token = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise Refused(401, "Bad credentials") from error
    if scheme.lower() != "basic":
        raise Refused(401, "Bad credentials")
    return hub.grant(token)
