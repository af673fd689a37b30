"""GitHub's refusals in our words: which error an answer is, and for how long it asks to wait.

Only what GitHub says about itself is quoted: no header that we sent, so no token, is in any message. The status codes
are those of GitHub's REST documentation ("Troubleshooting", "Rate limits", and the pages of each call).
"""

from collections.abc import Mapping
from typing import Any

from github import BadAttributeException, GithubException

from agents.errors import Conflict, Denied, SelfhealError, Transient

LONGEST_QUOTE = 300
SECONDARY_LIMIT_SECONDS = 60.0
"""How long GitHub asks to wait after a secondary limit that names no time."""
RACES = (
    "reference already exists",
    "reference does not exist",
    "not a fast forward",
    "a pull request already exists",
)
"""What GitHub says when somebody was first: each is a 422."""
RULED = "reference update failed"
"""All that GitHub says of a branch that a rule or another branch's name forbids."""
CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"

UNUSABLE = (OSError, ValueError, AssertionError, RuntimeError, BadAttributeException)
"""What PyGithub raises beside its own errors: `requests`' errors are `OSError`s, a cut answer is a `ValueError`, and a
redirect or an answer that leads to another host is an assertion or a `RuntimeError`."""


class Limited(Transient):
    """GitHub asks us to wait; the request had no effect."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


class SignedOut(Denied):
    """The credentials are not accepted (any more); the request had no effect."""


def refusal(doing: str, error: Exception, now: float) -> SelfhealError:
    """The error to raise for one of PyGithub's; `now` is in seconds since the epoch, as GitHub's reset times are."""
    if isinstance(error, GithubException):
        return _answered(doing, error, now)
    if isinstance(error, AssertionError | RuntimeError):
        return Denied(f"{doing}: GitHub's answer leads elsewhere, which is not followed; check SELFHEAL_GITHUB_URL")
    if CERTIFICATE in str(error):
        return Denied(f"{doing}: the certificate of GitHub's server is not trusted here")
    if isinstance(error, OSError):
        return Transient(f"{doing}: GitHub did not answer ({type(error).__name__})")
    return Transient(f"{doing}: GitHub's answer makes no sense ({type(error).__name__})")


def _answered(doing: str, error: GithubException, now: float) -> SelfhealError:
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    said = f"{doing}: {words(error)}"
    seconds = _wait(error, headers, now)
    if seconds is not None:
        return Limited(f"{said} (for {seconds:.0f} s)", seconds)
    if _is_race(error.status, said.lower()):
        return Conflict(said)
    if error.status >= 500 or error.status == 408:
        return Transient(f"{said} (status {error.status})")
    if error.status == 401:
        return SignedOut(f"{said}: the token or key is wrong, expired or revoked")
    return Denied(said + _hint(error.status, said.lower(), headers))


def _is_race(status: int, said: str) -> bool:
    """Whether somebody was first. An empty repository answers 409 too, and stays empty."""
    return (status == 409 and "empty" not in said) or (status == 422 and any(race in said for race in RACES))


def words(error: GithubException) -> str:
    """What GitHub said: its message and the reasons below it, on one line."""
    data: Any = error.data
    if not isinstance(data, Mapping):
        return "no message"
    parts = [str(data.get("message") or "no message")]
    reasons = data.get("errors")
    for reason in reasons if isinstance(reasons, list) else []:
        if isinstance(reason, Mapping):
            parts.append(str(reason.get("message") or f"{reason.get('field')} is {reason.get('code')}"))
        else:
            parts.append(str(reason))
    return " ".join(": ".join(parts).split())[:LONGEST_QUOTE]


def _hint(status: int, said: str, headers: Mapping[str, str]) -> str:
    """What to look at. GitHub names the permission that a refused call needs."""
    if status == 422 and RULED in said:
        return (
            ": a rule of the repository may keep this service from making branches called selfheal/..., or a branch or "
            "tag is in the way of the name"
        )
    if status == 404:
        return ": it is not there, or our credentials may not see it"
    for name in ("x-accepted-github-permissions", "x-accepted-oauth-scopes"):
        if status == 403 and headers.get(name):
            return f"; it needs the permission {headers[name]}"
    return f" (status {status})"


def _wait(error: GithubException, headers: Mapping[str, str], now: float) -> float | None:
    """The seconds to wait where the answer is a rate limit, None where it is another refusal."""
    if error.status not in {403, 429}:
        return None
    if headers.get("retry-after", "").isdigit():
        return float(headers["retry-after"])
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdigit():
        return max(float(headers["x-ratelimit-reset"]) - now, 0) + 1
    limited = error.status == 429 or "rate limit" in words(error).lower()
    return SECONDARY_LIMIT_SECONDS if limited else None
