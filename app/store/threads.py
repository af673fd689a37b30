"""SQLite in threads of our own: a transaction is one hop from the event loop and back, and many share one commit.

The async driver makes a hop for every cursor, execution, fetch and close, some 25 for a transaction of three
statements; at 200 notifications a second that alone is more than a core. All that write share one thread, since SQLite
has one writer, and what has queued up meanwhile goes into one transaction: a commit waits for the disk.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.engine import Connection, Engine

READERS = 4
MOST_TOGETHER = 64
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class _Job:
    work: Callable[[Connection], Any]
    answer: "asyncio.Future[Any]"


class SqliteThreads:
    """One thread that writes and a few that read; `reader` is the engine's form for queries."""

    def __init__(self, engine: Engine, reader: Engine) -> None:
        self._engine = engine
        self._reader = reader
        self._writing = ThreadPoolExecutor(1, "store-writer")
        self._reading = ThreadPoolExecutor(READERS, "store-reader")
        self._jobs: deque[_Job] = deque()

    async def read(self, work: Callable[[Connection], Answer]) -> Answer:
        """Run a query."""

        def query() -> Answer:
            with self._reader.connect() as connection:
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._reading, query)

    async def write(self, work: Callable[[Connection], Answer]) -> Answer:
        """Run `work` in a transaction that it may share with others; on an exception nothing of it stays.

        It may be run twice: where another of the same transaction fails, all are rolled back and each gets its own.
        """
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._jobs.append(_Job(work, answer))
        self._writing.submit(self._work_off)
        return await answer

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        self._writing.shutdown()  # not by another thread: DBOS takes the loop's own ones along when it ends
        self._reading.shutdown()
        self._engine.dispose()

    def _work_off(self) -> None:
        jobs = [self._jobs.popleft() for _ in range(min(len(self._jobs), MOST_TOGETHER))]
        if not jobs:
            return  # the one before took this one along
        done = self._together(jobs) or [self._alone(job) for job in jobs]
        jobs[0].answer.get_loop().call_soon_threadsafe(_deliver, jobs, done)

    def _together(self, jobs: Sequence[_Job]) -> list[Any] | None:
        if len(jobs) == 1:
            return None
        try:
            with self._engine.begin() as connection:
                return [job.work(connection) for job in jobs]
        except Exception:  # noqa: BLE001 - whose it is comes out when each is run alone
            return None

    def _alone(self, job: _Job) -> Any:
        try:
            with self._engine.begin() as connection:
                return job.work(connection)
        except Exception as error:  # noqa: BLE001 - raised again where the work was asked for
            return _Failed(error)


@dataclass(frozen=True)
class _Failed:
    error: Exception


def _deliver(jobs: Sequence[_Job], done: Sequence[Any]) -> None:
    for job, result in zip(jobs, done, strict=True):
        if job.answer.cancelled():
            continue
        if isinstance(result, _Failed):
            job.answer.set_exception(result.error)
        else:
            job.answer.set_result(result)
