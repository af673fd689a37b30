"""Capture: everything that will be gone in a moment, asked for at once, every gap with its reason.

Nothing that is missing raises: it becomes an item with its status, and the bundle is sealed with what there is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from agents.evidence import KINDS, Answer, Bundle, Cluster, Kind, LogSource, LogText, Objects, Target, seal
from agents.evidence.metrics import Metrics, range_queries
from agents.evidence.origin import dig
from agents.evidence.recording import Recording
from agents.evidence.relations import side_of
from agents.incident import Incident
from app.capture.gathering import Gathering, name_of

NO_CLUSTER = "no cluster is configured"
SEALING = ThreadPoolExecutor(max_workers=1, thread_name_prefix="seal")
EXPECTED = frozenset({"rollout", "replicaset", "pod", "analysisrun", "event", "configmap", "application"})
"""Kinds that every rollout has or may well have; that there is none of another kind goes without saying."""


async def capture(
    cluster: Cluster | None,
    incident: Incident,
    attempt: int,
    notification: dict[str, Any] | None,
    now: Callable[[], datetime],
    recorded: Callable[[Target], Awaitable[Sequence[Recording]]] | None = None,
    metrics: Metrics | None = None,
) -> Bundle:
    """The sealed bundle of an attempt. `notification` is the body that opened it, if one did.

    `recorded` gives what flight recorders have, ours first; it is asked last, when it has heard most.
    """
    captured_at = now()
    answers = [_notification(notification)] if notification is not None else []
    if cluster is None:
        answers += [
            Answer(id=f"objects/{kind}", kind="object", side="none", status="denied", reason=NO_CLUSTER)
            for kind in KINDS
        ]
        return await _seal(incident, attempt, answers, captured_at)
    gathering = Gathering(cluster, target_of(incident))
    await gathering.gather()
    if recorded is not None:
        for recording in await recorded(gathering.target):
            gathering.add(recording)
    if metrics is not None:
        answers += await _measure(metrics, gathering, captured_at)
    for kind, objects in gathering.objects.items():
        answers += _object_answers(kind, objects, gathering.target)
    answers += [_log_answer(source, text) for source, text in gathering.logs.items()]
    answers += [
        Answer(id=f"logs/{side}", kind="log", side=side, status="truncated", reason=f"{count} more pods were not asked")
        for side, count in gathering.left_out.items()
    ]
    return await _seal(incident, attempt, answers, captured_at)


async def _measure(metrics: Metrics, gathering: Gathering, now: datetime) -> list[Answer]:
    """The queries of the failed analysis, asked again for both versions."""
    runs, replica_sets = (gathering.objects[kind].objects for kind in ("analysisrun", "replicaset"))
    queries = range_queries(runs, replica_sets, gathering.target, now)
    series = await asyncio.gather(*(metrics.ask(query) for query in queries))
    return [
        Answer(
            id=f"metrics/{number}",
            kind="metrics",
            side=query.side,
            status=one.status,
            reason=one.reason,
            content={**query.model_dump(mode="json"), "result": list(one.result)} if one.status == "ok" else None,
        )
        for number, (query, one) in enumerate(zip(queries, series, strict=True), 1)
    ]


async def _seal(incident: Incident, attempt: int, answers: list[Answer], captured_at: datetime) -> Bundle:
    """Off the loop, one bundle after another: in many threads at once it would take the time of other captures."""
    return await asyncio.get_running_loop().run_in_executor(SEALING, seal, incident, attempt, answers, captured_at)


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
        cut=text.cut,
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
        name = name_of(dig(thing, "metadata").get("name"))
        is_config = kind == "configmap"
        yield Answer(
            id=f"{'config' if is_config else f'objects/{kind}'}/{name or 'unnamed'}",
            kind="config" if is_config else "object",
            side=side_of(thing, target),
            status=listed.status if name else "failed",
            reason=listed.reason if name else "it has no name that Kubernetes would allow",
            content=thing if name else None,
        )
