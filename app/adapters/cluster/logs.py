"""Reading one container's log: the newest lines, and of older ones the first of every kind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from agents.evidence import Cut, LogSource, LogText
from agents.logs import Firsts, gap_line, with_gaps
from app.adapters.cluster.connection import Connection, Expired, Refused, Reply
from app.adapters.cluster.queries import path_of

TAIL_LINES = 2000
TAIL_BYTES = 8 * 1024 * 1024
HEAD_BYTES = 64 * 1024 * 1024
"""How far from its start a long log is searched for the first of every kind. It is never in memory as a whole."""
SECONDS = 4.0
"""For the newest lines. With an earlier list of pods this stays below the deadline of a whole capture."""
HEAD_SECONDS = 1.5
BLOCK = 256 * 1024
"""Bytes that are looked at at once, in a thread: that takes milliseconds."""
LONGEST_LINE = 8 * 1024 * 1024
NO_LOG = ("is waiting to start", "previous terminated container", "not found in pod")


async def read_log(connection: Connection, namespace: str, source: LogSource, seconds: float = SECONDS) -> LogText:
    """The newest `TAIL_LINES` lines, each with the kubelet's time before it, and the first of every kind before them.

    Of a log that does not end within `seconds`, what has come by then. The API tells neither how long a log is nor
    gives its middle: where its start takes too long to read, what lies between is left out, and nobody knows how much.
    """
    reply = await _tail(connection, namespace, source, TAIL_LINES + 1, seconds)  # one more tells that there are more
    text = reply.body.decode("utf-8", "replace")
    if reply.status not in {"ok", "truncated"}:
        return _without(reply)
    if len(reply.body) >= TAIL_BYTES:
        # the limit counts from the oldest of the lines, so the newest ones are what is missing: ask for fewer
        lines = max(1, text.count("\n") // 2)
        fewer = await _tail(connection, namespace, source, lines, seconds)
        if fewer.status == "ok":
            text = fewer.body.decode("utf-8", "replace")
    elif text.count("\n") <= TAIL_LINES:
        return LogText(status=reply.status if text else "empty", reason=reply.reason, text=text)
    head = await _head(connection, namespace, source, text)
    if head.status == "ok" and reply.status == "ok":
        return LogText(status="ok", text=head.text + text)
    what = "the first of each kind of lines and the newest ones" if head.text else "the newest lines"
    reason = reply.reason or f"{what} of a longer log"
    return LogText(status="truncated", reason=reason, text=head.text + text, cut=head.cut)


async def _tail(connection: Connection, namespace: str, source: LogSource, lines: int, seconds: float) -> Reply:
    params = [*_params(source), ("tailLines", str(lines)), ("limitBytes", str(TAIL_BYTES))]
    return await connection.get(_path(namespace, source), params, seconds, is_log=True)


async def _head(connection: Connection, namespace: str, source: LogSource, tail: str) -> LogText:
    """What is to be kept of the lines before the tail, and a gap. Best effort: the tail is in hand."""
    params = [*_params(source), ("limitBytes", str(HEAD_BYTES))]
    before = _Before(tail)
    try:
        async with (
            asyncio.timeout(HEAD_SECONDS),
            aclosing(connection.chunks(_path(namespace, source), params, HEAD_SECONDS)) as stream,
        ):
            await before.read(stream)
    except (Refused, Expired, TimeoutError):
        pass
    return before.kept()


class _Before:
    """The lines of a log before its tail, as far as they were read."""

    def __init__(self, tail: str) -> None:
        self._tail_lines = tail.count("\n")
        self._first = tail.partition("\n")[0].encode("utf-8", "replace")
        self._firsts = Firsts(TAIL_BYTES)
        self._number = 1
        """Of the next line."""
        self._reached = False
        """Whether the tail was reached, so that it is known how many lines are before it."""

    async def read(self, stream: AsyncIterator[bytes]) -> None:
        """Look at blocks of whole lines until the first line of the tail comes."""
        rest = b""
        async for chunk in stream:
            rest += chunk
            if len(rest) < BLOCK:
                continue
            end = rest.rfind(b"\n") + 1
            if await self._look(rest[:end]) or len(rest) - end > LONGEST_LINE:
                return
            rest = rest[end:]
        await self._look(rest[: rest.rfind(b"\n") + 1])

    async def _look(self, block: bytes) -> bool:
        """Look at whole lines; True once the tail was reached."""
        found = 0 if block.startswith(self._first + b"\n") else block.find(b"\n" + self._first + b"\n") + 1
        self._reached = found > 0 or block.startswith(self._first + b"\n")
        lines = block[:found] if self._reached else block
        if lines:
            await asyncio.to_thread(self._firsts.see, lines.decode("utf-8", "replace"), self._number)
            self._number += lines.count(b"\n")
        return self._reached

    def kept(self) -> LogText:
        """The first lines, and what of the lines before the tail was left out."""
        lines = [(number, f"{line}\n") for number, line in self._firsts.kept]
        if not lines:
            return LogText(status="empty")
        if not self._reached:
            text = "".join((*with_gaps(lines, lines[-1][0] + 1), f"{gap_line()}\n"))
            return LogText(status="truncated", text=text)
        kept, of = len(lines) + self._tail_lines, self._number - 1 + self._tail_lines
        how = f"the beginning, the first of each of {self._firsts.kinds} kinds of lines, and the newest lines"
        text = "".join(with_gaps(lines, self._number))
        if kept == of:
            return LogText(status="ok", text=text)
        return LogText(status="truncated", text=text, cut=Cut(kept=kept, of=of, how=how))


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
