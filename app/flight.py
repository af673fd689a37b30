"""What flight recorders heard of a canary that failed, kept in the store from its failure until its bundle is sealed.

A process that is killed in between takes the recorder's memory along, and by then the pods may be gone. What is stored
is redacted first, so that nothing raw is ever written.
"""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from agents.evidence import Target
from agents.evidence.recording import Recording
from agents.incident import Incident
from app.capture import target_of
from app.store import recordings
from app.store.database import Database

KEEPING = ThreadPoolExecutor(max_workers=1, thread_name_prefix="keep")
"""Not the thread that seals: in a storm what was heard would wait there for other incidents' bundles."""


class FlightRecords:
    """What this process heard, and what processes before it did."""

    def __init__(self, db: Database, heard: Callable[[Target], Recording]) -> None:
        self._db = db
        self._heard = heard
        self._process = uuid.uuid4().hex

    async def keep(self, incident: Incident, now: datetime) -> None:
        """Store what has been heard by now; nothing if that is nothing."""
        heard = self._heard(target_of(incident))
        if not (heard.logs or heard.pods or heard.events):
            return
        redacted = await asyncio.get_running_loop().run_in_executor(KEEPING, heard.redacted)
        await recordings.keep(self._db, incident.key, self._process, redacted, now)

    async def of(self, incident: Incident, target: Target) -> Sequence[Recording]:
        """Ours as it is now, then those that earlier processes kept."""
        return self._heard(target), *await recordings.load(self._db, incident.key, self._process)
