"""A base branch that moved on: the fix is tried there too, and nothing is claimed of it that was not seen."""

from collections.abc import Callable

from agents.graph import State, build
from agents.outcome import Outcome, Reported
from agents.pull_request import Proposed
from tests.fakes import FakeCommit, Files
from tests.healing import ATTEMPT, House, is_fixed
from tests.shop import SOURCE_URL


async def healed(fixed: Callable[[Files], bool], **files: str) -> tuple[House, Outcome]:
    """The outcome for a house whose default branch has changed these files since the canary."""
    house = House(fixed=fixed)
    tree = dict(house.repository.history[-1].files)
    house.repository.push(FakeCommit("since", tree | {name: tree.get(name, "") + text for name, text in files.items()}))
    begin: State = {"attempt": ATTEMPT}
    await build().ainvoke(begin, context=house.ports)
    assert house.journal.outcome is not None
    return house, house.journal.outcome


async def test_the_same_code_there_is_not_tried_again() -> None:
    house, outcome = await healed(is_fixed, **{"shop/app.py": "\n# a word\n"})
    assert isinstance(outcome, Proposed)
    assert house.journal.documents["verification"]["base"] is None
    assert "what was tried is the canary's commit" in house.forge.pull_requests(SOURCE_URL)[0].body


async def test_other_code_there_is_tried_and_the_table_says_what_came_of_it() -> None:
    house, outcome = await healed(is_fixed, **{"shop/prices.py": "\n# a word\n"})
    assert isinstance(outcome, Proposed)
    tip = house.repository.shas[-1]
    on_base = house.journal.documents["verification"]["base"]
    assert (on_base["verdict"], on_base["commit"]) == ("verified", tip)
    (pull,) = house.forge.pull_requests(SOURCE_URL)
    (row,) = (line for line in pull.body.splitlines() if line.startswith(f"| the failure on main at {tip[:12]} |"))
    assert "red" in row
    assert "green" in row
    assert "what was tried" not in pull.body


async def test_a_fault_that_is_gone_there_is_not_fixed_again() -> None:
    def fixed(files: Files) -> bool:
        return is_fixed(files) or "# mended" in files["shop/app.py"]

    house, outcome = await healed(fixed, **{"shop/prices.py": "\n# a word\n", "shop/app.py": "\n# mended\n"})
    assert isinstance(outcome, Reported)
    assert "main does not have this fault any more" in outcome.reasons[0]
    assert house.forge.pull_requests(SOURCE_URL) == ()


async def test_a_fix_that_does_not_help_there_is_reported_with_where_it_failed() -> None:
    def fixed(files: Files) -> bool:
        return is_fixed(files) and "# worse" not in files["shop/app.py"]

    house, outcome = await healed(fixed, **{"shop/prices.py": "\n# a word\n", "shop/app.py": "\n# worse\n"})
    assert isinstance(outcome, Reported)
    tip = house.repository.shas[-1]
    assert outcome.reasons[0] == f"on the tip of main ({tip[:12]}): the failure is still there after the patch"
    assert house.forge.pull_requests(SOURCE_URL) == ()


async def rewritten(tip: str, fixed: Callable[[Files], bool]) -> tuple[House, Reported]:
    """The outcome where the file of the fix was written anew on the default branch, so that no edit fits there."""
    house = House(fixed=fixed)
    tree = dict(house.repository.history[-1].files)
    house.repository.push(FakeCommit("since", tree | {"shop/prices.py": tip}))
    await build().ainvoke({"attempt": ATTEMPT}, context=house.ports)
    assert isinstance(house.journal.outcome, Reported)
    return house, house.journal.outcome


async def test_a_fault_that_was_mended_there_in_other_words_is_not_fixed_again() -> None:
    house, outcome = await rewritten(
        "mended = True\n", lambda files: is_fixed(files) or "mended" in files["shop/prices.py"]
    )
    assert "main does not have this fault any more" in outcome.reasons[0]
    assert house.journal.documents["verification"]["base"]["verdict"] == "healthy"
    assert house.forge.pull_requests(SOURCE_URL) == ()


async def test_where_the_change_does_not_fit_and_the_fault_is_still_there_both_are_told() -> None:
    house, outcome = await rewritten("rewritten = True\n", is_fixed)
    assert outcome.reasons == (
        "shop/prices.py is not on main what it was in the canary, and the change does not fit there",
    )
    (issue,) = house.forge.issues(SOURCE_URL)
    (row,) = (line for line in issue.body.splitlines() if line.startswith("| the failure on main at"))
    assert "red" in row
    assert "the change cannot be made there" in row
