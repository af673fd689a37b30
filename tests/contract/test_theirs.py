"""Other people's open pull requests: what any `Forge` tells of them, and which of them makes a fix needless."""

from pathlib import Path

import pytest

from agents.patch import FileChange, unified_diff
from agents.pull_request import MOST_THEIRS, Text, makes_the_same_change, with_marker
from tests.forges import AFTER, BEFORE, KEY, SITES, Site
from tests.github_server.site import GitHubSite

CHANGE = FileChange(path="shop.py", before=BEFORE, after=AFTER)
BESIDE = FileChange(path="docs/new.md", before=None, after="More.\n")
BY_HAND = Text(title="Put it right", body="by hand")


@pytest.fixture(params=[*SITES, "github"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return (SITES | {"github": GitHubSite})[request.param](tmp_path)


async def propose(site: Site, branch: str, *changes: FileChange, text: Text = BY_HAND, base: str = "main") -> str:
    sha = await site.forge.commit(site.url, site.base, changes, "by hand")
    await site.forge.point(site.url, branch, sha, None)
    return (await site.forge.create_pull_request(site.url, branch, base, text)).url


async def test_an_open_pull_request_of_a_person_is_told_with_what_it_changes(site: Site) -> None:
    url = await propose(site, "theirs", CHANGE, BESIDE)
    (found,) = await site.forge.their_pull_requests(site.url, "main", ("shop.py",))
    assert found.url == url
    assert "new.md" not in found.diff
    assert makes_the_same_change([found], unified_diff(CHANGE)) == found
    (added,) = await site.forge.their_pull_requests(site.url, "main", ("docs/new.md",))
    assert makes_the_same_change([added], unified_diff(BESIDE)) == added


async def test_ours_those_of_another_base_closed_ones_and_those_of_other_files_are_not_among_them(site: Site) -> None:
    await propose(site, "ours", CHANGE, text=Text(title="t", body=with_marker(KEY, "t", "x", "f" * 32)))
    await propose(site, "elsewhere", BESIDE)
    await site.push("release")
    await propose(site, "backport", CHANGE, base="release")
    await propose(site, "closed", CHANGE)
    site.edit(max(pull.number for pull in site.pulls()), state="closed")
    assert await site.forge.their_pull_requests(site.url, "main", ("shop.py",)) == ()


async def test_only_the_newest_are_looked_at(tmp_path: Path) -> None:
    site = SITES["fake"](tmp_path)
    for number in range(MOST_THEIRS + 2):
        await propose(site, f"theirs-{number}", CHANGE)
    assert len(await site.forge.their_pull_requests(site.url, "main", ("shop.py",))) == MOST_THEIRS


async def test_a_patch_that_github_leaves_out_is_no_difference(tmp_path: Path) -> None:
    site = GitHubSite(tmp_path)
    await propose(site, "huge", FileChange(path="shop.py", before=BEFORE, after=AFTER + "x = 1\n" * 9000))
    assert await site.forge.their_pull_requests(site.url, "main", ("shop.py",)) == ()
