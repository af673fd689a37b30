"""Labels and requests for review on every forge: made once, and what a person undid stays undone."""

from pathlib import Path

import pytest

from agents.errors import Denied
from agents.pull_request import LABEL, Attention, Proposed, Record, ensure
from tests.forges import SITES, FakeSite, Site
from tests.github_server.site import GitHubSite


@pytest.fixture(params=[*SITES, "github"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return (SITES | {"github": GitHubSite})[request.param](tmp_path)


async def proposed(site: Site) -> Record:
    wanted = site.wanted(labels=(), reviewers=())
    assert isinstance(await ensure(wanted, site.forge), Proposed)
    (record,) = site.pulls()
    return record


async def test_what_was_ever_done_is_remembered_whoever_undid_it(site: Site) -> None:
    number = (await proposed(site)).number
    assert await site.forge.attention(site.url, number) == Attention()
    await site.forge.add_labels(site.url, number, (LABEL, "Type: bug"))
    await site.forge.request_reviews(site.url, number, ("ana", "acme/payments"))
    assert (site.labels(number), site.reviewers(number)) == ({LABEL, "Type: bug"}, {"ana", "acme/payments"})
    ever = Attention(labels=frozenset({LABEL, "type: bug"}), reviewers=frozenset({"ana", "acme/payments"}))
    assert await site.forge.attention(site.url, number) == ever
    site.clear(number)
    assert await site.forge.attention(site.url, number) == ever


async def test_a_pull_request_that_is_not_there_has_no_history(site: Site) -> None:
    with pytest.raises(Denied):
        await site.forge.attention(site.url, 7)
    with pytest.raises(Denied):
        await site.forge.add_labels(site.url, 7, (LABEL,))
    with pytest.raises(Denied):
        await site.forge.request_reviews(site.url, 7, ("ana",))


async def test_a_pull_request_is_labelled_and_its_reviewers_are_asked_once(site: Site) -> None:
    for _ in range(2):
        outcome = await ensure(site.wanted(), site.forge)
    assert isinstance(outcome, Proposed)
    (pull,) = site.pulls()
    assert (site.labels(pull.number), site.reviewers(pull.number)) == ({LABEL}, {"ana", "acme/payments"})
    site.clear(pull.number)
    await ensure(site.wanted(), site.forge)
    await ensure(site.wanted(text="Better."), site.forge)
    assert (site.labels(pull.number), site.reviewers(pull.number)) == (set(), set())
    await ensure(site.wanted(labels=(LABEL.upper(), "urgent"), reviewers=("Ana", "ben")), site.forge)
    assert (site.labels(pull.number), site.reviewers(pull.number)) == ({"urgent"}, {"ben"})


@pytest.fixture(params=["fake", "github"])
def strict(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """Where there are accounts, not everybody can be asked."""
    if request.param == "github":
        return GitHubSite(tmp_path)
    site = FakeSite(tmp_path)
    site.fake.strangers = {"mallory", "other/team"}
    return site


@pytest.mark.parametrize("stranger", ["mallory", "selfheal", "other/team"])
async def test_who_cannot_be_asked_keeps_nobody_else_from_being_asked(strict: Site, stranger: str) -> None:
    number = (await proposed(strict)).number
    with pytest.raises(Denied):
        await strict.forge.request_reviews(strict.url, number, ("ana", stranger))
    assert strict.reviewers(number) == set()
    outcome = await ensure(strict.wanted(reviewers=(stranger, "ana")), strict.forge)
    assert isinstance(outcome, Proposed)
    assert strict.reviewers(number) == {"ana"}


async def test_who_reviewed_is_not_asked_again_on_github(tmp_path: Path) -> None:
    site = GitHubSite(tmp_path)
    await ensure(site.wanted(), site.forge)
    site.answer(1, "ana")
    site.answer(1, "ben")
    await ensure(site.wanted(reviewers=("ana", "ben", "acme/payments")), site.forge)
    assert site.reviewers(1) == {"acme/payments"}


async def test_a_closed_pull_request_draws_nobodys_attention(site: Site) -> None:
    number = (await proposed(site)).number
    site.edit(number, state="closed")
    await ensure(site.wanted(), site.forge)
    assert (site.labels(number), site.reviewers(number)) == (set(), set())


async def test_pages_lead_to_a_commit_and_to_a_line_of_a_file_as_it_was(tmp_path: Path) -> None:
    site, sha = GitHubSite(tmp_path), "a" * 40
    assert await site.forge.page(site.url, sha) == f"{site.url}/commit/{sha}"
    assert await site.forge.page(f"{site.url}.git", sha, "a b/(x)#1?.py", 7) == (
        f"{site.url}/blob/{sha}/a%20b/%28x%29%231%3F.py#L7"
    )
    assert await site.forge.page(site.url, sha, "docs/a.md", 3) == f"{site.url}/blob/{sha}/docs/a.md?plain=1#L3"
    assert await site.forge.page(site.url, sha, "a.py") == f"{site.url}/blob/{sha}/a.py"
    assert await site.forge.page("https://elsewhere.example/acme/shop", sha) is None


async def test_the_account_of_a_commit_is_that_of_a_person(tmp_path: Path) -> None:
    site = GitHubSite(tmp_path)
    assert await site.forge.account(site.url, site.base) == "ana"
    site.rename_author("dependabot[bot]")
    assert await site.forge.account(site.url, site.base) is None
    site.rename_author("")
    assert await site.forge.account(site.url, site.base) is None
    with pytest.raises(Denied):
        await site.forge.account(site.url, "f" * 40)
