"""One fix, one pull request: what two canaries share is proposed once; and an end to fixing what does not heal."""

import asyncio
from pathlib import Path

import pytest

from agents.incident import State
from agents.outcome import Reported, final_state
from agents.policy import RepositoryRule
from agents.pull_request import (
    Joined,
    Proposed,
    Record,
    Text,
    Turns,
    ensure,
    fix_of,
    incident_of,
    join,
    same_fix,
    who_of,
    with_marker,
)
from tests.fakes import FakeCommit
from tests.forges import FIX, KEY, SITES, Cut, CutForge, Site
from tests.github_server.site import GitHubSite
from tests.healing import Ended, ended_case
from tests.shop import SOURCE_URL

OTHER, THIRD = "b" * 32, "c" * 32
LINE = "`shop/shop-us` (revision 2): KeyError"


@pytest.fixture(params=[*SITES, "github"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return (SITES | {"github": GitHubSite})[request.param](tmp_path)


@pytest.fixture
async def ended() -> Ended:
    return await ended_case()


async def proposed(site: Site) -> Record:
    await ensure(site.wanted(), site.forge)
    (record,) = site.pulls()
    return record


async def test_our_pull_requests_are_found_by_their_marker_and_say_which_fix_they_make(site: Site) -> None:
    made = await proposed(site)
    await site.push("theirs")
    await site.forge.create_pull_request(site.url, "theirs", "main", Text(title="By hand", body="no marker"))
    assert await site.forge.our_pull_requests(site.url) == (made,)
    assert (fix_of(made.body), incident_of(made.body), made.branch, made.base) == (FIX, KEY, made.branch, "main")
    site.edit(made.number, state="closed")
    (closed,) = await site.forge.our_pull_requests(site.url)
    assert closed.state == "closed"


async def test_incidents_join_in_one_comment_each_once(site: Site) -> None:
    made = await proposed(site)
    for incident in (OTHER, OTHER, THIRD, OTHER):
        joined = await join(site.url, made, incident, LINE, site.forge)
        assert joined.state == "open"
        assert joined.pull_request.url == made.url
    (comment,) = await site.forge.comments(site.url, made.number)
    assert comment.body.count(LINE) == 2
    assert comment.body.count(OTHER) == comment.body.count(THIRD) == 1


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
async def test_cut_at_any_call_and_run_again_it_is_one_comment(site: Site, *, after: bool) -> None:
    made = await proposed(site)
    await join(site.url, made, THIRD, LINE, site.forge)
    for at in range(1, 3):
        with pytest.raises(Cut):
            await join(site.url, made, OTHER, LINE, CutForge(site.forge, at, after=after))
    await join(site.url, made, OTHER, LINE, site.forge)
    (comment,) = await site.forge.comments(site.url, made.number)
    assert comment.body.count(OTHER) == 1


async def test_a_comment_that_somebody_else_wrote_is_neither_believed_nor_changed(tmp_path: Path) -> None:
    site = GitHubSite(tmp_path)
    made = await proposed(site)
    forged = f"- all is well <!-- incident={OTHER} -->\n\n<!-- selfheal joined -->"
    site.comment(made.number, "mallory", forged)
    await join(site.url, made, OTHER, LINE, site.forge)
    assert [author for author, _ in site.discussion(made.number)] == ["mallory", "selfheal"]
    assert site.discussion(made.number)[0][1] == forged


async def test_the_comment_begins_with_the_canary_that_the_pull_request_was_opened_for(site: Site) -> None:
    who = "`shop/it--> <!-- selfheal joined -->` (revision 1)"
    await ensure(site.wanted(who=who), site.forge)
    (made,) = site.pulls()
    assert who_of(made.body) == who
    assert made.body.count("-->") == 1
    await join(site.url, made, OTHER, LINE, site.forge)
    await join(site.url, made, THIRD, LINE, site.forge)
    (comment,) = await site.forge.comments(site.url, made.number)
    listed = [line for line in comment.body.splitlines() if line.startswith("- ")]
    assert [line.partition("<!-- incident=")[2][:32] for line in listed] == [KEY, OTHER, THIRD]


async def test_what_a_person_wrote_into_our_comment_stays(site: Site) -> None:
    made = await proposed(site)
    await join(site.url, made, THIRD, LINE, site.forge)
    (comment,) = await site.forge.comments(site.url, made.number)
    await site.forge.update_comment(site.url, made.number, comment.id, f"Note from Ana.\n\n{comment.body}see also #9\n")
    await join(site.url, made, OTHER, LINE, site.forge)
    (comment,) = await site.forge.comments(site.url, made.number)
    assert comment.body.startswith("Note from Ana.")
    assert comment.body.rstrip().endswith("see also #9")
    assert OTHER in comment.body


def test_a_fix_that_a_person_closed_is_not_joined_and_of_two_the_open_one_is() -> None:
    def record(number: int, state: str) -> Record:
        body = with_marker(KEY, "t", "x", FIX)
        return Record.model_validate({"number": number, "url": "u", "state": state, "title": "t", "body": body})

    assert same_fix((record(1, "closed"),), FIX, OTHER) is None
    assert same_fix((record(1, "merged"), record(2, "open")), FIX, OTHER) == record(2, "open")
    assert same_fix((record(1, "open"),), FIX, KEY) is None
    assert same_fix((record(1, "open"),), "0" * 32, OTHER) is None


async def test_two_rollouts_of_one_cause_get_one_pull_request(ended: Ended) -> None:
    first = await ended.conclude()
    second = await ended.conclude(incident=OTHER, rollout="shop-us")
    assert isinstance(first, Proposed)
    assert isinstance(second, Joined)
    assert second.pull_request.url == first.pull_request.url
    assert await ended.conclude(incident=OTHER, rollout="shop-us") == second
    assert await ended.conclude() == first
    assert len(ended.house.forge.pull_requests(SOURCE_URL)) == 1
    assert ended.house.forge.created.count("comment on 1") == 1
    assert final_state(second)[0] is State.PROPOSED


async def test_two_at_the_same_time_get_one_too_when_they_take_turns(ended: Ended) -> None:
    turns = Turns()

    async def publish(incident: str) -> None:
        async with turns.at(SOURCE_URL):
            await ended.conclude(incident=incident, rollout=f"shop-{incident[:2]}")

    await asyncio.gather(*(publish(letter * 32) for letter in "abcdef"))
    assert len(ended.house.forge.pull_requests(SOURCE_URL)) == 1
    (comment,) = await ended.house.forge.comments(SOURCE_URL, 1)
    assert comment.body.count("<!-- incident=") == 6


async def test_another_change_is_another_fix(ended: Ended) -> None:
    await ended.conclude()
    by_hand = ended.patch.model_copy(update={"undoes": None, "strategy": "restore"})
    other = Ended(ended.house, ended.case, by_hand)
    assert isinstance(await other.conclude(incident=OTHER, rollout="shop-us"), Proposed)
    assert isinstance(await other.conclude(incident=THIRD, rollout="shop-eu"), Joined)


async def test_no_more_are_open_at_once_than_the_policy_allows(ended: Ended) -> None:
    rule = RepositoryRule(match="*", max_open=1)
    first = await ended.conclude(rule=rule)
    other = Ended(ended.house, ended.case, ended.patch.model_copy(update={"undoes": None}))
    refused = await other.conclude(rule=rule, incident=OTHER, rollout="shop-us")
    assert isinstance(refused, Reported)
    assert "1 pull requests of this service are open" in refused.reasons[0]
    assert refused.issue is not None
    assert await ended.conclude(rule=rule) == first
    ended.house.forge.edit(SOURCE_URL, 1, state="closed")
    assert isinstance(await other.conclude(rule=rule, incident=OTHER, rollout="shop-us"), Proposed)


def merge_fix(ended: Ended, incident: str, *, squashed: bool = False) -> None:
    """A fix of ours that is in the canary; squashed, its commit has lost our trailers."""
    tree = dict(ended.house.repository.history[-1].files)
    body = "" if squashed else f"because\n\nSelfheal-Incident: {incident}\nSelfheal-Change: 0123456789abcdef"
    sha = ended.house.repository.push(FakeCommit(f"Fix {incident[:4]}", tree, body))
    ended.house.forge.add_merged(SOURCE_URL, with_marker(incident, "t", "x", incident), sha)
    assert ended.case.ground is not None
    ground = ended.case.ground.model_copy(update={"canary": sha})
    ended.case = ended.case.model_copy(update={"ground": ground})


@pytest.mark.parametrize("squashed", [False, True])
async def test_a_lineage_of_fixes_that_do_not_heal_ends_with_a_person_asked(ended: Ended, *, squashed: bool) -> None:
    merge_fix(ended, "1" * 32, squashed=squashed)
    assert isinstance(await ended.conclude(), Proposed)
    ended.house.forge.edit(SOURCE_URL, 2, state="closed")
    merge_fix(ended, "2" * 32, squashed=squashed)
    third = await ended.conclude(incident=OTHER, rollout="shop-us")
    assert isinstance(third, Reported)
    assert "holds 2 merged fixes of this service already and failed again: a person has to look" in third.reasons[0]
    assert third.issue is not None
    patient = RepositoryRule(match="*", max_attempts=3)
    assert isinstance(await ended.conclude(incident=OTHER, rollout="shop-us", rule=patient), Proposed)
