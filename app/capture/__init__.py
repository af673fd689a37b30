"""Capture: everything that will be gone in a moment, asked for at once, every gap with its reason.

Nothing that is missing raises: it becomes an item with its status, and the bundle is sealed with what there is.
"""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from agents.evidence import KINDS, Answer, Bundle, Cluster, Kind, LogSource, LogText, Objects, Target, seal
from agents.evidence.relations import side_of
from agents.incident import Incident
from app.capture.gathering import Gathering

NO_CLUSTER = "no cluster is configured"
EXPECTED = frozenset({"rollout", "replicaset", "pod", "analysisrun", "event", "configmap", "application"})
"""Kinds that every rollout has or may well have; that there is none of another kind goes without saying."""


async def capture(
    cluster: Cluster | None,
    incident: Incident,
    attempt: int,
    notification: dict[str, Any] | None,
    now: Callable[[], datetime],
) -> Bundle:
    """The sealed bundle of an attempt. `notification` is the body that opened it, if one did."""
    captured_at = now()
    answers = [_notification(notification)] if notification is not None else []
    if cluster is None:
        answers += [
            Answer(id=f"objects/{kind}", kind="object", side="none", status="denied", reason=NO_CLUSTER)
            for kind in KINDS
            if kind in EXPECTED
        ]
        return await asyncio.to_thread(seal, incident, attempt, answers, captured_at)
    gathering = Gathering(cluster, target_of(incident))
    await gathering.gather()
    for kind, objects in gathering.objects.items():
        answers += _object_answers(kind, objects, gathering.target)
    answers += [_log_answer(source, text) for source, text in gathering.logs.items()]
    answers += [
        Answer(id=f"logs/{side}", kind="log", side=side, status="truncated", reason=f"{count} more pods were not asked")
        for side, count in gathering.left_out.items()
    ]
    return await asyncio.to_thread(seal, incident, attempt, answers, captured_at)


def target_of(incident: Incident) -> Target:
    """What to ask a cluster for, to see this incident."""
    return Target(
        cluster=incident.cluster,
        namespace=incident.namespace,
        rollout=incident.rollout,
        canary_hash=incident.canary_hash,
        stable_hash=incident.stable_hash,
        uid=incident.uid,
        revision=incident.revision,
    )


def _notification(body: dict[str, Any]) -> Answer:
    return Answer(id="notification", kind="notification", side="none", status="ok", content=body)


def _log_answer(source: LogSource, text: LogText) -> Answer:
    return Answer(
        id=source.item_id,
        kind="log",
        side=source.side,
        status=text.status,
        reason=text.reason,
        content=text.text if text.status in {"ok", "truncated"} else None,
    )


def _object_answers(kind: Kind, listed: Objects, target: Target) -> Iterable[Answer]:
    if kind == "event" and listed.objects:
        yield Answer(
            id="events",
            kind="events",
            side="none",
            status=listed.status,
            reason=listed.reason,
            content=list(listed.objects),
        )
        return
    if not listed.objects and (kind in EXPECTED or listed.status != "empty"):
        yield Answer(
            id="events" if kind == "event" else f"objects/{kind}",
            kind="events" if kind == "event" else "object",
            side="none",
            status=listed.status,
            reason=listed.reason,
        )
    for thing in listed.objects:
        metadata = thing.get("metadata")
        name = str(metadata.get("name") if isinstance(metadata, dict) else None)
        is_config = kind == "configmap"
        yield Answer(
            id=f"config/{name}" if is_config else f"objects/{kind}/{name}",
            kind="config" if is_config else "object",
            side=side_of(thing, target),
            status=listed.status,
            reason=listed.reason,
            content=thing,
        )
