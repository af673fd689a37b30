"""`/healthz`: the process answers. `/readyz`: the inbox takes writes."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.api.problems import problem


def router(is_ready: Callable[[], Awaitable[bool]]) -> APIRouter:
    """The health routes; both are open."""
    routes = APIRouter()

    @routes.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz", response_model=None)
    async def readyz() -> JSONResponse:
        if await is_ready():
            return JSONResponse({"status": "ready"})
        return problem(HTTPStatus.SERVICE_UNAVAILABLE, "the inbox does not take writes yet")

    return routes
