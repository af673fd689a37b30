"""Failures that nobody notified: every Rollout is watched, and a failed canary goes the way of a notification.

A notification can be lost for good (FINDINGS 3), and a canary that crash-loops without an abort emits no event at all.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from agents.evidence.origin import dig, mappings, parse_time
from agents.incident import Incident
from agents.redaction import Redactor
from app.intake import Intake
from app.listening import Feed, Listener
from app.notification import ENABLED, Notification, Sighting, identify, promotion_of
from app.store import inbox
from app.store.database import Database

TRIGGER = "reconciler"
INCONCLUSIVE = frozenset({"InconclusiveAnalysisRun", "InconclusiveExperiment"})
MOST_KNOWN = 10_000


class Reconciler:
    """Watches the Rollouts of every cluster and hands failed canaries to the intake, each failure once."""

    def __init__(
        self,
        feed: Feed,
        db: Database,
        intake: Intake,
        now: Callable[[], datetime],
        namespaces: Sequence[str],
        onlooker: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> None:
        """`namespaces` are watched in every cluster, "" is all; `onlooker` is shown every Rollout as well."""
        self._db = db
        self._intake = intake
        self._now = now
        self._onlooker = onlooker
        self._known: OrderedDict[str, None] = OrderedDict()
        self.listeners = [
            Listener(feed, cluster, "rollout", namespace, "", self._seer(cluster))
            for cluster in feed.names
            for namespace in namespaces
        ]

    async def run(self) -> None:
        """Until cancelled."""
        await asyncio.gather(*(listener.keep_listening() for listener in self.listeners))

    async def see(self, cluster: str, rollout: dict[str, Any]) -> None:
        """Look at a Rollout as it is now. What is kept first is the inbox row, so that a kill loses nothing."""
        if self._onlooker is not None:
            self._onlooker(cluster, rollout)
        found = sighting_of(rollout, cluster)
        if found is None:
            await self._see_promoted(rollout, cluster)
            return
        row = _row(found)
        if row in self._known:
            return
        body = {"trigger": TRIGGER, "rollout": rollout}
        incident = found.incident
        notification = Notification(
            disposition="incident",
            trigger=TRIGGER,
            namespace=incident.namespace,
            rollout=incident.rollout,
            canary_hash=incident.canary_hash,
            sighting=found,
            body=body,
        )
        await inbox.put(self._db, row, cluster, notification, Redactor().redact_json(body), self._now())
        self._remember(row)
        self._intake.begin(inbox.Pending(id=row, sighting=found))

    async def _see_promoted(self, rollout: dict[str, Any], cluster: str) -> None:
        """A healthy Rollout, once a version: its own notification of that may have been lost."""
        status = dig(rollout, "status")
        if status.get("phase") != "Healthy" or status.get("stableRS") != status.get("currentPodHash"):
            return
        promotion = promotion_of(rollout, cluster)
        if promotion is None:
            return
        seen = promotion.model_dump_json()
        if seen not in self._known:
            await self._intake.promote(promotion)
            self._remember(seen)

    def _seer(self, cluster: str) -> Callable[[dict[str, Any]], Any]:
        async def see(rollout: dict[str, Any]) -> None:
            await self.see(cluster, rollout)

        return see

    def _remember(self, row: str) -> None:
        self._known[row] = None
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)


def sighting_of(rollout: dict[str, Any], cluster: str) -> Sighting | None:
    """The failed canary that a Rollout's status tells of; None if it tells of none."""
    status = dig(rollout, "status")
    aborted_at = parse_time(status.get("abortedAt"))
    paused_for = {pause.get("reason") for pause in mappings(status.get("pauseConditions"))}
    was_aborted = status.get("abort") is True and status.get("phase") is None  # before there were phases
    if not (aborted_at or was_aborted or status.get("phase") == "Degraded" or paused_for & INCONCLUSIVE):
        return None
    if str(dig(rollout, "metadata", "annotations").get(ENABLED)).strip().lower() == "false":
        return None
    incident = identify(rollout, cluster)
    if not isinstance(incident, Incident):
        return None
    return Sighting(incident=incident, trigger=TRIGGER, aborted_at=aborted_at)


def _row(sighting: Sighting) -> str:
    """The same failure is the same row, whatever else changes in the Rollout meanwhile."""
    aborted_at = sighting.aborted_at.isoformat() if sighting.aborted_at else None
    identity = [TRIGGER, sighting.incident.key, aborted_at]
    return inbox.row_id(sighting.incident.cluster, json.dumps(identity).encode())
