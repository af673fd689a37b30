"""Errors as RFC 9457 problem documents, whoever raises them."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem document; `detail` says what is wrong and what to do."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return JSONResponse(document, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def install(app: FastAPI) -> None:
    """Answer every error of this application with a problem document."""

    @app.exception_handler(StarletteHTTPException)
    async def _on_http_error(_request: Request, error: StarletteHTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _on_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {first['msg']}")

    @app.exception_handler(ClientDisconnect)
    async def _on_hang_up(_request: Request, _error: ClientDisconnect) -> JSONResponse:
        """Nobody hears this; without it, every caller that gives up would be a failure of ours in the log."""
        return problem(HTTPStatus.BAD_REQUEST, "the caller hung up before the body was complete")

    @app.exception_handler(Exception)
    async def _on_fault(_request: Request, _error: Exception) -> JSONResponse:
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed; its log says why")


def refuse(status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> HTTPException:
    """The exception that becomes a problem document."""
    return HTTPException(status, detail, headers=dict(headers or {}))
