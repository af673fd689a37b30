"""What several threads wrote into one another: told apart where that can be, and never one trace made of two."""

from itertools import zip_longest

import pytest

from agents.frames import find_traces, read_traces
from agents.logs import MIXED, rows_of

PYTHON = """Traceback (most recent call last):
  File "/app/{a}.py", line 1, in {a}1
    {a}2()
  File "/app/{a}.py", line 2, in {a}2
    raise {exception}("x")
{exception}: x"""
JAVA = """java.lang.{exception}: x
\tat com.acme.Shop.{a}2(Shop.java:1)
\tat com.acme.Shop.{a}1(Shop.java:2)
\tat java.base/java.lang.Thread.run(Thread.java:840)"""
NODE = """{exception}: x
    at {a}2 (/app/{a}.js:1:2)
    at {a}1 (/app/{a}.js:2:2)"""
GO = """panic: x

goroutine 1 [running]:
main.{a}2()
\t/app/{a}.go:1 +0x1
main.{a}1()
\t/app/{a}.go:2 +0x1"""
RUBY = """/app/{a}.rb:2:in `{a}2': x ({exception})
\tfrom /app/{a}.rb:1:in `{a}1'
\tfrom /app/{a}.rb:9:in `<main>'"""
MESSAGE = "2026-11-25 12:00:00,123 INFO [worker-2] shop: order 7 placed"


def written(form: str, a: str, exception: str) -> list[str]:
    return form.format(a=a, exception=exception).split("\n")


def mixed(*logs: list[str]) -> str:
    return "\n".join(line for lines in zip_longest(*logs) for line in lines if line is not None)


def read(text: str) -> list[tuple[str | None, list[str | None]]]:
    own = ("a1", "a2", "b1", "b2")
    return [
        (
            trace.exception,
            [name for frame in trace.frames if (name := (frame.function or "").rpartition(".")[2]) in own],
        )
        for trace in find_traces("log", text)
    ]


@pytest.mark.parametrize(("form", "exception"), [(PYTHON, "ValueError"), (JAVA, "IllegalStateException")])
def test_threads_whose_rows_each_have_a_head_that_names_them_are_told_apart(form: str, exception: str) -> None:
    one, other = written(form, "a", exception), written(form, "b", "ZeroError")
    heads = [f"2026-11-25 12:00:00,12{at} ERROR [worker-{at}] shop: " for at in (1, 2)]
    text = mixed([heads[0] + row for row in one], [heads[1] + row for row in other])
    assert sorted(read(text), key=str) == [(exception, ["a2", "a1"]), ("ZeroError", ["b2", "b1"])]
    first = next(trace for trace in find_traces("log", text) if trace.exception == exception)
    assert (first.first_line, first.last_line) == (1, 2 * len(one) - 1)


@pytest.mark.parametrize(
    ("form", "exception"),
    [(PYTHON, "ValueError"), (JAVA, "IllegalStateException"), (NODE, "TypeError"), (GO, "panic"), (RUBY, "KeyError")],
)
@pytest.mark.parametrize("messages", [1, 3])
def test_messages_of_another_thread_between_the_rows_of_a_trace_do_not_break_it(
    form: str, exception: str, messages: int
) -> None:
    rows = written(form, "a", exception)
    for at in range(2, len(rows)):
        text = "\n".join([*rows[:at], *[MESSAGE] * messages, *rows[at:], MESSAGE])
        if form is GO and at <= 3:
            continue  # no frame has come yet
        assert read(text) == [(exception, ["a2", "a1"])], at
        assert [row.text for row in rows_of(text)].count(MESSAGE) == messages + 1


def test_an_error_of_another_thread_within_a_trace_takes_no_rows_of_it_for_its_own() -> None:
    rows = written(JAVA, "a", "IllegalStateException")
    error = "2026-11-25 12:00:00,123 ERROR [worker-2] shop: order 7 failed"
    found = read("\n".join([*rows[:2], error, *written(JAVA, "b", "ZeroError"), *rows[2:]]))
    assert ("IllegalStateException", ["a2"]) in found
    assert not any({"a2", "b2"} <= set(functions) for _, functions in found)


@pytest.mark.parametrize(("form", "exception"), [(PYTHON, "ValueError"), (JAVA, "IllegalStateException")])
def test_traces_that_nobody_can_tell_apart_are_left_out_and_that_is_said(form: str, exception: str) -> None:
    text = "\n".join(["up", mixed(written(form, "a", exception), written(form, "b", "ZeroError")), "down"])
    found = read_traces("log", text)
    assert (found.traces, found.mixed) == ((), (2,))
    assert [row.text for row in rows_of(text)] == ["up", MIXED, "down"]


def test_a_trace_that_was_cut_off_before_a_whole_one_is_no_mixture() -> None:
    whole = written(PYTHON, "a", "ValueError")
    assert read("\n".join([whole[0], *whole])) == [("ValueError", ["a2", "a1"])]
    assert read("\n".join([*whole, *written(PYTHON, "b", "KeyError")])) == [
        ("ValueError", ["a2", "a1"]),
        ("KeyError", ["b2", "b1"]),
    ]


def test_a_message_of_two_lines_with_an_exceptions_name_is_no_mixture() -> None:
    rows = written(JAVA, "a", "IllegalStateException")
    assert read("\n".join(["java.io.IOException: first line", *rows])) == [("IllegalStateException", ["a2", "a1"])]
