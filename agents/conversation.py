"""One bounded conversation with an agent, which ends in an answer that was checked or in one of our errors.

Knows nothing of what is asked. Whatever goes wrong becomes a `SelfhealError` whose message is ours: what a server
writes into an error may hold a key, and is told to nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelRefusalError,
    ModelTimeoutError,
)
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableConfig

from agents.budget import Meter
from agents.errors import BudgetExhausted, Denied, ModelMisbehaved, SelfhealError, Transient

CHANCES = 3
"""How often an answer may be wrong, or missing, before the conversation ends."""
MOST_TOOL_CALLS = 80
NO_ANSWER = "Your last message called no tool that could be run. Call a tool, or finish."
LAST_CALL = "You have used the calls that you may make. Finish now, with what you know."

UNUSABLE: tuple[tuple[type[ModelError], str], ...] = (
    (ModelAuthenticationError, "its server does not accept the key (401)"),
    (ModelPermissionDeniedError, "its server refuses the key (403)"),
    (ModelNotFoundError, "its server does not know the model (404)"),
    (ModelInvalidRequestError, "its server refuses the request (400)"),
    (ModelRateLimitError, "its server is limiting requests (429)"),
    (ModelTimeoutError, "its server did not answer in time"),
    (ModelConnectionError, "its server cannot be reached"),
    (ModelAPIError, "its server fails (5xx)"),
)

Answer = TypeVar("Answer")


async def converse(
    agent: Runnable[Any, Any],
    task: str,
    meter: Meter,
    check: Callable[[Answer], Awaitable[str | None]],
) -> Answer:
    """Run the agent until it has given an answer that `check` finds nothing wrong with.

    `check` returns what is wrong in words for the model. Raises `ModelMisbehaved` when the chances are used up,
    `BudgetExhausted` on a limit, `Transient` or `Denied` when the model cannot be used, now or at all.
    """
    config: RunnableConfig = {"callbacks": [meter]}
    messages: list[AnyMessage] = [HumanMessage(task)]
    complaint = NO_ANSWER
    try:
        async with asyncio.timeout(meter.limits.seconds) as clock:
            for _ in range(CHANCES):
                state = await _apart(agent.ainvoke({"messages": messages}, config))
                answer: Answer | None = state.get("structured_response")
                if answer is not None:
                    found = await check(answer)
                    if found is None:
                        return answer
                    complaint = found
                else:
                    complaint = LAST_CALL if meter.calls_left <= 1 else NO_ANSWER
                messages = [*_without_silence(state["messages"]), HumanMessage(complaint)]
    except ModelError as error:
        raise _own(error) from error
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise BudgetExhausted(f"it was not done after {meter.limits.seconds:g} s") from error
    raise ModelMisbehaved("it gave no answer" if complaint in {NO_ANSWER, LAST_CALL} else complaint)


def _apart(run: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Run an agent outside of the pipeline's own run, which it would otherwise be a part of.

    So nothing of it is checkpointed or inherits anything: evidence is not copied into checkpoints, and a conversation
    that was cut off begins again.
    """
    return asyncio.create_task(run, context=Context())


def _without_silence(messages: list[AnyMessage]) -> list[AnyMessage]:
    """The messages without a last one that says nothing, which servers refuse to be told again."""
    last = messages[-1]
    said = isinstance(last, AIMessage) and (last.content or last.tool_calls or last.invalid_tool_calls)
    return messages[:-1] if isinstance(last, AIMessage) and not said else messages


def _own(error: ModelError) -> SelfhealError:
    if isinstance(error, ModelRefusalError):
        return ModelMisbehaved("it refused")
    if isinstance(error, ContextOverflowError):
        return BudgetExhausted("the conversation is longer than the model can read")
    why = next((text for kind, text in UNUSABLE if isinstance(error, kind)), "its server cannot be used")
    return Transient(why) if error.is_retryable else Denied(why)
