"""How the failure can be seen again: derived from the captured logs and objects alone.

The kinds are tried in the order of DESIGN section 6. A request is taken from the log lines around the trace in
the same pod; a program that died is started again the way its pod was.
"""

import re
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.evidence import Bundle
from agents.frames import Signature, Trace
from agents.traffic import Slowdown
from agents.verification.environment import Environment, deployed_environment
from agents.verification.ports import Request

REQUEST = re.compile(r"\b(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s+(/[^\s\"'<>]*)")
JSON_METHOD = re.compile(r'"(?:http_?)?(?:request_?)?method"\s*:\s*"([A-Z]+)"', re.IGNORECASE)
JSON_PATH = re.compile(r'"(?:request_?|url_?)?(?:path|uri|url|target)"\s*:\s*"(/[^"]*)"', re.IGNORECASE)
STATUS = re.compile(r"(?<![\w.:/-])([1-5]\d\d)(?![\w.:/-])")
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


class Reproduction(BaseModel):
    """One way to see the failure, and how to tell that it is this failure."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["replay", "start", "latency", "render", "none"]
    reason: str | None = None
    """Why the kind is `none`, or why nothing stronger was possible."""
    signature: Signature | None = None
    requests: tuple[Request, ...] = ()
    container: str | None = None
    environment: Environment = Environment(variables={}, files={})
    """As the canary's pods had it."""


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

    Nearest line at or before the trace that names a request and no success; then a failed one right after it (access
    lines are often written when the answer is out); then any before it.
    """
    first, last = trace.first_line - 1, trace.last_line - 1
    before = [lines[at] for at in range(first, max(-1, first - LINES_AROUND), -1)]
    after = list(lines[last + 1 : last + 1 + LINES_AROUND])
    ranked = [
        *(line for line in before if not _succeeded(line)),
        *(line for line in after if _failed(line)),
        *before,
    ]
    found: list[Request] = []
    for line in ranked:
        request = request_in(line)
        if request is not None and request not in found:
            found.append(request)
    return tuple(found[:MOST_REQUESTS])


def request_in(line: str) -> Request | None:
    """The request that an access or error line names, plain or JSON; None where a part was redacted."""
    plain = REQUEST.search(line)
    method, path = JSON_METHOD.search(line), JSON_PATH.search(line)
    if plain:
        request = Request(method=plain.group(1), path=plain.group(2))
    elif method and path:
        request = Request(method=method.group(1).upper(), path=path.group(1))
    else:
        return None
    return None if "[REDACTED" in request.path else request


def _succeeded(line: str) -> bool:
    request = REQUEST.search(line)
    rest = line[request.end() :] if request else line
    return any(status[0] in "123" for status in STATUS.findall(rest)) and not _failed(line)


def _failed(line: str) -> bool:
    request = REQUEST.search(line)
    rest = line[request.end() :] if request else line
    return any(status[0] == "5" for status in STATUS.findall(rest))


def _container(item: str) -> str | None:
    parts = item.split("/")
    return parts[3].removesuffix(".previous") if len(parts) == 4 else None
