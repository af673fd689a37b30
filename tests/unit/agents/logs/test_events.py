"""Each line is what the library named beside it really wrote."""

import pytest

from agents.logs import Event, events_of

GO_ERROR = "load cart: dial tcp 10.0.0.1:5432: connection refused"


def only(text: str) -> Event:
    events = list(events_of("log", text))
    assert len(events) == 1
    return events[0]


@pytest.mark.parametrize(
    ("line", "level", "logger", "message"),
    [
        (
            '{"level":"info","ts":1795573483.75,"caller":"go/main.go:22","msg":"order placed"}',
            "info",
            None,
            "order placed",
        ),
        (
            '2026-11-25T02:24:43.758Z\tWARN\tgo/main.go:25\tslow query\t{"took": "1.2s"}',
            "warning",
            "go/main.go:25",
            "slow query",
        ),
        ('time="2026-11-25T02:24:43Z" level=info msg="order placed" user="alice smith"', "info", None, "order placed"),
        ("\x1b[31mERRO\x1b[0m[0000] cannot charge    \x1b[31muser\x1b[0m=alice", "error", None, "cannot charge"),
        (
            '{"level":"info","user":"alice","time":"2026-11-25T02:24:43Z","message":"order placed"}',
            "info",
            None,
            "order placed",
        ),
        ("\x1b[90m2:24AM\x1b[0m \x1b[31mERR\x1b[0m \x1b[1mcannot charge\x1b[0m", "error", None, "cannot charge"),
        ("2026/11/25 02:24:43 INFO order placed user=alice", "info", None, "order placed"),
        ("2026/11/25 02:24:43 order 12 placed", None, None, "order 12 placed"),
        ("I1125 02:24:43.758723   12696 main.go:45] order 12 placed", "info", "main.go", "order 12 placed"),
        ("2026-11-25 02:24:19,115 - shop.cart - ERROR - cannot charge", "error", "shop.cart", "cannot charge"),
        ("ERROR:shop.cart:cannot charge", "error", "shop.cart", "cannot charge"),
        ("[2026-11-25 02:24:19,115] ERROR in a: cannot charge", "error", "a", "cannot charge"),
        (
            "2026-11-25 02:24:19,116 [MainThread] INFO     shop.cart [a.py:12] order 12 placed",
            "info",
            "shop.cart",
            "order 12 placed",
        ),
        ("[2026-11-25 02:24:19 +0000] [11719] [CRITICAL] WORKER TIMEOUT", "critical", None, "WORKER TIMEOUT"),
        ("INFO:     Application startup complete.", "info", None, "Application startup complete."),
        ("2026-11-25T02:24:19.117247Z [error    ] cannot charge", "error", None, "cannot charge"),
        (
            "2026-11-25 02:24:19.121 | ERROR    | __main__:run:9 - cannot charge",
            "error",
            "__main__:run:9",
            "cannot charge",
        ),
        ('{"level":60,"time":1795573618624,"pid":22719,"hostname":"vm","msg":"bye"}', "critical", None, "bye"),
        ('error: cannot charge {"order":12}', "error", None, "cannot charge"),
        (
            "02:27:42.678 [main] INFO  com.acme.shop.CartService -- order 12 placed",
            "info",
            "com.acme.shop.CartService",
            "order 12 placed",
        ),
        (
            "2026-11-25T02:27:42Z  INFO 1234 --- [shop] [nio-8080-exec-1] com.acme.shop.CartService  : order 12 placed",
            "info",
            "com.acme.shop.CartService",
            "order 12 placed",
        ),
        (
            "INFO  [2026-11-25 02:27:42,686] com.acme.shop.CartService: order 12 placed",
            "info",
            "com.acme.shop.CartService",
            "order 12 placed",
        ),
        (
            '{"@timestamp":"2026-11-25T02:27:42Z","@version":"1","message":"m","logger_name":"c.A","level":"WARN","level_value":30000}',
            "warning",
            "c.A",
            "m",
        ),
        ("F, [2026-11-25T12:00:00.123456 #123] FATAL -- : no route", "critical", None, "no route"),
        (
            "2026/11/25 12:00:00 [error] 12#12: *3 connect() failed (111: Connection refused)",
            "error",
            None,
            "connect() failed (111: Connection refused)",
        ),
        ("[12:00:00 ERR] Cannot charge order 12", "error", None, "Cannot charge order 12"),
        ("[2026-11-25T12:00:00Z ERROR shop::cart] cannot charge", "error", "shop::cart", "cannot charge"),
        (
            '{"timestamp":"2026-11-25T12:00:00Z","level":"ERROR","fields":{"message":"no cart"},"target":"shop::cart"}',
            "error",
            "shop::cart",
            "no cart",
        ),
        (
            '{"@t":"2026-11-25T12:00:00Z","@mt":"Cannot charge {Id}","@l":"Error","SourceContext":"Acme.Cart"}',
            "error",
            "Acme.Cart",
            "Cannot charge {Id}",
        ),
        (
            "PHP Warning:  Undefined array key in /app/x.php on line 3",
            "warning",
            "PHP",
            "Undefined array key in /app/x.php on line 3",
        ),
        (
            '2026-11-25 12:00:00.123 UTC [12] ERROR:  relation "orders" does not exist',
            "error",
            None,
            'relation "orders" does not exist',
        ),
    ],
)
def test_time_level_logger_and_message_are_told_apart(line: str, level: str, logger: str | None, message: str) -> None:
    event = only(line)
    assert (event.level, event.logger, event.message) == (level, logger, message)


@pytest.mark.parametrize(
    "line",
    [
        f'{{"level":"error","ts":1.5,"msg":"cannot charge","error":"{GO_ERROR}"}}',
        f'time="2026-11-25T02:24:43Z" level=error msg="cannot charge" error="{GO_ERROR}"',
        f'E1125 02:24:43.758734   12696 main.go:46] "cannot charge" err="{GO_ERROR}" order=12',
        f'2026-11-25T02:24:43.758Z\tERROR\tgo/main.go:26\tcannot charge\t{{"error": "{GO_ERROR}"}}',
        f'2026/11/25 02:24:43 ERROR cannot charge err="{GO_ERROR}"',
    ],
)
def test_what_went_wrong_is_read_from_its_own_field(line: str) -> None:
    event = only(line)
    assert (event.message, event.error, event.level) == ("cannot charge", GO_ERROR, "error")


@pytest.mark.parametrize(
    "line",
    [
        '{"level":50,"err":{"message":"no x","stack":"TypeError: x is undefined\\n    at f (/a.js:2:1)"},"msg":"m"}',
        '{"level":"error","message":"m","stack":"TypeError: x is undefined\\n    at f (/a.js:2:1)"}',
        '{"@t":"1","@mt":"m","@l":"Error","@x":"TypeError: x is undefined\\n    at f (/a.js:2:1)"}',
        'ts=1 level=error msg=m stack="TypeError: x is undefined\\n    at f (/a.js:2:1)"',
        "ERROR m\nTypeError: x is undefined\n    at f (/a.js:2:1)",
    ],
)
def test_a_trace_belongs_to_its_event_wherever_it_stands(line: str) -> None:
    event = only(line)
    assert (event.level, event.message) == ("error", "m")
    assert event.trace == ("TypeError: x is undefined", "    at f (/a.js:2:1)")


def test_a_chained_traceback_is_one_event_to_its_last_line() -> None:
    text = (
        'ERROR:shop:cannot charge\nTraceback (most recent call last):\n  File "/a.py", line 5, in boom\n    x\n'
        "KeyError: 'price'\n\nThe above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "/a.py", line 8, in run\n    boom()\nValueError: no price\n'
        "INFO:shop:next"
    )
    first, second = events_of("log", text)
    assert (first.first_line, first.last_line, first.trace[-1]) == (1, 12, "ValueError: no price")
    assert (second.first_line, second.message) == (13, "next")


def test_dot_nets_console_writes_the_message_below_its_head() -> None:
    text = "fail: Acme.Cart[0]\n      Cannot charge order 12\n         at Acme.Cart.Charge() in /src/Cart.cs:line 12"
    event = only(text)
    assert (event.level, event.logger, event.message) == ("error", "Acme.Cart[0]", "Cannot charge order 12")
    assert event.trace == ("         at Acme.Cart.Charge() in /src/Cart.cs:line 12",)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("could not open /data: disk full", "error"),
        ("finished with no errors", None),
        ("errors: 0", None),
        ("failed=false", None),
        ("panic: runtime error: index out of range", "error"),
        ("order placed", None),
    ],
)
def test_a_line_without_a_level_is_an_error_if_it_says_so(line: str, level: str | None) -> None:
    assert only(line).level == level


def test_an_answered_request_is_told_with_its_status() -> None:
    line = '{"level":30,"req":{"method":"GET","url":"/orders/12"},"res":{"statusCode":500},"msg":"request completed"}'
    assert only(line).request == "GET /orders/12 status=500"
