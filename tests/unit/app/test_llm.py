"""The adapter's own HTTP: what is sent where, with which key, how long it waits, and what it never follows."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
import respx
from langchain_core.exceptions import ModelError, ModelTimeoutError
from pydantic import SecretStr

from agents.budget import Limits
from app.adapters.llm import PUBLIC, ChatModels

LIMITS = Limits(calls=4, tokens=1000, seconds=5)
KEY = "sk-test-0123456789abcdefghijkl"
URL = "https://llm.example/v1"
HELLO = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
}
Make = Callable[..., ChatModels]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    made: list[ChatModels] = []

    def build(url: str | None = URL, key: str | None = KEY, limits: Limits = LIMITS) -> ChatModels:
        made.append(ChatModels("some-model", url, SecretStr(key) if key else None, limits))
        return made[-1]

    yield build
    for models in made:
        await models.close()


@respx.mock
async def test_a_call_is_one_post_to_the_url_with_the_key_and_no_stream(make: Make) -> None:
    route = respx.post(f"{URL}/chat/completions").respond(json=HELLO)
    answer = await make().chat().ainvoke("hi")
    assert answer.content == "hello"
    request = route.calls.last.request
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    body = json.loads(request.content)
    assert body["model"] == "some-model"
    assert not body.get("stream")
    assert set(body) <= {"model", "messages", "stream"}


@respx.mock
async def test_with_a_key_alone_it_is_the_vendors_own_server(make: Make) -> None:
    route = respx.post(f"{PUBLIC}/chat/completions").respond(json=HELLO)
    await make(url=None).chat().ainvoke("hi")
    assert route.called


@respx.mock
async def test_without_a_key_none_of_the_environment_is_sent(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in the environment is for somebody else's program, and its server would get it."""
    for name in ("OPENAI_API_KEY", "LANGSMITH_API_KEY", "LANGSMITH_GATEWAY_API_KEY"):
        monkeypatch.setenv(name, "sk-of-another-program-0123456789")
    for name in ("OPENAI_API_BASE", "OPENAI_BASE_URL", "LANGSMITH_GATEWAY", "LANGSMITH_GATEWAY_URL"):
        monkeypatch.setenv(name, "https://elsewhere.example/v1")
    route = respx.post(f"{URL}/chat/completions").respond(json=HELLO)
    public = respx.post(f"{PUBLIC}/chat/completions").respond(json=HELLO)
    await make(key=None).chat().ainvoke("hi")
    await make(url=None).chat().ainvoke("hi")
    for call in (route.calls.last, public.calls.last):
        assert "another-program" not in str(call.request.headers.raw)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@respx.mock
async def test_a_redirect_is_never_followed(make: Make, status: int) -> None:
    elsewhere = respx.route(host="elsewhere.example").respond(json=HELLO)
    respx.post(f"{URL}/chat/completions").respond(status, headers={"Location": "https://elsewhere.example/v1"})
    with pytest.raises(ModelError):
        await make().chat().ainvoke("hi")
    assert not elsewhere.called


@respx.mock
async def test_a_broken_connection_is_tried_again(make: Make) -> None:
    route = respx.post(f"{URL}/chat/completions")
    route.side_effect = [
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("gone"),
        httpx.Response(200, json=HELLO),
    ]
    assert (await make().chat().ainvoke("hi")).content == "hello"
    assert route.call_count == 3


async def test_a_server_that_says_nothing_is_left_after_the_time_limit(make: Make) -> None:
    """It accepts the connection and is silent; the vendor's client would wait for ever."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        chat = make(url=url, limits=Limits(calls=1, tokens=100, seconds=0.2)).chat()
        chat.root_async_client = chat.root_async_client.with_options(max_retries=0)
        chat.async_client = chat.root_async_client.chat.completions
        began = time.monotonic()
        with pytest.raises(ModelTimeoutError):
            await asyncio.wait_for(chat.ainvoke("hi"), 10)
        assert time.monotonic() - began < 3


def test_the_key_is_in_no_description() -> None:
    models = ChatModels("m", URL, SecretStr(KEY), LIMITS)
    assert KEY not in repr(models.chat()) + str(models.chat()) + str(models.chat().model_dump())
