"""The worker's durable work: `heal`, one DBOS workflow an attempt, whose one retried step runs the graph.

DBOS decides when a workflow runs and that it runs again after a crash; LangGraph's checkpoint decides where it
resumes. What makes a repeat harmless is the stages themselves (`ensure`), not the engine.
"""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiosqlite
import structlog
from dbos import DBOS, DBOSConfig
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from sqlalchemy.exc import OperationalError

from agents.errors import Transient
from agents.graph import Ports, State, build
from app import queues
from app.data_folder import engine_url

STEP_TRIES = 6
EXECUTOR = "worker"
"""Fixed: one service per data folder, so a restart is the same executor and recovers its own work."""

log = structlog.get_logger(__name__)


class Healer:
    """Runs the graph for one attempt, resuming where its last checkpoint stands."""

    def __init__(self, ports: Ports, saver: AsyncSqliteSaver) -> None:
        self._ports = ports
        self._graph = build(saver)

    async def run(self, attempt_id: str) -> None:
        config: RunnableConfig = {"configurable": {"thread_id": attempt_id}}
        snapshot = await self._graph.aget_state(config)
        if snapshot.values and not snapshot.next:
            return
        begin: State | None = None if snapshot.values else {"attempt": attempt_id}
        await self._graph.ainvoke(begin, config, context=self._ports, durability="sync")


async def open_saver(path: Path) -> AsyncSqliteSaver:
    """The checkpointer, on a file of its own; the caller closes `.conn`."""
    # Strict: a checkpoint may only hold plain data, so that nothing in it can name code to run.
    os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"  # noqa: TID251 - LangGraph takes this setting only so
    connection = await aiosqlite.connect(path)
    await connection.execute("PRAGMA busy_timeout=30000")
    saver = AsyncSqliteSaver(connection)
    await saver.setup()
    return saver


def is_transient(error: BaseException) -> bool:
    """Whether the step may be repeated: our own word for it, or a database that was busy."""
    return isinstance(error, Transient | OperationalError)


async def launch(
    data_dir: Path, heal: Callable[[str], Awaitable[None]], give_up: Callable[[str, str], Awaitable[None]]
) -> None:
    """Register the workflow and start DBOS on the running event loop; its recovery takes up unfinished work."""
    queues.prepare(data_dir)
    config: DBOSConfig = {
        "name": queues.APPLICATION,
        "system_database_url": engine_url(data_dir),
        "application_version": queues.VERSION,
        "executor_id": EXECUTOR,
        "log_level": "WARNING",
        "notification_listener_polling_interval_sec": 1.0,
    }
    DBOS(config=config)

    @DBOS.step(name="graph", retries_allowed=True, max_attempts=STEP_TRIES, should_retry=is_transient)
    async def run_graph(attempt_id: str) -> None:
        await heal(attempt_id)

    @DBOS.workflow(name=queues.WORKFLOW)
    async def heal_workflow(attempt_id: str) -> None:
        try:
            await run_graph(attempt_id)
        except Exception as error:
            log.exception("attempt failed", attempt=attempt_id)
            await give_up(attempt_id, f"{type(error).__name__}: {error}")

    DBOS.launch()
    await DBOS.register_queue_async(
        queues.QUEUE, global_concurrency=queues.AT_ONCE, partition_concurrency=1, polling_interval_sec=0.2
    )


def stop() -> None:
    """Stop taking work; what runs is left where it stands and taken up at the next start."""
    DBOS.destroy()
