"""The pin to the stable version: beside a code fix, or alone where nothing else is left; each pull request once."""

import json
from typing import Any, cast

import pytest
from langgraph.runtime import Runtime

from agents import graph
from agents.errors import Transient
from agents.graph import State, build
from agents.outcome import Reported
from agents.policy import RepositoryRule
from agents.pull_request import LeftAlone, Proposed, Text, attempts_within, fix_of, with_marker
from tests.fakes import FakeCommit, FakeJournal, Files
from tests.healing import ATTEMPT, EVERYWHERE, Fuse
from tests.rollbacks import FOLDER, NEW, OLD, GitOpsHouse, replica_set
from tests.shop import GITOPS_URL, INCIDENT, SOURCE_URL

WRITES = {"commit", "point", "create_pull_request", "update_pull_request", "finish"}
"""Calls that change something; one that only reads can be cut off without a trace."""
PIN_BRANCH = f"{INCIDENT.branch}-pin"


def never(_files: Files) -> bool:
    """Whatever is changed, the failure stays."""
    return False


def pull_requests(house: GitOpsHouse) -> list[str]:
    return [made for made in house.forge.created if made.startswith("pull request")]


async def heal(house: GitOpsHouse, *, times: int = 1) -> GitOpsHouse:
    for _ in range(times):
        await build().ainvoke({"attempt": ATTEMPT}, context=house.ports)
    return house


async def test_a_code_fix_comes_with_a_pin_and_each_names_the_other() -> None:
    house = await heal(GitOpsHouse())
    assert house.fix is not None
    assert house.pin is not None
    assert house.pin.url in house.fix.body
    assert house.fix.url in house.pin.body
    assert (house.fix.branch, house.pin.branch) == (INCIDENT.branch, PIN_BRANCH)
    assert fix_of(house.fix.body) != fix_of(house.pin.body)
    _, changes = house.forge.commits[house.forge.branches[GITOPS_URL][PIN_BRANCH]]
    (change,) = changes
    assert change.path == f"{FOLDER}/kustomization.yaml"
    assert change.after == str(change.before).replace("1.1.0", "1.0.0")
    outcome = house.journal.outcome
    assert isinstance(outcome, Proposed)
    assert outcome.pin is not None
    assert (outcome.pull_request.url, outcome.pin.url) == (house.fix.url, house.pin.url)


async def test_a_pin_says_that_it_rolls_back_and_cures_nothing_and_never_red_and_green() -> None:
    house = await heal(GitOpsHouse(rule=RepositoryRule(match="*", mode="ready"), gitops=RepositoryRule(match="*")))
    assert house.pin is not None
    assert house.pin.draft
    assert house.pin.body.startswith("**Rolls back, does not cure:**")
    assert "Red before" not in house.pin.body
    assert f"| `app: {NEW}` | `app: {OLD}` |" in house.pin.body
    assert "no new canary starts" in house.pin.body


async def test_a_pin_whose_pods_differ_in_more_than_the_image_starts_a_new_canary() -> None:
    house = await heal(GitOpsHouse(canary=replica_set("bad", NEW, MODE="new")))
    assert house.pin is not None
    assert "a new canary starts" in house.pin.body


async def test_run_again_nothing_more_is_made_or_reworded() -> None:
    house = await heal(GitOpsHouse())
    created, bodies = list(house.forge.created), (house.fix, house.pin)
    await heal(house, times=2)
    assert (house.forge.created, (house.fix, house.pin)) == (created, bodies)
    assert len(pull_requests(house)) == 2


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
async def test_cut_at_any_write_of_publishing_and_run_again_there_are_two_that_name_each_other(*, after: bool) -> None:
    ready = cast("State", await build().ainvoke({"attempt": ATTEMPT}, context=GitOpsHouse().ports))
    whole = Fuse()
    await graph.publishing(ready, Runtime(context=whole.ports(GitOpsHouse().ports)))
    writes = [at for at, call in enumerate(whole.seen, 1) if call in WRITES]
    assert len(writes) == 8
    for at in writes:
        house, fuse = GitOpsHouse(), Fuse(at, after=after)
        with pytest.raises(Transient):
            await graph.publishing(ready, Runtime(context=fuse.ports(house.ports)))
        await graph.publishing(ready, Runtime(context=house.ports))
        assert house.fix is not None, fuse.where
        assert house.pin is not None, fuse.where
        assert house.pin.url in house.fix.body, fuse.where
        assert house.fix.url in house.pin.body, fuse.where
        assert len(pull_requests(house)) == 2, fuse.where


async def test_where_every_fix_was_refuted_the_pin_is_the_last_and_lists_what_was_tried() -> None:
    house = await heal(GitOpsHouse(fixed=never))
    assert house.fix is None
    assert house.forge.issues(SOURCE_URL) == ()
    assert house.pin is not None
    outcome = house.journal.outcome
    assert isinstance(outcome, Proposed)
    assert outcome.pull_request.url == house.pin.url
    assert house.journal.documents["patch"]["strategy"] == "pin"
    assert house.journal.documents["verification"]["kind"] == "render"
    tried = [line for line in house.pin.body.splitlines() if "Not taken:" in line]
    assert len(tried) == 3
    assert tried[0].startswith("- revert: Takes back what commit")
    assert all("the failure is still there after the patch" in line for line in tried)


async def test_where_a_fix_may_not_be_proposed_the_analysis_and_the_pin_name_each_other() -> None:
    house = await heal(GitOpsHouse(rule=RepositoryRule(match="*", deny=("shop/**",))))
    outcome = house.journal.outcome
    assert isinstance(outcome, Reported)
    (issue,) = house.forge.issues(SOURCE_URL)
    assert house.pin is not None
    assert house.pin.url in issue.body
    assert issue.url in house.pin.body
    assert outcome.pin is not None
    created = list(house.forge.created)
    await heal(house)
    assert house.forge.created == created


@pytest.mark.parametrize(
    ("application", "reason"),
    [
        (lambda it: it["metadata"].update(annotations={"argocd-image-updater.argoproj.io/image-list": "a"}), "Updater"),
        (lambda it: it["metadata"].update(annotations={"kargo.akuity.io/authorized-stage": "a:b"}), "Kargo promotes"),
        (lambda it: it["spec"]["source"].update(helm={"valueFiles": ["v.yaml"]}), "renders a Helm chart"),
        (lambda it: it["spec"]["source"].update(plugin={"name": "x"}), "a plugin of Argo CD generates the manifests"),
        (lambda it: it["spec"]["source"].update(kustomize={"images": ["shop=shop:2"]}), "kustomize.images"),
        (lambda it: it["spec"]["source"].update(targetRevision="env/prod"), "follows env/prod"),
    ],
)
async def test_what_writes_the_image_elsewhere_is_named_in_the_fix_and_no_pin_is_made(
    application: Any, reason: str
) -> None:
    house = await heal(GitOpsHouse(application=application))
    assert house.pin is None
    assert house.fix is not None
    assert reason in house.fix.body


@pytest.mark.parametrize("gitops", [None, RepositoryRule(match="*", mode="observe")])
async def test_without_an_entry_or_in_mode_observe_nothing_leaves_for_the_gitops_repository(
    gitops: RepositoryRule | None,
) -> None:
    house = await heal(GitOpsHouse(gitops=gitops))
    assert house.pin is None
    assert house.fix is not None
    assert [name for name in house.forge.branches[GITOPS_URL] if name != "main"] == []


async def test_a_pin_counts_among_the_open_ones_of_its_repository() -> None:
    house = GitOpsHouse(gitops=RepositoryRule(match="*", max_open=1))
    await house.forge.point(GITOPS_URL, "selfheal/cart-1", house.gitops.shas[0], None)
    other = Text(title="t", body=with_marker("e" * 32, "t", "x", "f" * 32))
    await house.forge.create_pull_request(GITOPS_URL, "selfheal/cart-1", "main", other)
    await heal(house)
    assert [one.branch for one in house.forge.pull_requests(GITOPS_URL)] == ["selfheal/cart-1"]
    assert house.fix is not None
    assert "the policy allows 1" in house.fix.body


async def test_once_the_fix_is_merged_the_pin_is_said_to_be_needless_once_and_no_new_one_is_made() -> None:
    house = await heal(GitOpsHouse())
    assert house.fix is not None
    house.forge.edit(SOURCE_URL, house.fix.number, state="merged")
    await heal(house, times=2)
    assert isinstance(house.journal.outcome, LeftAlone)
    assert house.pin is not None
    (comment,) = await house.forge.comments(GITOPS_URL, house.pin.number)
    assert comment.body.startswith(f"Not needed any more once {house.fix.url}, which is merged, is deployed")


async def test_once_somebody_has_set_git_back_no_pin_is_offered_and_none_is_asked_for() -> None:
    house = GitOpsHouse()
    files = dict(house.gitops.history[0].files)
    house.gitops.push(FakeCommit("Roll back by hand", files))
    await heal(house)
    assert house.pin is None
    assert house.fix is not None
    assert "Until then" not in house.fix.body


async def test_a_pin_that_a_person_closed_is_not_opened_again() -> None:
    house = await heal(GitOpsHouse())
    assert house.pin is not None
    house.forge.edit(GITOPS_URL, house.pin.number, state="closed")
    created = list(house.forge.created)
    await heal(house)
    assert house.forge.created == created
    assert house.fix is not None
    assert "closed by a person" in house.fix.body


async def test_a_canary_that_a_person_ended_or_whose_cause_is_not_known_is_not_rolled_back() -> None:
    house = GitOpsHouse(log="2026-11-24 12:00:01 INFO all is well\n")
    await heal(house)
    assert isinstance(house.journal.outcome, Reported)
    assert house.pin is None
    house = GitOpsHouse(rule=EVERYWHERE)
    aborted = {"metadata": {"name": "shop"}, "status": {"abort": True}}
    contents = {**house.bundle.contents, "objects/rollout/shop": json.dumps(aborted)}
    house.journal = FakeJournal({ATTEMPT: house.bundle.model_copy(update={"contents": contents})})
    await heal(house)
    assert house.pin is None


async def test_a_pin_in_a_canarys_history_is_no_fix_that_failed() -> None:
    """Its canary, if there was one, was the stable version: only what was meant to heal counts in a lineage."""
    house = await heal(GitOpsHouse())
    counted = {}
    for url, pull in ((SOURCE_URL, house.fix), (GITOPS_URL, house.pin)):
        assert pull is not None
        sha = house.forge.branches[url][str(pull.branch)]
        merged = pull.model_copy(update={"state": "merged", "merged_as": sha})
        by_message = attempts_within((house.forge.messages[sha],), (), frozenset()).number
        counted[url] = (by_message, attempts_within((), (merged,), frozenset({sha})).number)
    assert counted == {SOURCE_URL: (1, 1), GITOPS_URL: (0, 0)}


async def test_where_a_lineage_has_come_to_its_end_a_person_is_asked_and_the_pin_is_offered() -> None:
    house = GitOpsHouse(rule=RepositoryRule(match="*", max_attempts=1))
    tree = dict(house.repository.history[-1].files)
    sha = house.repository.push(FakeCommit("Fix it", tree, f"because\n\nSelfheal-Incident: {'1' * 32}"))
    house.advance_canary(sha)
    await heal(house)
    assert isinstance(house.journal.outcome, Reported)
    assert "a person has to look" in house.journal.outcome.reasons[0]
    assert house.pin is not None
