"""What `selfheal doctor` finds out about GitHub, on a server that grants more and less."""

from pathlib import Path

import pytest

from agents.policy import Policy, parse_policy
from app.doctor.finding import Finding
from app.doctor.github import check_github
from app.settings import Settings
from tests.github_server import READER, GitHubServer, Grant


def settings(folder: Path, github: GitHubServer | None, token: str = "ghp_writer") -> Settings:
    values: dict[str, object] = {"data_dir": folder, "webhook_tokens": "prod:w", "api_tokens": "ops:read:t"}
    if github is not None:
        values |= {"github_url": github.api, "github_token": token}
    return Settings.model_validate(values)


def policy(url: str, mode: str = "propose") -> Policy:
    return parse_policy(f"repositories:\n  - match: {url}\n    mode: {mode}\n")


async def findings(config: Settings, rules: Policy) -> list[Finding]:
    return [finding async for finding in check_github(config, rules)]


async def test_a_token_that_may_push_is_fine_and_nothing_was_written(github: GitHubServer, tmp_path: Path) -> None:
    (found,) = await findings(settings(tmp_path, github), policy(github.url("acme/shop")))
    assert (found.level, "may be pushed" in found.text) == ("ok", True)
    assert github.writes() == []


async def test_a_token_that_only_reads_is_told_before_an_incident_needs_it(
    github: GitHubServer, tmp_path: Path
) -> None:
    github.hub.grants["ghp_reader"] = Grant("reader", READER)
    config = settings(tmp_path, github, "ghp_reader")
    (found,) = await findings(config, policy(github.url("acme/shop")))
    assert (found.level, "may not push" in found.text) == ("fail", True)
    (watching,) = await findings(config, policy(github.url("acme/shop"), "observe"))
    assert watching.level == "ok"


@pytest.mark.parametrize(("token", "name"), [("ghp_unknown", "acme/shop"), ("ghp_writer", "acme/missing")])
async def test_what_cannot_be_reached_says_what_is_needed(
    token: str, name: str, github: GitHubServer, tmp_path: Path
) -> None:
    (found,) = await findings(settings(tmp_path, github, token), policy(github.url(name)))
    assert (found.level, "contents, pull requests and issues" in str(found.todo)) == ("fail", True)
    assert token not in str(found)


async def test_an_archived_repository_and_one_without_issues_are_named(github: GitHubServer, tmp_path: Path) -> None:
    github.hub.repositories["acme/shop"].archived = True
    github.hub.repositories["acme/shop"].has_issues = False
    found = await findings(settings(tmp_path, github), policy(github.url("acme/shop")))
    assert [(one.level, one.text.partition(" ")[2][:11]) for one in found] == [
        ("fail", "is archived"),
        ("warn", "has no issu"),
    ]


async def test_without_a_way_to_sign_in_that_is_what_is_missing(tmp_path: Path) -> None:
    (found,) = await findings(settings(tmp_path, None), policy("https://github.com/acme/shop"))
    assert (found.level, "SELFHEAL_GITHUB_TOKEN" in str(found.todo)) == ("fail", True)
