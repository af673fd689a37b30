"""What any `Models` promises, held by the fake and by the adapter against a real server."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from langchain_core.exceptions import ModelAuthenticationError, ModelError
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import StructuredTool

from agents.budget import Limits, Models
from agents.errors import ModelMisbehaved
from app.adapters.llm import ChatModels
from tests.fake_models import FakeModels
from tests.model_server import Raw, calls, model_server, say

LIMITS = Limits(calls=3, tokens=1000, seconds=5)
USAGE = {"input_tokens": 100, "output_tokens": 20, "total_tokens": 120}


async def look(item: str, line: int = 1) -> str:
    """Look at an item."""
    return f"{item}:{line}"


LOOK = StructuredTool.from_function(coroutine=look)


class Site(ABC):
    """Gives models that answer in turn: a call of `look`, a text, a refusal of the key, and rubbish."""

    @abstractmethod
    async def models(self, closing: AsyncExitStack) -> Models: ...


class FakeSite(Site):
    async def models(self, closing: AsyncExitStack) -> Models:
        asked = [{"name": "look", "args": {"item": "log", "line": 3}, "id": "call_1", "type": "tool_call"}]
        return FakeModels(
            AIMessage("", tool_calls=asked, usage_metadata=USAGE),
            AIMessage("done", usage_metadata=USAGE),
            ModelAuthenticationError("401"),
            ModelMisbehaved("its server's answer is no chat completion"),
            limits=LIMITS,
        )


class RealSite(Site):
    async def models(self, closing: AsyncExitStack) -> Models:
        server = closing.enter_context(
            model_server(
                calls(("look", {"item": "log", "line": 3})),
                say("done"),
                Raw(401, '{"error": {}}'),
                Raw(200, '{"a": 1}'),
            )
        )
        models = ChatModels("real-model", server.url, None, LIMITS)
        closing.push_async_callback(models.close)
        return models


@pytest.fixture(params=[FakeSite, RealSite], ids=["fake", "real"])
async def models(request: pytest.FixtureRequest) -> AsyncIterator[Models]:
    async with AsyncExitStack() as closing:
        yield await request.param().models(closing)


async def test_it_has_a_name_and_limits(models: Models) -> None:
    assert models.name
    assert models.limits == LIMITS


async def test_the_chat_calls_the_tools_that_are_bound_and_counts_tokens(models: Models) -> None:
    chat = models.chat().bind_tools([LOOK], tool_choice="any")
    asked = await chat.ainvoke([HumanMessage("look at the log")])
    assert isinstance(asked, AIMessage)
    assert [(call["name"], call["args"]) for call in asked.tool_calls] == [("look", {"item": "log", "line": 3})]
    assert asked.usage_metadata is not None
    assert (asked.usage_metadata["input_tokens"], asked.usage_metadata["output_tokens"]) == (100, 20)
    said = await chat.ainvoke([HumanMessage("and now?")])
    assert said.content == "done"


async def test_what_goes_wrong_is_said_in_words_that_the_core_knows(models: Models) -> None:
    chat = models.chat()
    for _ in range(2):
        await chat.ainvoke("go on")
    with pytest.raises(ModelError):
        await chat.ainvoke("go on")
    with pytest.raises(ModelMisbehaved, match="no chat completion"):
        await chat.ainvoke("go on")
