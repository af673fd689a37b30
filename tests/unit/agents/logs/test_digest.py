import json

import pytest

from agents.logs import Digest, digest
from agents.logs import digest as make

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")


def counts(text: str) -> dict[tuple[str | None, str], int]:
    return {key: kind.count for key, kind in digest([("log", text)]).kinds.items()}


def test_lines_that_differ_in_their_values_are_one_kind_and_a_status_tells_them_apart() -> None:
    lines = [
        f'10.0.0.{at} - - [25/Nov/2026:12:00:{at:02} +0000] "GET /a/{at * 977} HTTP/1.1" {status} {at * 13} "-" "x{at}"'
        for at, status in enumerate([200, 200, 500, 200, 404, 500, 200])
    ]
    assert sorted(counts("\n".join(lines)).values()) == [1, 2, 4]
    found = counts("\n".join(json.dumps({"path": f"/a/{at}", "status": 200 if at % 3 else 500}) for at in range(9)))
    assert found == {(None, "/a/<number> status=200"): 6, (None, "/a/<number> status=500"): 3}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("job-42-failed", "job-42-succeeded"),
        ("step 1: added", "step 1: faded"),
        ("5 errors", "5 orders"),
        ("shard a is up", "shard b is up"),
        ("unit 3c lost", "unit 3c found"),
        ("INFO x 1", "ERROR x 1"),
        ('"GET /a1 HTTP/1.1" 200 1', '"GET /a1 HTTP/1.1" 503 1'),
        ("GET /a1 200 99", "GET /a1 500 99"),
        ("first 1 1 1 status=200 200", "first 1 1 1 status=500 200"),
    ],
)
def test_lines_that_say_different_things_are_counted_apart(one: str, other: str) -> None:
    assert sorted(counts(f"{one}\n{other}\n{one}").values()) == [1, 2]


def test_a_kind_knows_its_first_line_its_logs_and_the_trace_that_belongs_to_it() -> None:
    trace = ["Traceback (most recent call last):", '  File "/a.py", line 1, in f', "    f()", "KeyError: 'x'"]
    made = make([("a", "INFO 1\nINFO 2"), ("b", "\n".join(["INFO 3", "ERROR boom", *trace, "INFO 4"]))])
    kind = made.kinds["error", "boom"]
    assert (kind.item, kind.line, kind.count, dict(kind.items)) == ("b", 2, 1, {"b": 1})
    assert kind.shown == ((1, "INFO 3"), (2, "ERROR boom"), *((3 + at, row) for at, row in enumerate(trace)))
    assert made.kinds["info", "<number>"].items == {"a": 2, "b": 2}


def test_parts_of_a_log_are_counted_like_the_whole() -> None:
    lines = [f"INFO order {at} by {NAMES[at % 7]}\n" for at in range(5000)]
    whole, parts = make([("log", "".join(lines))]), Digest()
    for at in range(0, 5000, 700):
        parts.add("log", "".join(lines[at : at + 700]))
    assert {key: (kind.count, kind.line) for key, kind in whole.kinds.items()} == {
        key: (kind.count, kind.line) for key, kind in parts.kinds.items()
    }


def test_kinds_without_end_are_counted_as_more_than_there_is_room_for_but_errors_still_have_some() -> None:
    words = ["".join(chr(97 + at // 26**place % 26) for place in range(4)) for at in range(12_000)]
    made = make([("log", "\n".join([*(f"INFO say{word}" for word in words), "ERROR the disk is full"]))])
    assert len(made.kinds) == 8001
    assert made.kinds["error", "the disk is full"].line == 12_001
    assert made.rest.count == 4000
    assert made.total == 12_001


def test_a_line_of_a_megabyte_is_one_kind_and_what_comes_after_it_is_seen() -> None:
    made = make([("log", "ERROR " + "x" * 1_000_000 + "\nERROR after it\n" + "1" * 1_000_000)])
    assert made.total == 3
    assert made.kinds["error", "after it"].line == 2
    assert all(len(line) <= 600 for kind in made.kinds.values() for _, line in kind.shown)
