import pytest

from agents.frames import Frame, Trace, find_traces

CHAIN = r"""PHP Fatal error:  Uncaught OutOfBoundsException: unknown
item: tea in /app/src/Cart.php:10
Stack trace:
#0 /app/src/Cart.php(8): Shop\Cart::lookup()
#1 /app/src/Cart.php(6): Shop\Cart->price()
#2 /app/src/Cart.php(15): Shop\Cart->total()
#3 [internal function]: Shop\{closure}()
#4 /app/vendor/acme/lib/Http.php(3): array_map()
#5 /app/src/run.php(15): Acme\Lib\Http::call()
#6 /app/public/index.php(27): Shop\main()
#7 {main}

Next Shop\PriceError: no price for tea in /app/src/Cart.php:8
Stack trace:
#0 /app/src/Cart.php(6): Shop\Cart->price()
#1 /app/src/Cart.php(15): Shop\Cart->total()
#2 /app/public/index.php(27): Shop\main()
#3 {main}
  thrown in /app/src/Cart.php on line 8
"""
LARAVEL = r"""[2024-11-24 12:00:00] production.ERROR: no price for tea {"userId":3,"exception":"[object] (Shop\\PriceError(code: 7): no price for tea at /app/src/Cart.php:8)
[stacktrace]
#0 /app/src/Cart.php(6): Shop\\Cart->price('tea')
#1 /app/vendor/laravel/framework/src/Illuminate/Routing/Controller.php(54): Shop\\Cart->total(Array)
#2 [internal function]: Illuminate\\Pipeline\\Pipeline->Illuminate\\Pipeline\\{closure}(Object(Illuminate\\Http\\Request))
#3 /app/public/index.php(51): Illuminate\\Foundation\\Http\\Kernel->handle()
#4 {main}

[previous exception] [object] (OutOfBoundsException(code: 0): unknown
item at /app/src/Cart.php:10)
[stacktrace]
#0 /app/src/Cart.php(8): Shop\\Cart::lookup('tea')
#1 {main}
"}
[2024-11-24 12:00:01] production.INFO: next request
"""  # noqa: E501  one line of a log
INTERNAL = r"""PHP Fatal error:  Uncaught DivisionByZeroError: Division by zero in /app/src/Split.php:20
Stack trace:
#0 /app/src/Split.php(20): intdiv()
#1 /app/public/index.php(27): Shop\Split->share()
#2 {main}
  thrown in /app/src/Split.php on line 20"""
CONSOLE = """
In Cart.php line 12:

  [Shop\\PriceError (7)]
  no price
  for tea


Exception trace:
  at /app/src/Cart.php:12
 Shop\\Cart->price() at /app/src/Cart.php:6
 Shop\\Cart->total() at /app/bin/run.php:14

In Table.php line 3:

  [OutOfBoundsException]
  unknown item


shop:run [--dry-run]
"""


def only(text: str) -> Trace:
    (trace,) = find_traces("log", text)
    return trace


def places(trace: Trace) -> list[tuple[str, int, str | None]]:
    return [(frame.path, frame.line, frame.function) for frame in trace.frames]


def test_the_exception_that_was_let_through_has_the_first_one_as_its_root() -> None:
    trace = only("[info] up\n" + CHAIN + "[info] down")
    assert (trace.language, trace.exception, trace.message) == ("php", "PriceError", "no price for tea")
    assert (trace.first_line, trace.last_line) == (2, 20)
    assert (trace.root.exception, trace.root.message) == ("OutOfBoundsException", "unknown\nitem: tea")


def test_a_place_has_the_function_that_it_lies_in_and_not_the_one_that_it_calls() -> None:
    root = only(CHAIN).root
    assert places(root) == [
        ("/app/src/Cart.php", 10, "lookup"),
        ("/app/src/Cart.php", 8, "price"),
        ("/app/src/Cart.php", 6, "total"),
        ("/app/src/Cart.php", 15, None),
        ("[internal function]", 0, "array_map"),
        ("/app/vendor/acme/lib/Http.php", 3, "call"),
        ("/app/src/run.php", 15, "main"),
        ("/app/public/index.php", 27, None),
    ]
    assert [frame.kind for frame in root.frames] == [
        *["application"] * 4,
        "runtime",
        "dependency",
        *["application"] * 2,
    ]
    assert [frame.module for frame in root.frames][:5] == [r"Shop\Cart"] * 3 + ["Shop", None]


def test_what_a_function_of_php_itself_throws_is_told_of_its_caller() -> None:
    trace = only(INTERNAL)
    assert places(trace)[0] == ("[internal function]", 0, "intdiv")
    assert trace.innermost == Frame(
        path="/app/src/Split.php", line=20, function="share", code=None, kind="application", module=r"Shop\Split"
    )


def test_monolog_prints_the_last_exception_first_and_doubles_backslashes() -> None:
    trace = only(LARAVEL)
    assert (trace.exception, trace.message, trace.root.message) == ("PriceError", "no price for tea", "unknown\nitem")
    assert trace.innermost is not None
    assert (trace.innermost.module, trace.innermost.function) == (r"Shop\Cart", "price")
    assert (trace.first_line, trace.last_line) == (1, 14)


def test_monolog_without_a_stack_still_tells_the_place() -> None:
    text = (
        "[2024-11-24T12:00:00.000000+00:00] request.CRITICAL: Uncaught PHP Exception App\\PriceError: "
        '"no price" at /app/src/Cart.php line 8 '
        '{"exception":"[object] (App\\\\PriceError(code: 0): no price at /app/src/Cart.php:8)"} []'
    )
    assert (only(text).exception, places(only(text))) == ("PriceError", [("/app/src/Cart.php", 8, None)])


@pytest.mark.parametrize(
    ("text", "exception"),
    [
        ("PHP Parse error:  syntax error, unexpected token in /app/a.php on line 5", "ParseError"),
        ("Parse error: syntax error, unexpected token in /app/a.php on line 5", "ParseError"),
        ("PHP Fatal error:  Allowed memory size of 8 bytes exhausted in /app/a.php on line 5", "FatalError"),
        ("PHP Fatal error:  Uncaught Exception@anonymous in /app/a.php on line 5", "Exception@anonymous"),
    ],
)
def test_an_error_without_a_stack_is_a_trace_of_one_place(text: str, exception: str) -> None:
    assert (only(text).exception, places(only(text))) == (exception, [("/app/a.php", 5, None)])


def test_a_warning_is_no_trace() -> None:
    assert find_traces("log", 'PHP Warning:  Undefined variable $nope in "/app/shop.php" on line 18\n' * 3) == ()


@pytest.mark.parametrize(
    "dress",
    [
        lambda line: f"NOTICE: PHP message: {line}" if line.startswith("PHP") else line,
        lambda line: f'[24-Nov-2026 12:00:00] WARNING: [pool www] child 8 said into stderr: "{line}"',
        lambda line: f'2024/11/24 12:00:00 [error] 7#7: *1 FastCGI sent in stderr: "{line}' if "PHP" in line else line,
    ],
    ids=["fpm", "fpm, decorated", "nginx"],
)
def test_what_stands_before_the_lines_of_a_web_server_does_not_matter(dress: object) -> None:
    assert callable(dress)
    trace = only("\n".join(dress(line) for line in INTERNAL.split("\n")))
    assert (trace.exception, trace.message, trace.last_line) == ("DivisionByZeroError", "Division by zero", 6)


def test_a_trace_that_apache_folded_into_one_line_is_unfolded() -> None:
    trace = only("[Wed Nov 25 12:00:00 2026] [php:error] [pid 7] " + INTERNAL.replace("\n", "\\n") + "\nGET /")
    assert (trace.first_line, trace.last_line, len(trace.frames)) == (1, 1, 3)


def test_the_console_of_symfony_prints_the_last_exception_first() -> None:
    trace = only(CONSOLE)
    assert (trace.exception, trace.message) == ("PriceError", "no price for tea")
    assert places(trace) == [
        ("/app/src/Cart.php", 12, "price"),
        ("/app/src/Cart.php", 6, "total"),
        ("/app/bin/run.php", 14, None),
    ]
    assert (trace.root.exception, places(trace.root)) == ("OutOfBoundsException", [("Table.php", 3, None)])


def test_a_closure_of_php_8_4_is_told_by_the_method_it_stands_in() -> None:
    text = CHAIN.replace(r"Shop\{closure}()", r"{closure:Shop\Cart::total():12}(1)")
    assert only(text).root.frames[3].function == "total"


def test_two_exceptions_one_after_the_other_are_two_traces() -> None:
    assert len(find_traces("log", INTERNAL + "\n" + INTERNAL)) == 2


def test_a_stack_that_is_cut_at_its_end_counts() -> None:
    assert len(only(INTERNAL.rpartition("\n#2")[0]).frames) == 3


def test_the_json_of_monolog_is_read_with_the_exceptions_inside_it() -> None:
    previous = '{"class":"OutOfBoundsException","message":"unknown","code":0,"file":"/app/src/Table.php:3"}'
    text = (
        '{"message":"no price","context":{"exception":{"class":"Shop\\\\PriceError","message":"no price","code":7,'
        '"file":"/app/src/Cart.php:8","trace":["/app/vendor/acme/lib/Http.php:3","/app/public/index.php:27"],'
        f'"previous":{previous}}}}},"level":400,"level_name":"ERROR"}}'
    )
    trace = only(text)
    assert (trace.exception, trace.message, trace.root.exception) == ("PriceError", "no price", "OutOfBoundsException")
    assert [frame.line for frame in trace.frames] == [8, 3, 27]
    assert [frame.kind for frame in trace.frames] == ["application", "dependency", "application"]
