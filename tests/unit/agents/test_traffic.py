import json

import pytest

from agents.traffic import Answered, answers_in, failing, read_answer, slowdown


@pytest.mark.parametrize(
    ("line", "method", "path", "status", "seconds"),
    [
        ("2026-11-24 12:00:00,1 INFO http GET /reports/7 200 12.5ms", "GET", "/reports/7", 200, 0.0125),
        ('10.0.0.1 - - [24/Nov/2026] "POST /orders HTTP/1.1" 201 512 0.250s', "POST", "/orders", 201, 0.25),
        ("2026-11-24T12:00:00.1Z GET /a?b=1 200 in 800 µs", "GET", "/a?b=1", 200, 0.0008),
        ("GET /slow -> 200 took 2 seconds", "GET", "/slow", 200, 2.0),
        ("GET /plain 200 17", "GET", "/plain", 200, None),
        ('{"method": "get", "path": "/x", "status": 200, "duration_ms": 31}', "GET", "/x", 200, 0.031),
        ('{"request_method": "GET", "uri": "/x", "status": "200", "request_time": 0.5}', "GET", "/x", 200, 0.5),
        (
            '{"http": {"method": "GET", "target": "/x", "status_code": 404}, "latency": "7.5ms"}',
            "GET",
            "/x",
            404,
            0.0075,
        ),
        ('{"method": "GET", "path": "/x", "status": 200, "latency": 31}', "GET", "/x", 200, None),
    ],
)
def test_an_access_line_is_read(line: str, method: str, path: str, status: int, seconds: float | None) -> None:
    answer = read_answer("logs/a", 3, line)
    assert answer is not None
    assert (answer.method, answer.path, answer.status, answer.line) == (method, path, status, 3)
    assert answer.seconds == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "listening on port 8080",
        "GET /reset?token=[REDACTED:secret:1] 200 1ms",
        "{broken",
        "[1]",
        '{"path": "/x"}',
        '{"method": 1, "path": 2}',
    ],
)
def test_a_line_without_a_whole_request_is_none(line: str) -> None:
    assert read_answer("logs/a", 1, line) is None


def served(path: str, milliseconds: float, count: int, status: int = 200) -> list[str]:
    return [f"GET {path}/{at} {status} {milliseconds + at * 0.01:.2f}ms" for at in range(count)]


def test_the_slowed_route_is_found_among_quick_ones() -> None:
    stable = answers_in("s", served("/reports/year", 20, 20) + served("/orders", 2, 20))
    canary = answers_in("c", served("/reports/year", 210, 12) + served("/orders", 2, 12))
    found = slowdown(stable, canary)
    assert found is not None
    assert (found.method, found.prefix) == ("GET", "/reports")
    assert found.canary_count == 12
    assert found.canary_example.path.startswith("/reports/year/")
    assert found.canary_seconds == pytest.approx(0.21, rel=0.1)


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        (served("/a", 20, 20), served("/a", 35, 20)),  # less than twice
        (served("/a", 1, 20), served("/a", 8, 20)),  # nobody would notice
        (served("/a", 20, 20), served("/a", 200, 4)),  # too few to tell
        (served("/a", 20, 20), served("/a", 200, 20, status=500)),  # failures are not slowness
        (served("/a", 20, 20), []),
        ([], served("/a", 200, 20)),
    ],
)
def test_what_is_no_slowdown_is_not_called_one(stable: list[str], canary: list[str]) -> None:
    assert slowdown(answers_in("s", stable), answers_in("c", canary)) is None


def test_json_that_nests_too_deeply_is_no_request() -> None:
    assert read_answer("a", 1, '{"a":' * 3000) is None
    assert isinstance(read_answer("a", 1, json.dumps({"method": "GET", "path": "/a" * 500})), Answered)


def test_requests_that_only_wait_behind_slow_ones_are_not_blamed() -> None:
    stable = answers_in("s", served("/reports", 8, 20) + served("/orders", 1, 20))
    canary = answers_in("c", served("/reports", 200, 20) + served("/orders", 90, 20))
    found = slowdown(stable, canary)
    assert found is not None
    assert found.prefix == "/reports"


def test_the_path_that_only_the_canary_answers_with_errors_is_found() -> None:
    stable = answers_in("s", served("/reports/year", 20, 20) + served("/orders", 2, 20))
    canary = answers_in("c", served("/orders", 2, 12) + served("/reports/year", 20, 8, status=500))
    found = failing(stable, canary)
    assert found is not None
    assert (found.method, found.path, found.status) == ("GET", "/reports/year/*", 500)
    assert (found.failed, found.count, found.stable_failed, found.stable_count) == (8, 8, 0, 20)
    assert (found.example.path, found.example.line) == ("/reports/year/0", 13)


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        (served("/a", 20, 20, status=500), served("/a", 20, 20, status=500)),  # the stable version's fault, too
        (served("/a", 20, 20), served("/a", 20, 2, status=500)),  # too few to tell
        (served("/a", 20, 20), served("/a", 20, 100) + served("/a", 20, 5, status=500)),  # one in twenty
        (served("/a", 20, 20), served("/a", 20, 20, status=503)),  # somebody else did not answer
        (served("/a", 20, 20), served("/a", 20, 20, status=404)),
        ([], []),
    ],
)
def test_what_is_no_fault_of_the_canarys_is_no_failing_path(stable: list[str], canary: list[str]) -> None:
    assert failing(answers_in("s", stable), answers_in("c", canary)) is None
