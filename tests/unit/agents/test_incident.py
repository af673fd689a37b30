import itertools
import re

import pytest

from agents.incident import FINAL, IN_PROGRESS, NEXT, Incident, State, attempt_id, branch_name, incident_key
from tests.shop import INCIDENT


def test_the_key_depends_on_the_identity_alone() -> None:
    same = INCIDENT.model_copy(update={"rollout": "another name", "stable_hash": "other"})
    assert same.key == INCIDENT.key
    assert re.fullmatch(r"[0-9a-f]{32}", INCIDENT.key)


@pytest.mark.parametrize("field", ["cluster", "namespace", "uid", "canary_hash", "revision"])
def test_every_part_of_the_identity_makes_another_incident(field: str) -> None:
    assert INCIDENT.model_copy(update={field: "other"}).key != INCIDENT.key


def test_parts_that_read_the_same_together_are_told_apart() -> None:
    keys = {incident_key(*parts) for parts in itertools.permutations(["a", "ab", "b", "", "ba"])}
    assert len(keys) == 120
    assert incident_key("a", "b", "c", "d", "e") != incident_key("ab", "", "c", "d", "e")


@pytest.mark.parametrize(
    ("rollout", "branch"),
    [
        ("shop", "selfheal/shop-0123456789"),
        ("shop.eu-1", "selfheal/shop-eu-1-0123456789"),
        ("..", "selfheal/rollout-0123456789"),
        ("-x-", "selfheal/x-0123456789"),
        ("a/../b", "selfheal/a-b-0123456789"),
        ("x.lock", "selfheal/x-lock-0123456789"),
        ("ünï", "selfheal/n-0123456789"),
        ("n" * 300, f"selfheal/{'n' * 60}-0123456789"),
    ],
)
def test_a_branch_is_named_so_that_git_takes_it(rollout: str, branch: str) -> None:
    assert branch_name(rollout, "0123456789abcdef") == branch


def test_an_attempt_is_named_by_key_and_number_and_the_branch_by_the_key_alone() -> None:
    assert attempt_id(INCIDENT.key, 2) == f"{INCIDENT.key}-2"
    assert INCIDENT.branch == branch_name("shop", INCIDENT.key)
    assert Incident.model_validate(INCIDENT.model_dump()) == INCIDENT


def test_every_state_has_its_successors_and_final_ones_have_none() -> None:
    assert set(NEXT) == set(State)
    assert all(NEXT[state] == frozenset() for state in FINAL)
    assert all(NEXT[state] for state in set(State) - FINAL)
    assert all(State.FAILED in NEXT[state] for state in IN_PROGRESS)
    assert not IN_PROGRESS & FINAL


def test_every_state_that_is_in_progress_can_reach_an_end() -> None:
    for state in IN_PROGRESS:
        reached, todo = set(), [state]
        while todo:
            here = todo.pop()
            if here not in reached:
                reached.add(here)
                todo += NEXT[here]
        assert {State.PROPOSED, State.REPORTED, State.FAILED} <= reached
