"""Lines that make a pattern backtrack: each of these would take minutes, or for ever, if one did."""

import pytest

from agents.frames import find_traces
from agents.logs import digest, events_of, mask, rows_of, strip_prefix

MANY = 20_000


@pytest.mark.parametrize(
    "line",
    [
        "main." * MANY,
        "main-" * MANY,
        "a-a." * MANY + "1 ",
        "a-" * MANY + "bcdfg !",
        "2026-11-24 12:00:00 " + "1234567890" * MANY + " x",
        "2026-11-24 12:00:00 " + "[a] " * MANY,
        "2026-11-24 12:00:00 word" + " " * MANY + "!",
        "a.b" * MANY + "!\n\t/app/main.go:10",
        "a." * MANY + "(" * MANY + ")",
        "\tat a.b(java.base@" + "17@" * MANY + ")",
        "Traceback (most recent call last):\n" * (MANY // 20),
        "a.AError: x\nb.BError: x\n" * MANY,
        'failed\\n"' + '\\"' * MANY,
        'failed "' + "\\n" * MANY,
        "user: " * MANY,
        "id:" * MANY + " x",
        "GET /" * MANY,
        "\x1b]" * MANY,
        "Caused by: " * MANY,
        "Error:" * MANY,
        "[" * MANY + "ERROR",
        "{" * MANY,
        '{"a":' * MANY,
        "level=info " + 'a="' * MANY,
    ],
)
def test_no_line_takes_more_than_linear_time(line: str) -> None:
    text = f"ERROR before\n{line}\nERROR after"
    assert "".join(strip_prefix(row) for row in text.split("\n")).endswith("ERROR after")
    assert rows_of(text)[-1].text == "ERROR after"
    assert mask(line)
    assert all(trace.item == "log" for trace in find_traces("log", text))
    assert [*events_of("log", text)][-1].last_line == text.count("\n") + 1
    assert digest([("log", text)]).total == text.count("\n") + 1


def test_a_program_whose_name_has_dots_is_told_from_its_line() -> None:
    assert strip_prefix("shop.api-web-1  | started") == "started"
    assert strip_prefix("web-7d4b9c6f5d-x2x4z app started") == "started"
    assert strip_prefix("a.b.c is no program | at all") == "a.b.c is no program | at all"
