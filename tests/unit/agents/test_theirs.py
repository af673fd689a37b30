"""A fix that a person proposes already is not proposed a second time."""

import pytest

from agents.outcome import Reported
from agents.patch import FileChange, unified_diff
from agents.pull_request import Proposed, Text, Theirs, makes_the_same_change
from tests.healing import Ended, ended_case
from tests.rollbacks import GitOpsHouse
from tests.shop import BROKEN, GITOPS_URL, PRICES, SOURCE_URL
from tests.unit.agents.test_rollback import heal

OLD = "one\n  two\nthree\n"
FIX = unified_diff(FileChange(path="a.py", before=OLD, after="one\n  2\nthree\n"))


def theirs(after: str, path: str = "a.py") -> Theirs:
    return Theirs(url="https://forge/1", diff=unified_diff(FileChange(path=path, before=OLD, after=after)))


@pytest.mark.parametrize(
    ("one", "is_same"),
    [
        (theirs("one\n  2\nthree\n"), True),
        (theirs("one\n    2\nthree\nfour\n"), True),
        (theirs("one\n  zwei\nthree\n"), False),
        (theirs("one\nthree\n"), False),
        (theirs("one\n  2\nthree\n", "b.py"), False),
    ],
    ids=["the same", "the same and more", "another value", "only the half", "another file"],
)
def test_a_pull_request_makes_the_same_change_if_it_has_all_of_its_lines(one: Theirs, *, is_same: bool) -> None:
    assert (makes_the_same_change([one], FIX) is not None) == is_same


def test_a_change_of_nothing_is_made_by_nobody() -> None:
    assert makes_the_same_change([theirs("one\n")], "") is None


async def by_hand(ended: Ended, *changes: FileChange) -> str:
    forge = ended.house.forge
    sha = await forge.commit(SOURCE_URL, ended.house.repository.shas[-1], changes, "by hand")
    await forge.point(SOURCE_URL, "theirs", sha, None)
    return (await forge.create_pull_request(SOURCE_URL, "theirs", "main", Text(title="Mine", body="by hand"))).url


async def test_the_analysis_leads_to_the_pull_request_of_a_person_that_fixes_it_already() -> None:
    ended = await ended_case()
    now = str((await ended.house.repository.read(ended.house.repository.shas[-1], "shop/prices.py")).text)
    (change,) = ended.patch.changes
    url = await by_hand(ended, FileChange(path=change.path, before=now, after=change.after))
    for _ in range(2):
        outcome = await ended.conclude()
        assert isinstance(outcome, Reported)
        assert outcome.reasons == (f"{url} already makes this change",)
    (issue,) = ended.house.forge.issues(SOURCE_URL)
    assert f"{url} makes this change already" in issue.body
    assert len(ended.house.forge.pull_requests(SOURCE_URL)) == 1


async def test_one_that_changes_the_same_file_otherwise_is_no_reason_to_hold_back() -> None:
    ended = await ended_case()
    await by_hand(ended, FileChange(path="shop/prices.py", before=BROKEN, after=f"# prices\n{BROKEN}"))
    assert isinstance(await ended.conclude(), Proposed)


async def test_our_own_that_is_open_already_stays_as_it_is() -> None:
    ended = await ended_case()
    first = await ended.conclude()
    (change,) = ended.patch.changes
    await by_hand(ended, change)
    assert await ended.conclude() == first
    assert PRICES != BROKEN


async def test_where_a_person_sets_the_gitops_repository_back_no_pin_is_made() -> None:
    house = GitOpsHouse()
    before, after = (dict(commit.files)["apps/shop/kustomization.yaml"] for commit in reversed(house.gitops.history))
    change = FileChange(path="apps/shop/kustomization.yaml", before=before, after=after)
    sha = await house.forge.commit(GITOPS_URL, house.gitops.shas[-1], (change,), "Roll back")
    await house.forge.point(GITOPS_URL, "back", sha, None)
    theirs = await house.forge.create_pull_request(GITOPS_URL, "back", "main", Text(title="Roll back", body=""))
    await heal(house, times=2)
    assert [one.url for one in house.forge.pull_requests(GITOPS_URL)] == [theirs.url]
    assert house.fix is not None
    assert "already makes this change" in house.fix.body
