"""The one way that any call to GitHub is made, and the header that git signs in with.

A call runs in a thread (PyGithub blocks), one at a time for each identity: PyGithub keeps the request on its connection
object while it is under way, so threads must not share one, and GitHub asks for requests in series. Nothing is repeated
inside the library: a write whose answer was lost may have taken effect, and only `ensure` knows how to look first.
What GitHub refused without effect (a rate limit, a token that has ended) is repeated here.
"""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from github import Auth, Github, GithubException, GithubIntegration
from github.Repository import Repository
from pydantic import SecretStr

from agents.errors import Denied, SelfhealError
from app.adapters.forge_github.identity import AppIdentity, Clock, Identity, Known, Name, TokenIdentity
from app.adapters.forge_github.refusals import UNUSABLE, Limited, SignedOut, refusal
from app.clock import utc_now
from app.github_account import GitHubAccount, repository_name

TIMEOUT_SECONDS = 20
"""For connecting and for each wait on the answer; GitHub itself ends a request after 10 s."""
PATIENCE_SECONDS = 3700.0
"""The longest wait for a rate limit in one call: GitHub's hourly limit is over by then."""
KNOWN_SECONDS = 60.0
"""For how long a repository is taken to be called as it was when it was read."""
USER_AGENT = "self-healing-rollouts"
PAGE = 100

Result = TypeVar("Result")


class Access:
    """Reaches the repositories of one GitHub server. Shared by the forge and the mirrors.

    GitHub asks for a quarter of a second between requests and a second between writes, else it calls them abuse.
    """

    def __init__(
        self,
        account: GitHubAccount,
        *,
        seconds_between_requests: float = 0.25,
        seconds_between_writes: float = 1.0,
        timeout: int = TIMEOUT_SECONDS,
        patience: float = PATIENCE_SECONDS,
        now: Clock = utc_now,
    ) -> None:
        self._account = account
        self._timeout = timeout
        self._between = (seconds_between_requests, seconds_between_writes)
        self._patience = patience
        self._now = now
        self._verify: str | bool = str(account.ca_file) if account.ca_file else True
        auth = account.auth
        self._identities = (
            TokenIdentity(auth, self._connect)
            if isinstance(auth, SecretStr)
            else AppIdentity(auth, self._integrate, self._connect, now)
        )

    @property
    def ca_file(self) -> Path | None:
        """Certificates to trust instead of the public ones."""
        return self._account.ca_file

    def address(self, url: str) -> str | None:
        """Where git fetches a repository from; None where it is not a repository of this server."""
        name = repository_name(self._account.web, url)
        return None if name is None else f"{self._account.web}/{name[0]}/{name[1]}.git"

    async def authorization(self, url: str) -> SecretStr:
        """The value of git's Authorization header, good for a quarter of an hour at least."""
        name = self._name(url)
        _, token = await self._patiently(lambda: self._sign_in(name))
        pair = base64.b64encode(f"x-access-token:{token.get_secret_value()}".encode())
        return SecretStr(f"Basic {pair.decode()}")

    async def call(self, url: str, doing: str, work: Callable[[Repository], Result]) -> Result:
        """What `work` returns for the repository; it may run twice, when GitHub refused it without effect.

        `Denied` where GitHub will not do it, `Transient` where it may later, `Conflict` where somebody was first.
        """
        name = self._name(url)
        return await self._patiently(lambda: self._try(name, doing, work))

    async def _patiently(self, work: Callable[[], Result]) -> Result:
        left = self._patience
        while True:
            try:
                return await asyncio.to_thread(work)
            except Limited as limit:
                left -= limit.seconds
                if left < 0:
                    raise
                await asyncio.sleep(limit.seconds)

    def _try(self, name: Name, doing: str, work: Callable[[Repository], Result]) -> Result:
        try:
            return self._once(name, doing, work)
        except SignedOut:
            identity, _ = self._sign_in(name)
            if not identity.tokens.renew():
                raise
        return self._once(name, doing, work)

    def _once(self, name: Name, doing: str, work: Callable[[Repository], Result]) -> Result:
        identity, _ = self._sign_in(name)
        try:
            with identity.lock:
                return self._translated(f"{doing} ({'/'.join(name)})", lambda: work(self._repository(identity, name)))
        except SelfhealError:
            identity.forget(name)
            raise

    def _sign_in(self, name: Name) -> tuple[Identity, SecretStr]:
        """The identity for a repository, and its token, which may have to be fetched."""

        def sign_in() -> tuple[Identity, SecretStr]:
            identity = self._identities.of(name)
            return identity, identity.tokens.current()

        try:
            return self._translated(f"signing in to GitHub for {'/'.join(name)}", sign_in)
        except Denied:
            self._identities.forget(name)
            raise

    def _repository(self, identity: Identity, name: Name) -> Repository:
        """The repository, read so that one that was renamed, and would be redirected to, is noticed.

        It is read again after `KNOWN_SECONDS`, and after any error: not before each request, of which there would be
        twice as many.
        """
        now = self._now().timestamp()
        known = identity.known.get(name)
        if known is not None and 0 <= now - known.at < KNOWN_SECONDS:
            return known.repository
        repository = identity.client.get_repo("/".join(name))
        if not repository.url.lower().startswith(f"{self._account.api.lower()}/"):
            raise Denied(f"GitHub calls its API {repository.url}; check SELFHEAL_GITHUB_URL ({self._account.api})")
        if repository.full_name.lower() != "/".join(name).lower():
            raise Denied(f"{'/'.join(name)} is called {repository.full_name} now: name it so, and in the policy")
        identity.known[name] = Known(repository, now)
        return repository

    def _translated(self, doing: str, work: Callable[[], Result]) -> Result:
        """Run `work` with PyGithub's errors turned into ours.

        Ours is raised outside of the handler, so that it does not lead to the frames of the library: whoever logs a
        traceback with its variables would log our headers, and so the token.
        """
        try:
            return work()
        except SelfhealError:
            raise
        except (GithubException, *UNUSABLE) as error:
            ours = refusal(doing, error, self._now().timestamp())
        raise ours

    def _name(self, url: str) -> Name:
        name = repository_name(self._account.web, url)
        if name is None:
            raise Denied(
                f"{url} is not a repository of {self._account.web}: it should be {self._account.web}/OWNER/NAME"
            )
        return name

    def _connect(self, auth: Auth.Auth) -> Github:
        return Github(
            auth=auth,
            base_url=self._account.api,
            timeout=self._timeout,
            user_agent=USER_AGENT,
            per_page=PAGE,
            retry=None,
            verify=self._verify,
            seconds_between_requests=self._between[0],
            seconds_between_writes=self._between[1],
        )

    def _integrate(self, auth: Auth.AppAuth) -> GithubIntegration:
        return GithubIntegration(
            auth=auth,
            base_url=self._account.api,
            timeout=self._timeout,
            user_agent=USER_AGENT,
            retry=None,
            verify=self._verify,
            seconds_between_requests=self._between[0],
            seconds_between_writes=self._between[1],
        )
