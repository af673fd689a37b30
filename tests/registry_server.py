"""A container registry over real HTTP, content-addressed like any other, that can also misbehave."""

import contextlib
import hashlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
Answer = Callable[[Request], Response]


@dataclass
class RegistryServer:
    """Holds blobs by digest; `instead` puts an answer in the place of a path, `realm` makes it ask for a token."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    instead: dict[str, Answer] = field(default_factory=dict)
    realm: str | None = None
    password: str | None = None
    """`<user>:<password>` in base64 that the token realm asks for."""
    token: str = "t0ken"
    calls: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(path, Host, Authorization) of every request."""
    port: int = 0

    def put(self, document: Any) -> str:
        body = json.dumps(document).encode()
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.blobs[digest] = body
        return digest

    def push(self, labels: Mapping[str, Any] | None = None, annotations: Mapping[str, str] | None = None) -> str:
        """The digest of an image of one platform."""
        config = self.put({"architecture": "amd64", "config": {"Labels": labels}})
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": {"digest": config}, "layers": []}
        return self.put(manifest | ({"annotations": annotations} if annotations else {}))

    def push_index(self, *platforms: tuple[str, str, str]) -> str:
        """The digest of an index of (os, architecture, digest)."""
        entries = [
            {"digest": digest, "platform": {"os": system, "architecture": chip}} for system, chip, digest in platforms
        ]
        return self.put({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _content(self, request: Request) -> Response:
        path = request.url.path
        authorization = request.headers.get("authorization")
        self.calls.append((path, request.headers["host"], authorization))
        if path in self.instead:
            return self.instead[path](request)
        if self.realm is not None and authorization != f"Bearer {self.token}":
            challenge = f'Bearer realm="{self.realm}",service="registry",scope="repository:other/thing:pull,push"'
            return JSONResponse({"errors": []}, status_code=401, headers={"WWW-Authenticate": challenge})
        body = self.blobs.get(request.path_params["digest"])
        return Response(body, media_type="application/json") if body is not None else Response(status_code=404)

    async def _hand_out(self, request: Request) -> Response:
        self.calls.append((str(request.url.path), request.headers["host"], request.headers.get("authorization")))
        if self.password is not None and request.headers.get("authorization") != f"Basic {self.password}":
            return Response(status_code=401)
        self.scopes.append(request.query_params.get("scope", ""))
        return JSONResponse({"token": self.token})

    scopes: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Empty, and well-behaved again."""
        self.blobs, self.instead, self.calls, self.scopes = {}, {}, [], []
        self.realm, self.password, self.token = None, None, "t0ken"

    @contextlib.contextmanager
    def running(self, certificate: Path | None = None) -> Iterator["RegistryServer"]:
        """Served on a free loopback port by a thread of its own; `certificate` (with its key) makes it https."""
        app = Starlette(
            routes=[
                Route("/token", self._hand_out),
                Route("/v2/{name:path}/manifests/{digest}", self._content),
                Route("/v2/{name:path}/blobs/{digest}", self._content),
                Route("/elsewhere/{digest}", self._content),
            ]
        )
        config = uvicorn.Config(app, log_config=None, lifespan="off", ssl_certfile=certificate)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield self  # the socket listens already, so nobody has to wait for the server to start
            finally:
                server.should_exit = True
                thread.join()
