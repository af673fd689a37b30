"""An API server that replays recordings over real HTTP: with their timing, access rights, pages, watches and 410."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from tests.replay.recording import Recording, matches

TOKEN = "replayed-token"
GROUPS = {"rollouts": "argoproj.io", "analysisruns": "argoproj.io", "experiments": "argoproj.io"}
TICK = 0.005
Fault = Callable[[web.Request], "web.Response | float | None"]
"""Looks at a request before it is answered: an answer in its place, seconds to wait, or None."""


class Place(NamedTuple):
    """What an API path names."""

    namespace: str | None
    plural: str
    name: str | None
    sub: str | None

    @property
    def resource(self) -> str:
        return f"{self.plural}/{self.sub}" if self.sub else self.plural


class ReplayServer:
    """Serves recordings by their namespaces. `begin` is the moment of the first webhook."""

    def __init__(self, *recordings: Recording) -> None:
        self.recordings = {recording.namespace: recording for recording in recordings}
        self.denied: set[tuple[str, str]] = set()
        """Verbs that the role lacks: (`list`, `pods`), (`get`, `pods/log`), ..."""
        self.faults: list[Fault] = []
        self.requests: list[str] = []
        """`<verb> <resource>` of every request, in order."""
        self.warmed: set[int] = set()
        """Connections that were opened before anything was asked on them."""
        self.cold_logs = 0
        """Logs that came over a connection that was not."""
        self.following = 0
        self.most_following = 0
        """Streams of logs that are, and that ever were, open at once."""
        self.granted: set[tuple[str, str]] | None = None
        """Verbs and resources that the role has; None is all of them."""
        self.oldest_version = 0
        """Watches from an older version are answered 410 Gone."""
        self.url = ""
        self._begun: float | None = None
        self._stop = asyncio.Event()

    def begin(self, ago: float = 0.0) -> None:
        """Now is `ago` seconds after the first webhook."""
        self._begun = asyncio.get_running_loop().time() - ago

    @property
    def at(self) -> float:
        """Seconds since the first webhook; long before it until `begin`."""
        return -1000.0 if self._begun is None else asyncio.get_running_loop().time() - self._begun

    def kubeconfig(self, path: Path) -> Path:
        """A kubeconfig: context `replay` has a token that is known, `stranger` one that is not."""
        users = {"replay": TOKEN, "stranger": "unknown"}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "replay", "cluster": {"server": self.url}}],
                    "users": [{"name": name, "user": {"token": token}} for name, token in users.items()],
                    "contexts": [{"name": name, "context": {"cluster": "replay", "user": name}} for name in users],
                    "current-context": "replay",
                }
            )
        )
        return path

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["ReplayServer"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=2048)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            self._stop.set()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        if request.path == "/version":
            self.warmed.add(id(request.transport))
            return web.json_response({"major": "1", "minor": "37"})
        if request.path.endswith("/selfsubjectaccessreviews"):
            return await self._review(request)
        return await self._read(request)

    async def _read(self, request: web.Request) -> web.StreamResponse:
        place = _place(request.path)
        verb = "watch" if request.query.get("watch") else "get" if place.name else "list"
        self.requests.append(f"{verb} {place.resource}")
        refused = await self._fault(request, verb, place)
        if refused is not None:
            return refused
        if place.sub == "log":
            return await self._log(request, place.namespace, str(place.name))
        if verb == "watch":
            return await self._watch(request, place)
        return self._objects(request, place)

    async def _review(self, request: web.Request) -> web.Response:
        """What the account may do: read what is not denied. A review that names nothing is answered all the same."""
        asked = (await request.json())["spec"]["resourceAttributes"]
        sub = asked.get("subresource")
        resource = f"{asked['resource']}/{sub}" if sub else asked["resource"]
        may = asked["verb"] in {"get", "list", "watch"} and resource not in {"secrets", "pods/exec"}
        allowed = may and (asked["verb"], resource) not in self.denied
        return web.json_response({"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}}, status=201)

    async def _fault(self, request: web.Request, verb: str, place: Place) -> web.Response | None:
        for fault in self.faults:
            found = fault(request)
            if isinstance(found, web.Response):
                return found
            if found is not None:
                await asyncio.sleep(found)
        is_granted = self.granted is None or (verb, place.resource) in self.granted
        if is_granted and (verb, place.resource) not in self.denied:
            return None
        what = f"{place.resource}.{GROUPS.get(place.plural, '')}"
        return _status(403, f'{what} is forbidden: User "selfheal" cannot {verb} resource "{place.resource}"')

    def _within(self, namespace: str | None) -> list[Recording]:
        if namespace is None:
            return [*self.recordings.values()]
        return [self.recordings[namespace]] if namespace in self.recordings else []

    def _objects(self, request: web.Request, place: Place) -> web.Response:
        found = [
            one
            for recording in self._within(place.namespace)
            for one in recording.list(place.plural, self.at - recording.delay)
        ]
        if place.name is not None:
            named = next((one for one in found if one["metadata"]["name"] == place.name), None)
            return web.json_response(named) if named else _status(404, f'{place.plural} "{place.name}" not found')
        selector = request.query.get("labelSelector", "")
        found = [one for one in found if matches(one["metadata"].get("labels") or {}, selector)]
        start, size = int(request.query.get("continue") or 0), int(request.query.get("limit") or 10**9)
        more = str(start + size) if start + size < len(found) else ""
        version = max((int(one["metadata"]["resourceVersion"]) for one in found), default=1)
        # items of a list of built-in kinds carry neither kind nor apiVersion
        metadata = {"resourceVersion": str(version), "continue": more}
        return web.json_response({"kind": "List", "metadata": metadata, "items": found[start : start + size]})

    async def _log(self, request: web.Request, namespace: str | None, pod: str) -> web.StreamResponse:
        self.cold_logs += id(request.transport) not in self.warmed
        (recording,) = self._within(namespace) or (None,)
        if recording is None or not recording.log_is_readable(pod, self.at - recording.delay):
            return _status(404, f'pods "{pod}" not found')
        key = pod, request.query["container"] + (".previous" if request.query.get("previous") else "")
        if key in recording.refusals:
            code, text = recording.refusals[key]
            return web.Response(status=code, text=text or None, content_type="application/json" if text else None)
        if key not in recording.logs and request.query.get("previous"):
            return _status(400, f'previous terminated container "{key[1]}" in pod "{pod}" not found')
        lines = recording.logs.get(key, "").splitlines(keepends=True)  # of the stable pods only two logs were kept
        if "tailLines" in request.query:
            lines = lines[-int(request.query["tailLines"]) :] if int(request.query["tailLines"]) else []
        if request.query.get("follow"):
            return await self._follow(request, recording, pod, lines)
        content = "".join(lines).encode()[: int(request.query.get("limitBytes") or 10**9)]
        return web.Response(body=content, content_type="text/plain")

    async def _follow(
        self, request: web.Request, recording: Recording, pod: str, lines: list[str]
    ) -> web.StreamResponse:
        self.following += 1
        self.most_following = max(self.most_following, self.following)
        try:
            return await self._stream(request, recording, pod, lines)
        finally:
            self.following -= 1

    async def _stream(
        self, request: web.Request, recording: Recording, pod: str, lines: list[str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write("".join(lines).encode())
        while recording.log_is_readable(pod, self.at - recording.delay) and not await self._stopped():
            continue
        with contextlib.suppress(ConnectionError):  # whoever followed has gone
            await response.write_eof()
        return response

    async def _watch(self, request: web.Request, place: Place) -> web.StreamResponse:
        version = int(request.query.get("resourceVersion") or 0)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        if version < self.oldest_version:
            gone = {"kind": "Status", "status": "Failure", "message": f"too old resource version: {version}"}
            await response.write(_line("ERROR", gone | {"reason": "Expired", "code": 410}))
            await response.write_eof()
            return response
        sent = dict.fromkeys(self.recordings, version)
        while not await self._stopped():
            for recording in self._within(place.namespace) if place.plural == "rollouts" else ():
                for entry in recording.history:
                    number = int(entry["resourceVersion"])
                    if sent[recording.namespace] < number and entry["t"] <= self.at - recording.delay:
                        sent[recording.namespace] = number
                        await response.write(_line("MODIFIED", recording.version(entry)))
        return response

    async def _stopped(self) -> bool:
        """Whether the server is to end, after a moment's wait."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), TICK)
        return self._stop.is_set()


def _place(path: str) -> Place:
    parts = path.strip("/").split("/")
    parts = parts[2:] if parts[0] == "api" else parts[3:]
    namespace = None
    if parts[:1] == ["namespaces"]:
        namespace, parts = parts[1], parts[2:]
    plural, name, sub = (*parts, None, None)[:3]
    return Place(namespace, str(plural), name, sub)


def _line(change: str, thing: dict[str, Any]) -> bytes:
    return json.dumps({"type": change, "object": thing}).encode() + b"\n"


def _status(code: int, message: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code}
    return web.json_response(body, status=code)
