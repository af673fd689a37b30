"""What a version's logs say of the requests it answered, and which requests the canary answers more slowly.

Access lines are read in the forms that servers write them: method and path in plain text or as JSON keys, a status, and
a duration with its unit. A line that does not name the unit says nothing about time.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.logs import strip_prefix

REQUEST = re.compile(r"\b(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s+(/[^\s\"'<>]*)")
STATUS = re.compile(r"(?<![\w.:/-])([1-5]\d\d)(?![\w.:/-])")
DURATION = re.compile(r"(?<![\w.:/-])(\d+(?:\.\d+)?)\s?(us|µs|μs|ms|s|sec|seconds?|msec|milliseconds?)\b(?![\w/-])")
SECONDS = {"u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "s": 1.0}
"""By the first letter of the unit."""
METHOD_KEY = re.compile(r"(?:http_?)?(?:request_?)?method", re.IGNORECASE)
PATH_KEY = re.compile(r"(?:http_?|request_?|url_?)?(?:path|uri|url|target)", re.IGNORECASE)
STATUS_KEY = re.compile(r"(?:http_?|response_?)?status(?:_?code)?", re.IGNORECASE)
TIME_KEY = re.compile(
    r"(?:request_?|response_?)?(?:duration|latency|elapsed|took|time)(?:_?(?P<unit>us|ms|s|sec|seconds))?",
    re.IGNORECASE,
)
SECONDS_BY_CUSTOM = frozenset({"request_time"})
"""Keys without a unit whose unit everybody knows: nginx counts `$request_time` in seconds."""
LONGEST = 4000
"""Characters of a line that are looked at."""

ENOUGH = 8
"""Requests of each version below which a median says nothing."""
SLOWER = 2.0
"""The canary's median against the stable version's (DESIGN section 6)."""
NOTICEABLE_SECONDS = 0.01
MOST_OF = 0.75
"""Share of a group's requests that must be slower: a group that also holds quick routes is too wide."""
ABOUT_AS_SLOW = 0.75
OWN_FAULTS = frozenset({500, 501})
ENOUGH_FAILED = 3
FAILING_LESS = 10
"""At least one in so many requests to a path has to fail."""
RISEN = 4
"""How many times the stable version's share of failed requests the canary's has to be."""
VALUE = re.compile(r"(?<=/)(?:[0-9a-fA-F-]{8,}|[^/]*\d[^/]*)(?=/|$)")
"""A segment of a path that is a value: it holds a digit, or is an id."""


class Answered(BaseModel):
    """A request and how it was answered, as one log line tells it."""

    model_config = ConfigDict(frozen=True)

    method: str
    path: str
    status: int | None
    seconds: float | None
    item: str
    line: int
    """In the item, from 1."""


class Slowdown(BaseModel):
    """A group of requests that the canary answers at least twice as slowly. Seconds are medians."""

    model_config = ConfigDict(frozen=True)

    method: str
    prefix: str
    """The path, or the beginning that all of its requests share."""
    stable_seconds: float
    canary_seconds: float
    stable_count: int
    canary_count: int
    stable_example: Answered
    canary_example: Answered
    """Those nearest to the medians."""

    @property
    def added(self) -> float:
        """Seconds more than before."""
        return self.canary_seconds - self.stable_seconds


class Failing(BaseModel):
    """Requests to one path that the canary answers with an error of its own, and the stable version does not."""

    model_config = ConfigDict(frozen=True)

    method: str
    path: str
    """As the values in it are masked, `*` for each."""
    status: int
    failed: int
    count: int
    """Of the canary's requests to the path."""
    stable_failed: int
    stable_count: int
    example: Answered
    """The first that failed."""


def answers_in(item: str, lines: Iterable[str]) -> tuple[Answered, ...]:
    """The answered requests of a log, in order."""
    found = (read_answer(item, number, line) for number, line in enumerate(lines, 1))
    return tuple(answer for answer in found if answer is not None)


def read_answer(item: str, number: int, line: str) -> Answered | None:
    """The request that an access or error line names; None where it names none, or a part of it was redacted."""
    text = strip_prefix(line[:LONGEST])
    if text.startswith("{"):
        return _from_json(item, number, text)
    request = REQUEST.search(text)
    if request is None or "[REDACTED" in request.group(2):
        return None
    rest = text[request.end() :]
    status, duration = STATUS.search(rest), DURATION.search(rest)
    return Answered(
        method=request.group(1),
        path=request.group(2),
        status=int(status.group(1)) if status else None,
        seconds=float(duration.group(1)) * SECONDS[duration.group(2)[0]] if duration else None,
        item=item,
        line=number,
    )


def _from_json(item: str, number: int, text: str) -> Answered | None:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    for inner in ("http", "httpRequest", "request", "req"):
        if isinstance(fields.get(inner), dict):
            fields = {**fields[inner], **fields}
    method, path = _field(fields, METHOD_KEY), _field(fields, PATH_KEY)
    if not isinstance(method, str) or not isinstance(path, str) or "[REDACTED" in path or not path.startswith("/"):
        return None
    status = _field(fields, STATUS_KEY)
    return Answered(
        method=method.upper()[:10],
        path=path,
        status=int(status) if str(status).isdigit() else None,
        seconds=_seconds(fields),
        item=item,
        line=number,
    )


def _field(fields: dict[str, Any], key: re.Pattern[str]) -> Any:
    return next((value for name, value in fields.items() if key.fullmatch(name)), None)


def _seconds(fields: dict[str, Any]) -> float | None:
    for name, value in fields.items():
        match = TIME_KEY.fullmatch(name)
        if match is None:
            continue
        if isinstance(value, str) and (written := DURATION.fullmatch(value.strip())):
            return float(written.group(1)) * SECONDS[written.group(2)[0]]
        unit = match["unit"] or ("s" if name.lower() in SECONDS_BY_CUSTOM else None)
        if unit and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value) * SECONDS[unit[0].lower()]
    return None


def failing(stable: Sequence[Answered], canary: Sequence[Answered]) -> Failing | None:
    """The path whose requests fail most often in the canary alone; None where none does often enough.

    Gateways' statuses (502 to 504) tell of somebody else who did not answer.
    """
    before, after = _by_path(stable), _by_path(canary)
    found: list[Failing] = []
    for (method, path), answers in after.items():
        failed = [one for one in answers if one.status in OWN_FAULTS]
        old = before.get((method, path), [])
        old_failed = sum(one.status in OWN_FAULTS for one in old)
        if len(failed) < ENOUGH_FAILED or len(failed) * FAILING_LESS < len(answers):
            continue
        if old_failed * len(answers) * RISEN > len(failed) * len(old):
            continue
        found.append(
            Failing(
                method=method,
                path=path,
                status=failed[0].status or 500,
                failed=len(failed),
                count=len(answers),
                stable_failed=old_failed,
                stable_count=len(old),
                example=failed[0],
            )
        )
    return max(found, key=lambda one: (one.failed, one.path), default=None)


def _by_path(answers: Sequence[Answered]) -> dict[tuple[str, str], list[Answered]]:
    groups: dict[tuple[str, str], list[Answered]] = defaultdict(list)
    for answer in answers:
        if answer.status is not None:
            groups[answer.method, VALUE.sub("*", answer.path.partition("?")[0].rstrip("/")) or "/"].append(answer)
    return groups


def slowdown(stable: Sequence[Answered], canary: Sequence[Answered]) -> Slowdown | None:
    """The requests that slowed down most, None where none did noticeably. Failed requests do not count."""
    before, after = _groups(stable), _groups(canary)
    found: dict[tuple[str, str], Slowdown] = {}
    for group in before.keys() & after.keys():
        slower = _compare(group, before[group], after[group])
        if slower is not None:
            found[group] = slower
    if not found:
        return None
    # By what was added, not by ratio: quick requests that wait behind slow ones grow many times over, but by less.
    worst = max(found.values(), key=lambda one: (one.added, one.prefix))
    return _widen(worst, found, after)


def _compare(group: tuple[str, str], old: Sequence[Answered], new: Sequence[Answered]) -> Slowdown | None:
    if len(old) < ENOUGH or len(new) < ENOUGH:
        return None
    usual, now = _median(old), _median(new)
    slow = sum((answer.seconds or 0.0) >= SLOWER * usual for answer in new)
    if now < SLOWER * usual or now - usual < NOTICEABLE_SECONDS or slow < MOST_OF * len(new):
        return None
    method, prefix = group
    return Slowdown(
        method=method,
        prefix=prefix,
        stable_seconds=usual,
        canary_seconds=now,
        stable_count=len(old),
        canary_count=len(new),
        stable_example=_nearest(old, usual),
        canary_example=_nearest(new, now),
    )


def _widen(
    worst: Slowdown, found: Mapping[tuple[str, str], Slowdown], groups: Mapping[tuple[str, str], Sequence[Answered]]
) -> Slowdown:
    """The route rather than one of its paths: as long as everything below the wider prefix is about as slow."""
    here = worst
    while here.prefix != "/":
        wider = found.get((here.method, here.prefix.rpartition("/")[0] or "/"))
        if wider is None:
            break
        below = [
            found.get(group)
            for group, answers in groups.items()
            if group[0] == here.method and _is_below(group[1], wider.prefix) and len(answers) >= ENOUGH
        ]
        if any(one is None or one.added < ABOUT_AS_SLOW * worst.added for one in below):
            break
        here = wider
    return here


def _is_below(prefix: str, wider: str) -> bool:
    return prefix != wider and (prefix.rpartition("/")[0] or "/") == wider


def _groups(answers: Sequence[Answered]) -> dict[tuple[str, str], list[Answered]]:
    """Answers by method and every beginning of their path, the query left out."""
    groups: dict[tuple[str, str], list[Answered]] = defaultdict(list)
    for answer in answers:
        if answer.seconds is None or (answer.status is not None and answer.status >= 500):
            continue
        parts = answer.path.partition("?")[0].rstrip("/").split("/")
        for depth in range(1, len(parts) + 1):
            groups[answer.method, "/".join(parts[:depth]) or "/"].append(answer)
    return groups


def _median(answers: Sequence[Answered]) -> float:
    return median(answer.seconds or 0.0 for answer in answers)


def _nearest(answers: Sequence[Answered], seconds: float) -> Answered:
    return min(answers, key=lambda answer: abs((answer.seconds or 0.0) - seconds))
