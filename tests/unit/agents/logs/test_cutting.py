"""Logs that are too long: whatever is cut, the first of every kind is there, in order, and the bound holds."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.frames import find_traces
from agents.logs import Cutter, Firsts, Shortened, cut, cut_bytes, digest, events_of, gap_line, is_gap
from benchmarks.generated_logs import DECISIVE, NEEDLE, ORDINARY

LIMIT = 128 * 1024
TRACE = [
    "ERROR shop.pricing: cannot price order",
    "Traceback (most recent call last):",
    *(f'  File "/app/shop/step{at}.py", line {at + 7}, in step_{at}\n    return step_{at + 1}()' for at in range(30)),
    "KeyError: 'currency'",
]


def ordinary(lines: int, seed: int = 1) -> list[str]:
    dice = Random(seed)  # noqa: S311 - the same lines in every run
    return [line_of(dice, *dice.choice(ORDINARY)) for _ in range(lines)]


def line_of(dice: Random, level: str, logger: str, text: str) -> str:
    values = {name: dice.getrandbits(24) for name in ("number", "small")}
    hexes = {name: f"{dice.getrandbits(64):016x}" for name in ("hex", "uuid")}
    said = text.format(**values, **hexes, address=f"10.0.0.{dice.getrandbits(8)}:80")
    return f"2026-11-25T12:00:00.{dice.getrandbits(18):06}Z {level.upper():7} {logger}: {said}"


def number_of_lines(short: Shortened) -> list[tuple[int, str]]:
    """The lines that were kept, with the numbers that the gaps between them tell."""
    number, kept = 1, []
    for line in short.text.split("\n"):
        if is_gap(line):
            number += int(line.split()[1])
        else:
            kept.append((number, line))
            number += 1
    return kept


def check(text: str, short: Shortened, limit: int) -> None:
    """Within the limit, every line where it was, and counted rightly."""
    lines = text.split("\n")
    assert len(short.text.encode()) <= limit
    kept = number_of_lines(short)
    for number, line in kept:
        assert lines[number - 1].startswith(line)
    assert short.of == len(lines) - text.endswith("\n")
    assert short.kept == len(kept) - short.text.endswith("\n")


@pytest.mark.parametrize("place", [0.1, 0.33, 0.66])
def test_a_cause_anywhere_in_a_long_log_is_kept_with_its_whole_trace(place: float) -> None:
    lines = ordinary(8000)
    at = int(len(lines) * place)
    lines[at:at] = [line_of(Random(3), *DECISIVE), *"\n".join(TRACE).split("\n")]  # noqa: S311 - reproducible
    text = "\n".join(lines)
    short = cut(text, LIMIT)
    check(text, short, LIMIT)
    assert "\n".join(TRACE) in short.text
    assert NEEDLE in short.text
    assert short.text.startswith("\n".join(lines[:20]))
    assert short.text.endswith("\n".join(lines[-100:]))


def test_one_trace_does_not_take_the_room_of_another() -> None:
    wide = ["ERROR first failed", *(f"\tat com.acme.A{at}.run(A.java:{at}) {'x' * 900}" for at in range(150))]
    lines = [*ordinary(1000), *wide, *ordinary(1000), *TRACE, *ordinary(4000)]
    short = cut("\n".join(lines), LIMIT)
    check("\n".join(lines), short, LIMIT)
    assert "\n".join(wide[:4]) in short.text
    assert "\n".join(TRACE) in short.text


def test_of_every_kind_that_the_digest_tells_apart_one_line_is_kept() -> None:
    lines = ordinary(8000)
    rare = [f"INFO shop: {word} handed over to {word[::-1]}" for word in ("quorum", "tryst", "sphinx", "myrrh")]
    rare += [
        "2026 INFO GET /orders/7 500 in 3ms",
        "2026 INFO GET /orders/7 404 in 3ms",
        "2026 INFO GET /orders/7 200 in 3ms",
    ]
    for at, line in enumerate(rare):
        lines[2000 + 500 * at] = line
    short = cut("\n".join(lines), LIMIT)
    assert set(rare) <= set(short.text.split("\n"))
    whole, kept = digest([("log", "\n".join(lines))]), digest([("log", short.text)])
    assert whole.kinds.keys() == kept.kinds.keys()
    assert kept.gaps.count > 0


WORDS = ["".join(Random(at).choices("ghijklmnopqrstuvwxyz", k=9)) for at in range(12_000)]  # noqa: S311 - reproducible


@pytest.mark.parametrize(
    "flood",
    [
        [f"INFO {one} {two}" for one, two in pairwise(WORDS)],
        [f"ERROR user {word} was refused" for word in WORDS],
        [f"ERROR {word}: failed\n  at {word}.run(Main.java:{at})" for at, word in enumerate(WORDS)],
        [f"{word} " * 60 for word in WORDS[:3000]],
        [word + " word" * 50_000 for word in WORDS[:40]],
    ],
)
def test_a_flood_of_distinct_kinds_breaks_no_bound_and_drowns_no_kind_of_before(flood: list[str]) -> None:
    text = "\n".join([*TRACE, *flood, *ordinary(3000)])
    firsts = Firsts(LIMIT)
    for begin in range(0, len(flood), 500):
        firsts.see("\n".join(flood[begin : begin + 500]), begin + 1)
        assert firsts.memory < 2 * LIMIT
    short = cut(text, LIMIT)
    check(text, short, LIMIT)
    assert "KeyError: 'currency'" in short.text
    assert "had no room" in str(short.how)


def test_a_flood_of_free_text_leaves_room_for_the_kinds_that_come_after_it() -> None:
    flood = [f"ERROR shop.users: login was refused, since nobody is called {word}" for word in WORDS]
    text = "\n".join([*flood, *TRACE, *ordinary(5000)])
    assert "\n".join(TRACE) in cut(text, LIMIT).text


def test_no_trace_is_made_of_two_that_a_gap_divides() -> None:
    frames = [f'  File "/app/shop/a{at}.py", line {at + 1}, in a{at}' for at in range(3)]
    first = ["Traceback (most recent call last):", *frames[:2]]
    second = ["Traceback (most recent call last):", *frames[2:], "ValueError: other"]
    text = "\n".join([*first, gap_line(100), *second])
    traces = find_traces("logs/canary/p/app", text)
    assert ("ValueError", ["a2"]) in [(trace.exception, [frame.function for frame in trace.frames]) for trace in traces]
    assert not any({"a0", "a2"} <= {frame.function for frame in trace.frames} for trace in traces)
    half = find_traces("logs/canary/p/app", "\n".join([*first, gap_line(100), "ValueError: other"]))
    assert not any(trace.exception == "ValueError" for trace in half)


def test_a_gap_is_no_message_and_a_program_that_writes_one_behind_its_head_is_heard() -> None:
    assert [event.headline for event in events_of("log", f"INFO a\n{gap_line(3)}\nINFO b")] == ["a", "", "b"]
    made = digest([("log", f"INFO a\n{gap_line(3)}\n{gap_line()}\n2026-11-25T12:00:00Z {gap_line(3)}")])
    assert (made.gaps.count, made.total) == (2, 4)
    assert len(made.kinds) == 2


def test_what_was_cut_before_is_cut_again_with_the_same_numbers() -> None:
    text = "\n".join([*ordinary(8000), *TRACE, *ordinary(8000, seed=2)])
    once = cut(text, 4 * LIMIT)
    twice = cut(once.text, LIMIT)
    check(text, twice, LIMIT)
    assert "\n".join(TRACE) in twice.text
    assert (cut(once.text, 5 * LIMIT).text, cut(once.text, 5 * LIMIT).kept) == (once.text, once.kept)


def test_in_parts_it_is_the_same_as_whole_and_a_line_without_end_needs_no_more_memory() -> None:
    text = "\n".join([*ordinary(4000), *TRACE, "é" * 1001, *ordinary(4000, seed=2)])
    written = text.encode()
    parts = (written[at : at + 7001] for at in range(0, len(written), 7001))
    assert cut_bytes(parts, LIMIT).text == cut(text, LIMIT).text
    endless = Cutter(LIMIT)
    for _ in range(300):
        endless.add("word " * 10_000)
    endless.add("\nlast")
    short = endless.finish()
    assert (short.of, short.text.split("\n")[1]) == (2, "last")
    assert 1000 < len(short.text) <= LIMIT


@given(st.lists(st.one_of(st.text(max_size=40), st.sampled_from([*TRACE, gap_line(), "", "a" * 500])), max_size=200))
@settings(max_examples=60, deadline=None)
def test_of_any_text_the_bound_holds_and_every_line_is_where_it_was(lines: list[str]) -> None:
    text = "\n".join(line.replace("\n", " ") for line in lines)
    for limit in (2048, 1 << 20):
        short = cut(text, limit)
        assert len(short.text.encode("utf-8", "replace")) <= limit
        if short.how is None:
            assert short.text == text
        assert short.kept <= short.of


def test_a_line_of_one_endless_word_is_a_line_that_was_left_out() -> None:
    assert cut("a" * 500, 2048) == (f"{gap_line(1)}\n", 0, 1, cut("a" * 500, 2048).how)
    assert cut("begin\n" + "a" * 500 + "\nend", 2048).text.split("\n")[-1] == "end"


def test_what_is_first_seen_in_the_middle_of_a_log_begins_there() -> None:
    firsts = Firsts(4096)
    firsts.see("first seen\nsecond", 33)
    assert firsts.kept == [(33, "first seen"), (34, "second")]
