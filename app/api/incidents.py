"""`/api/v1/incidents`: trigger by hand, list, show."""

import asyncio
import re
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.incident import Incident, State
from app.api.problems import refuse
from app.api.rollouts import read_body
from app.api.wiring import Wiring
from app.notification import REVISION
from app.store import incidents, views

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")]
CURSOR = re.compile(r"(?P<at>[^~]+)~(?P<key>[0-9a-f]{32})")


class Trigger(BaseModel):
    """A call by hand. What is not given is read from the Rollout, or from its newest known incident."""

    model_config = ConfigDict(extra="forbid")

    namespace: Name
    rollout: Name
    cluster: Name | None = None
    uid: Name | None = None
    canary_hash: Name | None = None
    stable_hash: Name | None = None
    revision: Name | None = None


def router(wiring: Wiring) -> APIRouter:
    """The incidents' routes."""
    routes = APIRouter(prefix="/api/v1/incidents")
    tasks: set[asyncio.Task[None]] = set()

    @routes.post("", status_code=HTTPStatus.ACCEPTED)
    async def trigger(request: Request) -> JSONResponse:
        """Open an attempt at a failed canary, or join the one in progress."""
        actor = wiring.doorkeeper.actor(request, "trigger")
        incident = await _identify(_parse(await read_body(request)), wiring)
        admission = await incidents.open_manual(wiring.db, incident, actor, wiring.now())
        attempt = admission.attempt
        if admission.opened:
            task = asyncio.create_task(wiring.intake.carry_logged(attempt))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        document = {"incident": incident.key, "attempt": attempt.id, "opened": admission.opened}
        location = {"Location": f"/api/v1/incidents/{incident.key}"}
        return JSONResponse(document, status_code=HTTPStatus.ACCEPTED, headers=location)

    @routes.get("")
    async def list_incidents(
        request: Request,
        state: State | None = None,
        namespace: str | None = None,
        rollout: str | None = None,
        cluster: str | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[str | None, Query(description="`next` of the page before")] = None,
    ) -> dict[str, Any]:
        """Incidents, newest first."""
        wiring.doorkeeper.actor(request, "read")
        given = {
            "state": state.value if state else None,
            "namespace": namespace,
            "rollout": rollout,
            "cluster": cluster,
        }
        filters = {name: value for name, value in given.items() if value is not None}
        page = await views.list_incidents(wiring.db, filters, limit + 1, _cursor(after))
        more = len(page) > limit
        page = page[:limit]
        return {"incidents": page, "next": f"{page[-1]['created_at']}~{page[-1]['id']}" if more else None}

    @routes.get("/{name}")
    async def show(request: Request, name: str) -> dict[str, Any]:
        """One incident by its id, or one of its attempts by `<id>-<number>`."""
        wiring.doorkeeper.actor(request, "read")
        found = await views.show_incident(wiring.db, name)
        if found is None:
            raise refuse(HTTPStatus.NOT_FOUND, f"there is no incident {name[:80]!r}")
        return found

    return routes


def _parse(raw: bytes) -> Trigger:
    try:
        return Trigger.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise refuse(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {first['msg']}") from error


def _cursor(after: str | None) -> tuple[datetime, str] | None:
    if after is None:
        return None
    match = CURSOR.fullmatch(after.replace(" ", "+"))
    try:
        if match is not None:
            return datetime.fromisoformat(match["at"]), match["key"]
    except ValueError:
        pass
    raise refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "after: use the `next` of the page before as it is")


async def _identify(call: Trigger, wiring: Wiring) -> Incident:
    cluster = _cluster(call, wiring)
    if call.uid and call.canary_hash and call.stable_hash and call.revision:
        return Incident(cluster=cluster, **call.model_dump(exclude={"cluster"}))
    known = await _from_cluster(call, cluster, wiring)
    if known is None:
        known = await incidents.find_by_name(wiring.db, cluster, call.namespace, call.rollout)
    if known is None:
        raise refuse(
            HTTPStatus.NOT_FOUND,
            f"no failed canary of {call.namespace}/{call.rollout} is known on {cluster}; "
            "name uid, canary_hash, stable_hash and revision to open one all the same",
        )
    return known.model_copy(update=call.model_dump(exclude_none=True) | {"cluster": cluster})


def _cluster(call: Trigger, wiring: Wiring) -> str:
    known = ", ".join(wiring.clusters)
    if call.cluster is None:
        if len(wiring.clusters) == 1:
            return wiring.clusters[0]
        raise refuse(HTTPStatus.UNPROCESSABLE_ENTITY, f"cluster: name one of {known}")
    if call.cluster not in wiring.clusters:
        raise refuse(HTTPStatus.UNPROCESSABLE_ENTITY, f"cluster: {call.cluster} is not configured; known are {known}")
    return call.cluster


async def _from_cluster(call: Trigger, cluster: str, wiring: Wiring) -> Incident | None:
    """The failed canary of the Rollout as it is now; None where it cannot be read or has none."""
    if wiring.cluster is None:
        return None
    found = await wiring.cluster.find(cluster, call.namespace, call.rollout)
    for rollout in found.objects:
        metadata, status = rollout.get("metadata") or {}, rollout.get("status") or {}
        canary, stable = status.get("currentPodHash"), status.get("stableRS")
        if metadata.get("uid") and canary and stable and canary != stable:
            return Incident(
                cluster=cluster,
                namespace=call.namespace,
                rollout=call.rollout,
                uid=str(metadata["uid"]),
                canary_hash=str(canary),
                stable_hash=str(stable),
                revision=str((metadata.get("annotations") or {}).get(REVISION) or ""),
            )
    return None
