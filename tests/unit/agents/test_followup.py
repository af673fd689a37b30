"""An issue is closed by the version that passed after it, once, and what a person did to it stands."""

from pathlib import Path

import pytest

from agents.followup import MARKER, close_healed
from agents.incident import Incident, Promotion
from agents.pull_request import Record, Text, with_marker
from tests.forges import SITES, Cut, CutForge, Site
from tests.github_server.site import GitHubSite

INCIDENT = Incident(
    cluster="prod", namespace="shop", rollout="checkout", uid="u", canary_hash="bad", revision="2", stable_hash="good"
)
PASSED = Promotion(cluster="prod", namespace="shop", rollout="checkout", pod_hash="better", revision="3")


@pytest.fixture(params=[*SITES, "github"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return (SITES | {"github": GitHubSite})[request.param](tmp_path)


async def reported(site: Site) -> Record:
    body = with_marker(INCIDENT.key, "It failed", "why\n")
    return await site.forge.create_issue(site.url, Text(title="It failed", body=body))


async def said(site: Site, issue: Record) -> list[str]:
    return [one.body for one in await site.forge.comments(site.url, issue.number)]


async def test_the_issue_is_closed_with_the_version_that_passed_and_only_once(site: Site) -> None:
    issue = await reported(site)
    assert await close_healed(site.url, INCIDENT, PASSED, site.forge) == "the issue was closed"
    assert await close_healed(site.url, INCIDENT, PASSED, site.forge) == "the issue is closed already"
    (comment,) = await said(site, issue)
    assert comment.startswith("`shop/checkout` on `prod` is healthy: revision `3` (`better`) passed its canary")
    assert comment.rstrip().endswith(MARKER)
    (now,) = site.issues()
    assert now.state == "closed"


async def test_the_same_version_may_pass_on_a_later_try(site: Site) -> None:
    issue = await reported(site)
    again = PASSED.model_copy(update={"pod_hash": "bad", "revision": "2"})
    await close_healed(site.url, INCIDENT, again, site.forge)
    (comment,) = await said(site, issue)
    assert "the same version that had failed passed its canary on a later try" in comment


async def test_what_a_person_opened_again_stays_open(site: Site) -> None:
    issue = await reported(site)
    await close_healed(site.url, INCIDENT, PASSED, site.forge)
    site.reopen(issue.number)
    later = PASSED.model_copy(update={"pod_hash": "best", "revision": "4"})
    assert await close_healed(site.url, INCIDENT, later, site.forge) == "a person opened the issue again"
    assert [one.state for one in site.issues()] == ["open"]
    assert len(await said(site, issue)) == 1


async def test_without_an_issue_nothing_is_written(site: Site) -> None:
    assert await close_healed(site.url, INCIDENT, PASSED, site.forge) == "there is no issue of it any more"
    assert site.issues() == []


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_a_crash_at_any_call_leaves_one_comment_and_a_closed_issue(tmp_path: Path, *, after: bool) -> None:
    calls = 1
    for at in range(1, 10):
        site = SITES["fake"](tmp_path)
        issue = await reported(site)
        cut = CutForge(site.forge, at, after=after)
        try:
            await close_healed(site.url, INCIDENT, PASSED, cut)
        except Cut:
            calls += 1
        await close_healed(site.url, INCIDENT, PASSED, site.forge)
        assert len(await said(site, issue)) == 1
        assert [one.state for one in site.issues()] == ["closed"]
    assert calls == 5  # each of the four calls was cut once


@pytest.mark.parametrize(
    ("changes", "heals"),
    [
        ({}, True),
        ({"pod_hash": "bad"}, True),
        ({"pod_hash": "good"}, False),
        ({"rollout": "other"}, False),
        ({"namespace": "other"}, False),
        ({"cluster": "other"}, False),
    ],
)
def test_only_a_step_forward_of_the_same_rollout_heals(changes: dict[str, str], *, heals: bool) -> None:
    assert PASSED.model_copy(update=changes).heals(INCIDENT) is heals
