"""What the `Forge` port promises when GitHub cannot answer: limits, outages, answers that are none."""

import asyncio
import logging
import time

import pytest
import structlog

from agents.errors import Denied, Transient
from agents.pull_request import Text, with_marker
from app.adapters.forge_github import GitHubForge
from tests.github_server import Answer, GitHubServer, HangUp, Repository
from tests.github_server.clients import access_of, forge_of

INCIDENT = "0123456789abcdef" * 2
BRANCH = "selfheal/shop-0123456789"
TEXT = Text(title="Restore the price", body=with_marker(INCIDENT, "Restore the price", "Why."), draft=True)


@pytest.fixture
def shop(github: GitHubServer) -> Repository:
    return github.hub.repositories["acme/shop"]


@pytest.fixture
def url(github: GitHubServer) -> str:
    return github.url("acme/shop")


@pytest.mark.parametrize(
    "limit",
    [
        Answer(429, "Too many requests", {"Retry-After": "1"}),
        Answer(403, "You have exceeded a secondary rate limit. Please wait a few minutes.", {"Retry-After": "1"}),
        Answer(403, "API rate limit exceeded for user.", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}),
    ],
)
async def test_a_rate_limit_is_waited_for_and_the_call_made_once_more(
    github: GitHubServer, shop: Repository, url: str, limit: Answer
) -> None:
    refused: list[int] = []

    def once(number: int, method: str, _path: str) -> Answer | None:
        if method == "GET" or refused:
            return None
        refused.append(number)
        return limit

    github.trouble = once
    began = time.monotonic()
    await forge_of(github).create_issue(url, TEXT)
    assert time.monotonic() - began >= 0.9
    assert [call.status for call in github.writes()] == [limit.status, 201]
    assert len(shop.issues) == 1


@pytest.mark.parametrize(
    ("limit", "seconds"),
    [
        (Answer(429, "Too many requests", {"Retry-After": "120"}), 120),
        (Answer(403, "You have exceeded a secondary rate limit."), 60),
        (
            Answer(403, "API rate limit exceeded", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9999999999"}),
            1e9,
        ),
    ],
)
async def test_a_limit_longer_than_our_patience_is_left_to_a_later_try(
    github: GitHubServer, url: str, limit: Answer, seconds: float
) -> None:
    github.trouble = lambda *_: limit
    began = time.monotonic()
    with pytest.raises(Transient, match=r"limit|many") as raised:
        await forge_of(github).default_branch(url)
    assert time.monotonic() - began < 1
    assert len(github.calls) == 1
    assert getattr(raised.value, "seconds", 0) >= seconds


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(500),
        Answer(502, raw="<html>Bad Gateway</html>"),
        Answer(503),
        Answer(504),
        Answer(200, seconds=1.5),
        Answer(200, raw='{"full_name": "acme/sh'),
        HangUp(after=False),
    ],
    ids=lambda trouble: f"{trouble}"[:60],
)
async def test_what_may_pass_is_for_a_later_try(github: GitHubServer, url: str, trouble: Answer | HangUp) -> None:
    github.trouble = lambda *_: trouble
    with pytest.raises(Transient, match="reading the repository"):
        await forge_of(github).default_branch(url)
    assert len(github.calls) <= 1


async def test_a_server_that_is_down_is_for_a_later_try(github: GitHubServer, url: str) -> None:
    forge = forge_of(github)
    github.close()
    with pytest.raises(Transient, match="did not answer"):
        await forge.default_branch(url)


@pytest.mark.parametrize("raw", ["<html>Sign in to the hotel's network</html>", "{}", "[]", "null", '"words"'])
async def test_an_answer_that_is_not_githubs_is_no_pull_request(
    github: GitHubServer, shop: Repository, url: str, raw: str
) -> None:
    shop.push(BRANCH, {"a": "1"})
    github.trouble = lambda _n, method, _p: Answer(200, raw=raw) if method == "POST" else None
    with pytest.raises((Transient, Denied)):
        await forge_of(github).create_pull_request(url, BRANCH, "main", TEXT)


async def test_calls_from_many_tasks_do_not_mix(github: GitHubServer, shop: Repository, url: str) -> None:
    """PyGithub's connection holds one request at a time; two threads on it would read each other's answers."""
    heads = {f"branch-{number}": shop.push(f"branch-{number}", {"n": str(number)}) for number in range(12)}
    forge = forge_of(github)
    found = await asyncio.gather(*(forge.head(url, branch) for branch in heads))
    assert [head.sha if head else None for head in found] == list(heads.values())


# --- the token


@pytest.mark.parametrize("status", [401, 403, 404, 422, 429, 500, 0])
async def test_no_failure_shows_the_token_even_to_a_log_with_variables(
    github: GitHubServer, url: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    github.trouble = lambda *_: Answer(status, "no", {"Retry-After": "99"}) if status else HangUp(after=False)
    access = access_of(github)
    try:
        await GitHubForge(access).create_issue(url, TEXT)
    except (Transient, Denied) as error:
        shown = structlog.tracebacks.ExceptionDictTransformer(show_locals=True, locals_max_string=10_000)(
            (type(error), error, error.__traceback__)
        )
        text = f"{shown!r} {error!r} {error} {access!r} {vars(access)!r}"
    else:
        pytest.fail("the call went through")
    assert "ghp_writer" not in text
    assert "ghp_writer" not in caplog.text
    assert github.calls[0].authorization == "token ghp_writer"
