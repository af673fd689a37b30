"""What Go printed: recorded from small programs built with Go 1.26, their folders named as in an image."""

from pathlib import Path

import pytest

from agents.frames import Frame, Trace, find_traces

RECORDED = Path(__file__).with_name("recorded") / "go"
NIL = "invalid memory address or nil pointer dereference"
ADD, PRICE = ("/go/src/app/cart/cart.go", 22, "Add"), ("/go/src/app/cart/cart.go", 26, "Price")
MUST = ("/go/src/app/cart/cart.go", 52, "Must")


def main(line: int) -> tuple[str, int, str]:
    return "/go/src/app/cmd/server/main.go", line, "main"


def recorded(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def only(text: str) -> Trace:
    (trace,) = find_traces("log", text)
    assert trace.language == "go"
    return trace


def place(frame: Frame | None) -> tuple[str, int, str | None] | None:
    return (frame.path, frame.line, frame.function) if frame else None


def own(trace: Trace) -> list[tuple[str, int, str | None]]:
    return [(one.path, one.line, one.function) for one in trace.frames if one.kind == "application"]


@pytest.mark.parametrize(
    ("name", "exception", "message", "frames"),
    [
        ("nilmap", "runtime error", "assignment to entry in nil map", [ADD, main(38)]),
        ("nilptr", "runtime error", NIL, [PRICE, main(40)]),
        ("abort", "runtime error", NIL, [PRICE, main(182)]),
        (
            "index",
            "runtime error",
            "index out of range [5] with length 1",
            [("/go/src/app/cart/cart.go", 41, "Sum"), main(42)],
        ),
        ("div", "runtime error", "integer divide by zero", [main(195)]),
        ("closed", "runtime error", "close of closed channel", [main(192)]),
        ("typeassert", "runtime error", "interface conversion: interface {} is string, not int", [main(185)]),
        ("custom", "panic", "4: bad", [MUST, main(44)]),
        ("errors", "panic", "bad thing", [MUST, main(48)]),
        ("string", "panic", "must: bad\nthing", [("/go/src/app/cart/cart.go", 58, "Must2"), main(52)]),
        ("struct", "plain", "(main.plain) 0xd14260", [main(54)]),
        ("goroutine", "runtime error", NIL, [PRICE, main(83), main(81)]),
        ("http", "runtime error", NIL, [PRICE, main(111)]),
        ("httpabort", "panic", "bad thing", [MUST, main(115)]),
        ("gin", "runtime error", NIL, [PRICE, main(120), main(122)]),
        ("chi", "runtime error", NIL, [PRICE, main(126), main(127)]),
        ("echo", "runtime error", NIL, [PRICE, main(131), main(132)]),
        ("stack", "runtime error", NIL, [PRICE, main(139)]),
        ("printstack", "runtime error", NIL, [PRICE, main(147)]),
        ("logpanic", "panic", "cannot 3", [main(167)]),
        ("mapwrites", "fatal error", "concurrent map writes", [main(103), main(101)]),
        ("repanic", "runtime error", "assignment to entry in nil map", [ADD, main(67)]),
    ],
)
def test_a_failure_begins_where_the_applications_code_failed(
    name: str, exception: str, message: str, frames: list[tuple[str, int, str]]
) -> None:
    trace = only(recorded(name))
    assert (trace.exception, trace.message) == (exception, message)
    assert own(trace) == frames


def test_a_panic_during_a_panic_has_the_first_one_as_its_cause() -> None:
    trace = only(recorded("repanic2"))
    assert (trace.exception, trace.message) == ("panic", "recovered: assignment to entry in nil map")
    assert place(trace.innermost) == main(71)
    assert (trace.root.exception, place(trace.root.innermost)) == ("runtime error", ADD)
    deferred = only(recorded("deferpanic"))
    assert (deferred.message, deferred.root.message) == ("second", "first")
    assert place(deferred.root.innermost) == main(77)


def test_a_deadlock_is_told_by_the_goroutine_that_blocks_not_by_the_one_that_waits_for_it() -> None:
    locked = only(recorded("deadlock"))
    assert (locked.exception, locked.message) == ("fatal error", "all goroutines are asleep - deadlock!")
    assert place(locked.innermost) == ("/go/src/app/internal/stock/stock.go", 20, "Take")
    drained = only(recorded("deadchan"))
    assert place(drained.innermost) == ("/go/src/app/internal/stock/stock.go", 26, "Drain")
    assert drained.last_line == recorded("deadchan").count("\n")


def test_a_dump_that_was_asked_for_is_told_by_a_goroutine_in_the_applications_code() -> None:
    trace = only(recorded("quit"))
    assert (trace.exception, trace.message) == ("SIGQUIT", "quit")
    assert place(trace.innermost) == main(199)


def test_a_stack_that_overflowed_is_cut_by_go_and_still_one_trace() -> None:
    trace = only(recorded("overflow"))
    assert (trace.exception, trace.message) == ("fatal error", "stack overflow")
    assert place(trace.frames[0]) == ("/go/src/app/cart/cart.go", 48, "Deep")
    assert place(trace.frames[-3]) == main(109)


def test_a_data_race_has_both_accesses() -> None:
    trace = only(recorded("race"))
    assert trace.exception == "DATA RACE"
    assert trace.message.startswith("Read at 0x")
    assert place(trace.innermost) == main(175)
    assert place(trace.root.innermost) == main(174)
    assert trace.root.message.startswith("Previous write at 0x")


@pytest.mark.parametrize(("name", "root"), [("pkgerrors", "/go/src/app"), ("pkgtrim", "github.com/acme/shop")])
def test_a_wrapped_error_is_one_trace_with_the_innermost_error_as_its_root(name: str, root: str) -> None:
    trace = only(recorded(name))
    assert (trace.exception, trace.message, trace.root.message) == ("error", "load", "no item tea")
    assert place(trace.innermost) == (f"{root}/cart/cart.go", 37, "Load")
    assert place(trace.root.innermost) == (f"{root}/cart/cart.go", 31, "Find")
    assert {frame.kind for frame in trace.frames if frame.module == "runtime"} == {"runtime"}
    assert len(find_traces("log", recorded(name) * 3)) == 3


def test_zaps_stack_of_the_log_call_has_the_logged_errors_stacks_as_its_causes() -> None:
    logged, plain = find_traces("log", recorded("zap"))
    assert [place(cause.innermost) for cause in logged.causes] == [
        ("/go/src/app/cart/cart.go", 31, "Find"),
        ("/go/src/app/cart/cart.go", 37, "Load"),
    ]
    assert place(logged.innermost) == ("/go/src/app/cart/cart.go", 45, "Log")
    assert (place(plain.innermost), plain.first_line, plain.last_line) == (main(155), 2, 2)
    assert [place(trace.innermost) for trace in find_traces("log", recorded("zapdev"))] == [
        ("/go/src/app/cart/cart.go", 45, "Log"),
        main(151),
    ]


def test_a_loggers_own_panic_is_a_dependencys_and_begins_in_the_application() -> None:
    assert [trace.exception for trace in find_traces("log", recorded("zappanic"))] == ["error", "panic"]
    trace = only(recorded("logrus"))
    assert (trace.exception, trace.frames[0].kind, place(trace.innermost)) == ("Entry", "dependency", main(170))


def test_paths_without_folders_of_the_machine_are_classed_by_what_they_name() -> None:
    trace = only(recorded("gintrim"))
    assert [frame.kind for frame in trace.frames[:5]] == [
        "runtime",
        "runtime",
        "application",
        "application",
        "dependency",
    ]
    assert trace.frames[2].path == "github.com/acme/shop/cart/cart.go"


def frame_of(function: str, path: str) -> Frame:
    return only(f"panic: x\n\ngoroutine 7 [running]:\n{function}\n\t{path}:3 +0x1d\n").frames[0]


@pytest.mark.parametrize(
    ("printed", "module", "function"),
    [
        ("main.main()", "main", "main"),
        ("main.(*Server).handle(0xc000, {0x1, 0x2})", "main", "handle"),
        ("github.com/acme/shop/v2/cart.Store.Add.func1.2()", "github.com/acme/shop/v2/cart", "Add"),
        ("github.com/acme/shop.(*List[...]).Push(...)", "github.com/acme/shop", "Push"),
        ("shop/internal/x.Map[go.shape.int,go.shape.struct { A int }](...)", "shop/internal/x", "Map"),
        ("gopkg.in/yaml%2ev3.Unmarshal(...)", "gopkg.in/yaml.v3", "Unmarshal"),
        ("main.glob..func1()", "main", None),
        ("main.init.0()", "main", "init"),
        ("main.(*T).Run-fm()", "main", "Run"),
        ("main.main.gowrap1()", "main", "main"),
        ("created by main.start in goroutine 1", "main", "start"),
        ("created by main.start.func2", "main", "start"),
    ],
)
def test_a_function_is_called_what_its_source_calls_it(printed: str, module: str, function: str | None) -> None:
    frame = frame_of(printed, "/app/x.go")
    assert (frame.module, frame.function) == (module, function)


@pytest.mark.parametrize(
    ("function", "path", "kind"),
    [
        ("main.main()", "/app/main.go", "application"),
        ("main.main()", "C:/src/shop/main.go", "application"),
        ("net/http.HandlerFunc.ServeHTTP()", "/usr/local/go/src/net/http/server.go", "runtime"),
        ("net/http.HandlerFunc.ServeHTTP()", "/opt/hostedtoolcache/go/1.26.1/x64/src/net/http/server.go", "runtime"),
        ("net/http.HandlerFunc.ServeHTTP()", "C:/Program Files/Go/src/net/http/server.go", "runtime"),
        ("net/http.HandlerFunc.ServeHTTP()", "net/http/server.go", "runtime"),
        ("internal/sync.runtime_Lock()", "/usr/lib/golang/src/runtime/sema.go", "runtime"),
        (
            "vendor/golang.org/x/net/http2/hpack.F()",
            "/usr/local/go/src/vendor/golang.org/x/net/http2/hpack/a.go",
            "runtime",
        ),
        ("shop/log.Write()", "/go/src/shop/log/write.go", "application"),
        ("github.com/acme/shop/log.Write()", "/app/log/write.go", "application"),
        ("github.com/pkg/errors.New()", "/root/go/pkg/mod/github.com/pkg/errors@v0.9.1/errors.go", "dependency"),
        ("github.com/pkg/errors.New()", "github.com/pkg/errors@v0.9.1/errors.go", "dependency"),
        ("github.com/pkg/errors.New()", "/app/vendor/github.com/pkg/errors/errors.go", "dependency"),
        ("main._Cfunc_f()", "_cgo_gotypes.go", "runtime"),
    ],
)
def test_a_frame_is_classed_by_whose_code_it_is(function: str, path: str, kind: str) -> None:
    assert frame_of(function, path).kind == kind


@pytest.mark.parametrize(
    ("value", "exception", "message"),
    [
        ('main.Broken{Code:4, Text:"x"}', "Broken", 'main.Broken{Code:4, Text:"x"}'),
        ("&shop.Broken{}", "Broken", "&shop.Broken{}"),
        ("(*errors.errorString) 0xc000012345", "errorString", "(*errors.errorString) 0xc000012345"),
        ('main.Reason("no price")', "Reason", "no price"),
        ("main.Code(42)", "Code", "42"),
        ("runtime error: slice bounds out of range [:5] with capacity 3", "runtime error", None),
        ("sql: no rows in result set", "panic", "sql: no rows in result set"),
        ("bad thing [recovered, repanicked]", "panic", "bad thing"),
    ],
)
def test_the_type_is_named_where_go_prints_one(value: str, exception: str, message: str | None) -> None:
    trace = only(f"panic: {value}\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:3 +0x1d\nexit status 2\n")
    assert (trace.exception, trace.message) == (exception, message or value.partition(": ")[2])


def test_kubelet_times_windows_ends_and_a_lost_empty_line_change_nothing() -> None:
    text = recorded("nilptr")
    stamped = "".join(f"2026-11-24T12:00:00.{at:09d}Z {line}\n" for at, line in enumerate(text.splitlines()))
    for dressed in (stamped, text.replace("\n", "\r\n"), text.replace("\n\n", "\n")):
        trace = only(dressed)
        assert (trace.exception, place(trace.innermost)) == ("runtime error", PRICE)


def test_a_log_line_far_above_a_stack_does_not_name_it() -> None:
    text = "recovered from panic: old news\nINFO a\nINFO dumping\n" + recorded("stack").partition("\n")[2]
    trace = only(text)
    assert (trace.message, trace.first_line) == ("INFO dumping", 3)


def test_a_cut_start_still_has_its_frames_and_a_cut_end_those_that_were_printed() -> None:
    lines = recorded("goroutine").splitlines()
    assert place(only("\n".join(lines[4:])).innermost) == PRICE
    assert [frame.function for frame in only("\n".join(lines[:7])).frames] == ["Price"]


@pytest.mark.parametrize(
    "text",
    [
        "panic: nothing more",
        "goroutine 1 [running]:",
        "2026/11/25 main.go:12: listening",
        'level=error caller=cart/cart.go:45 err="open: no such file: not found"',
        "WARNING: DATA RACE\n==================\n",
        "fatal error: x\n\ngoroutine 1 [running]:\n\tgoroutine running on other thread; stack unavailable\n",
    ],
)
def test_without_a_frame_there_is_no_trace(text: str) -> None:
    assert find_traces("log", text) == ()


def test_several_failures_of_one_log_are_told_apart() -> None:
    names = ("http", "gin", "deadchan", "race", "chi", "pkgerrors", "nilmap")
    found = find_traces("log", "INFO up\n" + "INFO between\n".join(recorded(name) for name in names))
    assert [trace.exception for trace in found] == [
        "runtime error",
        "runtime error",
        "fatal error",
        "DATA RACE",
        "runtime error",
        "error",
        "runtime error",
    ]
