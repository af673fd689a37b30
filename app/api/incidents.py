"""`/api/v1/incidents`: trigger by hand, list, show."""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.evidence.origin import parse_time
from agents.incident import NAME, Incident, State
from app.api.problems import refuse
from app.api.rollouts import read_body
from app.api.wiring import Wiring
from app.notification import identify
from app.store import audit, incidents, views

Name = Annotated[str, Field(pattern=f"^{NAME}$")]
FILTERS = ("state", "namespace", "rollout", "cluster")
ID = re.compile(r"(?P<key>[0-9a-f]{32})(?:-(?P<number>[1-9]\d{0,8}))?", re.ASCII)
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


class Listing(BaseModel):
    """Which incidents, and which page of them."""

    model_config = ConfigDict(extra="forbid")

    state: State | None = None
    namespace: Name | None = None
    rollout: Name | None = None
    cluster: Name | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    after: Annotated[str | None, Field(description="`next` of the page before")] = None


def router(wiring: Wiring) -> APIRouter:
    """The incidents' routes."""
    routes = APIRouter(prefix="/api/v1/incidents")

    def may_read(request: Request) -> None:
        """A dependency, so that a stranger hears 401 before anything about the query."""
        wiring.doorkeeper.actor(request, "read")

    @routes.post("", status_code=HTTPStatus.ACCEPTED)
    async def trigger(request: Request) -> JSONResponse:
        """Open an attempt at a failed canary, or join the one in progress."""
        actor = wiring.doorkeeper.actor(request, "trigger")
        incident = await _identify(_parse(await read_body(request)), wiring)
        admission = await incidents.open_manual(wiring.db, incident, actor, wiring.now())
        attempt = admission.attempt
        if admission.opened:
            wiring.intake.begin_attempt(attempt)
        document = {"incident": incident.key, "attempt": attempt.id, "opened": admission.opened}
        location = {"Location": f"/api/v1/incidents/{incident.key}"}
        return JSONResponse(document, status_code=HTTPStatus.ACCEPTED, headers=location)

    @routes.get("", dependencies=[Depends(may_read)])
    async def list_incidents(page_of: Annotated[Listing, Query()]) -> dict[str, Any]:
        """Incidents, newest first."""
        filters = page_of.model_dump(mode="json", include={*FILTERS}, exclude_none=True)
        page = await views.list_incidents(wiring.db, filters, page_of.limit + 1, _cursor(page_of.after))
        more = len(page) > page_of.limit
        page = page[: page_of.limit]
        return {"incidents": page, "next": f"{page[-1]['created_at']}~{page[-1]['id']}" if more else None}

    @routes.get("/{name}", dependencies=[Depends(may_read)])
    async def show(name: str) -> dict[str, Any]:
        """One incident by its id, or one of its attempts by `<id>-<number>`."""
        match = ID.fullmatch(name)
        number = int(match["number"]) if match and match["number"] else None
        found = await views.show_incident(wiring.db, match["key"], number) if match else None
        if found is None:
            raise refuse(HTTPStatus.NOT_FOUND, f"there is no incident {name[:80]!r}")
        return found

    @routes.get("/{name}/audit", dependencies=[Depends(may_read)])
    async def trail(name: str) -> dict[str, Any]:
        """What was done on an incident's behalf, by whom and on which evidence, oldest first."""
        match = ID.fullmatch(name)
        found = await views.show_incident(wiring.db, match["key"]) if match else None
        if match is None or found is None:
            raise refuse(HTTPStatus.NOT_FOUND, f"there is no incident {name[:80]!r}")
        return {"incident": match["key"], "acts": await audit.of_incident(wiring.db, match["key"])}

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
    at = parse_time(match["at"]) if match else None
    if match is None or at is None:
        raise refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "after: use the `next` of the page before as it is")
    return at, match["key"]


async def _identify(call: Trigger, wiring: Wiring) -> Incident:
    cluster = _cluster(call, wiring)
    given = call.model_dump(exclude_none=True) | {"cluster": cluster}
    if given.keys() == Incident.model_fields.keys():
        return Incident(**given)
    known = await _from_cluster(call, cluster, wiring)
    if known is None or not given.items() <= known.model_dump().items():
        known = await incidents.find_newest(wiring.db, given)
    if known is None:
        raise refuse(
            HTTPStatus.NOT_FOUND,
            f"no failed canary of {call.namespace}/{call.rollout} that fits is known on {cluster}; "
            "name uid, canary_hash, stable_hash and revision to open one all the same",
        )
    return known


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
        incident = identify(rollout, cluster)
        if isinstance(incident, Incident):
            return incident
    return None
