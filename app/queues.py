"""The intake's hand-over to the worker: `heal` once an attempt, `follow` once an attempt and version that passed later.

Names that both sides share live here. Starting a workflow is DBOS's business; the intake only writes the queue entry.
Its id is made of the attempt's, so enqueueing twice is one workflow.
"""

import asyncio
import fcntl
from pathlib import Path

from dbos import DBOS, DBOSClient, EnqueueOptions

from agents.incident import Promotion
from app.data_folder import engine_url

APPLICATION = "selfheal"
VERSION = "1"
"""Graph compatibility: raised when a checkpoint of the old graph cannot be resumed by the new one."""
QUEUE = "heal"
WORKFLOW = "heal"
FOLLOW = "follow"
AT_ONCE = 2


def prepare(data_dir: Path) -> None:
    """Set DBOS's tables up. Intake and worker may start together, and SQLite's DDL is not one transaction."""
    with (data_dir / "dbos.migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        DBOS.migrate(system_database_url=engine_url(data_dir))


class HealQueue:
    """Enqueues attempts."""

    def __init__(self, data_dir: Path) -> None:
        prepare(data_dir)
        self._client = DBOSClient(system_database_url=engine_url(data_dir), application_name=APPLICATION)

    async def put(self, attempt_id: str, partition: str) -> None:
        """Enqueue an attempt; work with the same partition runs one after another."""
        options: EnqueueOptions = {
            "queue_name": QUEUE,
            "workflow_name": WORKFLOW,
            "workflow_id": attempt_id,
            "app_version": VERSION,
            "queue_partition_key": partition,
        }
        await self._client.enqueue_async(options, attempt_id)

    async def follow(self, attempt_id: str, promotion: Promotion) -> None:
        """Enqueue what is left to do about a reported attempt whose rollout has passed a canary since."""
        options: EnqueueOptions = {
            "queue_name": QUEUE,
            "workflow_name": FOLLOW,
            "workflow_id": f"{attempt_id}-{promotion.pod_hash}",
            "app_version": VERSION,
            "queue_partition_key": f"{promotion.cluster}/{promotion.namespace}/{promotion.rollout}",
        }
        await self._client.enqueue_async(options, attempt_id, promotion.model_dump())

    async def close(self) -> None:
        await asyncio.to_thread(self._client.destroy)
