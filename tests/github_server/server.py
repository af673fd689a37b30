"""The pretended GitHub over real HTTP on a loopback port, in threads of the test's process.

Python's own server rather than a framework: a test must be able to hang up in the middle of an answer.
"""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.github_server import apps, attention, discussion, files, git_data
from tests.github_server.hub import Hub, Refused
from tests.github_server.routing import Request, answer
from tests.github_server.smart_http import serve_git

API = "/api/v3"
PART = 64 * 1024


@dataclass(frozen=True)
class Call:
    """A request that arrived, in the order of arrival; `status` 0 where the line was cut before an answer."""

    method: str
    path: str
    authorization: str
    status: int


@dataclass(frozen=True)
class HangUp:
    """Close the connection without an answer, before or after the request takes effect."""

    after: bool


@dataclass(frozen=True)
class Answer:
    """Answer so, before or after the request takes effect; wait before it."""

    status: int
    message: str = "Server Error"
    headers: Mapping[str, str] = field(default_factory=dict)
    after: bool = False
    seconds: float = 0
    raw: str | None = None
    """The whole body, instead of GitHub's JSON around the message."""


Trouble = Callable[[int, str, str], HangUp | Answer | None]
"""What goes wrong with the n-th request (from 1), by method and path."""


class GitHubServer:
    """One server. Tests put repositories and tokens into `hub`, `trouble` in its way, and read `calls`."""

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self.hub = Hub(folder)
        self.trouble: Trouble = lambda *_: None
        self.calls: list[Call] = []
        self.seconds_a_part = 0.0
        """How long the line takes for 64 KiB of an answer."""
        self._arrived = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            scheme = "https"
        self.web = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self.api = f"{self.web}{API}"

    @contextlib.contextmanager
    def running(self) -> Iterator["GitHubServer"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.close()
            thread.join()

    def close(self) -> None:
        """Stop answering; again is fine."""
        self._server.shutdown()
        self._server.server_close()

    def url(self, full_name: str) -> str:
        return f"{self.web}/{full_name}"

    def writes(self, ending: str = "") -> list[Call]:
        """The requests that would change something, of those whose path ends so."""
        return [call for call in self.calls if call.method != "GET" and call.path.endswith(ending)]

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> "Response | None":
        """The answer to a request, with whatever `trouble` makes of it; None where the line is cut."""
        path = urlsplit(target).path.removeprefix(API)
        with self.hub.lock:
            self._arrived += 1
            number = self._arrived
        trouble = self.trouble(number, method, path)
        response = None
        if trouble is None or trouble.after:
            response = self._respond(method, target, headers, body)
        if isinstance(trouble, Answer):
            time.sleep(trouble.seconds)
            response = Response.of_json(trouble.status, {"message": trouble.message}, trouble.headers)
            if trouble.raw is not None:
                response = Response(trouble.status, trouble.headers, trouble.raw.encode())
        elif trouble is not None:
            response = None
        status = response.status if response else 0
        self.calls.append(Call(method, path, headers.get("Authorization", ""), status))
        return response

    def _respond(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> "Response":
        """The answer to a request, which has taken effect when this returns."""
        try:
            if not target.startswith(API):
                return Response(*serve_git(self.hub, method, target, headers, body))
            with self.hub.lock:
                return self._respond_api(method, target, headers, body)
        except Refused as refused:
            return Response.of_json(refused.status, refused.body, refused.headers)

    def _respond_api(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> "Response":
        parts = urlsplit(target)
        authorization = headers.get("Authorization", "")
        scheme, _, token = authorization.partition(" ")
        request = Request(
            hub=self.hub,
            api=self.api,
            web=self.web,
            method=method,
            path=parts.path.removeprefix(API),
            query=dict(parse_qsl(parts.query)),
            body=json.loads(body) if body else {},
            grant=self.hub.grant(token) if token and scheme == "token" else None,
            authorization=authorization,
        )
        status, document = answer(
            request, apps.routes, discussion.routes, files.routes, attention.routes, git_data.routes
        )
        return Response.of_json(status, document, request.headers)


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of_json(cls, status: int, document: Any, headers: Mapping[str, str]) -> "Response":
        return cls(
            status, {"Content-Type": "application/json; charset=utf-8", **headers}, json.dumps(document).encode()
        )


def _handler(server: GitHubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        wbufsize = -1  # an answer in one piece; in two, each would wait for the client's delayed acknowledgement

        def handle_request(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.title(): value for name, value in self.headers.items()}
            response = server.handle(self.command, self.path, headers, body)
            with contextlib.suppress(OSError):
                if response is None:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(response.status)
                for name, value in response.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(response.body)))
                self.end_headers()
                for at in range(0, len(response.body), PART):
                    self.wfile.write(response.body[at : at + PART])
                    time.sleep(server.seconds_a_part)

        do_GET = do_POST = do_PATCH = handle_request  # noqa: N815 - the names that http.server looks for

        def log_message(self, *_: object) -> None:
            """Nothing on the screen of a test."""

    return Handler
