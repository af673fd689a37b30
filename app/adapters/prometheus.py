"""Range queries to the Prometheus that the settings name. An address in an AnalysisTemplate is never asked."""

import json
from http import HTTPStatus
from typing import Any

import httpx

from agents.evidence.metrics import RangeQuery, Series

SECONDS = 3.0
MOST_BYTES = 2 * 1024 * 1024


class Prometheus:
    """The `Metrics` port."""

    def __init__(self, url: str, token: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.AsyncClient(base_url=url.rstrip("/"), headers=headers, timeout=SECONDS, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def ask(self, query: RangeQuery) -> Series:
        form = {
            "query": query.query,
            "start": str(query.start.timestamp()),
            "end": str(query.end.timestamp()),
            "step": str(query.step_seconds),
        }
        body = bytearray()
        try:
            async with self._client.stream("POST", "/api/v1/query_range", data=form) as response:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MOST_BYTES:
                        return Series(status="failed", reason=f"the answer is larger than {MOST_BYTES} bytes")
        except httpx.HTTPError as error:
            return Series(status="failed", reason=f"{type(error).__name__}: {error}"[:300])
        return _series(response.status_code, bytes(body))


def _series(code: int, body: bytes) -> Series:
    try:
        document: Any = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return Series(status="failed", reason=f"HTTP {code}, and no JSON object")
    if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return Series(status="denied", reason=f"HTTP {code}")
    if document.get("status") != "success":
        return Series(status="failed", reason=str(document.get("error") or f"HTTP {code}")[:300])
    data = document.get("data")
    found = data.get("result") if isinstance(data, dict) else None
    result = tuple(one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()
    return Series(status="ok" if result else "empty", result=result)
