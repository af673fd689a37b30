"""SQLite in threads of our own: a statement is one hop from the event loop and back.

The async driver makes a hop for every cursor, execution, description, fetch and close, some 25 for a transaction of
three statements; at 200 notifications a second that alone is more than a core. Transactions that write share one
thread, since SQLite has one writer: they wait for their turn first come, first served, instead of trying again and
again in SQLite's busy handler.
"""

import asyncio
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy.engine import Connection, CursorResult, Dialect, Engine
from sqlalchemy.sql.base import Executable

READERS = 4
Answer = TypeVar("Answer")


class Executes(Protocol):
    """What the store's functions use of a connection, whichever database it leads to."""

    @property
    def dialect(self) -> Dialect: ...

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        """Run a statement; its rows, if it has any, are read already."""
        ...


class ThreadedConnection:
    """A connection that lives in one thread, opened by its first statement."""

    def __init__(self, engine: Engine, thread: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._thread = thread
        self._connection: Connection | None = None

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    async def execute(self, statement: Executable, parameters: Any = None, /) -> CursorResult[Any]:
        return await self._run(lambda: self._execute(statement, parameters))

    async def commit(self) -> None:
        await self._run(self._commit)

    async def close(self) -> None:
        """Give the connection back; what was not committed is rolled back."""
        await self._run(self._close)

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _execute(self, statement: Executable, parameters: Any) -> CursorResult[Any]:
        if self._connection is None:
            self._connection = self._engine.connect()
        result = self._connection.execute(statement, parameters)
        return cast("CursorResult[Any]", result.freeze()()) if result.returns_rows else result

    def _commit(self) -> None:
        if self._connection is not None:
            self._connection.commit()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class Threads:
    """The threads of one SQLite database: one for all that write, a few for those that only read."""

    def __init__(self) -> None:
        self.writer = ThreadPoolExecutor(1, "store-writer")
        self._readers = [ThreadPoolExecutor(1, f"store-reader-{at}") for at in range(READERS)]
        self._next = itertools.cycle(self._readers)
        self.turn = asyncio.Lock()
        """Held through a write transaction: its statements and another's may not take turns in the thread."""

    @property
    def reader(self) -> ThreadPoolExecutor:
        return next(self._next)

    def stop(self) -> None:
        for thread in (self.writer, *self._readers):
            thread.shutdown(wait=True)
