"""The fake of the `Models` port: a chat model that says what it is told to, message by message."""

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field

from agents.budget import Limits, Models
from agents.errors import ModelMisbehaved

PLENTY = Limits(calls=40, tokens=400_000, seconds=20)


class ScriptedChat(BaseChatModel):
    """Gives each message of the script once; an exception is raised. `heard` keeps what it was asked."""

    script: list[Any]
    heard: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.heard.append(messages)
        if not self.script:
            raise ModelMisbehaved("the script is over")
        said = self.script.pop(0)
        if isinstance(said, Exception):
            raise said
        return ChatResult(generations=[ChatGeneration(message=said)])


class FakeModels:
    """`Models` with one scripted chat."""

    def __init__(self, *script: AIMessage | Exception, limits: Limits = PLENTY) -> None:
        self.scripted = ScriptedChat(script=list(script))
        self._limits = limits

    @property
    def name(self) -> str:
        return "fake-model"

    @property
    def limits(self) -> Limits:
        return self._limits

    def chat(self) -> BaseChatModel:
        return self.scripted


_models: Models = FakeModels()
