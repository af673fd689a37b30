"""What the pull request says of the repository's own customs, whom it asks, and which issues are one."""

from typing import Any

import pytest

from agents.outcome import Reported
from agents.patch import FileChange, Patch
from agents.policy import RepositoryRule
from agents.pull_request import Proposed, reviewers_of
from tests.fakes import FakeCommit, FakeForge, FakeRepository
from tests.healing import Ended, ended_case
from tests.shop import SOURCE_URL

OTHER, THIRD = "b" * 32, "c" * 32


@pytest.fixture
async def ended() -> Ended:
    return await ended_case()


def asked(ended: Ended) -> set[str]:
    return ended.house.forge.reviewers(SOURCE_URL, 1)


async def test_the_author_of_the_culprit_is_asked_and_named_in_the_text(ended: Ended) -> None:
    ended.house.forge.authors[ended.house.culprit] = "ana"
    assert isinstance(await ended.conclude(), Proposed)
    assert asked(ended) == {"ana"}
    assert ended.house.forge.labels(SOURCE_URL, 1) == {"self-healing"}
    (pull,) = ended.house.forge.pull_requests(SOURCE_URL)
    assert f"- Who knows this code: `ana` (wrote {ended.house.culprit[:12]})." in pull.body
    assert f"/commit/{ended.house.culprit})" in pull.body
    assert "/blob/" in pull.body


async def test_reviewers_come_in_order_and_no_more_than_the_policy_allows(ended: Ended) -> None:
    ended.house.forge.authors[ended.house.culprit] = "ana"
    settings = "run: python3 -m shop --port {port}\nreviewers: ['@acme/shop', ana]\n"
    owners = "* @root\n/shop/ @ben @carl\n"
    ended.advance(**{".selfheal.yml": settings, ".github/CODEOWNERS": owners, "CODEOWNERS": "* @nobody\n"})
    assert isinstance(await ended.conclude(rule=RepositoryRule(match="*", max_reviewers=3)), Proposed)
    assert asked(ended) == {"acme/shop", "ana", "ben"}


async def test_only_the_base_branch_says_who_owns_what(ended: Ended) -> None:
    ended.advance(CODEOWNERS="* @root\n")
    assert isinstance(await ended.conclude(), Proposed)
    assert asked(ended) == {"root"}


async def test_a_policy_may_ask_nobody_and_label_nothing(ended: Ended) -> None:
    ended.house.forge.authors[ended.house.culprit] = "ana"
    await ended.conclude(rule=RepositoryRule(match="*", max_reviewers=0, labels=()))
    assert (asked(ended), ended.house.forge.labels(SOURCE_URL, 1)) == (set(), set())


async def test_where_the_author_has_no_account_those_who_wrote_the_lines_are_asked() -> None:
    first, second = "a = 1\nb = 2\nc = 3\n", "a = 1\nb = 4\nc = 3\n"
    repository = FakeRepository(FakeCommit("One", {"x.py": first}), FakeCommit("Two", {"x.py": second}))
    one, two = repository.shas
    forge = FakeForge({SOURCE_URL: {"main": two}})
    change = FileChange(path="x.py", before=second, after="d = 5\n")
    patch = Patch(repository=SOURCE_URL, commit=two, strategy="revert", why="", edits=(), changes=(change,))

    async def found(most: int = 3) -> list[str]:
        return [reviewer.name for reviewer in await reviewers_of(patch, two, (), most, repository, forge)]

    assert await found() == []
    forge.authors = {one: "dora"}
    assert await found() == ["dora"]
    assert await found(0) == []
    forge.authors = {one: "dora", two: "ana"}
    assert await found() == ["ana"]


async def test_subjects_follow_the_history_of_the_base_branch(ended: Ended) -> None:
    for subject in ("fix(shop): one", "feat(shop): two", "chore(shop): three", "fix: four", "docs: five"):
        tree = dict(ended.house.repository.history[-1].files)
        ended.house.repository.push(FakeCommit(subject, tree))
    await ended.conclude()
    (pull,) = ended.house.forge.pull_requests(SOURCE_URL)
    assert pull.title == "fix(shop): revert the change in shop/prices.py that broke shop"
    tip = ended.house.forge.branches[SOURCE_URL][str(pull.branch)]
    assert ended.house.forge.messages[tip].startswith(f"{pull.title}\n\n")


async def test_the_same_cause_of_the_same_rollout_has_one_issue_and_one_comment(ended: Ended) -> None:
    first = await ended.conclude("refuted")
    again = await ended.conclude("refuted", incident=OTHER, revision="3")
    for _ in range(2):
        await ended.conclude("refuted", incident=THIRD, revision="4")
        assert await ended.conclude("refuted") == first
    assert isinstance(again, Reported)
    assert isinstance(first, Reported)
    assert again.issue == first.issue
    assert len(ended.house.forge.issues(SOURCE_URL)) == 1
    (comment,) = await ended.house.forge.comments(SOURCE_URL, 1)
    assert comment.body.count("\n- ") == 2
    assert "revision `3`" in comment.body


async def test_a_later_attempt_is_a_line_in_the_issue_of_the_first(ended: Ended) -> None:
    await ended.conclude("refuted", attempt=1)
    for _ in range(2):
        await ended.conclude("refuted", attempt=2)
    (comment,) = await ended.house.forge.comments(SOURCE_URL, 1)
    assert comment.body.count("attempt 2:") == 1
    assert len(ended.house.forge.issues(SOURCE_URL)) == 1


@pytest.mark.parametrize("about", [{"rollout": "other"}, {"cluster": "us"}, {"namespace": "other"}])
async def test_another_rollout_has_an_issue_of_its_own(ended: Ended, about: dict[str, Any]) -> None:
    await ended.conclude("refuted")
    await ended.conclude("refuted", incident=OTHER, **about)
    assert len(ended.house.forge.issues(SOURCE_URL)) == 2


async def test_an_issue_that_people_closed_stays_closed_and_the_next_incident_opens_another(ended: Ended) -> None:
    await ended.conclude("refuted")
    ended.house.forge.edit_issue(SOURCE_URL, 1, state="closed")
    await ended.conclude("refuted", attempt=2)
    assert await ended.house.forge.comments(SOURCE_URL, 1) == ()
    await ended.conclude("refuted", incident=OTHER)
    assert [one.state for one in ended.house.forge.issues(SOURCE_URL)] == ["closed", "open"]
