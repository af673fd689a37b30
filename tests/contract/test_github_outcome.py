"""How an attempt ends on GitHub, from a verified patch to what people find there, refusals included."""

from pathlib import Path
from typing import Literal

import pytest

from agents.case import Case
from agents.diagnosis import Diagnosis, Location
from agents.evidence import Manifest, Version
from agents.fix import Ground
from agents.outcome import Outcome, Reported, conclude
from agents.patch import Edit, Patch, apply_edits
from agents.policy import Policy, RepositoryRule
from agents.pull_request import Proposed
from agents.verification import Check, Commands, Reproduction, Verification
from app.adapters.checkout import Mirrors
from app.adapters.forge_github import GitHubForge
from tests.fakes import START
from tests.github_server import READER, GitHubServer, Grant, Repository
from tests.github_server.clients import WRITER_TOKEN, access_of

GOOD, BAD = "price = 1\n", "price = 'one'\n"
GREEN, RED = Check(result="passed"), Check(result="failed")
VERIFIED = Verification(
    kind="replay", verdict="verified", before=RED, after=GREEN, tests_before=GREEN, tests_after=GREEN
)


@pytest.fixture
def shop(github: GitHubServer) -> Repository:
    return github.hub.repositories["acme/shop"]


async def concluded(
    github: GitHubServer,
    shop: Repository,
    tmp_path: Path,
    token: str = WRITER_TOKEN,
    mode: Literal["propose", "ready"] = "propose",
) -> Outcome:
    """Publish the verified restoration of the price, as the worker does."""
    url, stable = github.url("acme/shop"), shop.branches()["main"]
    canary = shop.push("main", {"shop/app.py": BAD})
    edits = (Edit(path="shop/app.py", search=BAD, replace=GOOD),)
    changes = apply_edits({"shop/app.py": BAD}, edits)
    patch = Patch(repository=url, commit=canary, strategy="revert", why="Back.", edits=edits, changes=changes)
    versions = {name: Version(hash=name, repo=url, commit=sha) for name, sha in (("s", stable), ("c", canary))}
    manifest = Manifest(
        incident="0123456789abcdef" * 2, attempt=1, cluster="prod", namespace="shops", rollout="shop", uid="u",
        revision="2", strategy="canary", stable=versions["s"], canary=versions["c"], captured_at=START, items=(),
    )  # fmt: skip
    case = Case(
        diagnosis=Diagnosis(
            category="code", summary="the price is a word", confidence="high", location=Location(file="shop/app.py"),
            culprit_commit=canary, suspects=(), claims=(), strategy="revert", repository="source",
        ),
        reproduction=Reproduction(kind="replay"), commands=Commands(), program=None,
        ground=Ground(url=url, stable=stable, canary=canary), home=url, manifests=None, modes=(), notes=(),
    )  # fmt: skip
    access = access_of(github, token)
    return await conclude(
        manifest, case, patch, VERIFIED,
        repositories=Mirrors(tmp_path / "mirrors", tmp_path / "forge", access),
        forge=GitHubForge(access),
        policy=Policy(repositories=(RepositoryRule(match=url, mode=mode),)),
    )  # fmt: skip


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
