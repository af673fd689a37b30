from random import Random

from agents.logs import Excerpt, compare, digest, excerpt


def noise(lines: int) -> list[str]:
    return [
        f"INFO order {at} placed in {at % 97}ms" if at % 50 else f"ERROR attempt {at} timed out" for at in range(lines)
    ]


def row_of(found: Excerpt, text: str) -> str:
    return next(row for row in found.rows if text in row)


def test_of_many_lines_the_one_that_decides_is_kept_with_its_place() -> None:
    lines = noise(30_000)
    lines[21_000:21_001] = ["ERROR no ledger", "java.io.IOException: disk full", "\tat c.A.b(A.java:12)"]
    found = excerpt(digest([("log", "\n".join(lines))]))
    assert len(found.rows) <= 200
    assert row_of(found, "no ledger") == "log#L21001-21001| ERROR no ledger"
    assert row_of(found, "A.java:12") == "log#L21003-21003| \tat c.A.b(A.java:12)"
    assert found.note == f"{found.shown} of 30002 lines, 4 of 4 kinds of messages"
    assert row_of(found, "attempt <number> timed out").startswith("599 times, first log#L1-1: error ")


def test_what_only_the_canary_logs_comes_before_all_else_where_room_is_short() -> None:
    words = ["".join(chr(97 + at // 26**place % 26) for place in range(3)) for at in range(400)]
    shared = [f"ERROR cannot {word}" for word in words]
    stable, canary = digest([("s", "\n".join(shared))]), digest([("c", "\n".join([*shared, "INFO prices are zero"]))])
    found = excerpt(canary, compare(stable, canary))
    assert len(found.rows) <= 200
    assert row_of(found, "prices are zero") == "c#L401-401| INFO prices are zero"
    assert found.kinds_shown < found.kinds == 401


def test_no_excerpt_is_longer_than_its_budget_whatever_the_logs_hold() -> None:
    draw = Random(1)  # noqa: S311 - the same lines in every run
    for budget in (1, 2, 10, 50, 200):
        lines = [f"ERROR {chr(97 + draw.randrange(26)) * 5} {'x' * draw.randrange(3)}\n  at f()" for _ in range(3000)]
        made = digest([(f"log-{at}", "\n".join(lines)) for at in range(3)])
        assert len(excerpt(made, budget=budget).rows) <= budget
    assert excerpt(digest([])).rows == ()
