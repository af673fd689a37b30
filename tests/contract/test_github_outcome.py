"""How an attempt ends on GitHub, from a verified patch to what people find there, refusals included."""

from pathlib import Path

import pytest

from agents.outcome import Reported
from agents.pull_request import Proposed
from tests.concluding import GOOD, concluded
from tests.github_server import READER, GitHubServer, Grant, Repository


@pytest.fixture
def shop(github: GitHubServer) -> Repository:
    return github.hub.repositories["acme/shop"]


async def test_a_verified_fix_becomes_a_draft_that_says_so(
    github: GitHubServer, shop: Repository, tmp_path: Path
) -> None:
    outcome = await concluded(github, shop, tmp_path)
    assert isinstance(outcome, Proposed)
    assert outcome.pull_request.url == f"{github.url('acme/shop')}/pull/1"
    (pull,) = shop.pulls
    assert pull.draft
    assert pull.body.startswith("**Red before, green after:**")
    assert shop.git("diff", "--name-only", f"main..{pull.head}") == "shop/app.py"
    assert shop.git("show", f"{pull.head}:shop/app.py") == GOOD.strip()


async def test_mode_ready_asks_for_review_at_once(github: GitHubServer, shop: Repository, tmp_path: Path) -> None:
    outcome = await concluded(github, shop, tmp_path, mode="ready")
    assert isinstance(outcome, Proposed)
    assert not shop.pulls[0].draft


async def test_where_the_pull_request_is_refused_the_analysis_is_an_issue(
    github: GitHubServer, shop: Repository, tmp_path: Path
) -> None:
    github.hub.grants["ghp_reporter"] = Grant("selfheal", {**READER, "issues": "write"})
    outcome = await concluded(github, shop, tmp_path, "ghp_reporter")
    assert isinstance(outcome, Reported)
    assert outcome.issue == f"{github.url('acme/shop')}/issues/1"
    assert "contents=write" in outcome.reasons[0]
    (issue,) = shop.issues
    assert "contents=write" in issue.body
    assert "+price = 1" in issue.body
    assert shop.branches().keys() == {"main"}


async def test_where_drafts_are_not_to_be_had_people_read_what_to_change(
    github: GitHubServer, shop: Repository, tmp_path: Path
) -> None:
    shop.has_drafts = False
    outcome = await concluded(github, shop, tmp_path)
    assert isinstance(outcome, Reported)
    assert shop.pulls == []
    assert "mode: ready" in shop.issues[0].body


async def test_where_nothing_may_be_written_the_reasons_are_kept(
    github: GitHubServer, shop: Repository, tmp_path: Path
) -> None:
    github.hub.grants["ghp_reader"] = Grant("selfheal", READER)
    outcome = await concluded(github, shop, tmp_path, "ghp_reader")
    assert isinstance(outcome, Reported)
    assert outcome.issue is None
    assert "contents=write" in outcome.reasons[0]
    assert "issues=write" in outcome.reasons[1]
    assert github.hub.repositories["acme/shop"].threads == []
