"""Which GitHub the service works on, and as whom: the settings about it, checked together.

No secret is in a `repr`; the private key of an App stays in its file until the worker signs with it.
"""

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

PUBLIC_API = "https://api.github.com"


class GitHubApp(BaseModel):
    """A GitHub App; without `installation_id` it is looked up for each repository."""

    model_config = ConfigDict(frozen=True)

    app_id: str
    private_key_file: Path
    installation_id: int | None


class GitHubAccount(BaseModel):
    """One GitHub server and one way to sign in to it."""

    model_config = ConfigDict(frozen=True)

    api: str
    """Base URL of the REST API, without a slash at the end."""
    web: str
    """What the URLs of its repositories begin with: `https://github.com`."""
    auth: SecretStr | GitHubApp
    """A personal or machine token, or an App."""
    ca_file: Path | None = None
    """Certificates to trust instead of the public ones, in PEM form."""

    @classmethod
    def of(
        cls,
        api: str,
        token: SecretStr | None,
        app_id: str | None,
        private_key_file: Path | None,
        installation_id: int | None,
        ca_file: Path | None = None,
    ) -> Self | None:
        """The account that the settings describe, None where none of them is set; ValueError says what is wrong."""
        api = api.strip().rstrip("/")
        web = web_address(api)
        if ca_file is not None:
            _check_pem("SELFHEAL_GITHUB_CA_FILE", ca_file, "CERTIFICATE")
        if token is not None and not token.get_secret_value().strip():
            token = None
        if installation_id is not None and not app_id:
            raise ValueError("SELFHEAL_GITHUB_INSTALLATION_ID needs SELFHEAL_GITHUB_APP_ID beside it")
        if token is not None and (app_id or private_key_file):
            raise ValueError("set either SELFHEAL_GITHUB_TOKEN or SELFHEAL_GITHUB_APP_ID, not both")
        if token is not None:
            return cls(api=api, web=web, auth=_checked(token), ca_file=ca_file)
        if not app_id and private_key_file is None:
            return None
        if not app_id:
            raise ValueError("SELFHEAL_GITHUB_PRIVATE_KEY_FILE needs SELFHEAL_GITHUB_APP_ID beside it")
        if private_key_file is None:
            raise ValueError("SELFHEAL_GITHUB_APP_ID needs SELFHEAL_GITHUB_PRIVATE_KEY_FILE beside it")
        _check_pem("SELFHEAL_GITHUB_PRIVATE_KEY_FILE", private_key_file, "PRIVATE KEY")
        app = GitHubApp(app_id=app_id, private_key_file=private_key_file, installation_id=installation_id)
        return cls(api=api, web=web, auth=app, ca_file=ca_file)


def web_address(api: str) -> str:
    """Where the repositories of an API live.

    `https://api.github.com` and `https://api.<name>.ghe.com` drop the `api.`; `https://<host>/api/v3` of an Enterprise
    Server drops the path. Plain http is for a server on a loopback address alone.
    """
    try:
        parts = urlsplit(api)
        loopback = _is_loopback(parts)
    except ValueError as error:
        raise ValueError(f"SELFHEAL_GITHUB_URL is not a URL: {error}") from error
    if parts.username is not None or parts.query or parts.fragment or not parts.hostname:
        raise ValueError("SELFHEAL_GITHUB_URL is scheme, host and path only, such as https://ghe.example/api/v3")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ValueError("SELFHEAL_GITHUB_URL must be https: a token is sent to it")
    if parts.path == "" and parts.netloc.startswith("api."):
        return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"
    if parts.path == "/api/v3" or loopback:
        return f"{parts.scheme}://{parts.netloc}"
    hint = PUBLIC_API if parts.hostname == "github.com" else f"https://{parts.netloc}/api/v3"
    raise ValueError(f"SELFHEAL_GITHUB_URL is the address of the REST API: did you mean {hint}?")


def repository_name(web: str, url: str) -> tuple[str, str] | None:
    """Owner and name of a repository at `web`, from `<web>/<owner>/<name>[.git]`; None for any other URL."""
    if not url.isascii() or not url.lower().startswith(f"{web}/".lower()):
        return None
    names: Sequence[str] = url[len(web) + 1 :].removesuffix("/").removesuffix(".git").split("/")
    if len(names) != 2 or not all(_is_name(name) for name in names):
        return None
    return names[0], names[1]


def _checked(token: SecretStr) -> SecretStr:
    """The token without the line end of the file it was read from; it must fit in a header as it is."""
    value = token.get_secret_value().strip()
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise ValueError("SELFHEAL_GITHUB_TOKEN is not a token: it has white space or odd characters in it")
    return SecretStr(value)


def _is_name(name: str) -> bool:
    """Whether GitHub could call an owner or a repository so; nothing that changes the path of a request passes."""
    return name.strip(".") != "" and name.isascii() and all(char.isalnum() or char in "-_." for char in name)


def _check_pem(setting: str, path: Path, kind: str) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{setting} cannot be read: {error}") from error
    if f"{kind}-----" not in text:
        raise ValueError(f"{setting}: {path} holds no {kind.lower()} in PEM form")


def _is_loopback(parts: SplitResult) -> bool:
    if parts.hostname == "localhost":
        return True
    try:
        return ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False
