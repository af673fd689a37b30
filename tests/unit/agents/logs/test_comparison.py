from math import comb
from random import Random

import pytest

from agents.logs import Difference, compare, digest
from agents.logs.chance import chance_of


def differences(stable: list[str], canary: list[str]) -> tuple[Difference, ...]:
    return compare(digest([("s", "\n".join(stable))]), digest([("c", "\n".join(canary))]))


def test_only_what_the_stable_version_never_says_is_left_errors_first() -> None:
    stable = ["2026-11-24T12:00:00Z INFO request 1 in 5ms", "2026-11-24T12:00:00Z WARN retry 3"]
    canary = [
        "2026-11-24T12:01:00Z INFO request 900 in 7ms",
        "2026-11-24T12:01:00Z INFO new feature on",
        "2026-11-24T12:01:01Z ERROR cannot charge order 7",
        "",
        "2026-11-24T12:01:02Z ERROR cannot charge order 8",
        "2026-11-24T12:01:02Z WARN retry 4",
    ]
    found = differences(stable, canary)
    assert [(one.how, one.template.text, one.canary, one.template.line, one.template.level) for one in found] == [
        ("new", "cannot charge order <number>", 2, 3, "error"),
        ("new", "new feature on", 1, 2, "info"),
    ]


def test_without_a_stable_log_everything_is_new_but_not_sure_and_without_a_canary_nothing_is() -> None:
    assert [(one.template.text, one.is_sure) for one in differences([], ["x", "x"])] == [("x", False)]
    assert differences(["x"] * 1000, []) == ()


def dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same lines in every run


def shop(draw: Random, lines: int) -> list[str]:
    """What every version of a shop logs, rare noise among it."""
    said = [
        "INFO order {} placed in {}ms",
        "INFO cache hit for key {} age {}",
        "WARN slow query took {}ms of {}",
        "ERROR inventory at 10.0.0.{}:80 timed out after {}ms",
        "INFO rebalanced {} of {} partitions",
    ]
    weights = (60, 30, 5, 1, 0.05)
    return [form.format(draw.randint(1, 250), draw.randint(1, 999)) for form in draw.choices(said, weights, k=lines)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("lines", [60, 1000, 4000])
def test_noise_that_both_share_is_never_reported_whatever_part_of_the_traffic_the_canary_has(
    seed: int, lines: int
) -> None:
    draw = dice(seed)
    stable = [(f"s{pod}", "\n".join(["INFO started on port 80"] * 30 + shop(draw, 5000))) for pod in range(4)]
    canary = [("c", "\n".join(["INFO started on port 80"] * 30 + shop(draw, lines)))]
    assert compare(digest(stable), digest(canary)) == ()


def test_a_message_that_comes_more_often_than_traffic_explains_is_told_with_what_was_to_be_expected() -> None:
    draw = dice(1)
    canary = shop(draw, 2000) + ["ERROR inventory at 10.0.0.7:80 timed out after 9ms"] * 200
    draw.shuffle(canary)
    (found,) = differences(shop(draw, 20_000), canary)
    assert (found.how, found.template.level, found.is_sure) == ("rate", "error", True)
    assert found.canary > 200
    assert 10 < found.expected < 40


def test_a_flood_of_one_message_does_not_make_the_others_rarer() -> None:
    draw = dice(2)
    canary = shop(draw, 2000) + ["ERROR no price for item 7"] * 20_000
    draw.shuffle(canary)
    found = differences(shop(draw, 20_000), canary)
    assert [(one.how, one.template.text) for one in found] == [("new", "no price for item <number>")]


def test_a_message_at_another_level_is_told_as_that() -> None:
    stable = ["INFO cannot reach the cache, going on", "INFO order 1 placed"] * 50
    canary = ["ERROR cannot reach the cache, going on", "INFO order 1 placed"] * 50
    (found,) = differences(stable, canary)
    assert (found.how, found.was, found.template.level, found.canary) == ("level", "info", "error", 50)
    assert found.told == "50 times as error, by the stable version as info"


def test_what_is_not_logged_any_more_is_told_if_it_was_to_be_expected() -> None:
    draw = dice(3)
    stable, canary = shop(draw, 20_000), [line for line in shop(draw, 2000) if "cache" not in line]
    (found,) = differences(stable, canary)
    assert (found.how, found.canary, found.is_sure) == ("vanished", 0, True)
    assert found.told.startswith("never, where ")


def test_one_burst_is_one_thing_that_happened() -> None:
    """Forty lines at a start: more of all lines in a small log than in large ones, and only one start."""
    draw = dice(4)
    start = [f"INFO mapped route number {at}" for at in range(40)]
    assert differences(start + shop(draw, 20_000), start + shop(draw, 500)) == ()


def test_words_that_take_many_values_are_variables_but_words_of_failure_are_not() -> None:
    names = [f"user {name} has logged in" for name in ["ann", "bob", "cid", "dan", "eve", "fay", "gus"]]
    assert differences(names * 3, ["user zoe has logged in", *names]) == ()
    states = [f"payment is now {state}" for state in ["new", "open", "held", "paid", "sent", "done", "late"]]
    (found,) = differences(states * 3, [*states, "payment is now failed"])
    assert (found.how, found.template.text) == ("new", "payment is now failed")


@pytest.mark.parametrize(
    ("here", "there", "share"), [(3, 4, 0.3), (12, 88, 0.05), (0, 40, 0.1), (7, 0, 0.2), (30, 90, 0.25)]
)
def test_the_chance_is_that_of_the_exact_binomial_test(here: int, there: int, share: float) -> None:
    def at_least(count: int) -> float:
        both = here + there
        return sum(comb(both, k) * share**k * (1 - share) ** (both - k) for k in range(count, both + 1))

    exact = min(1.0, 2 * min(at_least(here), 1 - at_least(here + 1)))
    assert chance_of(here, there, share) == pytest.approx(exact, rel=1e-9)
