"""Capture: everything that will be gone in a moment, asked for at once, every gap with its reason.

Objects first, all kinds together, since the pods name the logs; then all logs together. Nothing that is missing
raises: it becomes an item with its status, and the bundle is sealed with what there is.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from agents.evidence import KINDS, Answer, Bundle, Cluster, Kind, LogSource, Objects, Side, Target, seal
from agents.evidence.origin import label
from agents.incident import Incident

NO_CLUSTER = "no cluster is configured"


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
        ]
        return await asyncio.to_thread(seal, incident, attempt, answers, captured_at)
    target = Target(
        cluster=incident.cluster,
        namespace=incident.namespace,
        rollout=incident.rollout,
        canary_hash=incident.canary_hash,
        stable_hash=incident.stable_hash,
    )
    listed = await asyncio.gather(*(cluster.objects(target, kind) for kind in KINDS))
    found = dict(zip(KINDS, listed, strict=True))
    sources = list(_log_sources(found["pod"].objects, target))
    texts = await asyncio.gather(*(cluster.log(target, source) for source in sources))
    for kind, objects in found.items():
        answers += _object_answers(kind, objects, target)
    for source, text in zip(sources, texts, strict=True):
        answers.append(
            Answer(
                id=source.item_id,
                kind="log",
                side=source.side,
                status=text.status,
                reason=text.reason,
                content=text.text if text.status in {"ok", "truncated"} else None,
            )
        )
    return await asyncio.to_thread(seal, incident, attempt, answers, captured_at)


def _notification(body: dict[str, Any]) -> Answer:
    return Answer(id="notification", kind="notification", side="none", status="ok", content=body)


def _object_answers(kind: Kind, listed: Objects, target: Target) -> Iterable[Answer]:
    if kind == "event" and listed.objects:
        yield Answer(id="events", kind="events", side="none", status=listed.status, content=list(listed.objects))
        return
    if not listed.objects:
        yield Answer(
            id="events" if kind == "event" else f"objects/{kind}",
            kind="events" if kind == "event" else "object",
            side="none",
            status=listed.status,
            reason=listed.reason,
        )
    for thing in listed.objects:
        name = str(_mapping(thing.get("metadata")).get("name"))
        is_config = kind == "configmap"
        yield Answer(
            id=f"config/{name}" if is_config else f"objects/{kind}/{name}",
            kind="config" if is_config else "object",
            side=_side(thing, target),
            status=listed.status,
            reason=listed.reason,
            content=thing,
        )


def _log_sources(pods: Iterable[Mapping[str, Any]], target: Target) -> Iterable[LogSource]:
    """Every container of every pod of both versions, and what ran in it before its last restart."""
    for pod in pods:
        side = _side(pod, target)
        if side == "none":
            continue
        spec, status = _mapping(pod.get("spec")), _mapping(pod.get("status"))
        statuses = {
            str(one.get("name")): one
            for group in ("initContainerStatuses", "containerStatuses")
            for one in status.get(group) or []
        }
        for group in ("initContainers", "containers"):
            for container in spec.get(group) or []:
                name = str(container.get("name"))
                source = LogSource(side=side, pod=str(_mapping(pod.get("metadata")).get("name")), container=name)
                yield source
                if _mapping(statuses.get(name)).get("restartCount"):
                    yield source.model_copy(update={"previous": True})


def _side(thing: Mapping[str, Any], target: Target) -> Side:
    match label(thing):
        case target.canary_hash:
            return "canary"
        case target.stable_hash:
            return "stable"
    return "none"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
