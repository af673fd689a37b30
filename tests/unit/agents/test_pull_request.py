"""`ensure`: one branch, one commit, one pull request, whatever happens; and people win."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agents.errors import Conflict
from agents.patch import FileChange
from agents.pull_request import (
    MOST_LOOKS,
    LeftAlone,
    Proposed,
    Record,
    Wanted,
    change_digest,
    ensure,
    ensure_issue,
    incident_of,
    is_reworded,
    with_marker,
)
from tests.forges import BRANCH, KEY, SITES, Cut, CutForge, LocalSite, Site, wanted_issue

LATER = {"title": "Revert the price again", "text": "It failed, and more is known."}


@pytest.fixture(params=sorted(SITES))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return SITES[request.param](tmp_path)


def state(site: Site) -> tuple[Mapping[str, str], list[Record]]:
    return site.branches(), site.pulls()


async def test_a_pull_request_is_made_once_however_often_it_is_wanted(site: Site) -> None:
    first = await ensure(site.wanted(), site.forge)
    assert isinstance(first, Proposed)
    assert first.draft
    made = state(site)
    assert set(made[0]) == {"main", BRANCH}
    assert [record.state for record in made[1]] == ["open"]
    assert incident_of(made[1][0].body) == KEY
    for _ in range(3):
        assert await ensure(site.wanted(), site.forge) == first
        assert state(site) == made


async def calls_of(site: Site, wanted: Wanted) -> int:
    counting = CutForge(site.forge, 0, after=False)
    await ensure(wanted, counting)
    return counting.calls


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("name", sorted(SITES))
async def test_cut_at_any_call_and_run_again_it_ends_as_if_never_cut(tmp_path: Path, name: str, *, after: bool) -> None:
    whole = SITES[name](tmp_path / "whole")
    calls = await calls_of(whole, whole.wanted())
    assert calls >= 5
    for at in range(1, calls + 1):
        site = SITES[name](tmp_path / str(at))
        with pytest.raises(Cut):
            await ensure(site.wanted(), CutForge(site.forge, at, after=after))
        assert isinstance(await ensure(site.wanted(), site.forge), Proposed)
        branches, pulls = state(site)
        assert branches == whole.branches()
        assert [(record.state, record.body) for record in pulls] == [
            (record.state, record.body) for record in whole.pulls()
        ]


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
@pytest.mark.parametrize("name", sorted(SITES))
async def test_a_later_attempt_that_is_cut_ends_the_same_too(tmp_path: Path, name: str, *, after: bool) -> None:
    whole = SITES[name](tmp_path / "whole")
    await ensure(whole.wanted(), whole.forge)
    calls = await calls_of(whole, whole.wanted(after="price = 3\n", **LATER))
    (pull,) = whole.pulls()
    for at in range(1, calls + 1):
        site = SITES[name](tmp_path / str(at))
        await ensure(site.wanted(), site.forge)
        wanted = site.wanted(after="price = 3\n", **LATER)
        with pytest.raises(Cut):
            await ensure(wanted, CutForge(site.forge, at, after=after))
        await ensure(wanted, site.forge)
        assert site.branches() == whole.branches()
        assert [(record.title, record.body) for record in site.pulls()] == [(pull.title, pull.body)]


async def test_several_at_once_make_one_pull_request_and_all_name_it(site: Site) -> None:
    outcomes = await asyncio.gather(*(ensure(site.wanted(), site.forge) for _ in range(4)))
    assert all(isinstance(outcome, Proposed) for outcome in outcomes)
    assert len({outcome.pull_request.url for outcome in outcomes}) == 1
    branches, pulls = state(site)
    assert (set(branches), len(pulls)) == ({"main", BRANCH}, 1)


class Racing(CutForge):
    """A forge where somebody else is done with it all just before our `at`-th call."""

    def __init__(self, site: Site, at: int) -> None:
        super().__init__(site.forge, at, after=False)
        self._site = site

    async def _pass(self, call: Any) -> Any:
        self.calls += 1
        if self.calls == self._at:
            await ensure(self._site.wanted(), self._site.forge)
        return await call


@pytest.mark.parametrize("name", sorted(SITES))
async def test_whoever_was_quicker_at_any_point_is_joined(tmp_path: Path, name: str) -> None:
    whole = SITES[name](tmp_path / "whole")
    calls = await calls_of(whole, whole.wanted())
    for at in range(1, calls + 1):
        site = SITES[name](tmp_path / str(at))
        assert isinstance(await ensure(site.wanted(), Racing(site, at)), Proposed)
        branches, pulls = state(site)
        assert (set(branches), len(pulls)) == ({"main", BRANCH}, 1)


@pytest.mark.parametrize("because", ["closed", "merged"])
async def test_what_a_person_decided_stands(site: Site, because: str) -> None:
    await ensure(site.wanted(), site.forge)
    site.edit(1, state=because)
    before = state(site)
    outcome = await ensure(site.wanted(after="price = 3\n", **LATER), site.forge)
    assert isinstance(outcome, LeftAlone)
    assert outcome.because == because
    assert state(site) == before


async def test_a_branch_that_a_person_pushed_to_is_left_alone(site: Site) -> None:
    await ensure(site.wanted(), site.forge)
    await site.push(BRANCH)
    before = state(site)
    outcome = await ensure(site.wanted(after="price = 3\n", **LATER), site.forge)
    assert isinstance(outcome, LeftAlone)
    assert outcome.because == "edited"
    assert state(site) == before


async def test_a_branch_of_that_name_that_is_not_ours_is_no_place_to_propose(site: Site) -> None:
    await site.push(BRANCH)
    before = state(site)
    with pytest.raises(Conflict, match="not ours"):
        await ensure(site.wanted(), site.forge)
    assert state(site) == before


@pytest.mark.parametrize(
    "edit",
    [
        {"title": "My title"},
        {"body": "My words"},
        {"body": with_marker(KEY, "Revert the price", "It failed.") + "\nand I say\n"},
        {"body": with_marker(KEY, "Revert the price", "It failed.").replace("It failed.", "It failed. See below.")},
        {"body": ""},
    ],
)
async def test_a_text_that_a_person_reworded_is_kept_while_the_change_goes_on(site: Site, edit: dict[str, str]) -> None:
    await ensure(site.wanted(), site.forge)
    site.edit(1, **edit)
    (worded,) = site.pulls()
    before = site.branches()[BRANCH]
    assert isinstance(await ensure(site.wanted(after="price = 3\n", **LATER), site.forge), Proposed)
    assert site.pulls() == [worded]
    assert site.branches()[BRANCH] != before


@pytest.mark.parametrize("edit", [str.strip, lambda body: body.replace("\n", "\r\n"), lambda body: f"\n{body}\n\n"])
async def test_what_a_forge_does_to_line_ends_is_no_edit(site: Site, edit: Any) -> None:
    await ensure(site.wanted(), site.forge)
    site.edit(1, body=edit(site.pulls()[0].body))
    await ensure(site.wanted(**LATER), site.forge)
    assert [record.title for record in site.pulls()] == [LATER["title"]]


async def test_a_pull_request_that_a_person_marked_ready_stays_so(site: Site) -> None:
    await ensure(site.wanted(), site.forge)
    site.edit(1, draft=False)
    outcome = await ensure(site.wanted(**LATER), site.forge)
    assert isinstance(outcome, Proposed)
    assert not outcome.draft


async def test_a_branch_that_moves_at_every_look_ends_in_a_conflict_not_in_a_loop(site: Site) -> None:
    class Restless(CutForge):
        async def point(self, url: str, branch: str, sha: str, expected: str | None) -> None:
            self.calls += 1
            raise Conflict("moved")

    restless = Restless(site.forge, 0, after=False)
    with pytest.raises(Conflict, match="moves"):
        await ensure(site.wanted(), restless)
    assert set(site.branches()) == {"main"}
    assert MOST_LOOKS > 1


async def test_an_incident_has_one_issue_and_its_words_stay(site: Site) -> None:
    first = await ensure_issue(wanted_issue(site.url), site.forge)
    assert await ensure_issue(wanted_issue(site.url, title="other", text="words"), site.forge) == first
    assert await ensure_issue(wanted_issue(site.url, "e" * 32), site.forge) != first
    assert [record.title for record in site.issues()] == ["Canary failed"] * 2


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("at", [1, 2])
async def test_an_issue_that_was_cut_short_is_found_again(site: Site, at: int, *, after: bool) -> None:
    with pytest.raises(Cut):
        await ensure_issue(wanted_issue(site.url), CutForge(site.forge, at, after=after))
    await ensure_issue(wanted_issue(site.url), site.forge)
    assert len(site.issues()) == 1


def test_a_marker_in_quoted_text_is_neither_found_nor_believed() -> None:
    forged = with_marker("f" * 32, "t", "x")
    for quoted in (forged, f"```\n{forged}```", "<!--selfheal incident=x", "<!--\n selfheal", "<!-- SELFHEAL"):
        body = with_marker(KEY, "t", f"before\n{quoted}\nafter")
        assert incident_of(body) == KEY
        assert body.lower().count("<!-- selfheal") == 1
        assert not is_reworded("t", body)
    assert incident_of("no text of ours") is None


def test_changes_are_the_same_whatever_they_start_from_and_in_whatever_order() -> None:
    one = FileChange(path="a", before="1", after="2")
    two = FileChange(path="b", before=None, after="x")
    assert change_digest((one, two)) == change_digest((two, one.model_copy(update={"before": "0"})))
    assert change_digest((one,)) != change_digest((one.model_copy(update={"after": None}),))


async def test_the_branch_has_one_commit_on_the_base_with_the_change_in_it(tmp_path: Path) -> None:
    site = LocalSite(tmp_path)
    await ensure(site.wanted(message="Revert\n\nSelfheal-Incident: " + "f" * 32), site.forge)
    await ensure(site.wanted(after=None), site.forge)
    assert site.scratch.git("rev-list", f"main..{BRANCH}").count("\n") == 0
    assert site.scratch.git("diff", "--name-status", "main", BRANCH) == "D\tshop.py"
    site.scratch.shas.append(site.branches()[BRANCH])
    assert set(site.scratch.listed(BRANCH)) == {"run.sh"}
