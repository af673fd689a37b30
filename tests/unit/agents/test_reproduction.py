from typing import Any

import pytest

from agents.evidence import Answer, Bundle, seal
from agents.frames import Signature, Trace, find_traces
from agents.incident import Incident
from agents.verification import Commands, Reproduction, Request, derive
from agents.verification.reproduction import MOST_REQUESTS
from tests.fakes import START

INCIDENT = Incident(
    cluster="eu", namespace="shop", rollout="checkout", uid="u", canary_hash="bad", revision="2", stable_hash="good"
)
RUN = Commands(run=("python3", "-m", "shop", "{port}"))
TRACE = """\
Traceback (most recent call last):
  File "/app/shop/price.py", line 9, in price
    return float(row)
ValueError: no number"""
SIGNATURE = Signature(exception="ValueError", file="shop/price.py", function="price")
LOG = "logs/canary/p1/app"


def bundle_of(log: str, item: str = LOG, template: dict[str, Any] | None = None) -> Bundle:
    answers = [Answer(id=item, kind="log", side="canary", status="ok", content=log)]
    if template is not None:
        metadata = {"name": "checkout-bad", "labels": {"rollouts-pod-template-hash": "bad"}}
        content = {"metadata": metadata, "spec": {"template": template}}
        answers.append(
            Answer(id="objects/replicaset/checkout-bad", kind="object", side="none", status="ok", content=content)
        )
    return seal(INCIDENT, 1, answers, START)


def derived(
    log: str, item: str = LOG, commands: Commands = RUN, template: dict[str, Any] | None = None
) -> Reproduction:
    bundle = bundle_of(log, item, template)
    traces = find_traces(item, bundle.contents[item])
    return derive(bundle, traces[-1] if traces else None, SIGNATURE if traces else None, commands)


def asked(log: str) -> list[str]:
    return [f"{request.method} {request.path}" for request in derived(log).requests]


@pytest.mark.parametrize(
    "line",
    [
        'INFO "GET /orders/7 HTTP/1.1"',
        '10.0.0.9 - - [24/Nov/2026:12:00:00 +0000] "GET /orders/7 HTTP/1.1" 500 21',
        'INFO:     10.0.0.9:4711 - "GET /orders/7 HTTP/1.1" 500 Internal Server Error',
        "[pid 7] GET /orders/7 => generated 512 bytes in 3 msecs (HTTP/1.1 500)",
        "ERROR in app: Exception on /orders/7 [GET]",
        '2026-11-24T12:00:00.5Z {"method": "GET", "path": "/orders/7", "status": 500}',
        '{"http.method": "GET", "http.target": "/orders/7", "http.status_code": 500}',
        '{"msg": "failed", "request": {"method": "get", "url": "http://shop.example/orders/7"}, "code": 12}',
        '{"httpMethod": "GET", "request_uri": "/orders/7", "response_status": "500"}',
        '{"level": "error", "message": "GET /orders/7 took 250 ms"}',
        "GET /orders/7 took 204 ms",
    ],
)
def test_a_request_is_read_from_plain_and_json_lines_before_the_trace(line: str) -> None:
    log = f'"GET /first HTTP/1.1" 200 5\n{line}\n{TRACE}\n"GET /next HTTP/1.1" 200 500\n'
    assert asked(log) == ["GET /orders/7", "GET /first"]


@pytest.mark.parametrize(
    "line",
    [
        '10.0.0.9 "POST /orders?a=1&b=2 HTTP/1.1" 500 21',
        '{"method": "POST", "path": "/orders?a=1\\u0026b=2", "status": 503, "bytes": 200}',
    ],
)
def test_an_access_line_that_is_written_when_the_answer_is_out_counts_where_it_failed(line: str) -> None:
    log = f'"GET /before HTTP/1.1" 200 512\n{TRACE}\n"GET /fine HTTP/1.1" 200 502\n{line}\n'
    assert asked(log) == ["POST /orders?a=1&b=2", "GET /before"]


def test_the_nearest_open_request_comes_before_a_failed_one_after_and_refusals_last() -> None:
    log = (
        '"GET /refused HTTP/1.1" 404 9\nINFO started GET /far\nINFO started GET /near\n'
        f'{TRACE}\n"GET /after HTTP/1.1" 500 9\n'
    )
    assert asked(log) == ["GET /near", "GET /far", "GET /after"]
    assert len(asked(log)) == MOST_REQUESTS


def test_the_same_request_is_asked_once_and_the_trace_itself_names_none() -> None:
    log = 'start GET /a\nstart GET /a\n"GET /a HTTP/1.1" 500 1\n' + TRACE.replace("no number", "GET /not-this")
    assert asked(log) == ["GET /a"]


def test_a_request_of_which_a_part_was_redacted_is_not_replayed() -> None:
    reproduction = derived(f"GET /pay?token=hunter2hunter2 started\n{TRACE}\n")
    assert (reproduction.kind, reproduction.requests) == ("start", ())
    assert asked(f"start GET /fine\nGET /pay?token=hunter2hunter2 started\n{TRACE}\n") == ["GET /fine"]


def test_requests_far_away_are_not_taken_for_the_cause() -> None:
    assert asked("start GET /long-ago\n" + "tick\n" * 40 + TRACE) == []


@pytest.mark.parametrize(
    "line", ['{"path": "/x"', "{" * 5000, '{"method": 3, "path": null}', "GET /x " + "9" * 5000, '{"status": "5e2"}']
)
def test_odd_lines_are_only_lines(line: str) -> None:
    assert "GET /fine" in asked(f"start GET /fine\n{line}\n{TRACE}\n")


def test_a_program_that_died_without_a_request_is_started_again_as_its_pod_was() -> None:
    containers = [
        {"name": "proxy", "env": [{"name": "A", "value": "proxy"}]},
        {"name": "app", "env": [{"name": "A", "value": "1"}]},
    ]
    reproduction = derived(TRACE, "logs/canary/p1/app.previous", template={"spec": {"containers": containers}})
    assert (reproduction.kind, reproduction.container) == ("start", "app")
    assert dict(reproduction.environment.variables) == {"A": "1"}
    assert reproduction.signature == SIGNATURE


@pytest.mark.parametrize(
    ("log", "commands", "says"),
    [
        ("all is well\n", RUN, "no trace"),
        (TRACE, Commands(), "no `run:`"),
        (TRACE, Commands(run=("x",), off="`verify: none`"), "verify: none"),
    ],
)
def test_where_nothing_can_be_run_the_reason_is_kept(log: str, commands: Commands, says: str) -> None:
    reproduction = derived(log, commands=commands)
    assert reproduction.kind == "render"
    assert says in str(reproduction.reason)


def test_the_window_ends_with_the_log() -> None:
    trace = Trace(item=LOG, first_line=9, last_line=12, exception="ValueError", message="", frames=())
    reproduction = derive(bundle_of("start GET /only\n"), trace, SIGNATURE, RUN)
    assert reproduction.requests == (Request(method="GET", path="/only"),)
