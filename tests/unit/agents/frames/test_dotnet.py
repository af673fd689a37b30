import pytest

from agents.frames import Trace, find_traces

INNER = r"""Unhandled exception. System.InvalidOperationException: Cart could not be priced
 ---> System.Collections.Generic.KeyNotFoundException: The given key 'tea' was not present in the dictionary.
   at System.Collections.Generic.Dictionary`2.get_Item(TKey key)
   at Shop.Pricing.PriceTable.Find(String item) in /src/Shop/Pricing/PriceTable.cs:line 12
   at Shop.Cart.<>c__DisplayClass1_0.<Total>b__0(String item) in /src/Shop/Cart.cs:line 20
   --- End of inner exception stack trace ---
   at Shop.Cart.<Total>g__Sum|0_1(List`1 items) in C:\src\Shop\Cart.cs:line 24
   at Program.<Main>$(String[] args) in /src/Shop/Program.cs:line 5
"""
AGGREGATE = """fail: Microsoft.AspNetCore.Server.Kestrel[13]
      Connection id "0HN", Request id "0HN:00000002": An unhandled exception was thrown by the application.
      System.AggregateException: One or more errors occurred. (a) (b)
       ---> System.ArgumentNullException: Value cannot be null. (Parameter 'x')
         at Shop.Api.OrdersController.<Get>d__3.MoveNext() in /src/Shop.Api/OrdersController.cs:line 41
      --- End of stack trace from previous location ---
         at Microsoft.AspNetCore.Mvc.Infrastructure.ActionMethodExecutor.Execute(ActionContext a, Object[] arguments)
         --- End of inner exception stack trace ---
         at Shop.Api.Orders`1.Run[T](T item) in /src/Shop.Api/Orders.cs:line 4
       ---> (Inner Exception #1) System.Net.Sockets.SocketException (111): Connection refused
         at Npgsql.Internal.NpgsqlConnector.Connect(NpgsqlTimeout timeout)<---

info: Microsoft.Hosting.Lifetime[14]
      Now listening on: http://[::]:8080
"""
RELEASE = """[12:00:00 ERR] HTTP GET /orders responded 500 in 5.1 ms
Npgsql.PostgresException (0x80004005): 42P01: relation "x" does not exist
POSITION: 15
   at Npgsql.Internal.NpgsqlConnector.ReadMessageLong(Boolean async, DataRowLoadingMode mode)
   at Shop.Orders.Load()
   at Shop.Program.Main(String[] args)
[12:00:01 INF] on we go
"""


def only(text: str) -> Trace:
    (trace,) = find_traces("log", text)
    return trace


def names(trace: Trace) -> list[tuple[str | None, str | None]]:
    return [(frame.module, frame.function) for frame in trace.frames]


def test_the_innermost_inner_exception_is_the_root() -> None:
    trace = only("info: up\n" + INNER + "info: down")
    assert (trace.language, trace.exception, trace.message) == (
        "dotnet",
        "InvalidOperationException",
        "Cart could not be priced",
    )
    assert (trace.first_line, trace.last_line) == (2, 9)
    assert trace.root.exception == "KeyNotFoundException"
    assert [frame.kind for frame in trace.root.frames] == ["runtime", "application", "application"]


def test_names_that_the_compiler_made_up_are_told_as_in_the_source() -> None:
    trace = only(INNER)
    assert names(trace.root) == [
        ("System.Collections.Generic.Dictionary", "Item"),
        ("Shop.Pricing.PriceTable", "Find"),
        ("Shop.Cart", "Total"),
    ]
    assert names(trace) == [("Shop.Cart", "Sum"), ("Program", None)]
    assert trace.frames[0].path == "C:/src/Shop/Cart.cs"


@pytest.mark.parametrize(
    ("printed", "module", "function"),
    [
        ("Shop.Cart..ctor", "Shop.Cart", "Cart"),
        ("Shop.Cart..cctor", "Shop.Cart", "Cart"),
        ("Shop.Cart`1..ctor", "Shop.Cart", "Cart"),
        ("Shop.Outer+Inner.Run", "Shop.Outer.Inner", "Run"),
        ("Shop.Cart.set_Total", "Shop.Cart", "Total"),
        ("Shop.Cart.Map[TIn,TOut]", "Shop.Cart", "Map"),
        ("Shop.Cart.<>c.<Total>b__0_1", "Shop.Cart", "Total"),
        ("Shop.Cart.<>c__DisplayClass1_0.<<Total>b__0>d.MoveNext", "Shop.Cart", "Total"),
        ("Program.<<Main>$>g__Run|0_1", "Program", "Run"),
        ("Program.<<Main>$>d__0.MoveNext", "Program", None),
    ],
)
def test_a_printed_name_gives_class_and_method(printed: str, module: str, function: str | None) -> None:
    text = f"Shop.OrderException: no\n   at {printed}(String item) in /src/Shop/Cart.cs:line 20\n"
    assert names(only(text)) == [(module, function)]


def test_an_aggregate_has_its_further_exceptions_among_its_causes() -> None:
    trace = only(AGGREGATE)
    assert (trace.exception, trace.first_line, trace.last_line) == ("AggregateException", 3, 11)
    assert [(cause.exception, cause.message) for cause in trace.causes] == [
        ("ArgumentNullException", "Value cannot be null. (Parameter 'x')"),
        ("SocketException", "Connection refused"),
    ]
    assert names(trace.root)[0] == ("Shop.Api.OrdersController", "Get")
    assert [frame.kind for frame in trace.root.frames] == ["application", "runtime"]
    assert names(trace) == [("Shop.Api.Orders", "Run")]


def test_a_release_build_tells_no_files_and_known_packages_are_not_the_program() -> None:
    trace = only(RELEASE)
    assert (trace.exception, trace.message) == ("PostgresException", '42P01: relation "x" does not exist\nPOSITION: 15')
    assert [(frame.kind, frame.path, frame.line) for frame in trace.frames] == [
        ("dependency", "", 0),
        ("application", "", 0),
        ("application", "", 0),
    ]


def test_beside_frames_with_files_one_without_is_of_a_package() -> None:
    text = (
        "Acme.Sdk.SdkException: no\n   at Acme.Sdk.Client.Send(Request request)\n"
        "   at Shop.Orders.Load() in /src/Shop/Orders.cs:line 7\n"
    )
    assert [frame.kind for frame in only(text).frames] == ["dependency", "application"]


def test_an_older_run_time_writes_inner_exceptions_on_one_line() -> None:
    text = (
        "Unhandled Exception: Shop.OrderException: outer ---> System.FormatException: inner\n"
        "   at Shop.Parser.Parse(String text) in /src/Parser.cs:line 3\n"
        "   --- End of inner exception stack trace ---\n"
        "   at Shop.Orders.Load() in /src/Orders.cs:line 7\n"
    )
    trace = only(text)
    assert (trace.exception, trace.root.exception, trace.root.message) == ("OrderException", "FormatException", "inner")
    assert names(trace) == [("Shop.Orders", "Load")]


@pytest.mark.parametrize(
    "text",
    [
        "java.lang.Exception: x\n    at com.acme.Foo.bar(Foo.java:12)\n    at com.acme.Foo.baz(Native Method)\n",
        "Exception: x\n    at Object.foo (/app/x.js:1:2)\n    at new Promise (<anonymous>)\n",
        "System.Exception: told without a stack\ninfo: next\n",
    ],
)
def test_frames_of_other_languages_and_a_message_alone_are_no_trace(text: str) -> None:
    assert [trace for trace in find_traces("log", text) if trace.language == "dotnet"] == []


def test_a_trace_whose_beginning_is_cut_has_no_type() -> None:
    trace = only("   at Shop.Orders.Load() in /src/Orders.cs:line 7\n   at Shop.Program.Main(String[] args)\ninfo: x")
    assert (trace.exception, len(trace.frames), trace.last_line) == (None, 2, 2)


def test_a_trace_folded_into_a_json_line_is_read() -> None:
    text = '{"LogLevel":"Error","Exception":"System.Exception: no\\n   at Shop.Orders.Load() in /src/O.cs:line 7"}'
    assert names(only(text)) == [("Shop.Orders", "Load")]


def test_a_stack_overflow_tells_repeated_calls_once() -> None:
    line = "--------------------------------\n"
    text = (
        f"Stack overflow.\nRepeat 24088 times:\n{line}   at Shop.Tree.Depth(Shop.Node)\n{line}"
        "   at Shop.Tree.Print()\n   at Shop.Program.Main(System.String[])\ninfo: next\n"
    )
    trace = only(text)
    assert (trace.exception, trace.last_line) == ("StackOverflowException", 7)
    assert names(trace) == [("Shop.Tree", "Depth"), ("Shop.Tree", "Print"), ("Shop.Program", "Main")]
