"""One connection to one API server: GET with a deadline, its errors translated to the port's statuses.

Answers are raw bytes: the client's own models refuse objects that a server of another version may well send.
"""

import asyncio
import copy
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTClientObject

from agents.errors import Conflict, Transient
from agents.evidence import Status

AGAIN = frozenset({429, 500, 502, 503, 504})
"""Worth asking again: a kubelet that does not answer is a 500 of the API server (recordings/http 44, 45)."""
PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 1.0
CONNECT_SECONDS = 2.0
MOST_AT_ONCE = 300
"""Connections of one pool. Logs, objects and endless streams have a pool each, so none waits behind another's."""
MOST_BYTES = 64 * 1024 * 1024
STATUSES: Mapping[int, Status] = {401: "denied", 403: "denied", 404: "gone"}
IDLE_SECONDS = 80.0
"""Below the 90 s after which an API server lets go of an idle connection."""
VERSION = "/version"
"""What everybody may read, and costs nothing."""
ACCESS_REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

Params = Sequence[tuple[str, str]]


class Reply(NamedTuple):
    """What came of one request. `body` is there for `ok` and, as far as it got, for `truncated`."""

    status: Status
    reason: str | None = None
    body: bytes = b""
    code: int = 0


class Expired(Conflict):
    """The resource version of a watch is too old (410): list again."""


class Refused(Transient):
    """A list or stream that the server did not give; the message says why."""


class Connection:
    """The pools of one context. `close` lets go of all of them."""

    def __init__(self, configuration: Configuration) -> None:
        configuration.retries = None  # ours know the deadline
        client = ApiClient(configuration)
        client.rest_client = _Lasting(configuration)
        self._objects = _pool(client, MOST_AT_ONCE)
        self._logs = _pool(client, MOST_AT_ONCE)
        self._streams = _pool(client, 0)
        self.calls = 0
        """Requests sent since the start, for the figures."""

    async def close(self) -> None:
        for client in (self._objects, self._logs, self._streams):
            await client.close()

    async def get(self, path: str, params: Params, seconds: float, *, is_log: bool = False) -> Reply:
        """GET within `seconds`, asked again while that may help. What has come of the body at the end is kept."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        client = self._logs if is_log else self._objects
        pause, reply = PAUSE_SECONDS, Reply("failed", "nobody answered")
        while (left := deadline - loop.time()) > 0:
            reply, wait = await self._ask(client, path, params, left)
            if wait is None:
                break
            pause = min(max(pause, wait), LONGEST_PAUSE_SECONDS)
            if loop.time() + pause >= deadline:
                break
            await asyncio.sleep(pause)
            pause *= 2
        return reply

    async def warm(self, count: int, seconds: float) -> None:
        """Have connections for this many logs open, TLS and all, so that the first logs do not wait for that.

        All at once, since one that is free again would be taken for the next. What fails here fails again in earnest.
        """
        await asyncio.gather(*(self._ask(self._logs, VERSION, (), seconds) for _ in range(count)))

    async def may_ask(self, seconds: float) -> bool:
        """Whether the server knows who we are: everybody who is may review their own access."""
        attributes = {"group": "argoproj.io", "resource": "rollouts", "verb": "list"}
        return await self._review(attributes, seconds) is not None

    async def allows(self, attributes: Mapping[str, str], seconds: float) -> bool | None:
        """Whether we may do what the attributes of an access review name; None where the server did not say."""
        answer = await self._review(attributes, seconds)
        try:
            document = json.loads(answer) if answer is not None else None
        except ValueError:
            return None
        status = document.get("status") if isinstance(document, Mapping) else None
        return status.get("allowed") is True if isinstance(status, Mapping) else None

    async def _review(self, attributes: Mapping[str, str], seconds: float) -> bytes | None:
        """The answer to a SelfSubjectAccessReview, None where there is none."""
        spec = {"resourceAttributes": dict(attributes)}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": spec}
        try:
            async with asyncio.timeout(seconds):
                response = await self._send(self._objects, "POST", ACCESS_REVIEW, (), seconds, body=body)
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None
        return answer if response.status in {HTTPStatus.OK, HTTPStatus.CREATED} else None

    async def lines(self, path: str, params: Params, quiet_seconds: float | None) -> AsyncGenerator[bytes, None]:
        """The lines of a stream, as `chunks` has them."""
        rest = b""
        async with aclosing(self.chunks(path, params, quiet_seconds)) as stream:
            async for chunk in stream:
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line
        if rest:
            yield rest

    async def chunks(self, path: str, params: Params, quiet_seconds: float | None) -> AsyncGenerator[bytes, None]:
        """What comes of a stream that stays open; it ends when the server ends it or is quiet for too long.

        `Refused` where it is not opened, `Expired` where that is for the age of the version.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=quiet_seconds)
        try:
            response = await self._send(self._streams, "GET", path, params, timeout)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Refused(_network(error)) from error
        try:
            if response.status == HTTPStatus.GONE:
                raise Expired(path)
            if response.status != HTTPStatus.OK:
                raise Refused(_message(await response.content.read(4096), response.status))
            async for chunk in response.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, TimeoutError, OSError):
            return
        finally:
            response.close()

    async def _ask(self, client: Any, path: str, params: Params, seconds: float) -> tuple[Reply, float | None]:
        """One try, and how long to wait at least before another one; None if another would not help."""
        try:
            response = await self._send(client, "GET", path, params, seconds)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Reply("failed", _network(error)), 0.0
        try:
            body, cut = await _read(response)
        finally:
            response.release()
        if response.status in AGAIN:
            after = response.headers.get("Retry-After", "")
            return Reply("failed", _message(body, response.status)), float(after) if after.isdecimal() else 0.0
        return _translate(response.status, body, cut), None

    async def _send(
        self,
        client: Any,
        verb: str,
        path: str,
        params: Params,
        limit: float | aiohttp.ClientTimeout,
        body: Any = None,
    ) -> aiohttp.ClientResponse:
        self.calls += 1
        if not isinstance(limit, aiohttp.ClientTimeout):
            limit = aiohttp.ClientTimeout(total=limit, sock_connect=min(limit, CONNECT_SECONDS))
        method, url, headers, body, _ = await client.param_serialize(
            verb, path, query_params=list(params), body=body, auth_settings=["BearerToken"]
        )
        answer = await client.call_api(method, url, headers, body, _request_timeout=limit)
        response: aiohttp.ClientResponse = answer.response
        return response


class _Lasting(RESTClientObject):  # type: ignore[misc]  # the client has no types
    """Keeps an idle connection for longer than the 15 s of aiohttp."""

    def _create_connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(limit=self.maxsize, ssl=self.ssl_context, keepalive_timeout=IDLE_SECONDS)


def _pool(client: Any, limit: int) -> Any:
    """A client with connections of its own, at most `limit` of them; 0 is without limit.

    A copy: to set up TLS once is slow enough, and a token that is renewed in the configuration reaches them all.
    """
    other = copy.copy(client)
    other.rest_client = copy.copy(client.rest_client)
    other.rest_client.maxsize = limit
    return other


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, str | None]:
    """The body, and why it is not all of it, if it is not."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES:
                response.close()
                return bytes(body), f"larger than {MOST_BYTES} bytes"
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return bytes(body), _network(error)
    return bytes(body), None


def _translate(code: int, body: bytes, cut: str | None) -> Reply:
    if code == HTTPStatus.NO_CONTENT:
        return Reply("empty", "nothing is there yet", code=code)
    if code == HTTPStatus.OK:
        if cut is None:
            return Reply("ok", body=body, code=code)
        return Reply("truncated" if body else "failed", cut, body, code)
    message = _message(body, code)
    if code == HTTPStatus.UNAUTHORIZED:
        message = f"the cluster does not know our credentials: {message}"
    return Reply(STATUSES.get(code, "failed"), message, code=code)


def _message(body: bytes, code: int) -> str:
    """What a Status says, or the first line of a plain answer."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    said = document.get("message") if isinstance(document, Mapping) else None
    text = str(said) if said else next(iter(body.decode("utf-8", "replace").strip().splitlines()), "")
    return (text or f"HTTP {code}")[:500]


def _network(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"[:300]
