import re
import time
from pathlib import Path

import pytest

from agents.frames import Frame, Trace, agrees, find_traces, map_path, mapped
from agents.syntax import function_at, functions

CHAINED = """\
Traceback (most recent call last):
  File "/app/shop/prices.py", line 5, in price
    return table[item]
           ~~~~~^^^^^^
KeyError: 'x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/shop/app.py", line 8, in <module>
    main()
  File "/app/shop/app.py", line 7, in main
    raise OrderError("bad\\ninput") from error
shop.errors.OrderError: bad
input
"""
GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/app/shop/batch.py", line 14, in run
  |     raise ExceptionGroup("several", errors)
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/shop/prices.py", line 3, in price
    |     return table[item]
    |            ~~~~~^^^^^^
    | KeyError: 'tea'
    |
    | The above exception was the direct cause of the following exception:
    |
    | Traceback (most recent call last):
    |   File "/app/shop/batch.py", line 5, in one
    |     raise ValueError(item) from error
    | ValueError: tea
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/app/shop/stock.py", line 2, in count
    |     raise RuntimeError("none")
    | RuntimeError: none
    +------------------------------------
INFO after
""".replace("    |\n", "    | \n")
PLAIN = """\
Traceback (most recent call last):
  File "/usr/local/lib/python3.12/threading.py", line 1045, in _bootstrap_inner
    self.run()
  File "/app/shop/cart.py", line 31, in total
    return subtotal - discount.amount
  File "/venv/lib/python3.12/site-packages/money/core.py", line 9, in __sub__
    raise TypeError("no")
TypeError: no
"""


def stamped(text: str) -> str:
    return "\n".join(f"2026-11-24T12:00:00.{at:09d}Z {line}" for at, line in enumerate(text.split("\n")))


def only(text: str) -> Trace:
    (trace,) = find_traces("log", text)
    return trace


@pytest.mark.parametrize(
    "dress", [str, stamped, lambda text: text.replace("\n", "\r\n")], ids=["plain", "kubelet", "crlf"]
)
@pytest.mark.parametrize("before", ["", "INFO up\n", "ERROR:root:request failed\n"])
def test_a_trace_is_read_innermost_first_with_its_code(dress: object, before: str) -> None:
    assert callable(dress)
    trace = only(dress(before + PLAIN + "INFO on we go"))
    assert (trace.exception, trace.message) == ("TypeError", "no")
    assert [(frame.function, frame.line, frame.kind) for frame in trace.frames] == [
        ("__sub__", 9, "dependency"),
        ("total", 31, "application"),
        ("_bootstrap_inner", 1045, "runtime"),
    ]
    assert trace.innermost is not None
    assert trace.innermost.code == "return subtotal - discount.amount"
    first = before.count("\n") + 1
    assert (trace.first_line, trace.last_line) == (first, first + 7)


def test_a_trace_may_stand_behind_a_log_lines_own_prefix() -> None:
    assert only(PLAIN.replace("Traceback", "2026-11-24 ERROR [worker] Traceback", 1)).exception == "TypeError"


def test_chained_exceptions_are_one_trace_with_the_root_cause_first() -> None:
    trace = only(CHAINED)
    assert (trace.exception, trace.message) == ("OrderError", "bad")
    assert trace.root.exception == "KeyError"
    assert trace.root.frames[0].file is None
    assert trace.root.frames[0].code == "return table[item]"
    assert trace.first_line == 1


def test_a_chain_holds_together_over_messages_of_many_lines_and_notes() -> None:
    text = CHAINED.replace("KeyError: 'x'", "KeyError: 'x'\nwhile reading\n  the table\na note: here")
    assert only(text).root.exception == "KeyError"
    during = CHAINED.replace(
        "The above exception was the direct cause of the following exception:",
        "During handling of the above exception, another exception occurred:",
    )
    assert only(during).root.exception == "KeyError"
    apart = CHAINED.replace("The above exception was the direct cause of the following exception:", "INFO next")
    assert [trace.exception for trace in find_traces("log", apart)] == ["KeyError", "OrderError"]


@pytest.mark.parametrize("dress", [str, stamped], ids=["plain", "kubelet"])
def test_the_exceptions_of_a_group_are_its_causes(dress: object) -> None:
    assert callable(dress)
    trace = only(dress(GROUP))
    assert trace.exception == "ExceptionGroup"
    assert [cause.exception for cause in trace.causes] == ["KeyError", "ValueError", "RuntimeError"]
    assert trace.root.frames[0].function == "price"
    assert [cause.message for cause in trace.causes] == ["'tea'", "tea", "none"]
    assert (trace.first_line, trace.last_line) == (1, 22)


def test_two_groups_after_each_other_are_two_traces() -> None:
    assert [len(trace.causes) for trace in find_traces("log", GROUP + GROUP)] == [3, 3]
    assert [trace.exception for trace in find_traces("log", GROUP + PLAIN)] == ["ExceptionGroup", "TypeError"]


def test_a_syntax_error_at_start_has_no_opening_line() -> None:
    text = '  File "/app/shop/app.py", line 12\n    def f(:\n          ^\nSyntaxError: invalid syntax\n'
    for log in (
        text,
        f"INFO up\n{text}",
        f'Traceback (most recent call last):\n  File "/app/m.py", line 1, in <module>\n    import shop\n{text}',
    ):
        trace = only(log)
        assert (trace.exception, trace.frames[0].path, trace.frames[0].line) == ("SyntaxError", "/app/shop/app.py", 12)
        assert trace.frames[0].function is None


def test_a_recursion_that_repeats_itself_is_one_trace() -> None:
    frame = '  File "/app/e.py", line 2, in f\n    return f(n+1)\n           ^^^^^^\n'
    head = "Traceback (most recent call last):\n"
    short = only(
        head + frame * 3 + "  [Previous line repeated 996 more times]\nRecursionError: maximum recursion depth\n"
    )
    assert (short.exception, len(short.frames)) == ("RecursionError", 3)
    long = find_traces("log", head + frame * 5000 + "RecursionError: maximum recursion depth\n" + PLAIN)
    assert long[-1].exception == "TypeError"
    assert len(long[0].frames) < 2000


def test_an_extension_modules_frame_and_a_bare_exception_are_read() -> None:
    trace = only(
        'Traceback (most recent call last):\n  File "shop/fast.pyx", line 12, in shop.fast.total\nAssertionError\n'
    )
    assert (trace.exception, trace.message) == ("AssertionError", "")
    assert (trace.frames[0].path, trace.frames[0].code) == ("shop/fast.pyx", None)


@pytest.mark.parametrize("kept", [2, 3, 4, 5])
def test_a_trace_cut_at_its_end_has_no_exception_rather_than_a_guess(kept: int) -> None:
    lines = PLAIN.split("\n")[:kept]
    for after in (
        "",
        "\nINFO:     10.0.0.1 - GET / 200",
        "\nworker: ready",
        "\nWARNING: low disk",
        "\n\nValueError: another",
    ):
        trace = only("\n".join(lines) + after)
        assert trace.exception is None
        assert trace.last_line == kept


def test_a_trace_cut_at_its_start_counts_at_the_start_of_a_log_only() -> None:
    lines = PLAIN.split("\n")
    for first in (3, 4):
        trace = only("\n".join(lines[first:]))
        assert trace.exception == "TypeError"
    assert find_traces("log", "INFO a\nINFO b\nStack (most recent call last):\n" + "\n".join(lines[3:5])) == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Traceback (most recent call last):",
        "Traceback (most recent call last):\nINFO nothing here\n",
        "Traceback (most recent call last):\n\n\n",
        "said Traceback (most recent call last): somewhere\n",
        'INFO File "/app/x.py", line 3, in f\n',
        "ValueError: alone\n",
    ],
)
def test_what_is_no_trace_is_none(text: str) -> None:
    assert find_traces("log", text) == ()


@pytest.mark.parametrize(
    "ending",
    [
        "socket.gaierror: x",
        "zlib.error: x",
        "__main__.Broken: x",
        "f.<locals>.Broken: x",
        "KeyboardInterrupt",
        "gaierror: x",
    ],
)
def test_exceptions_have_many_names(ending: str) -> None:
    trace = only(f'Traceback (most recent call last):\n  File "/a.py", line 1, in f\n{ending}\n')
    assert trace.exception == re.split(r"[:]", ending)[0].rpartition(".")[2]


FILES = [
    "shop/cart.py",
    "shop/app.py",
    "legacy/shop/cart.py",
    "setup.py",
    "src/worker/main.py",
    "a/x.py",
    "b/x.py",
    "app.py",
]


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/app/shop/cart.py", "shop/cart.py"),
        ("/usr/src/app/legacy/shop/cart.py", "legacy/shop/cart.py"),
        ("shop/app.py", "shop/app.py"),
        ("./shop/app.py", "shop/app.py"),
        ("/app/app.py", "app.py"),
        ("/workspace/worker/main.py", "src/worker/main.py"),
        ("/app/main.py", "src/worker/main.py"),
        ("/app/x.py", None),
        ("/app/c/x.py", None),
        ("/app/nothing.py", None),
        ("", None),
    ],
)
def test_a_path_maps_to_the_one_file_with_the_longest_common_end(path: str, file: str | None) -> None:
    assert map_path(path, FILES) == file


def one_frame(path: str, line: int = 1, code: str | None = "x = 1", kind: str = "application") -> Trace:
    frame = Frame.model_validate({"path": path, "line": line, "function": "f", "code": code, "kind": kind})
    return Trace(item="log", first_line=1, last_line=2, exception="E", message="", frames=(frame,))


@pytest.mark.parametrize(
    ("trace", "texts", "file"),
    [
        (one_frame("/app/shop/cart.py"), {"shop/cart.py": "x = 1\n"}, "shop/cart.py"),
        (one_frame("/app/shop/cart.py"), {"shop/cart.py": "y = 1\n"}, None),
        (one_frame("/app/shop/cart.py", line=9), {"shop/cart.py": "x = 1\n"}, None),
        (one_frame("/app/shop/cart.py", line=0), {"shop/cart.py": "x = 1"}, None),
        (one_frame("/app/shop/cart.py", code=None), {"shop/cart.py": "anything"}, "shop/cart.py"),
        (one_frame("/app/shop/cart.py"), {}, "shop/cart.py"),
        (one_frame("/app/main.py"), {"src/worker/main.py": "x = 1"}, "src/worker/main.py"),
        (one_frame("/app/main.py", code=None), {"src/worker/main.py": "x = 1"}, None),
        (one_frame("/app/main.py"), {}, None),
        (one_frame("/app/app.py", code=None), {"app.py": "x = 1"}, "app.py"),
        (one_frame("/usr/lib/python3.12/shop/cart.py", kind="runtime"), {}, None),
        (one_frame("/v/site-packages/shop/cart.py", kind="dependency"), {"shop/cart.py": "x = 1"}, "shop/cart.py"),
        (one_frame("/v/site-packages/worker/main.py", kind="dependency"), {}, "src/worker/main.py"),
        (one_frame("/v/site-packages/app.py", kind="dependency"), {}, None),
        (one_frame("/v/site-packages/other/shop/cart.py", kind="dependency"), {}, None),
        (
            one_frame("/app/shop/cart.py", code="c(password='[REDACTED:secret:1]')"),
            {"shop/cart.py": "    c(password='hunter2')"},
            "shop/cart.py",
        ),
        (
            one_frame("/app/shop/cart.py", code="c(password='[REDACTED:secret:1]')"),
            {"shop/cart.py": "d(password='hunter2')"},
            None,
        ),
    ],
)
def test_a_frame_is_the_repositorys_only_where_file_and_line_agree(
    trace: Trace, texts: dict[str, str], file: str | None
) -> None:
    (found,) = mapped([trace], FILES, texts)
    assert found.frames[0].file == file
    assert (found.frames[0].kind == "application") == (file is not None or trace.frames[0].kind == "application")


def test_causes_are_mapped_too() -> None:
    (found,) = mapped(find_traces("log", CHAINED), ["shop/prices.py", "shop/app.py"], {})
    assert [frame.file for frame in found.root.frames] == ["shop/prices.py"]
    assert found.frames[0].file == "shop/app.py"


SOURCE = """\
@decorate
def outer():
    def inner():
        return 1

    class Local:
        async def method(self):
            if True:
                return [x for x in range(3)]
    return inner


def last(): return 1
"""


@pytest.mark.parametrize(
    ("line", "name"), [(1, "outer"), (4, "inner"), (6, "outer"), (9, "method"), (11, None), (13, "last"), (99, None)]
)
def test_a_line_belongs_to_the_innermost_function(line: int, name: str | None) -> None:
    found = function_at("a.py", SOURCE, line)
    assert (found.name if found else None) == name


@pytest.mark.parametrize("text", ["", "def f(:\n", "\0", "def ünï():\n  pass", "(" * 5000, "\ud800"])
def test_odd_source_has_the_functions_it_has(text: str) -> None:
    assert [one.name for one in functions("a.py", text)] in ([], ["ünï"], ["f"])


def test_every_function_of_a_real_file_is_found_quickly() -> None:
    text = Path(__file__).read_text()
    start = time.process_time()
    names = {one.name for one in functions("a.py", text)}
    assert names >= set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))
    assert time.process_time() - start < 0.5


def test_of_many_traces_of_one_failure_enough_are_kept_and_mapped_in_seconds() -> None:
    start = time.process_time()
    other = PLAIN.replace("TypeError", "ValueError")
    traces = find_traces("log", PLAIN * 20_000 + other)
    files = [f"pkg{at}/mod{at % 50}.py" for at in range(5_000)] + ["shop/cart.py"]
    found = mapped(traces, files, {"shop/cart.py": "\n" * 30 + "    return subtotal - discount.amount\n"})
    assert len(found) == 1001
    assert found[-1].exception == "ValueError"
    assert {trace.frames[1].file for trace in found} == {"shop/cart.py"}
    assert time.process_time() - start < 8


@pytest.mark.parametrize("digits", [9, 30, 5000])
def test_a_line_number_of_many_digits_agrees_with_nothing(digits: int) -> None:
    text = f'Traceback (most recent call last):\n  File "/a.py", line {"9" * digits}, in f\nE: x\n'
    assert not any(agrees(frame, ["x"]) for trace in find_traces("log", text) for frame in trace.frames)
