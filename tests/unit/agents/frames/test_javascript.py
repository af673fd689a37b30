"""JavaScript and TypeScript: what Node.js 20, tsc and ts-node printed, and the forms of Bun, Deno, bundlers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.frames import Trace, find_traces
from agents.frames.javascript import READER, find

UNCAUGHT = """\
/app/src/checkout.js:5
  return item.price.amount;
                    ^

TypeError: Cannot read properties of undefined (reading 'amount')
    at price (/app/src/checkout.js:5:21)
    at Array.map (<anonymous>)
    at new Cart (/app/src/checkout.js:15:35)
    at Object.<anonymous> (/app/src/run.js:26:12)
    at get size [as size] (/app/node_modules/money/index.js:1:2)
    at async Promise.all (index 0)
    at node:internal/main/run_main_module:28:49

Node.js v20.20.2
"""
CAUSES = """\
Error: outer
    at Object.deep (/app/src/run.js:14:119)
    at Object.<anonymous> (/app/src/run.js:26:12)
    ... 2 lines matching cause stack trace ...
    at node:internal/main/run_main_module:28:49 {
  [cause]: PriceError: middle
      at Object.deep (/app/src/run.js:14:62)
      at Object.<anonymous> (/app/src/run.js:26:12)
      at Module._compile (node:internal/modules/cjs/loader:1521:14)
      at Module.load (node:internal/modules/cjs/loader:1266:32)
      at node:internal/main/run_main_module:28:49 {
    code: 'E_PRICE',
    [cause]: TypeError: Cannot read properties of undefined (reading 'amount')
        at price (/app/src/checkout.js:5:21)
  }
}
after
"""
AGGREGATE = """\
node:internal/process/promises:391
    triggerUncaughtException(err, true /* fromPromise */);
    ^

[AggregateError: All promises were rejected] {
  [errors]: [
    TypeError: Cannot read properties of undefined (reading 'amount')
        at price (/app/src/checkout.js:5:21)
        at async Promise.any (index 0),
    PriceError: two
        at Object.aggregate (/app/src/run.js:10:57) {
      code: 'E_PRICE'
    }
  ]
}

Node.js v20.20.2
"""
SYNTAX = """\
file:///app/src/esm.mjs:1
import { nothing } from './other.mjs';
         ^^^^^^^
SyntaxError: The requested module './other.mjs' does not provide an export named 'nothing'
    at ModuleJob._instantiate (node:internal/modules/esm/module_job:213:21)
"""
NOT_FOUND = """\
Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'no-such-package' imported from /app/src/esm3.mjs
    at packageResolve (node:internal/modules/esm/resolve:873:9) {
  code: 'ERR_MODULE_NOT_FOUND'
}
"""
THROWN = """\
/app/src/run.js:9
  thrown: () => { throw 'boom'; },
                  ^
boom
(Use `node --trace-uncaught ...` to show where the exception was thrown)

Node.js v20.20.2
"""
AWAITED = """\
TypeError: Cannot read properties of undefined (reading 'amount')
    at Cart.total (/app/dist/cart.js:18:27)
    at Cart.<anonymous> (/app/dist/cart.js:23:25)
    at Generator.next (<anonymous>)
    at fulfilled (/app/dist/cart.js:5:58)
"""
UNCOMPILED = """\
TSError: \u2a2f Unable to compile TypeScript:
src/bad.ts(1,7): error TS2322: Type 'string' is not assignable to type 'number'.

    at createTSError (/app/node_modules/ts-node/src/index.ts:859:12) {
  diagnosticCodes: [ 2322 ]
}
"""
EMITTED = """\
Error: connect ECONNREFUSED 127.0.0.1:9
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)
Emitted 'error' event on Socket instance at:
    at emitErrorNT (node:internal/streams/destroy:169:8) {
  errno: -111
}
after
"""
ZOD = """\
ZodError: [
  {
    "code": "invalid_type",
    "path": [ "id" ]
  }
]
    at parse (/app/src/run.js:24:103)
"""
OF_AXIOS = """\
AxiosError: Request failed with status code 502
    at settle (/app/node_modules/axios/lib/core/settle.js:19:12)
caused by: TypeError: no address
    at lookup (/app/src/names.js:3:1)
"""


def one(text: str) -> Trace:
    (trace,) = find_traces("logs/canary/a/app", text)
    return trace


def places(trace: Trace) -> list[tuple[str, int, str | None]]:
    return [(frame.path, frame.line, frame.function) for frame in trace.frames if frame.kind == "application"]


def test_an_uncaught_error_has_the_line_that_node_quotes_and_the_kinds_of_its_frames() -> None:
    trace = one(UNCAUGHT)
    assert (trace.language, trace.exception, trace.first_line, trace.last_line) == ("javascript", "TypeError", 1, 12)
    assert trace.message == "Cannot read properties of undefined (reading 'amount')"
    assert trace.frames[0].code == "return item.price.amount;"
    assert places(trace) == [
        ("/app/src/checkout.js", 5, "price"),
        ("/app/src/checkout.js", 15, "constructor"),
        ("/app/src/run.js", 26, None),
    ]
    assert [(frame.kind, frame.function) for frame in trace.frames if frame.kind != "application"] == [
        ("runtime", "map"),
        ("dependency", "size"),
        ("runtime", "all"),
        ("runtime", None),
    ]


def test_causes_come_root_first_and_left_out_lines_are_put_back() -> None:
    trace = one(CAUSES)
    assert [cause.exception for cause in trace.causes] == ["TypeError", "PriceError"]
    assert places(trace.root) == [("/app/src/checkout.js", 5, "price")]
    assert [frame.function for frame in trace.frames] == ["deep", None, "_compile", "load", None]
    assert (trace.causes[1].first_line, trace.first_line, trace.last_line) == (6, 1, 16)


def test_the_errors_of_an_aggregate_are_its_causes() -> None:
    trace = one(AGGREGATE)
    assert (trace.exception, trace.message) == ("AggregateError", "All promises were rejected")
    assert [(cause.exception, cause.message[:3]) for cause in trace.causes] == [
        ("TypeError", "Can"),
        ("PriceError", "two"),
    ]
    assert [len(cause.frames) for cause in trace.causes] == [2, 1]


@pytest.mark.parametrize(
    ("text", "exception", "expected"),
    [
        (SYNTAX, "SyntaxError", [("/app/src/esm.mjs", 1, None)]),
        (NOT_FOUND, "Error", [("/app/src/esm3.mjs", 0, None)]),
        (THROWN, None, [("/app/src/run.js", 9, None)]),
        (AWAITED, "TypeError", [("/app/dist/cart.js", 18, "total"), ("/app/dist/cart.js", 23, None)]),
        (UNCOMPILED, "TSError", [("src/bad.ts", 1, None)]),
        (EMITTED, "Error", []),
        (ZOD, "ZodError", [("/app/src/run.js", 24, "parse")]),
    ],
)
def test_the_place_is_found_where_the_stack_alone_does_not_tell_it(
    text: str, exception: str | None, expected: list[tuple[str, int, str | None]]
) -> None:
    trace = one(text)
    assert trace.exception == exception
    assert places(trace) == expected


def test_a_message_of_many_lines_is_read_whole() -> None:
    assert one(ZOD).message.split("\n")[2] == '"code": "invalid_type",'


def test_a_cause_written_by_a_logging_library_is_a_cause() -> None:
    trace = one(OF_AXIOS)
    assert (trace.exception, trace.root.exception) == ("AxiosError", "TypeError")
    assert places(trace.root) == [("/app/src/names.js", 3, "lookup")]


@pytest.mark.parametrize(
    ("line", "exception", "message"),
    [
        ("(node:1) UnhandledPromiseRejectionWarning: TypeError: x", "TypeError", "x"),
        ("Unhandled Rejection: RangeError: y", "RangeError", "y"),
        ("  err: TypeError: z", "TypeError", "z"),
        ("Uncaught Error: w", "Error", "w"),
        (" \u2a2f TypeError: next", "TypeError", "next"),
        ("AssertionError [ERR_ASSERTION]: no", "AssertionError", "no"),
        ("Error", "Error", ""),
        ("n: minified", "n", "minified"),
        ("NotFound: class without Error", "NotFound", "class without Error"),
        ("[Nest] 1  - 01/01/2026, 10:00:00 AM   ERROR [ExceptionsHandler] failed", None, ""),
    ],
)
def test_the_error_is_found_in_the_lines_above_its_frames(line: str, exception: str | None, message: str) -> None:
    trace = one(f"{line}\n      at total (/app/cart.js:1:2)\n")
    assert (trace.exception, trace.message) == (exception, message)


@pytest.mark.parametrize(
    ("row", "path", "function", "kind"),
    [
        ("at total (file:///app/src/my%20cart.mjs:5:1)", "/app/src/my cart.mjs", "total", "application"),
        ("at async Cart.total (/app/cart.ts:5:1)", "/app/cart.ts", "total", "application"),
        ("at Cart.total [as handler] (/app/cart.js:5:1)", "/app/cart.js", "total", "application"),
        ("at Cart.#secret (/app/cart.js:5:1)", "/app/cart.js", "#secret", "application"),
        ("at async /app/cart.js:5:1", "/app/cart.js", None, "application"),
        ("at /app/bin/www:5:1", "/app/bin/www", None, "application"),
        ("at <anonymous> (/app/cart.ts:5:1)", "/app/cart.ts", None, "application"),
        ("at run (C:\\app\\src\\cart.js:5:1)", "C:/app/src/cart.js", "run", "application"),
        ("at run (file:///C:/app/cart.js:5:1)", "C:/app/cart.js", "run", "application"),
        ("at run (webpack:///./src/cart.ts?ab12:5:1)", "src/cart.ts", "run", "application"),
        ("at run (webpack://shop/./src/cart.ts:5:1)", "src/cart.ts", "run", "application"),
        ("at Page (webpack-internal:///(rsc)/./app/page.tsx:5:1)", "app/page.tsx", "Page", "application"),
        (
            "at Page (/app/.next/server/app/(shop)/page.js:5:1)",
            "/app/.next/server/app/(shop)/page.js",
            "Page",
            "application",
        ),
        ("at eval (eval at run (/app/cart.js:5:1), <anonymous>:1:1)", "/app/cart.js", None, "application"),
        ("at run (/app/node_modules/.pnpm/x@1/node_modules/x/i.js:5:1)", None, "run", "dependency"),
        ("at run (webpack:///./node_modules/x/i.js:5:1)", "node_modules/x/i.js", "run", "dependency"),
        ("at run (https://deno.land/std/x.ts:5:1)", "https://deno.land/std/x.ts", "run", "dependency"),
        ("at run (node:internal/process/task_queues:5:1)", None, "run", "runtime"),
        ("at Server.emit (events.js:5:1)", "events.js", "emit", "runtime"),
        ("at __webpack_require__ (/app/dist/main.js:5:1)", "/app/dist/main.js", "__webpack_require__", "runtime"),
    ],
)
def test_a_frame_has_a_clean_path_its_own_name_and_a_kind(
    row: str, path: str | None, function: str | None, kind: str
) -> None:
    (frame,) = one(f"Error: x\n    {row}\n").frames
    assert (frame.function, frame.line, frame.kind) == (function, 5, kind)
    assert path is None or frame.path == path


@pytest.mark.parametrize(
    "row",
    [
        "    at com.acme.Cart.total(Cart.java:12)",
        "   at Acme.Cart.Total(String name) in /src/Cart.cs:line 12",
        "             at ./src/main.rs:3:5",
        "             at /rustc/9fc6b4/library/std/src/panicking.rs:645:5",
        "    at noon (10:30:45)",
        "    at 2026-01-01T10:30:45",
        "    at least (3) of them",
    ],
)
def test_what_is_no_frame_of_a_script_is_left_alone(row: str) -> None:
    assert find(["TypeError: x", row]) == ()


def test_a_stack_without_its_beginning_has_its_frames_and_no_error() -> None:
    trace = one("    at total (/app/cart.js:1:2)\n    at main (/app/main.js:1:2)\nlistening\n")
    assert (trace.exception, trace.first_line, trace.last_line) == (None, 1, 2)


def test_two_errors_in_a_row_are_two() -> None:
    text = "Error: x\n    at a (/app/a.js:1:2)\nError: y\n    at a (/app/a.js:1:2)\n"
    assert [trace.message for trace in find_traces("x", text)] == ["x", "y"]


def test_the_quoted_line_of_a_thrown_value_is_not_taken_from_the_trace_before_it() -> None:
    rows = [
        "Error: x",
        "    at a (/app/a.js:1:2) {",
        "  place:",
        "/app/a.js:3",
        "    at b (/app/b.js:1:2)",
        "  ^",
        "boom",
    ]
    traces = find(rows)
    assert [(trace.first_line, trace.last_line) for trace in traces] == [(1, 2), (5, 5)]


def test_a_stack_in_one_json_string_is_read() -> None:
    trace = one('{"level":50,"err":{"type":"TypeError","stack":"TypeError: x\\n    at total (/app/cart.js:1:2)"}}\n')
    assert (trace.exception, trace.message, trace.first_line) == ("TypeError", "x", 1)


ODD = (
    "  [cause]: Error: x",
    "    [errors]: [",
    "}",
    "    at x (y.js:1:2) {",
    "caused by: Error: a",
    "  ^",
    "[A: b] {",
    "",
)
SAMPLES = UNCAUGHT + CAUSES + AGGREGATE + SYNTAX + NOT_FOUND + THROWN + UNCOMPILED + EMITTED + ZOD + OF_AXIOS
ROWS = st.sampled_from([*SAMPLES.split("\n"), *ODD])


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.lists(st.one_of(ROWS, st.text(max_size=10)), max_size=40))
def test_any_rows_are_read_in_order_and_within_their_bounds(rows: list[str]) -> None:
    traces = READER.find(rows)
    last = 0
    for trace in traces:
        assert last < trace.first_line <= trace.last_line <= len(rows)
        last = trace.last_line
        assert all(trace.first_line <= cause.first_line <= cause.last_line <= trace.last_line for cause in trace.causes)


def test_causes_nested_without_end_are_bounded() -> None:
    rows = ["Error: x", "    at a (/app/a.js:1:2) {"]
    for depth in range(1, 400):
        margin = "  " * depth
        rows += [f"{margin}[cause]: Error: {depth}", f"{margin}    at a (/app/a.js:1:2) {{"]
    (trace,) = find(rows)
    assert len(trace.causes) == 49
    assert trace.last_line == len(rows)
