"""The worker's durable work: `heal`, one DBOS workflow an attempt, whose one retried step runs the graph, and `follow`.

DBOS decides when a workflow runs and that it runs again after a crash; LangGraph's checkpoint decides where it
resumes. What makes a repeat harmless is the stages themselves (`ensure`), not the engine.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiosqlite
import structlog
from dbos import DBOS, DBOSConfig
from dbos import error as dbos_error
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from sqlalchemy.exc import OperationalError

from agents.errors import SelfhealError, Transient
from agents.graph import Ports, State, build
from agents.incident import Promotion
from app import queues
from app.data_folder import engine_url

STEP_TRIES = 6
MOST_STARTS = 20
"""How often one attempt is begun again after the worker ended under it. What ends every worker that touches it (the
memory that it takes, say) would otherwise end them for ever, and nobody would be told."""
STOP_SECONDS = 8.0
"""What attempts under way get to end the processes they started when the worker is told to stop."""
EXECUTOR = "worker"
"""Fixed: one service per data folder, so a restart is the same executor and recovers its own work."""

log = structlog.get_logger(__name__)


class Healer:
    """Runs the graph for one attempt, resuming where its last checkpoint stands."""

    def __init__(self, ports: Ports, saver: AsyncSqliteSaver) -> None:
        self.ports = ports
        self._graph = build(saver)

    async def run(self, attempt_id: str) -> None:
        config: RunnableConfig = {"configurable": {"thread_id": attempt_id}}
        snapshot = await self._graph.aget_state(config)
        if snapshot.values and not snapshot.next:
            return
        begin: State | None = None if snapshot.values else {"attempt": attempt_id}
        await self._graph.ainvoke(begin, config, context=self.ports, durability="sync")


async def open_saver(path: Path) -> AsyncSqliteSaver:
    """The checkpointer, on a file of its own; the caller closes `.conn`."""
    connection = await aiosqlite.connect(path)
    await connection.execute("PRAGMA busy_timeout=30000")
    # Strict: a checkpoint may only hold plain data, so that nothing in it can name code to run.
    saver = AsyncSqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    await saver.setup()
    return saver


def is_transient(error: BaseException) -> bool:
    """Whether the step may be repeated: our own word for it, or a database that was busy."""
    return isinstance(error, Transient | OperationalError | sqlite3.OperationalError)


def explain(error: Exception) -> str:
    """Why an attempt failed, in one line for people: what went wrong, not that the engine had enough of it."""
    if isinstance(error, dbos_error.DBOSMaxStepRetriesExceeded) and error.errors:
        return f"{explain(error.errors[-1])} (tried {len(error.errors)} times)"
    message = " ".join(str(error).split())
    return message if isinstance(error, SelfhealError) and message else f"{type(error).__name__}: {message}"


class Engine:
    """DBOS on the running event loop: takes attempts from the queue and heals them, until it is stopped.

    `heal` runs an attempt, from wherever it stands; `give_up` ends one with a reason, once it cannot be healed;
    `follow` does what is left to do about a reported one, once its rollout has passed a canary.
    """

    def __init__(
        self,
        data_dir: Path,
        heal: Callable[[str], Awaitable[None]],
        give_up: Callable[[str, str], Awaitable[None]],
        follow: Callable[[str, Promotion], Awaitable[None]],
    ) -> None:
        self._data_dir = data_dir
        self._heal = heal
        self._give_up = give_up
        self._follow = follow
        self._at_work: set[asyncio.Task[object]] = set()
        self._stopping = False

    async def launch(self) -> None:
        """Register the workflow and start; what an earlier process left unfinished is taken up first."""
        queues.prepare(self._data_dir)
        config: DBOSConfig = {
            "name": queues.APPLICATION,
            "system_database_url": engine_url(self._data_dir),
            "application_version": queues.VERSION,
            "executor_id": EXECUTOR,
            "log_level": "WARNING",
            "notification_listener_polling_interval_sec": 1.0,
        }
        DBOS(config=config)
        self._register()
        self._register_follow()
        DBOS.launch()
        await DBOS.register_queue_async(
            queues.QUEUE, global_concurrency=queues.AT_ONCE, partition_concurrency=1, polling_interval_sec=0.2
        )

    async def stop(self) -> None:
        """Stop taking work; what runs is cut off where it stands, and taken up there at the next start.

        Cut off first: an attempt whose database was closed under it would look like one that failed.
        """
        self._stopping = True
        for task in self._at_work:
            task.cancel()
        if self._at_work:
            await asyncio.wait(self._at_work, timeout=STOP_SECONDS)
        await asyncio.to_thread(DBOS.destroy)

    def _register(self) -> None:
        @DBOS.step(name="graph", retries_allowed=True, max_attempts=STEP_TRIES, should_retry=is_transient)
        async def run_graph(attempt_id: str) -> None:
            status = await DBOS.get_workflow_status_async(attempt_id)
            starts = (status.recovery_attempts if status else None) or 0
            if starts > MOST_STARTS:
                raise SelfhealError(f"the worker ended {starts - 1} times while it was at this attempt")
            await self._heal(attempt_id)

        @DBOS.step(name="give_up", retries_allowed=True, max_attempts=STEP_TRIES, should_retry=is_transient)
        async def end(attempt_id: str, reason: str) -> None:
            await self._give_up(attempt_id, reason)

        @DBOS.workflow(name=queues.WORKFLOW, max_recovery_attempts=None)
        async def heal_workflow(attempt_id: str) -> None:
            with self._registered():
                try:
                    await run_graph(attempt_id)
                except Exception as error:
                    if self._stopping:
                        raise asyncio.CancelledError from error
                    log.exception("attempt failed", attempt=attempt_id)
                    await end(attempt_id, explain(error))

    def _register_follow(self) -> None:
        @DBOS.step(name="follow_up", retries_allowed=True, max_attempts=STEP_TRIES, should_retry=is_transient)
        async def follow_up(attempt_id: str, promotion: dict[str, str]) -> None:
            await self._follow(attempt_id, Promotion.model_validate(promotion))

        @DBOS.workflow(name=queues.FOLLOW, max_recovery_attempts=MOST_STARTS)
        async def follow_workflow(attempt_id: str, promotion: dict[str, str]) -> None:
            with self._registered():
                try:
                    await follow_up(attempt_id, promotion)
                except Exception as error:  # the audit trail has it; the next version that passes tries again
                    if self._stopping:
                        raise asyncio.CancelledError from error
                    log.exception("follow-up failed", attempt=attempt_id)

    @contextlib.contextmanager
    def _registered(self) -> Iterator[None]:
        """Whatever runs is known to `stop`, and nothing begins once it has been asked to."""
        task = asyncio.current_task()
        if task is None or self._stopping:
            raise asyncio.CancelledError
        self._at_work.add(task)
        try:
            yield
        finally:
            self._at_work.discard(task)
