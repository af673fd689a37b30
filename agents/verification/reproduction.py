"""How the failure can be seen again: derived from the captured logs and objects alone.

The kinds are tried in the order of DESIGN section 6. A request is taken from the log lines around the trace in
the same pod; a program that died is started again the way its pod was.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from agents.changes import ValueChange
from agents.evidence import Bundle
from agents.frames import Signature, Trace
from agents.traffic import Slowdown
from agents.verification.environment import Environment, deployed_environment
from agents.verification.ports import Request
from agents.verification.runners import Runner

METHOD = "GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS"
METHODS = frozenset(METHOD.split("|"))
REQUEST = re.compile(rf"\b({METHOD})\s+(/[^\s\"'<>]*)")
ERROR_ON = re.compile(rf"(?<!\S)(/[^\s\"'<>]*)\s+\[({METHOD})\]")
"""As Flask writes above a trace: `Exception on /orders/7 [GET]`."""
NAMED_STATUS = re.compile(r"\b(?:status(?:_?code)?|HTTP/[\d.]+)[\"']?\s*[=:]?\s*[\"']?([1-5]\d\d)\b", re.IGNORECASE)
FIRST_NUMBER = re.compile(r"(?<![\w.:/-])(\d{1,9})(?![\w.:/-])(?!\s*(?:[nmu]?s|msecs?|seconds?|[kMG]?B|bytes?)\b)")
PATH_KEYS = frozenset({"path", "uri", "url", "target", "requesturi", "requestpath", "requesturl"})
STATUS_KEYS = frozenset({"status", "statuscode", "responsestatus", "responsestatuscode"})
ORIGIN = re.compile(r"^https?://[^/?#]*(?=/)")
LINES_AROUND = 25
MOST_REQUESTS = 3
NO_RUN = "the source repository has no `run:` in .selfheal.yml"


class Commands(BaseModel):
    """How the repository says that its code is run; empty where it does not say."""

    model_config = ConfigDict(frozen=True)

    run: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    off: str | None = None
    """Why nothing of this repository may be run, if so."""
    runner: Runner | None = None
    """What `test` starts, where that is known."""
    untested: str | None = None
    """Why there is no `test`, and what to do about it."""
    targets: tuple[str, ...] = ()
    """The test files that are nearest to the patch: run first, where the runner can be aimed at them."""


class Reproduction(BaseModel):
    """One way to see the failure, and how to tell that it is this failure."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["replay", "start", "latency", "test", "render", "none"]
    reason: str | None = None
    """Why the kind is `none`, or why nothing stronger was possible."""
    signature: Signature | None = None
    requests: tuple[Request, ...] = ()
    container: str | None = None
    environment: Environment = Environment(variables={}, files={})
    """As the canary's pods had it."""
    values: tuple[ValueChange, ...] = ()
    """What differs between the manifests in the file that the diagnosis points to: what a patch of it can give back."""


def derive(
    bundle: Bundle,
    trace: Trace | None,
    signature: Signature | None,
    commands: Commands,
    slower: Slowdown | None = None,
) -> Reproduction:
    """The strongest reproduction that the evidence supports. `trace` is the one that the diagnosis rests on."""
    if trace is None and slower is not None:
        return _derive_latency(bundle, slower, commands)
    if trace is None or signature is None:
        return Reproduction(kind="render", reason="the evidence holds no trace to look for again")
    if commands.off or not commands.run:
        reason = commands.off or NO_RUN
        return Reproduction(kind="render", reason=reason, signature=signature)
    container = _container(trace.item)
    environment = deployed_environment(bundle, container)
    requests = requests_near(bundle.contents[trace.item].split("\n"), trace)
    return Reproduction(
        kind="replay" if requests else "start",
        signature=signature,
        requests=requests,
        container=container,
        environment=environment,
    )


def _derive_latency(bundle: Bundle, slower: Slowdown, commands: Commands) -> Reproduction:
    """Only requests that change nothing are sent again and again."""
    example = slower.canary_example
    if commands.off or not commands.run:
        return Reproduction(kind="none", reason=commands.off or NO_RUN)
    if example.method not in {"GET", "HEAD"}:
        return Reproduction(kind="none", reason=f"a {example.method} request is not repeated to measure it")
    container = _container(example.item)
    return Reproduction(
        kind="latency",
        requests=(Request(method=example.method, path=example.path),),
        container=container,
        environment=deployed_environment(bundle, container),
    )


def requests_near(lines: Sequence[str], trace: Trace) -> tuple[Request, ...]:
    """The requests that may have led to a trace, likeliest first.

    The nearest line at or before the trace that names a request and no answer, or a failed one; then a failed one right
    after it (access lines are often written when the answer is out); then those before it that were answered otherwise.
    """
    first, last = trace.first_line - 1, trace.last_line - 1
    before = [_read(lines[at]) for at in range(min(first, len(lines) - 1), max(-1, first - LINES_AROUND), -1)]
    after = [_read(line) for line in lines[last + 1 : last + 1 + LINES_AROUND]]
    ranked = [
        *(one for one in before if one.status is None or one.status >= 500),
        *(one for one in after if one.status is not None and one.status >= 500),
        *(one for one in before if one.status is not None and 400 <= one.status < 500),
        *before,
    ]
    found = [one.request for one in ranked if one.request is not None and "[REDACTED" not in one.request.path]
    return tuple(dict.fromkeys(found))[:MOST_REQUESTS]


class _Access(NamedTuple):
    """What a line says about a request: which one, and how it was answered."""

    request: Request | None
    status: int | None


def _read(line: str) -> _Access:
    """An access or error line, plain or JSON; of a JSON line without such fields, its message."""
    document = _json_in(line)
    if document is None:
        return _read_text(line)
    found = _read_fields(document)
    if found.request is None:
        texts = [_read_text(value) for _, value in _fields(document) if isinstance(value, str)]
        said = next((one for one in texts if one.request is not None), _Access(None, None))
        found = _Access(said.request, said.status if found.status is None else found.status)
    return found


def _read_text(text: str) -> _Access:
    plain, framework = REQUEST.search(text), ERROR_ON.search(text)
    match = plain or framework
    if match is None:
        return _Access(None, None)
    method, path = (match.group(1), match.group(2)) if plain else (match.group(2), match.group(1))
    rest = text[match.end() :]
    number = NAMED_STATUS.search(rest) or FIRST_NUMBER.search(rest)
    status = int(number.group(1)) if number else None
    return _Access(Request(method=method, path=path), status if status in range(100, 600) else None)


def _json_in(line: str) -> Mapping[str, Any] | None:
    """The JSON object that a line is, whatever a log shipper put before it."""
    at = line.find("{")
    if at < 0:
        return None
    try:
        document = json.loads(line[at:])
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _read_fields(document: Mapping[str, Any]) -> _Access:
    """Method, path and status by the names that loggers give them, also one level down (`{"http": {...}}`)."""
    method = path = None
    status: int | None = None
    for key, value in _fields(document):
        name = key.lower().rpartition(".")[2].replace("_", "")
        text = str(value)
        if name.endswith("method") and text.upper() in METHODS:
            method = method or text.upper()
        elif name in PATH_KEYS and ORIGIN.sub("", text).startswith("/"):
            path = path or ORIGIN.sub("", text)
        elif name in STATUS_KEYS and re.fullmatch("[1-5][0-9]{2}", text):
            status = status or int(text)
    return _Access(Request(method=method, path=path) if method and path else None, status)


def _fields(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from ((inner, below) for inner, below in value.items() if isinstance(below, str | int))
        elif isinstance(value, str | int):
            yield key, value


def _container(item: str) -> str | None:
    parts = item.split("/")
    return parts[3].removesuffix(".previous") if len(parts) == 4 else None
