"""`POST /webhooks/argo-rollouts`: authenticate, keep, answer 202. Argo's reconcile waits for the answer."""

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from agents.redaction import Redactor
from app import notification
from app.api.problems import refuse
from app.api.wiring import Wiring
from app.store import dead_letters, inbox

MOST_BYTES = 8 * 1024 * 1024
IN_THE_LOOP_BYTES = 16 * 1024
"""Bodies up to this size are parsed and redacted without a thread: Argo's are half of it and take 4 ms."""
DEAD_LETTER_BYTES = 256 * 1024
"""How much is kept of a body that cannot be read: enough for a person to see what it was."""
LONGEST_SECRET = 8 * 1024


def router(wiring: Wiring) -> APIRouter:
    """The webhook's route."""
    routes = APIRouter()

    @routes.post("/webhooks/argo-rollouts", status_code=HTTPStatus.ACCEPTED)
    async def notify(request: Request) -> JSONResponse:
        """An Argo Rollouts notification."""
        cluster = wiring.doorkeeper.cluster(request)
        raw = await read_body(request)
        now = wiring.now()
        try:
            found, redacted = await _off_loop(len(raw), _read, raw, cluster)
        except notification.Unreadable as unreadable:
            text = await _off_loop(len(raw), _redacted_text, raw)
            await dead_letters.put(wiring.db, cluster, str(unreadable), len(raw), text, now)
            return _answer({"disposition": "dead-letter", "reason": str(unreadable), "incident": None})
        row = inbox.row_id(cluster, raw)
        await inbox.put(wiring.db, row, cluster, found, redacted, now)
        sighting = found.sighting
        if sighting is not None:
            wiring.intake.begin(inbox.Pending(id=row, sighting=sighting))
        elif found.lead is not None:
            wiring.intake.begin_lookup(inbox.Lookup(id=row, lead=found.lead, received_at=now))
        elif found.promotion is not None:
            wiring.intake.begin_promotion(inbox.Passed(id=row, promotion=found.promotion))
        incident = sighting.incident.key if sighting else None
        return _answer({"disposition": found.disposition, "reason": found.reason, "incident": incident})

    return routes


async def read_body(request: Request) -> bytes:
    """The raw body, at most 8 MiB; 413 beyond, whatever Content-Length says."""
    too_large = refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is larger than {MOST_BYTES} bytes")
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdecimal() and int(declared) > MOST_BYTES:
        raise too_large
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise too_large
    return bytes(body)


def _read(raw: bytes, cluster: str) -> tuple[notification.Notification, dict[str, Any]]:
    found = notification.read(raw, cluster)
    redactor = Redactor()
    words = {name: redactor.redact_text(getattr(found, name) or "") or None for name in ("trigger", "reason")}
    redacted: dict[str, Any] = redactor.redact_json(found.body)
    return found.model_copy(update=words), redacted


def _redacted_text(raw: bytes) -> str:
    """The beginning of a body, cut far enough before the place where a secret may have been cut in two."""
    head = raw[: DEAD_LETTER_BYTES + LONGEST_SECRET]
    text = Redactor().redact_text(head.decode("utf-8", "replace").replace("\0", "\ufffd"))
    return text if len(head) == len(raw) else text[:-LONGEST_SECRET]


async def _off_loop(size: int, work: Any, *arguments: Any) -> Any:
    if size <= IN_THE_LOOP_BYTES:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def _answer(document: dict[str, Any]) -> JSONResponse:
    return JSONResponse(document, status_code=HTTPStatus.ACCEPTED)
