"""Who we are at GitHub: a token as it was given, or an App's installation whose token is fetched and renewed.

An installation's token is asked for with no more than publishing needs. The permission `workflows` is never among
them: GitHub then refuses a change below `.github/workflows/` whatever our own policy says.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from github import Auth, Github, GithubIntegration
from github.Repository import Repository
from jwt import PyJWTError
from pydantic import SecretStr

from agents.errors import Invalid
from app.github_account import GitHubApp

PERMISSIONS = {"contents": "write", "pull_requests": "write", "issues": "write"}
RENEW_AFTER = 0.75
"""Of a token's life, which is an hour: a fetch of a large repository must be able to end with the one it began with."""

Name = tuple[str, str]
"""Owner and name of a repository."""
Connect = Callable[[Auth.Auth], Github]
Integrate = Callable[[Auth.AppAuth], GithubIntegration]
Clock = Callable[[], datetime]


class Known(NamedTuple):
    """A repository as it was read, and when, in seconds since the epoch."""

    repository: Repository
    at: float


class Identity:
    """A client that is signed in. `lock` is held while it is used, since its connection serves one call at a time."""

    def __init__(self, client: Github, tokens: "Tokens") -> None:
        self.client = client
        self.tokens = tokens
        self.lock = threading.Lock()
        self.known: dict[Name, Known] = {}

    def forget(self, name: Name) -> None:
        """Read the repository again next time."""
        self.known.pop(name, None)


class Tokens(Protocol):
    """Where an identity's token comes from. Both calls may block, and raise PyGithub's errors.

    It is handed on as a secret, so that no variable of ours shows it in a logged traceback.
    """

    def current(self) -> SecretStr: ...

    def renew(self) -> bool:
        """Forget the token that was refused; False where there is no other to be had."""
        ...


class TokenIdentity:
    """One token for every repository."""

    def __init__(self, token: SecretStr, connect: Connect) -> None:
        self._token = token
        self._identity = Identity(connect(LiveAuth(self)), self)

    def of(self, name: Name) -> Identity:
        del name
        return self._identity

    def forget(self, name: Name) -> None:
        """Nothing is remembered about a repository."""

    def current(self) -> SecretStr:
        return self._token

    def renew(self) -> bool:
        return False


class AppIdentity:
    """A GitHub App: one identity an installation, found by the repository unless it is given."""

    def __init__(self, app: GitHubApp, integrate: Integrate, connect: Connect, now: Clock) -> None:
        auth = Auth.AppAuth(app.app_id, app.private_key_file.read_text(encoding="utf-8"))
        _try_to_sign(auth, app)
        self._given = app.installation_id
        self._integration = integrate(auth)
        self._connect = connect
        self._now = now
        self._lock = threading.Lock()
        self._found: dict[Name, int] = {}
        self._identities: dict[int, Identity] = {}

    def of(self, name: Name) -> Identity:
        """The identity that may see the repository; blocks for the look-up of an installation not met before."""
        with self._lock:
            installation = self._given or self._found.get(name)
            if installation is None:
                installation = self._found[name] = self._integration.get_repo_installation(*name).id
            if installation not in self._identities:
                tokens = InstallationTokens(self._integration, self._lock, installation, self._now)
                self._identities[installation] = Identity(self._connect(LiveAuth(tokens)), tokens)
            return self._identities[installation]

    def forget(self, name: Name) -> None:
        """Look the installation up again next time: an App that is installed anew has another."""
        with self._lock:
            self._found.pop(name, None)


class InstallationTokens:
    """The token of one installation, renewed before it ends."""

    def __init__(self, integration: GithubIntegration, lock: threading.Lock, installation: int, now: Clock) -> None:
        self._integration = integration
        self._lock = lock
        self._installation = installation
        self._now = now
        self._token: SecretStr | None = None
        self._renew_at = now()

    def current(self) -> SecretStr:
        with self._lock:
            now = self._now()
            if self._token is None or now >= self._renew_at:
                granted = self._integration.get_access_token(self._installation, permissions=PERMISSIONS)
                self._token = SecretStr(granted.token)
                self._renew_at = now + (granted.expires_at - now) * RENEW_AFTER
            return self._token

    def renew(self) -> bool:
        with self._lock:
            had, self._token = self._token, None
        return had is not None


class LiveAuth(Auth.Auth):
    """Asks for the token at each request, so that a renewed one is used at once."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    @property
    def token_type(self) -> str:
        return "token"

    @property
    def token(self) -> str:
        return self._tokens.current().get_secret_value()


def _try_to_sign(auth: Auth.AppAuth, app: GitHubApp) -> None:
    """Sign once at the start: a key that cannot be used should not be found out hours later."""
    try:
        auth.create_jwt()
    except (PyJWTError, ValueError, TypeError) as error:
        raise Invalid(
            f"SELFHEAL_GITHUB_PRIVATE_KEY_FILE {app.private_key_file} is not an unencrypted RSA private key: {error}"
        ) from None
