"""A small, fixed dose of what `make bench ONLY=fuzz` does at length: no text makes a reader fail."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.frames import Trace, find_traces
from agents.frames.finding import READERS
from tests.fuzzing import corpus, lines_of, mutated, targets

TEXTS = corpus()
TARGETS = targets()
ROWS = sorted({row for text in TEXTS.values() for row in text.split("\n") if len(row) < 300})
SEEDS = range(60)


def assert_within(traces: Sequence[Trace], last: int) -> None:
    for trace in traces:
        assert 1 <= trace.first_line <= trace.last_line <= last
        assert all(frame.line >= 0 for frame in trace.frames)
        assert all(cause.causes == () for cause in trace.causes)
        assert_within(trace.causes, last)


def test_the_corpus_has_the_traces_of_every_language_there_is_a_reader_for() -> None:
    found = {trace.language for text in TEXTS.values() for trace in find_traces("log", text)}
    assert found == {reader.language for reader in READERS}


@pytest.mark.parametrize("name", TARGETS)
def test_no_deformed_log_makes_a_reader_fail(name: str) -> None:
    failed = []
    for seed in SEEDS:
        deformed = mutated(TEXTS, seed)
        try:
            TARGETS[name](deformed.text)
        except Exception as error:  # noqa: BLE001 - whatever it is, what one needs to know is the text
            failed.append((deformed.name, repr(error)))
    assert failed == []


def test_traces_lie_within_the_log_and_one_after_the_other() -> None:
    for seed in SEEDS:
        text = mutated(TEXTS, seed).text
        traces = find_traces("log", text)
        assert_within(traces, text.count("\n") + 1)
        starts = [trace.first_line for trace in traces]
        assert starts == sorted(starts)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.sampled_from(ROWS), max_size=30))
def test_rows_of_real_traces_in_any_order_give_traces_within_them(rows: list[str]) -> None:
    text = "\n".join(rows)
    for reader in READERS:
        assert_within(reader.find(lines_of(text)), len(lines_of(text)))
    assert_within(find_traces("log", text), len(rows))


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.sampled_from(list(TEXTS.values())), st.integers(0, 5), st.integers(0, 5))
def test_other_lines_around_a_log_move_its_traces_and_change_nothing_else(text: str, before: int, after: int) -> None:
    around = "INFO nothing to see\n" * before + text + "\nINFO nothing to see" * after
    alone, moved = find_traces("log", text), find_traces("log", around)
    cut = [trace for trace in alone if trace.exception is None or trace.first_line == 1]
    if before and cut:  # how a log begins tells whether it was cut
        return
    assert [(trace.exception, trace.frames) for trace in moved] == [(trace.exception, trace.frames) for trace in alone]
