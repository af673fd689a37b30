"""Java and Kotlin: what OpenJDK 17, Spring Boot 3.3 and logback really printed, and what their manuals show."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.frames import Trace, find_traces
from agents.frames.java import READER, find

CHAIN = """\
Exception in thread "main" java.lang.IllegalArgumentException: checkout failed
for 2 items
	at com.acme.shop.Main.checkout(Main.java:21)
	at com.acme.shop.Main.main(Main.java:27)
Caused by: java.lang.NumberFormatException: For input string: "x"
	at java.base/java.lang.NumberFormatException.forInputString(NumberFormatException.java:67)
	at java.base/java.lang.Integer.parseInt(Integer.java:668)
	at com.acme.shop.Main.lambda$total$0(Main.java:15)
	at java.base/java.util.stream.ReferencePipeline$4$1.accept(ReferencePipeline.java:214)
	at com.acme.shop.Main.total(Main.java:15)
	at com.acme.shop.Main.checkout(Main.java:19)
	... 1 more
	Suppressed: java.lang.IllegalStateException: door stuck
		at com.acme.shop.Main$Door.close(Main.java:8)
		at com.acme.shop.Main.checkout(Main.java:18)
		... 1 more
	Caused by: java.io.IOException: of the suppressed
		... 3 more
after
"""
LOGGED = """\
2026-11-25T02:48:20.757Z ERROR 1 --- [nio-8080-exec-2] o.a.c.c.C.[dispatcherServlet] : Servlet.service() threw

java.lang.NullPointerException: null
	at com.acme.shop.OrderService.price(OrderController.java:19) ~[classes/:na]
	at java.base/java.lang.reflect.Method.invoke(Method.java:569) ~[na:na]
	at org.springframework.aop.support.AopUtils.invokeJoinpointUsingReflection(AopUtils.java:355) ~[spring-aop-6.jar:6]
	at com.acme.shop.OrderService$$SpringCGLIB$$0.total(<generated>) ~[classes/:na]
	at com.acme.shop.OrderController.total(OrderController.java:12) ~[!/:1.0]
	at com.vendor.pay.Client.send(Client.java:5) ~[pay-2.1.jar!/:2.1]
2026-11-25T02:48:21.757Z INFO 1 --- [main] c.a.shop.Main : next
"""
NO_BEAN = """\
2026-11-25T02:48:01.468Z ERROR 1 --- [main] o.s.b.d.LoggingFailureAnalysisReporter   : \n
***************************
APPLICATION FAILED TO START
***************************

Description:

Parameter 0 of constructor in com.acme.shop.Checkout required a bean of type 'com.acme.shop.PriceClient' that could \
not be found.


Action:

Consider defining a bean of type 'com.acme.shop.PriceClient' in your configuration.

"""
UNRESOLVED = """\
org.springframework.beans.factory.BeanCreationException: Error creating bean with name 'limits' defined in file \
[/app/classes/com/acme/shop/Limits.class]: Unexpected exception during bean creation
	at org.springframework.beans.factory.support.AbstractBeanFactory.getBean(AbstractBeanFactory.java:200)
	at org.springframework.boot.SpringApplication.run(SpringApplication.java:1352) ~[spring-boot-3.3.5.jar:3.3.5]
	at com.acme.shop.App.main(App.java:13) ~[classes/:na]
Caused by: java.lang.IllegalArgumentException: Could not resolve placeholder 'shop.limit' in value "${shop.limit}"
	at org.springframework.util.PropertyPlaceholderHelper.parseStringValue(PropertyPlaceholderHelper.java:180)
	... 2 common frames omitted
"""
DEADLOCK = """\
Found one Java-level deadlock:
=============================
"one":
  waiting to lock monitor 0x00007f8f14065eb0 (object 0x000000069ec1b3f0, a java.lang.Object),
  which is held by "two"

Java stack information for the threads listed above:
===================================================
"one":
	at com.acme.shop.Main.lambda$main$2(Main.java:37)
	- waiting to lock <0x000000069ec1b3f0> (a java.lang.Object)
	- locked <0x000000069ec1b3e0> (a java.lang.Object)
	at com.acme.shop.Main$$Lambda$1/0x00007f8f38000a08.run(Unknown Source)
	at java.lang.Thread.run(java.base@17.0.15/Thread.java:840)
"two":
	at com.acme.shop.Main.lambda$main$3(Main.java:38)

Found 1 deadlock.
"""
THREAD_DUMP = """\
"main" #1 prio=5 os_prio=0 cpu=29.19ms elapsed=2.99s tid=0x00007f8fb8017ef0 nid=0x25fa waiting on condition
   java.lang.Thread.State: TIMED_WAITING (sleeping)
	at java.lang.Thread.sleep(java.base@17.0.15/Native Method)
	- locked <0x000000069ec02f40> (a java.lang.ref.ReferenceQueue$Lock)
	at com.acme.shop.Main.main(Main.java:39)
"""


def one(text: str) -> Trace:
    (trace,) = find_traces("logs/canary/a/app", text)
    return trace


def places(trace: Trace) -> list[tuple[str, int, str | None]]:
    return [(frame.path, frame.line, frame.function) for frame in trace.frames if frame.kind == "application"]


def test_a_cause_is_the_root_and_has_the_frames_it_shares_with_the_exception_around_it() -> None:
    trace = one(CHAIN)
    assert (trace.exception, trace.message) == ("IllegalArgumentException", "checkout failed\nfor 2 items")
    assert (trace.first_line, trace.last_line) == (1, 18)
    assert (trace.root.exception, trace.root.message) == ("NumberFormatException", 'For input string: "x"')
    assert trace.root.first_line == 5
    assert len(trace.causes) == 1, "what was suppressed, and its cause, is no cause"
    assert places(trace.root) == [
        ("Main.java", 15, "total"),
        ("Main.java", 15, "total"),
        ("Main.java", 19, "checkout"),
        ("Main.java", 27, "main"),
    ]


def test_a_logged_trace_ends_at_the_next_line_of_the_log_and_tells_whose_code_each_frame_is() -> None:
    trace = one(LOGGED)
    assert (trace.exception, trace.message, trace.first_line, trace.last_line) == ("NullPointerException", "", 3, 9)
    kinds = [frame.kind for frame in trace.frames]
    assert kinds == ["application", "runtime", "dependency", "dependency", "application", "dependency"]
    assert trace.frames[3].path == "<generated>"
    assert trace.frames[3].module == "com.acme.shop.OrderService"


@pytest.mark.parametrize(
    ("first", "exception", "message"),
    [
        ("12:00:01 ERROR checkout failed java.io.IOException: closed", "IOException", "closed"),
        ("SEVERE: failed\njava.lang.IllegalStateException", "IllegalStateException", ""),
        ("com.acme.shop.OrderNotFound: 7", "OrderNotFound", "7"),
        ("com.acme.Outer$Refused", "Refused", ""),
        ('Exception in thread "pool-1" Oops: no package', "Oops", "no package"),
        ("\tjava.lang.RuntimeException: indented by Tomcat", "RuntimeException", "indented by Tomcat"),
        ("12:00:01 INFO started", None, ""),
    ],
)
def test_the_exception_is_found_in_the_lines_above_its_frames(first: str, exception: str | None, message: str) -> None:
    trace = one(f"{first}\n\tat com.acme.Cart.total(Cart.java:5)\n")
    assert (trace.exception, trace.message) == (exception, message)


@pytest.mark.parametrize(
    ("call", "module", "function"),
    [
        ("com.acme.Cart.lambda$total$0(Cart.java:5)", "com.acme.Cart", "total"),
        ("com.acme.Cart.lambda$total$7f6d1c1f$1(Cart.java:5)", "com.acme.Cart", "total"),
        ("com.acme.Cart.lambda$null$1(Cart.java:5)", "com.acme.Cart", None),
        ("com.acme.Cart.lambda$new$0(Cart.java:5)", "com.acme.Cart", "Cart"),
        ("com.acme.Cart$Line.<init>(Cart.java:5)", "com.acme.Cart$Line", "Line"),
        ("com.acme.Cart.<clinit>(Cart.java:5)", "com.acme.Cart", "Cart"),
        ("com.acme.Cart$1.run(Cart.java:5)", "com.acme.Cart", "run"),
        ("com.acme.Cart.access$000(Cart.java:5)", "com.acme.Cart", None),
        ("app//com.acme.Cart.total(Cart.java:5)", "com.acme.Cart", "total"),
        ("com.acme.CartKt.main(Cart.kt:5)", "com.acme.CartKt", "main"),
        ("com.acme.Cart$load$1.invokeSuspend(Cart.kt:5)", "com.acme.Cart", "load"),
        ("com.acme.CartKt$main$2$1.invoke(Cart.kt:5)", "com.acme.CartKt", "main"),
        ("com.acme.CartKt$order$$inlined$sortedBy$1.compare(Cart.kt:5)", "com.acme.CartKt", "compare"),
        ("com.acme.Cart$Companion.of(Cart.kt:5)", "com.acme.Cart", "of"),
        ("com.acme.Cart.total$lambda$0(Cart.kt:5)", "com.acme.Cart", "total"),
        ("com.acme.Cart.total$lambda-1(Cart.kt:5)", "com.acme.Cart", "total"),
        ("com.acme.Cart.total$default(Cart.kt:5)", "com.acme.Cart", "total"),
        ("com.acme.Cart.total-LRDsOJo(Cart.kt:5)", "com.acme.Cart", "total"),
        ("com.acme.Cart.access$total(Cart.kt:5)", "com.acme.Cart", "total"),
        ("com.acme.Cart$.$anonfun$total$1(Cart.scala:5)", "com.acme.Cart", "total"),
        ("com.acme.Cart$_total_closure1.doCall(Cart.groovy:5)", "com.acme.Cart", "total"),
        ("Main.main(Main.java:5)", "Main", "main"),
    ],
)
def test_a_frame_has_the_names_that_stand_in_the_source(call: str, module: str, function: str | None) -> None:
    (frame,) = one(f"java.lang.Error: x\n\tat {call}\n").frames
    assert (frame.module, frame.function, frame.line, frame.kind) == (module, function, 5, "application")


@pytest.mark.parametrize(
    ("call", "kind", "path"),
    [
        ("com.acme.Cart.total(Unknown Source)", "application", "Cart.java"),
        ("com.acme.Cart$Line.total(Native Method)", "application", "Cart.java"),
        ("com.acme.Cart_ClientProxy.total(Unknown Source)", "dependency", "<generated>"),
        ("com.acme.$Cart$Definition$Exec.dispatch(Unknown Source)", "dependency", "<generated>"),
        ("com.acme.Main$$Lambda/0x00007f8f38000a08.run(Unknown Source)", "dependency", "<generated>"),
        ("jdk.proxy2/jdk.proxy2.$Proxy45.total(Unknown Source)", "runtime", "<generated>"),
        ("java.lang.Thread.run(java.base@17.0.15/Thread.java:840)", "runtime", "Thread.java"),
        ("kotlin.collections.CollectionsKt.first(Collections.kt:1)", "runtime", "Collections.kt"),
        ("kotlinx.coroutines.BuildersKt.runBlocking(Unknown Source)", "runtime", "BuildersKt.java"),
        ("io.ktor.server.Engine.run(Engine.kt:1)", "dependency", "Engine.kt"),
        ("ch.qos.logback.core.A.b(A.java:1)", "dependency", "A.java"),
        ("org.springfield.Bart.skate(Bart.java:1)", "application", "Bart.java"),
    ],
)
def test_a_frame_tells_whose_code_it_is(call: str, kind: str, path: str) -> None:
    (frame,) = one(f"java.lang.Error: x\n\tat {call}\n").frames
    assert (frame.kind, frame.path) == (kind, path)


def test_the_marks_of_a_coroutines_boundary_are_no_calls() -> None:
    boundary = "\tat _COROUTINE._BOUNDARY._(CoroutineDebugging.kt:42)\n"
    text = f"java.lang.Error: x\n\tat a.B.c(B.kt:1)\n{boundary}\tat a.B.d(B.kt:2)"
    assert [frame.function for frame in one(text).frames] == ["c", "d"]


def test_a_coroutine_is_read_in_the_words_of_its_source() -> None:
    text = (
        'Exception in thread "main" java.lang.NullPointerException\n'
        "\tat com.acme.shop.Cart.total(Shop.kt:9)\n"
        "\tat com.acme.shop.Cart$load$2.invokeSuspend(Shop.kt:12)\n"
        "\tat kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith(ContinuationImpl.kt:33)\n"
        "\tat kotlinx.coroutines.DispatchedTask.run(DispatchedTask.kt:104)\n"
    )
    assert places(one(text)) == [("Shop.kt", 9, "total"), ("Shop.kt", 12, "load")]
    assert [frame.kind for frame in one(text).frames][2:] == ["runtime", "runtime"]


def test_a_chain_printed_root_first_is_the_same_chain() -> None:
    text = (
        "java.io.IOException: root\n\tat a.B.read(B.java:1)\n\t... 1 common frames omitted\n"
        "Wrapped by: java.lang.RuntimeException: outer\n\tat a.B.load(B.java:2)\n\tat a.B.main(B.java:3)\n"
    )
    trace = one(text)
    assert (trace.exception, trace.root.exception, trace.first_line) == ("RuntimeException", "IOException", 1)
    assert [frame.function for frame in trace.root.frames] == ["read", "main"]


def test_an_exception_that_causes_itself_ends_the_chain() -> None:
    text = (
        "java.lang.Exception: a\n\tat a.B.main(B.java:1)\nCaused by: java.lang.Exception: b\n\t... 1 more\n"
        "Caused by: [CIRCULAR REFERENCE: java.lang.Exception: a]\nafter\n"
    )
    trace = one(text)
    assert [cause.message for cause in trace.causes] == ["b"]
    assert trace.last_line == 5


def test_a_cause_without_frames_counts() -> None:
    trace = one(
        "Error: Could not find or load main class a.Main\nCaused by: java.lang.ClassNotFoundException: a.Main\n"
    )
    assert (trace.root.exception, trace.root.message) == ("ClassNotFoundException", "a.Main")


def test_a_report_of_spring_names_the_classes_that_lack_something() -> None:
    trace = one(NO_BEAN)
    assert trace.exception is None
    assert trace.message.startswith("Parameter 0 of constructor in com.acme.shop.Checkout required a bean")
    assert [(frame.path, frame.line) for frame in trace.frames] == [("Checkout.java", 0), ("PriceClient.java", 0)]


def test_the_bean_that_could_not_be_created_is_a_frame_when_none_of_its_lines_ran() -> None:
    assert places(one(UNRESOLVED).root) == [
        ("/app/classes/com/acme/shop/Limits.java", 0, None),
        ("App.java", 13, "main"),
    ]


def test_a_deadlock_is_a_trace_and_a_thread_dump_is_none() -> None:
    assert places(one(DEADLOCK)) == [("Main.java", 37, "main")]
    assert one(DEADLOCK).message.startswith("Found one Java-level deadlock")
    assert find_traces("x", THREAD_DUMP) == ()


def test_a_trace_without_its_beginning_has_its_frames_and_no_exception() -> None:
    trace = one("\tat com.acme.Cart.total(Cart.java:5)\n\tat com.acme.Main.main(Main.java:9)\n12:00:01 INFO next\n")
    assert (trace.exception, trace.first_line, trace.last_line) == (None, 1, 2)


def test_lines_of_other_threads_between_the_frames_do_not_cut_the_trace() -> None:
    trace = one(
        "java.lang.Error: x\n\tat a.B.c(B.java:1)\n2026-11-25 10:00:00 INFO GET /health\n\tat a.B.d(B.java:2)\n"
    )
    assert [frame.function for frame in trace.frames] == ["c", "d"]


def test_a_trace_in_one_json_string_is_read() -> None:
    trace = one('{"level":"ERROR","stack_trace":"java.lang.Error: x\\n\\tat a.B.c(B.java:1)\\n"}\n')
    assert (trace.exception, trace.first_line, trace.last_line) == ("Error", 1, 1)


def test_two_traces_in_a_row_are_two() -> None:
    text = "java.lang.Error: x\n\tat a.B.c(B.java:1)\njava.lang.Error: y\n\tat a.B.c(B.java:1)\n"
    assert [trace.message for trace in find_traces("x", text)] == ["x", "y"]


@pytest.mark.parametrize(
    "row", ["   at Acme.Cart.Total(String name)", "    at total (/app/cart.js:1:2)", "   at x.y.z()"]
)
def test_frames_of_other_languages_are_left_alone(row: str) -> None:
    assert find(["java.lang.Error: x", row]) == ()


ODD = ("Wrapped by: a.B: c", "\tSuppressed: a.B: c", "\t... 99999 more", "Caused by: a.B", "\tat a.b(c:1)", "")
ROWS = st.sampled_from([*(CHAIN + LOGGED + NO_BEAN + DEADLOCK + THREAD_DUMP).split("\n"), *ODD])


@settings(derandomize=True, max_examples=25, deadline=None)
@given(st.lists(st.one_of(ROWS, st.text(max_size=10)), max_size=40))
def test_any_rows_are_read_in_order_and_within_their_bounds(rows: list[str]) -> None:
    traces = READER.find(rows)
    last = 0
    for trace in traces:
        assert last < trace.first_line <= trace.last_line <= len(rows)
        last = trace.last_line
        assert all(trace.first_line <= cause.first_line <= cause.last_line <= trace.last_line for cause in trace.causes)


def test_a_trace_of_any_length_is_one_trace_with_a_bounded_number_of_frames() -> None:
    (trace,) = find(["java.lang.StackOverflowError", *["\tat x.y.z(z:1)"] * 20_000])
    assert (len(trace.frames), trace.last_line) == (2000, 20_001)
