"""What Python printed: recorded from small programs under 3.11 and 3.13, their folders named as in an image."""

from pathlib import Path

import pytest

from agents.frames import Trace, find_traces

RECORDED = Path(__file__).with_name("recorded") / "python"
PRICE, CHECKED = ("/app/shop/prices.py", 9, "price"), ("/app/shop/prices.py", 16, "checked")
Place = tuple[str, int, str | None]


def main(line: int, function: str = "<module>") -> Place:
    return "/app/main.py", line, function


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def only(text: str) -> Trace:
    (trace,) = find_traces("log", text)
    return trace


def own(trace: Trace) -> list[Place]:
    return [(one.path, one.line, one.function) for one in trace.frames if one.kind == "application"]


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("chain", [CHECKED, main(28)]),
        ("colour-3.13", [CHECKED, main(28)]),
        ("celery", [CHECKED, main(156, "show")]),
        ("flask", [CHECKED, main(137, "show")]),
        ("uvicorn", [CHECKED, main(7, "fetch"), main(144, "show")]),
        ("task", [CHECKED, main(7, "fetch")]),
        ("loguru", [CHECKED, main(109)]),
        ("rich", [CHECKED, main(114)]),
        ("richlocals", [CHECKED, main(118)]),
        ("structlog", [CHECKED, main(121)]),
        ("structjson", [CHECKED, main(126)]),
        ("pool", [main(95)]),
        ("mppool", [main(99)]),
    ],
)
def test_every_dress_of_a_chained_exception_is_one_trace_with_its_root(name: str, frames: list[Place]) -> None:
    trace = only(recorded(name))
    assert (trace.exception, trace.message) == ("Unknown", "no coffee")
    assert own(trace) == frames
    assert (trace.root.exception, trace.root.message) == ("KeyError", "'coffee'")
    assert own(trace.root)[0] == PRICE
    assert trace.root.frames[0].code == "return TABLE[item]"


def test_what_a_worker_process_raised_is_among_the_causes() -> None:
    for name in ("pool", "mppool"):
        assert [own(cause)[0] for cause in only(recorded(name)).causes] == [PRICE, CHECKED]


@pytest.mark.parametrize(
    ("name", "exception", "innermost"),
    [
        ("callback", "KeyError", PRICE),
        ("exec", "KeyError", PRICE),
        ("ignored", "KeyError", PRICE),
        ("notes", "KeyError", PRICE),
        ("recursion", "RecursionError", ("/app/shop/prices.py", 27, "deep")),
        ("importerror", "ImportError", main(73)),
        ("syntax", "SyntaxError", ("/app/shop/broken.py", 1, None)),
    ],
)
def test_a_plain_one_begins_at_the_innermost_frame(name: str, exception: str, innermost: Place) -> None:
    trace = only(recorded(name))
    assert (trace.exception, own(trace)[0]) == (exception, innermost)


@pytest.mark.parametrize("name", ["logging", "logging-3.13"])
def test_a_logging_call_that_failed_is_the_suspect_not_loggings_own_code(name: str) -> None:
    trace = only(recorded(name))
    assert trace.exception == "TypeError"
    assert own(trace) == [main(15, "fmt"), main(34, "handler"), main(35)]
    assert trace.frames[0].function == "getMessage"
    text = recorded(name)
    assert text.splitlines()[trace.last_line - 1] == "Message: 'price %d'"
    assert [one.exception for one in find_traces("log", text + recorded("notes"))] == ["TypeError", "KeyError"]


@pytest.mark.parametrize("name", ["fault", "fault-3.13"])
def test_a_crash_of_the_interpreter_is_read_in_its_own_order(name: str) -> None:
    trace = only(recorded(name))
    assert (trace.exception, trace.message) == ("Fatal Python error", "Segmentation fault")
    assert [frame.function for frame in trace.frames] == ["string_at", "crash", "<module>"]


def test_a_dump_of_threads_without_a_current_one_is_told_by_one_in_the_applications_code() -> None:
    text = recorded("fault").replace("Current thread", "Thread").replace("Fatal Python error: Segmentation fault", "up")
    trace = only(text)
    assert (trace.exception, own(trace)[0]) == (None, main(86, "crash"))
    timed_out = recorded("fault").replace("Fatal Python error: Segmentation fault", "Timeout (0:00:10)!")
    assert only(timed_out).exception == "Timeout"


def test_the_members_of_nested_groups_come_before_the_groups_that_gather_them() -> None:
    trace = only(recorded("nestedgroup"))
    assert trace.exception == "ExceptionGroup"
    assert [cause.exception for cause in trace.causes] == [
        "KeyError",
        "Unknown",
        "KeyError",
        "Unknown",
        "ExceptionGroup",
    ]
    assert own(trace.root)[0] == PRICE
    assert [cause.message for cause in trace.causes if cause.exception == "Unknown"] == ["no a", "no b"]
    assert len(only(recorded("group")).causes) == 4


def test_two_threads_that_print_at_once_are_two_whole_traces() -> None:
    first, second = find_traces("log", recorded("thread"))
    assert [(one.exception, one.message) for one in (first, second)] == [("KeyError", "'b'"), ("KeyError", "'a'")]
    for one in (first, second):
        assert [frame.function for frame in one.frames] == ["price", "run", "_bootstrap_inner"]
    assert first.last_line < second.first_line


@pytest.mark.parametrize("name", ["warning", "stackinfo"])
def test_what_only_tells_where_it_is_is_no_failure(name: str) -> None:
    assert find_traces("log", recorded(name)) == ()


@pytest.mark.parametrize("indent", ["  ", "        ", "\t"])
def test_a_trace_that_a_document_indents_ends_where_the_document_goes_on(indent: str) -> None:
    text = "".join(f"{indent}{line}\n" if line else "\n" for line in recorded("chain").splitlines())
    trace = only(f"error: |\n{text}status: 500\n")
    assert (trace.exception, trace.root.exception) == ("Unknown", "KeyError")
    assert own(trace) == [CHECKED, main(28)]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/app/shop/cart.py", "application"),
        ("C:\\\\svc\\\\shop\\\\cart.py", "application"),
        ("/app/shop.pyz/shop/cart.py", "application"),
        ("shop/cart.pyx", "application"),
        ("/venv/lib/python3.12/site-packages/flask/app.py", "dependency"),
        ("/usr/lib/python3/dist-packages/yaml/__init__.py", "dependency"),
        ("C:\\\\venv\\\\Lib\\\\site-packages\\\\flask\\\\app.py", "dependency"),
        ("/home/app/.cache/eggs/thing-1.0-py3.11.egg/thing/core.py", "dependency"),
        ("/usr/lib64/python3.9/asyncio/events.py", "runtime"),
        ("/opt/pypy/lib/pypy3.10/json/decoder.py", "runtime"),
        ("C:\\\\Python311\\\\Lib\\\\asyncio\\\\events.py", "runtime"),
        ("/usr/local/lib/python3.13t/threading.py", "runtime"),
        ("<frozen importlib._bootstrap>", "runtime"),
        ("<string>", "runtime"),
        ("stringsource", "runtime"),
    ],
)
def test_a_frame_is_classed_by_whose_code_it_is(path: str, kind: str) -> None:
    path = path.replace("\\\\", "\\")
    text = f'Traceback (most recent call last):\n  File "{path}", line 3, in f\nKeyError: 1\n'
    (frame,) = only(text).frames
    assert (frame.kind, frame.path) == (kind, path.replace("\\", "/"))


def test_traces_of_several_languages_in_one_log_do_not_disturb_each_other() -> None:
    go = (RECORDED.parent / "go" / "http.txt").read_text()
    text = recorded("chain") + go + recorded("rich") + "INFO x\n" + go + recorded("fault")
    found = find_traces("log", text)
    assert [(trace.language, trace.exception) for trace in found] == [
        ("python", "Unknown"),
        ("go", "runtime error"),
        ("python", "Unknown"),
        ("go", "runtime error"),
        ("python", "Fatal Python error"),
    ]
    quoted = "panic: Traceback (most recent call last):\n\n" + go.partition("\n")[2]
    assert [trace.language for trace in find_traces("log", quoted)] == ["go"]
