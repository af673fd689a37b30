"""What a model may use on one attempt, and what it has used: counted here, whatever a library counts.

A call that would go over the budget is not made. Tokens are what the server's `usage` says; where it says nothing, and
for a request that is still to be sent, four bytes count as one token.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from pydantic import BaseModel, ConfigDict, Field

from agents.errors import BudgetExhausted

BYTES_A_TOKEN = 4


class Limits(BaseModel):
    """The most that may be used: calls and tokens in one attempt, seconds in one conversation."""

    model_config = ConfigDict(frozen=True)

    calls: int = Field(ge=1)
    tokens: int = Field(ge=1)
    seconds: float = Field(gt=0)

    def half(self) -> "Limits":
        """Half of the calls and tokens, so that something is left for the next stage."""
        return Limits(calls=max(1, self.calls // 2), tokens=max(1, self.tokens // 2), seconds=self.seconds)


class Cost(BaseModel):
    """What one attempt has used of a model. Kept with the attempt, and shown by the API."""

    model_config = ConfigDict(frozen=True)

    model: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class Models(Protocol):
    """Who gives the model that investigates and writes fixes."""

    @property
    def name(self) -> str:
        """The model's name, for people."""
        ...

    @property
    def limits(self) -> Limits:
        """What one attempt may use."""
        ...

    def chat(self) -> BaseChatModel:
        """A chat model that can call tools.

        It raises `langchain_core.exceptions.ModelError` where the server cannot be used, and `ModelMisbehaved` where
        its answer cannot be read.
        """
        ...


class Meter(AsyncCallbackHandler):
    """Counts the calls of one conversation on top of what the attempt has used before."""

    raise_error = True

    def __init__(self, limits: Limits, spent: Cost) -> None:
        super().__init__()
        self.limits = limits
        self.cost = spent
        self._asked: dict[UUID, int] = {}

    @property
    def calls_left(self) -> int:
        return self.limits.calls - self.cost.calls

    async def on_chat_model_start(
        self, serialized: dict[str, Any], messages: list[list[BaseMessage]], *, run_id: UUID, **kwargs: Any
    ) -> None:
        """Refuse the call that would go over the budget; count the one that is made."""
        del serialized
        if self.calls_left < 1:
            raise BudgetExhausted(f"the {self.limits.calls} calls it may make are used up")
        tools = (kwargs.get("invocation_params") or {}).get("tools") or []
        asked = tokens_of(_text(messages[0])) + tokens_of(json.dumps(tools, default=str))
        if self.cost.tokens + asked > self.limits.tokens:
            raise BudgetExhausted(f"the {self.limits.tokens} tokens it may use are used up")
        self._asked[run_id] = asked
        self.cost = self.cost.model_copy(update={"calls": self.cost.calls + 1})

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        del kwargs
        asked = self._asked.pop(run_id, 0)
        answers = [one.message for one in response.generations[0] if isinstance(one, ChatGeneration)]
        usage = next((one.usage_metadata for one in answers if isinstance(one, AIMessage) and one.usage_metadata), None)
        read, written = (usage["input_tokens"], usage["output_tokens"]) if usage else (0, 0)
        self.cost = self.cost.model_copy(
            update={
                "input_tokens": self.cost.input_tokens + (read if read > 0 else asked),
                "output_tokens": self.cost.output_tokens + (written if written > 0 else tokens_of(_text(answers))),
            }
        )


def tokens_of(text: str) -> int:
    """An estimate, rounded up."""
    return -(-len(text.encode("utf-8", "replace")) // BYTES_A_TOKEN)


def _text(messages: Sequence[BaseMessage]) -> str:
    parts = [str(message.content) for message in messages]
    parts += [str(message.tool_calls) for message in messages if isinstance(message, AIMessage)]
    return "".join(parts)
