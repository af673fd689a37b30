from typing import Literal

from agents.diagnosis import Diagnosis, Location
from agents.fix import MOST_ATTEMPTS, Ground, propose
from agents.patch import Patch
from agents.suspects import Suspect
from tests.fakes import FakeCommit, FakeRepository

CODE = "".join(f"line {at}\n" for at in range(1, 41))
BROKEN = CODE.replace("line 5\n", "broken\n").replace("line 30\n", "also new\n")
FIRST = FakeCommit("first", {"a.py": CODE, "b.py": "b\n"})
CULPRIT = FakeCommit("culprit", {"a.py": BROKEN, "b.py": "B\n"})


def diagnosis(
    repository: FakeRepository,
    file: str = "a.py",
    line: int | None = 5,
    strategy: Literal["revert", "restore"] | None = "revert",
    culprit: int | None = 1,
    suspects: tuple[Suspect, ...] = (),
) -> Diagnosis:
    return Diagnosis(
        category="code",
        summary="it fails",
        confidence="high",
        location=Location(file=file, line=line),
        culprit_commit=None if culprit is None else repository.shas[culprit],
        suspects=suspects,
        claims=(),
        strategy=strategy,
    )


async def proposals(repository: FakeRepository, found: Diagnosis) -> list[Patch]:
    """All that is offered, as each one before it is refuted."""
    ground = Ground(url="file:///forge/shop.git", stable=repository.shas[0], canary=repository.shas[-1])
    offered: list[Patch] = []
    while (patch := await propose(found, ground, repository, len(offered))) is not None:
        offered.append(patch)
    return offered


async def test_patches_are_offered_smallest_first_and_each_once() -> None:
    repository = FakeRepository(FIRST, CULPRIT)
    offered = await proposals(repository, diagnosis(repository))
    assert [patch.changed_lines for patch in offered] == [2, 4, 6]
    assert [sorted(change.path for change in patch.changes) for patch in offered] == [
        ["a.py"],
        ["a.py"],
        ["a.py", "b.py"],
    ]
    assert {patch.commit for patch in offered} == {repository.shas[1]}
    assert all(patch.strategy == "revert" and repository.shas[1][:12] in patch.why for patch in offered[1:])


async def test_without_a_line_the_places_of_the_suspects_count() -> None:
    repository = FakeRepository(FIRST, CULPRIT)
    suspect = Suspect(file="a.py", line=31, function=None, commit=repository.shas[1], score=5, why="it wrote it")
    (first, *_) = await proposals(repository, diagnosis(repository, line=None, suspects=(suspect,)))
    assert first.changes[0].after == BROKEN.replace("also new\n", "line 30\n")


async def test_the_commit_alone_is_offered_where_the_failing_file_is_not_in_it() -> None:
    repository = FakeRepository(FIRST, CULPRIT)
    offered = await proposals(repository, diagnosis(repository, file="caller.py"))
    assert [patch.changed_lines for patch in offered] == [6]


async def test_two_strategies_that_come_to_the_same_change_offer_it_once() -> None:
    before = "data:\n  FEED: x\n  SIZE: 20\n"
    after = before.replace("FEED", "SOURCE")
    repository = FakeRepository(FakeCommit("first", {"c.yaml": before}), FakeCommit("culprit", {"c.yaml": after}))
    offered = await proposals(repository, diagnosis(repository, file="c.yaml", line=2, strategy="restore"))
    assert [(patch.strategy, patch.changes[0].after) for patch in offered] == [("restore", before)]


async def test_a_restored_value_comes_before_the_revert_of_all_that_came_with_it() -> None:
    before = "data:\n  FEED: x\n  SIZE: 20\n  MORE: 1\n  LAST: 1\n"
    after = before.replace("FEED", "SOURCE").replace("LAST: 1", "LAST: 2")
    repository = FakeRepository(FakeCommit("first", {"c.yaml": before}), FakeCommit("culprit", {"c.yaml": after}))
    offered = await proposals(repository, diagnosis(repository, file="c.yaml", line=2, strategy="restore"))
    assert [(patch.strategy, patch.changed_lines) for patch in offered] == [("restore", 2), ("revert", 4)]


async def test_no_more_than_the_limit_are_ever_tried() -> None:
    repository = FakeRepository(FIRST, CULPRIT)
    ground = Ground(url="u", stable=repository.shas[0], canary=repository.shas[1])
    assert await propose(diagnosis(repository), ground, repository, MOST_ATTEMPTS) is None


async def test_nothing_is_proposed_without_a_strategy_a_known_culprit_or_a_change_left_to_take_back() -> None:
    repository = FakeRepository(FIRST, CULPRIT)
    assert await proposals(repository, diagnosis(repository, strategy=None)) == []
    assert await proposals(repository, diagnosis(repository, culprit=None)) == []
    outside = diagnosis(repository).model_copy(update={"culprit_commit": "f" * 40})
    assert await proposals(repository, outside) == []
    undone = FakeRepository(FIRST, CULPRIT, FakeCommit("take it back", FIRST.files))
    assert await proposals(undone, diagnosis(undone)) == []


async def test_a_file_that_is_not_text_any_more_costs_only_the_candidates_that_touch_it() -> None:
    repository = FakeRepository(FIRST, CULPRIT, FakeCommit("pack b", {**CULPRIT.files, "b.py": "\0"}))
    offered = await proposals(repository, diagnosis(repository))
    assert [[change.path for change in patch.changes] for patch in offered] == [["a.py"], ["a.py"]]
