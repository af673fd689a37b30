"""A server that speaks the OpenAI chat API on loopback and says what a script tells it to; every request is kept.

A script is a list of steps, one a request. A step is a message, a raw answer, or a function of the request's body that
gives one of these; so a model can answer to what it was told. After the last step every request is answered 400.
"""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

Body = dict[str, Any]
Message = dict[str, Any]


@dataclass(frozen=True)
class Raw:
    """An answer that is no ordinary completion."""

    status: int = 200
    content: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """How long it takes."""


Step = Message | Raw | Callable[[Body], "Message | Raw"]
_ids = itertools.count(1)


def say(text: str | None, **more: Any) -> Message:
    """A message without tool calls."""
    return {"role": "assistant", "content": text, **more}


def call(name: str, /, **arguments: Any) -> Message:
    """A message that calls one tool."""
    return calls((name, arguments))


def calls(*wanted: tuple[str, dict[str, Any] | str]) -> Message:
    """A message that calls several tools at once. Arguments given as text are sent as they are."""
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": f"call_{next(_ids)}",
                "type": "function",
                "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
            }
            for name, given in wanted
        ],
    }


def told(body: Body, role: str = "tool") -> list[str]:
    """What the messages of one role say, in order."""
    return [str(message["content"]) for message in body["messages"] if message["role"] == role]


@dataclass
class ModelServer:
    """The running server. `usage` None leaves it out of the answers."""

    steps: list[Step]
    usage: dict[str, int] | None = field(
        default_factory=lambda: {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    )
    models: list[str] | None = None
    """What `/models` lists; None where there is no such list."""
    key: str | None = None
    """The key that `/models` wants; None where it wants none."""
    url: str = ""
    bodies: list[Body] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)
    """Every request as text, headers included."""
    at: list[float] = field(default_factory=list)
    """When each request came, on the monotonic clock."""

    @property
    def is_done(self) -> bool:
        """Whether the script was played to its end and no further."""
        return len(self.bodies) == len(self.steps)

    async def answer(self, request: Request) -> Response:
        text = (await request.body()).decode()
        self.at.append(time.monotonic())
        self.raw.append(f"{request.method} {request.url.path}\n{dict(request.headers)}\n{text}")
        body = json.loads(text)
        self.bodies.append(body)
        if len(self.bodies) > len(self.steps):
            return Response('{"error": {"message": "the script is over"}}', 400, media_type="application/json")
        step = self.steps[len(self.bodies) - 1]
        said = step(body) if callable(step) else step
        if isinstance(said, Raw):
            await asyncio.sleep(said.seconds)
            return Response(said.content, said.status, dict(said.headers), "application/json")
        return Response(self.completion(body, said), 200, media_type="application/json")

    async def list_models(self, request: Request) -> Response:
        """The names of `models`; 404 where that is None, as of a server that has no such list."""
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return Response('{"error": {"message": "Incorrect API key"}}', 401, media_type="application/json")
        if self.models is None:
            return Response("Not Found", 404)
        data = [{"id": name, "object": "model"} for name in self.models]
        return Response(json.dumps({"object": "list", "data": data}), 200, media_type="application/json")

    def completion(self, body: Body, message: Message) -> str:
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        document = {
            "id": f"chatcmpl-{len(self.bodies)}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        }
        return json.dumps(document | ({"usage": self.usage} if self.usage else {}))


@contextmanager
def model_server(*steps: Step, usage: bool = True) -> Iterator[ModelServer]:
    """Start a server for one script, and stop it."""
    served = ModelServer(list(steps))
    if not usage:
        served.usage = None
    app = FastAPI(openapi_url=None)
    app.add_api_route("/v1/chat/completions", served.answer, methods=["POST"])
    app.add_api_route("/v1/models", served.list_models, methods=["GET"])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 10
    while not server.started and time.monotonic() < end:
        time.sleep(0.005)
    served.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    yield served
    server.should_exit = True
    server.force_exit = True
    thread.join(10)
