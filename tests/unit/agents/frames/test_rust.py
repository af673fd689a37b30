import pytest

from agents.frames import Trace, find_traces

LIBRARY = "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library"
REGISTRY = "/usr/local/cargo/registry/src/index.crates.io-1949cf8c6b5b557f"
BACKTRACE = f"""
thread 'tokio-rt-worker' (31099) panicked at src/cart.rs:9:32:
no price
stack backtrace:
   0: __rustc::rust_begin_unwind
             at {LIBRARY}/std/src/panicking.rs:689:5
   1: core::panicking::panic_display::<&str>
             at {LIBRARY}/core/src/panicking.rs:259:5
   2: core::option::Option<T>::expect
             at {LIBRARY}/core/src/option.rs:971:21
   3: shop::cart::Cart::price
             at ./src/cart.rs:9:32
   4: <shop::cart::Cart as shop::cart::Total>::total::{{{{closure}}}}
             at ./src/cart.rs:20:75
   5: <core::slice::iter::Iter<T> as core::iter::traits::iterator::Iterator>::fold
             at {LIBRARY}/core/src/slice/iter/macros.rs:279:27
   6: shop::serve::{{{{closure}}}}
             at ./src/main.rs:24:39
   7: tokio::runtime::task::core::Core<T,S>::poll::{{{{closure}}}}
             at {REGISTRY}/tokio-1.54.1/src/runtime/task/core.rs:380:24
   8: __rust_try
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
Err(JoinError::Panic(Id(3), "no price", ...))
"""
STRIPPED = """
thread 'main' panicked at 'no price', src/cart.rs:9:32
stack backtrace:
   0: rust_begin_unwind
   1: core::panicking::panic_fmt
   2: shop::cart::Cart::price::h1699440df8444bd1
   3: shop::main::h1699440df8444bd2
   4: acme_prices::table::find
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
"""
ANYHOW = f"""
Error: starting the shop

Caused by:
    0: reading /nope.json
    1: No such file or directory (os error 2)

Stack backtrace:
   0: <E as anyhow::context::ext::StdError>::ext_context
             at {REGISTRY}/anyhow-1.0.105/src/backtrace.rs:10:14
   1: shop::cart::Cart::load
             at ./src/cart.rs:13:50
   2: main
   3: __libc_start_call_main
             at ./csu/../sysdeps/nptl/libc_start_call_main.h:58:16
next
"""
FULL = f"""
thread 'main' (31177) panicked at src/main.rs:16:78:
in drop
stack backtrace:
  15:     0x5637d5f9a09c - core[c1f1a4ba060b9bfa]::panicking::panic_fmt
                               at {LIBRARY}/core/src/panicking.rs:80:14
  16:     0x5637d5ebc1d9 - <shop::main::{{{{closure}}}}::D as core::ops::drop::Drop>::drop::hd717a3c2a56093d7
                               at /app/src/main.rs:16:78
  17:     0x5637d5f5ed90 - std[e28293b1aa0f68bd]::rt::lang_start_internal
  47:                0x0 - <unknown>
thread caused non-unwinding panic. aborting.
"""


def only(text: str) -> Trace:
    (trace,) = find_traces("log", text)
    return trace


def own(trace: Trace) -> list[tuple[str, int, str | None, str | None]]:
    return [
        (frame.path, frame.line, frame.module, frame.function) for frame in trace.frames if frame.kind == "application"
    ]


def test_a_backtrace_is_told_as_in_the_source() -> None:
    trace = only(BACKTRACE)
    assert (trace.language, trace.exception, trace.message) == ("rust", "panic", "no price")
    assert (trace.first_line, trace.last_line) == (2, 22)
    assert own(trace) == [
        ("./src/cart.rs", 9, "shop::cart::Cart", "price"),
        ("./src/cart.rs", 20, "shop::cart::Cart", "total"),
        ("./src/main.rs", 24, "shop", "serve"),
    ]
    assert [frame.kind for frame in trace.frames] == [
        *["runtime"] * 3,
        *["application"] * 2,
        "runtime",
        "application",
        "dependency",
        "runtime",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "thread 'main' panicked at src/cart.rs:9:32:\nno price\nnote: run with `RUST_BACKTRACE=1`",
        "thread '<unnamed>' (7) panicked at src/cart.rs:9:32:\nno price\nINFO next",
        "thread 'main' panicked at 'no price', src/cart.rs:9:32\nnote: run with `RUST_BACKTRACE=1`",
    ],
    ids=["1.73", "1.89, no note", "older"],
)
def test_a_panic_without_a_backtrace_tells_its_place(line: str) -> None:
    trace = only("INFO up\n" + line)
    assert (trace.message, own(trace)) == ("no price", [("src/cart.rs", 9, None, None)])


@pytest.mark.parametrize(
    "text",
    [
        "thread 'main' panicked at a.rs:1:2:\nassertion `left == right` failed\n  left: 1\n right: 2\nnote: run with X",
        "thread 'main' panicked at 'assertion `left == right` failed\n  left: 1\n right: 2', src/a.rs:1:2\nINFO next",
    ],
    ids=["1.73", "older"],
)
def test_a_message_of_several_lines_is_read_whole(text: str) -> None:
    assert only(text).message == "assertion `left == right` failed\n  left: 1\n right: 2"


def test_without_files_the_place_of_the_panic_belongs_to_the_first_frame_of_the_program() -> None:
    trace = only(STRIPPED)
    assert own(trace) == [("src/cart.rs", 9, "shop::cart::Cart", "price"), ("", 0, "shop", "main")]
    assert [frame.kind for frame in trace.frames] == ["runtime", "runtime", "application", "application", "dependency"]


def test_the_last_error_of_a_printed_chain_is_the_root_and_has_the_backtrace() -> None:
    trace = only(ANYHOW)
    assert (trace.exception, trace.message, trace.first_line, trace.last_line) == ("Error", "starting the shop", 2, 15)
    assert [cause.message for cause in trace.causes] == ["No such file or directory (os error 2)", "reading /nope.json"]
    assert own(trace.root) == own(trace) == [("./src/cart.rs", 13, "shop::cart::Cart", "load")]


def test_a_chain_without_a_backtrace_counts_for_what_it_says() -> None:
    trace = only("Error: starting the shop\n\nCaused by:\n    No such file or directory (os error 2)\n")
    assert (trace.root.message, trace.frames) == ("No such file or directory (os error 2)", ())


def test_the_place_that_eyre_prints_is_a_frame() -> None:
    trace = only("Error: starting\n\nCaused by:\n    0: no file\n\nLocation:\n    src/main.rs:12:29\nnext\n")
    assert (own(trace), trace.last_line) == ([("src/main.rs", 12, None, None)], 7)


def test_hashes_and_addresses_of_a_full_backtrace_are_left_out() -> None:
    trace = only(FULL)
    assert [(frame.module, frame.function) for frame in trace.frames] == [
        ("core::panicking", "panic_fmt"),
        ("shop::main::{{closure}}::D", "drop"),
        ("std::rt", "lang_start_internal"),
        (None, None),
    ]


@pytest.mark.parametrize(
    ("text", "exception"),
    [
        (
            "thread 'main' (31192) has overflowed its stack\nfatal runtime error: stack overflow, aborting",
            "stack overflow",
        ),
        ("memory allocation of 68719476736 bytes failed\n", "out of memory"),
    ],
)
def test_an_abort_has_no_place(text: str, exception: str) -> None:
    assert (only(text).exception, only(text).frames) == (exception, ())


def test_two_panics_do_not_share_a_backtrace() -> None:
    first = "thread 'main' panicked at src/a.rs:1:2:\none\n"
    second = "thread 'main' panicked at src/b.rs:1:2:\ntwo\nstack backtrace:\n   0: shop::b\n       at ./src/b.rs:1:2\n"
    traces = find_traces("log", first + second)
    assert [(trace.message, own(trace)[0][0]) for trace in traces] == [("one", "src/a.rs"), ("two", "./src/b.rs")]


def test_java_and_sentences_about_panics_are_no_traces() -> None:
    text = "Caused by: java.lang.Exception: x\n\tat a.B.c(B.java:1)\nthe thread panicked at noon\n"
    assert [trace for trace in find_traces("log", text) if trace.language == "rust"] == []


def test_a_panic_that_color_eyre_tells_is_one() -> None:
    bars = "\u2501" * 35
    text = (
        "The application panicked (crashed).\nMessage:  no price\nLocation: src/cart.rs:9\n\n"
        f"  {bars} BACKTRACE {bars}\n                \u22ee 5 frames hidden \u22ee\n"
        "   6: shop::cart::Cart::price::h1699440df8444bd1\n      at /app/src/cart.rs:9\nnext\n"
    )
    assert (only(text).message, own(only(text))) == ("no price", [("/app/src/cart.rs", 9, "shop::cart::Cart", "price")])
