"""Reading one container's log: the newest lines, and the first error where it is older than those."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from agents.evidence import LogSource, LogText
from agents.evidence.sealing import ERROR, FIRST_ERROR_LINES
from app.adapters.cluster.connection import Connection, Expired, Refused, Reply
from app.adapters.cluster.queries import path_of

TAIL_LINES = 2000
TAIL_BYTES = 8 * 1024 * 1024
HEAD_BYTES = 16 * 1024 * 1024
"""How far from its start a long log is searched for its first error."""
SECONDS = 4.0
"""For the newest lines. With an earlier list of pods this stays below the deadline of a whole capture."""
HEAD_SECONDS = 1.5
NO_LOG = ("is waiting to start", "previous terminated container", "not found in pod")


async def read_log(connection: Connection, namespace: str, source: LogSource, seconds: float = SECONDS) -> LogText:
    """The newest `TAIL_LINES` lines, each with the kubelet's time before it, and the lines of the first error.

    Of a log that does not end within `seconds`, what has come by then.
    """
    reply = await _tail(connection, namespace, source, TAIL_LINES, seconds)
    text = reply.body.decode("utf-8", "replace")
    if reply.status not in {"ok", "truncated"}:
        return _without(reply)
    if len(reply.body) >= TAIL_BYTES:
        # the limit counts from the oldest of the lines, so the newest ones are what is missing: ask for fewer
        lines = max(1, text.count("\n") // 2)
        fewer = await _tail(connection, namespace, source, lines, seconds)
        if fewer.status == "ok":
            text = fewer.body.decode("utf-8", "replace")
    elif text.count("\n") < TAIL_LINES:
        return LogText(status=reply.status if text else "empty", reason=reply.reason, text=text)
    head = await _first_error(connection, namespace, source, text) if source.side != "stable" else ""
    what = "the first error and the newest lines" if head else "the newest lines"
    reason = reply.reason or f"{what} of a longer log"
    return LogText(status="truncated", reason=reason, text=head + text)


async def _tail(connection: Connection, namespace: str, source: LogSource, lines: int, seconds: float) -> Reply:
    params = [*_params(source), ("tailLines", str(lines)), ("limitBytes", str(TAIL_BYTES))]
    return await connection.get(_path(namespace, source), params, seconds, is_log=True)


async def _first_error(connection: Connection, namespace: str, source: LogSource, tail: str) -> str:
    """The first error and what follows it, if it is older than the tail. Best effort: the tail is in hand."""
    params = [*_params(source), ("limitBytes", str(HEAD_BYTES))]
    try:
        async with aclosing(connection.lines(_path(namespace, source), params, HEAD_SECONDS)) as stream:
            return await _scan(stream, tail.partition("\n")[0])
    except (Refused, Expired):
        return ""


async def _scan(stream: AsyncIterator[bytes], first_of_tail: str) -> str:
    kept: list[str] = []
    async for raw in stream:
        line = raw.decode("utf-8", "replace")
        if line == first_of_tail:
            break
        if kept or ERROR.search(line):
            kept.append(line)
        if len(kept) >= FIRST_ERROR_LINES:
            break
    return "".join(f"{line}\n" for line in kept)


def _params(source: LogSource) -> list[tuple[str, str]]:
    params = [("container", source.container), ("timestamps", "true")]
    return [*params, ("previous", "true")] if source.previous else params


def _path(namespace: str, source: LogSource) -> str:
    return f"{path_of('pod', namespace, source.pod)}/log"


def _without(reply: Reply) -> LogText:
    """No text, and why: a container that has not started has an empty log, which is no failure of ours."""
    reason = reply.reason or ""
    if reply.code == 400 and any(words in reason for words in NO_LOG):
        return LogText(status="empty", reason=reason)
    return LogText(status=reply.status, reason=reason or None)
