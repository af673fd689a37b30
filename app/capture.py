"""Capture: everything that will be gone in a moment, asked for at once, every gap with its reason.

All kinds of objects together; all logs together, as soon as the pods that name them are listed. Nothing that is missing
raises: it becomes an item with its status, and the bundle is sealed with what there is.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from agents.evidence import KINDS, Answer, Bundle, Cluster, Kind, LogSource, Objects, Side, Target, seal
from agents.evidence.origin import dig, label, mappings
from agents.incident import Incident

NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
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
    listed = {kind: asyncio.ensure_future(cluster.objects(target, kind)) for kind in KINDS}
    logs = asyncio.ensure_future(_logs(cluster, target, listed["pod"]))
    await asyncio.gather(logs, *listed.values())
    for kind, objects in listed.items():
        answers += _object_answers(kind, objects.result(), target)
    return await asyncio.to_thread(seal, incident, attempt, [*answers, *logs.result()], captured_at)


async def _logs(cluster: Cluster, target: Target, pods: Awaitable[Objects]) -> list[Answer]:
    """All logs at once, asked for as soon as the pods are known, whatever the other lists take."""
    sources = list(_log_sources((await pods).objects, target))
    texts = await asyncio.gather(*(cluster.log(target, source) for source in sources))
    return [
        Answer(
            id=source.item_id,
            kind="log",
            side=source.side,
            status=text.status,
            reason=text.reason,
            content=text.text if text.status in {"ok", "truncated"} else None,
        )
        for source, text in zip(sources, texts, strict=True)
    ]


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
        name = _name(dig(thing, "metadata").get("name"))
        is_config = kind == "configmap"
        yield Answer(
            id=f"{'config' if is_config else f'objects/{kind}'}/{name or 'unnamed'}",
            kind="config" if is_config else "object",
            side=_side(thing, target),
            status=listed.status if name else "failed",
            reason=listed.reason if name else "it has no name that Kubernetes would allow",
            content=thing if name else None,
        )


def _log_sources(pods: Iterable[Mapping[str, Any]], target: Target) -> Iterable[LogSource]:
    """Every container of every pod of both versions, and what ran in it before its last restart."""
    for pod in pods:
        side, name = _side(pod, target), _name(dig(pod, "metadata").get("name"))
        if side == "none" or name is None:
            continue
        spec, status = dig(pod, "spec"), dig(pod, "status")
        restarted = {
            str(one.get("name"))
            for group in ("initContainerStatuses", "containerStatuses")
            for one in mappings(status.get(group))
            if one.get("restartCount")
        }
        for group in ("initContainers", "containers"):
            for container in mappings(spec.get(group)):
                inner = _name(container.get("name"))
                if inner is None:
                    continue
                source = LogSource(side=side, pod=name, container=inner)
                yield source
                if inner in restarted:
                    yield source.model_copy(update={"previous": True})


def _name(value: Any) -> str | None:
    """A name, if it is one that Kubernetes allows: it becomes part of a path in the bundle."""
    return value if isinstance(value, str) and NAME.fullmatch(value) else None


def _side(thing: Mapping[str, Any], target: Target) -> Side:
    match label(thing):
        case target.canary_hash:
            return "canary"
        case target.stable_hash:
            return "stable"
    return "none"
