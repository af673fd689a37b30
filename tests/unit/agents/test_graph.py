"""The pipeline on fakes: where each kind of case ends, and that a crash anywhere changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.runtime import Runtime

from agents import graph
from agents.errors import Transient
from agents.graph import State, build
from agents.incident import NEXT
from agents.incident import State as Stage
from agents.outcome import Reported
from agents.policy import RepositoryRule
from agents.pull_request import Proposed
from app.jobs import Healer, open_saver
from tests.fakes import Files
from tests.healing import ATTEMPT, CULPRIT, SETTINGS, STORY, Fuse, House, is_fixed
from tests.shop import INCIDENT, SOURCE_URL, TRACE

WHOLE = [Stage.DIAGNOSING, Stage.FIXING, Stage.VERIFYING, Stage.PUBLISHING, Stage.PROPOSED]


async def heal(house: House) -> None:
    ended = await build().ainvoke({"attempt": ATTEMPT}, context=house.ports)
    json.dumps(ended)  # plain data, or a checkpoint could not be read by the next version
    for one, following in zip(house.journal.stages, house.journal.stages[1:], strict=False):
        assert following in NEXT[one]


async def test_a_failed_canary_becomes_a_verified_pull_request() -> None:
    house = House()
    await heal(house)
    assert house.journal.stages == WHOLE
    assert isinstance(house.journal.outcome, Proposed)
    (pull,) = house.forge.pull_requests(SOURCE_URL)
    assert pull.draft
    assert pull.body.startswith("**Red before, green after:**")
    parent, changes = house.forge.commits[house.forge.branches[SOURCE_URL][INCIDENT.branch]]
    assert parent == house.repository.shas[-1]
    assert [change.path for change in changes] == ["shop/prices.py"]
    assert is_fixed({change.path: str(change.after) for change in changes})
    assert '"water": 1' in str(changes[0].after)  # what came after the culprit stays
    assert house.journal.documents["diagnosis"]["culprit_commit"] == house.culprit
    assert house.journal.documents["verification"]["verdict"] == "verified"
    assert house.journal.documents["patch"]["diff"].startswith("diff --git a/shop/prices.py")
    assert house.workspace.trees == {}


async def test_in_mode_ready_a_verified_one_is_ready_for_review() -> None:
    house = House(rule=RepositoryRule(match="*", mode="ready"))
    await heal(house)
    assert [pull.draft for pull in house.forge.pull_requests(SOURCE_URL)] == [False]


def needs_the_whole_commit(files: Files) -> bool:
    return is_fixed(files) and files["README.md"] != STORY


async def test_a_refuted_patch_makes_way_for_the_next_one() -> None:
    house = House(fixed=needs_the_whole_commit)
    await heal(house)
    assert house.journal.stages == [*WHOLE[:3], *WHOLE[1:]]
    (pull,) = house.forge.pull_requests(SOURCE_URL)
    assert f"Takes back all of commit {house.culprit[:12]}" in pull.body
    _, changes = house.forge.commits[house.forge.branches[SOURCE_URL][INCIDENT.branch]]
    assert [change.path for change in changes] == ["README.md", "shop/prices.py"]


async def test_when_every_patch_is_refuted_the_analysis_is_reported_with_the_last_one() -> None:
    house = House(fixed=lambda _: False)
    await heal(house)
    assert house.journal.stages == [
        Stage.DIAGNOSING,
        *(Stage.FIXING, Stage.VERIFYING) * 3,
        Stage.FIXING,
        Stage.PUBLISHING,
        Stage.REPORTED,
    ]
    assert house.forge.pull_requests(SOURCE_URL) == ()
    (issue,) = house.forge.issues(SOURCE_URL)
    assert issue.body.startswith("**No pull request:** the failure is still there after the patch")
    assert "```diff" in issue.body
    assert CULPRIT in issue.body
    assert house.journal.documents["diagnosis"]["confidence"] == "low"
    assert "Taking back what is blamed here did not remove the failure" in issue.body


async def test_what_cannot_be_run_is_proposed_as_not_verified() -> None:
    house = House(settings="mode: propose\n")
    await heal(house)
    (pull,) = house.forge.pull_requests(SOURCE_URL)
    assert pull.draft
    assert pull.body.split("\n")[0].startswith("Not verified: the source repository has no \\`run:\\`")
    assert house.sandbox.commands == []


@pytest.mark.parametrize(
    "house",
    [
        pytest.param(lambda: House(rule=RepositoryRule(match="*", mode="observe")), id="server policy"),
        pytest.param(lambda: House(annotations={"selfheal.io/mode": "observe"}), id="annotation"),
        pytest.param(lambda: House(annotations={"selfheal.io/mode": "Ready!"}), id="a word that is no mode"),
        pytest.param(lambda: House(settings=SETTINGS + "mode: observe\n"), id=".selfheal.yml"),
        pytest.param(lambda: House(settings="runn: x\n"), id="a .selfheal.yml that cannot be read"),
        pytest.param(
            lambda: House(rule=RepositoryRule(match="*", mode="observe"), fixed=lambda _: False), id="and nothing helps"
        ),
    ],
)
async def test_in_mode_observe_nothing_leaves_the_service(house: Callable[[], House]) -> None:
    made = house()
    await heal(made)
    assert isinstance(made.journal.outcome, Reported)
    assert made.journal.outcome.issue is None
    assert made.left() == []


async def test_a_repository_that_the_policy_does_not_name_is_not_even_opened() -> None:
    house = House(rule=RepositoryRule(match="https://git.example/other/*"))
    fuse = Fuse()
    await build().ainvoke({"attempt": ATTEMPT}, context=fuse.ports(house.ports))
    assert isinstance(house.journal.outcome, Reported)
    assert any("policy has no entry" in reason for reason in house.journal.outcome.reasons)
    assert house.left() == []
    assert set(fuse.seen) - {"page"} == {"enter", "bundle", "identified", "record", "finish"}  # a page is only named


@pytest.mark.parametrize(
    "revisions",
    [
        pytest.param(lambda _: (None, None), id="not known"),
        pytest.param(lambda made: ("f" * 40, made.shas[-1]), id="not in the repository"),
    ],
)
async def test_without_a_range_of_commits_the_analysis_is_all_there_is(revisions: Any) -> None:
    house = House(revisions=revisions)
    await heal(house)
    assert house.journal.stages == [Stage.DIAGNOSING, Stage.PUBLISHING, Stage.REPORTED]
    assert house.forge.pull_requests(SOURCE_URL) == ()


async def test_a_short_sha_or_a_branch_in_an_annotation_is_resolved_first() -> None:
    house = House(revisions=lambda made: (made.shas[0][:9], "main"))
    await heal(house)
    assert house.journal.stages == WHOLE
    assert house.journal.documents["patch"]["commit"] == house.repository.shas[-1]


async def test_every_node_may_run_again_after_its_work() -> None:
    house = House()
    state = State(attempt=ATTEMPT)
    for node in (graph.diagnosing, graph.fixing, graph.verifying, graph.publishing):
        runtime = Runtime(context=house.ports)
        first = await node(state, runtime)
        again = await node(state, runtime)
        assert json.dumps(again) == json.dumps(first)
        state.update(again)
    assert house.left() == [
        INCIDENT.branch,
        f"pull request {INCIDENT.branch} -> main",
        "labels of 1: self-healing",
    ]
    assert isinstance(house.journal.outcome, Proposed)


async def run_once(house: House, checkpoints: Path, fuse: Fuse) -> None:
    """As the worker does it: strict checkpoints in a file, opened afresh."""
    saver = await open_saver(checkpoints)
    try:
        await Healer(fuse.ports(house.ports), saver).run(ATTEMPT)
    finally:
        await saver.conn.close()


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_lost_at_any_call_and_resumed_it_ends_in_the_same_one_pull_request(
    tmp_path: Path, *, after: bool
) -> None:
    whole, counting = House(), Fuse()
    await run_once(whole, tmp_path / "whole.sqlite", counting)
    places = set()
    for at in range(1, counting.calls + 1):
        house, fuse = House(), Fuse(at, after=after)
        with pytest.raises(Transient, match="lost"):
            await run_once(house, tmp_path / f"{at}.sqlite", fuse)
        await run_once(house, tmp_path / f"{at}.sqlite", Fuse())
        await run_once(house, tmp_path / f"{at}.sqlite", Fuse())
        places.add(fuse.where)
        assert house.left() == whole.left()
        assert house.forge.pull_requests(SOURCE_URL) == whole.forge.pull_requests(SOURCE_URL)
        assert house.journal.outcome == whole.journal.outcome
        assert house.workspace.trees == {} or fuse.where in {"lay_out", "clear"}
    assert places >= {"enter", "record", "finish", "open", "lay_out", "serve", "clear", "point", "create_pull_request"}


async def test_a_finished_attempt_is_not_begun_again(tmp_path: Path) -> None:
    house, fuse = House(), Fuse()
    await run_once(house, tmp_path / "c.sqlite", Fuse())
    await run_once(house, tmp_path / "c.sqlite", fuse)
    assert fuse.calls == 0


async def test_a_checkpoint_holds_plain_data_only(tmp_path: Path) -> None:
    house = House()
    saver = await open_saver(tmp_path / "c.sqlite")
    await Healer(house.ports, saver).run(ATTEMPT)
    config: RunnableConfig = {"configurable": {"thread_id": ATTEMPT}}
    seen = [state.values async for state in build(saver).aget_state_history(config)]
    await saver.conn.close()
    assert len(seen) >= 5
    assert json.loads(json.dumps(seen)) == seen
    assert TRACE.split("\n")[-2] in json.dumps(seen)
