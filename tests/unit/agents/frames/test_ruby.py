import pytest

from agents.frames import Trace, find_traces

PRINTED = """\
/app/shop.rb:14:in `rescue in price': no price for tea (Shop::PriceError)
\tfrom /app/shop.rb:11:in `price'
\tfrom /app/shop.rb:8:in `block in total'
\tfrom /app/shop.rb:7:in `map'
\tfrom /app/shop.rb:7:in `total'
\tfrom /app/shop.rb:22:in `<main>'
/app/shop.rb:12:in `fetch': key not found: "tea" (KeyError)
\tfrom /app/shop.rb:12:in `price'
\tfrom /app/shop.rb:8:in `block in total'
\tfrom /app/shop.rb:7:in `map'
\tfrom /app/shop.rb:7:in `total'
\tfrom /app/shop.rb:22:in `<main>'
"""
NEWER = (
    PRINTED.replace("`", "'")
    .replace("'rescue in price'", "'Shop::Cart#price'")
    .replace("'price'", "'Shop::Cart#price'")
    .replace("'block in total'", "'block in Shop::Cart#total'")
    .replace("'map'", "'Array#map'")
    .replace("'fetch'", "'Hash#fetch'")
    .replace("'total'", "'Shop::Cart#total'")
)
REVERSED = """\
Traceback (most recent call last):
\t5: from /app/shop.rb:25:in `<main>'
\t4: from /app/shop.rb:7:in `total'
\t3: from /app/shop.rb:7:in `map'
\t2: from /app/shop.rb:8:in `block in total'
\t1: from /app/shop.rb:12:in `price'
/app/shop.rb:12:in `fetch': key not found: "tea" (KeyError)
\t5: from /app/shop.rb:25:in `<main>'
\t4: from /app/shop.rb:7:in `total'
\t3: from /app/shop.rb:7:in `map'
\t2: from /app/shop.rb:8:in `block in total'
\t1: from /app/shop.rb:11:in `price'
/app/shop.rb:14:in `rescue in price': no price for tea (Shop::PriceError)
"""
RAILS = """\
F, [2024-05-01T12:00:00.123456 #7] FATAL -- : [3f2a]
[3f2a] ActionView::Template::Error (undefined method `name' for nil:NilClass):
[3f2a] Caused by: NoMethodError (undefined method `name' for nil:NilClass)
[3f2a]
[3f2a] Information for: ActionView::Template::Error (undefined method `name' for nil:NilClass):
[3f2a]     10: <li>
[3f2a]     11:   <%= order.customer.name %>
[3f2a]     12: </li>
[3f2a]
[3f2a] app/views/orders/_order.html.erb:11:in `_app_views_orders__order_html_erb___1'
[3f2a] app/controllers/orders_controller.rb:8:in `index'
[3f2a]
[3f2a] Information for cause: NoMethodError (undefined method `name' for nil:NilClass):
[3f2a]
[3f2a] app/models/order.rb:12:in `customer_name'
[3f2a] app/controllers/orders_controller.rb:8:in `index'
I, [2024-05-01T12:00:01.123456 #7]  INFO -- : [9999] Started GET "/"
"""
SIDEKIQ = """\
2024-05-01T12:00:00.000Z pid=1 tid=abc class=OrderJob jid=f00 WARN: {"context":"Job raised exception","job":{}}
2024-05-01T12:00:00.000Z pid=1 tid=abc class=OrderJob jid=f00 WARN: Shop::PriceError: no price for tea
2024-05-01T12:00:00.000Z pid=1 tid=abc class=OrderJob jid=f00 WARN: /app/app/jobs/order_job.rb:5:in `perform'
/usr/local/bundle/gems/sidekiq-7.2.0/lib/sidekiq/processor.rb:202:in `execute_job'
/usr/local/lib/ruby/3.1.0/monitor.rb:202:in `synchronize'
"""
PUMA = """\
2024-05-01 12:00:00 +0000 Rack app ("GET /orders" - (127.0.0.1)): #<KeyError: key not found: "tea">
/app/shop.rb:12:in `fetch'
/app/shop.rb:12:in `price'
"""
SYNTAX = """\
/app/boot.rb:1:in `require_relative': /app/bad.rb:2: syntax error, unexpected integer literal (SyntaxError)
  1 +
  ^
/app/bad.rb:4: unterminated string meets end of file
\tfrom /app/boot.rb:1:in `<main>'
"""


def only(text: str) -> Trace:
    (trace,) = find_traces("log", text)
    return trace


def places(trace: Trace) -> list[tuple[int, str | None, str]]:
    return [(frame.line, frame.function, frame.kind) for frame in trace.frames]


OUTER = [(14, "price"), (11, "price"), (8, "total"), (7, "map"), (7, "total"), (22, None)]
ROOT = [(12, "fetch"), (12, "price"), (8, "total"), (7, "map"), (7, "total"), (22, None)]


@pytest.mark.parametrize("text", [PRINTED, NEWER], ids=["backticks", "quotes and classes"])
def test_an_exception_and_the_one_it_came_from_are_one_trace(text: str) -> None:
    trace = only("up\n" + text + "down")
    assert (trace.language, trace.exception, trace.message) == ("ruby", "PriceError", "no price for tea")
    assert (trace.first_line, trace.last_line) == (2, 13)
    assert (trace.root.exception, trace.root.message) == ("KeyError", 'key not found: "tea"')
    assert [place[:2] for place in places(trace)] == OUTER
    assert [place[:2] for place in places(trace.root)] == ROOT


def test_classes_are_told_where_ruby_prints_them() -> None:
    assert [frame.module for frame in only(NEWER).frames] == [*["Shop::Cart"] * 3, "Array", "Shop::Cart", None]


def test_a_method_written_in_c_is_not_the_code_at_the_place_that_called_it() -> None:
    root = only(PRINTED).root
    assert places(root)[0] == (12, "fetch", "runtime")
    assert root.innermost is not None
    assert root.innermost.function == "price"


def test_the_order_of_ruby_2_5_to_2_7_is_turned_round() -> None:
    trace = only(REVERSED)
    assert (trace.exception, trace.root.exception, trace.first_line, trace.last_line) == (
        "PriceError",
        "KeyError",
        1,
        13,
    )
    assert [place[:2] for place in places(trace.root)] == [*ROOT[:-1], (25, None)]


def test_the_same_exception_printed_by_its_thread_and_by_main_is_two_traces() -> None:
    assert [trace.exception for trace in find_traces("log", PRINTED + PRINTED)] == ["PriceError", "PriceError"]


def test_rails_tells_the_cause_below_the_exception() -> None:
    trace = only(RAILS)
    assert (trace.exception, trace.root.exception) == ("Error", "NoMethodError")
    assert trace.message == "undefined method `name' for nil:NilClass"
    assert [frame.path for frame in trace.frames] == [
        "app/views/orders/_order.html.erb",
        "app/controllers/orders_controller.rb",
    ]
    assert places(trace.root)[0] == (12, "customer_name", "application")


def test_gems_and_the_standard_library_are_not_the_program() -> None:
    trace = only(SIDEKIQ)
    assert (trace.exception, trace.message, trace.first_line) == ("PriceError", "no price for tea", 2)
    assert places(trace) == [
        (5, "perform", "application"),
        (202, "execute_job", "dependency"),
        (202, "synchronize", "runtime"),
    ]


def test_puma_prints_an_exception_as_it_is_inspected() -> None:
    trace = only(PUMA)
    assert (trace.exception, trace.message) == ("KeyError", 'key not found: "tea"')


@pytest.mark.parametrize(
    ("line", "exception", "message"),
    [
        ("E, [2026-11-25T01:56:44.5 #29] ERROR -- : no price (Shop::PriceError)", "PriceError", "no price"),
        ("NoMethodError (undefined method `x' for nil):", "NoMethodError", "undefined method `x' for nil"),
        ("Shop::PriceError: no price", "PriceError", "no price"),
        ("E, [2026-11-25T01:56:44.5 #29] ERROR -- : Request failed: no price", None, "Request failed: no price"),
    ],
)
def test_a_logged_backtrace_belongs_to_the_line_above(line: str, exception: str | None, message: str) -> None:
    trace = only(f"{line}\n/app/shop.rb:14:in `price'\n/app/shop.rb:7:in `total'\n")
    assert (trace.exception, trace.message) == (exception, message)


def test_a_logged_message_may_quote_the_source_before_it_names_the_type() -> None:
    trace = only(
        "E, [2026-11-24T12:00:00.858910 #23] ERROR -- : undefined method `cents' for nil:NilClass\n\n"
        "      find(sku).cents\n               ^^^^^^ (NoMethodError)\n/app/cart.rb:20:in `subtotal'\n"
    )
    assert (trace.exception, trace.first_line) == ("NoMethodError", 1)
    assert trace.message.startswith("undefined method `cents' for nil:NilClass\n")


def test_a_syntax_error_is_in_the_file_that_was_loaded() -> None:
    trace = only(SYNTAX)
    assert (trace.exception, trace.last_line) == ("SyntaxError", 5)
    assert (trace.frames[0].path, trace.frames[0].line) == ("/app/bad.rb", 2)


def test_the_marked_piece_of_source_below_a_message_belongs_to_it() -> None:
    text = (
        "/app/a.rb:3:in `go': undefined method `x' (NoMethodError)\n\n  a.x\n   ^^\n\tfrom /app/a.rb:9:in `<main>'\nup"
    )
    trace = only(text)
    assert (trace.last_line, [frame.line for frame in trace.frames]) == (5, [3, 9])


def test_an_exception_in_the_main_program_has_no_other_place() -> None:
    trace = only("/app/a.rb:26:in `<main>': first line (Shop::PriceError)\nsecond line\n")
    assert (trace.message, trace.last_line, places(trace)) == ("first line", 1, [(26, None, "application")])


@pytest.mark.parametrize(
    "text",
    [
        "Completed 500 Internal Server Error in 5ms (ActiveRecord: 0.0ms)\n",
        "/app/a.rb:12: warning: already initialized constant X\n",
        "DEPRECATION WARNING: old is old (called from go at /app/a.rb:3)\n  \u21b3 app/models/x.rb:12:in `load'\n",
    ],
)
def test_warnings_and_places_of_queries_are_no_traces(text: str) -> None:
    assert find_traces("log", text) == ()
