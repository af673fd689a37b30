"""The model behind any server that speaks the OpenAI chat API, as `agents.budget.Models`.

Our own HTTP clients, so that time-outs, proxies and certificates are ours and a redirect is never followed with the
key. The vendor's client repeats what may pass: a 429 after the seconds that `Retry-After` names (up to two minutes, and
never past the conversation's own limit), 5xx, time-outs and lost connections.
"""

from typing import Any

import httpx
import openai
from langchain_core.exceptions import ContextOverflowError, LangChainException, ModelError, ModelInvalidRequestError
from langchain_core.outputs import ChatResult
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from agents.budget import Limits
from agents.errors import ModelMisbehaved, Transient

PUBLIC = "https://api.openai.com/v1"
"""Said here, so that no variable of the environment can send the key elsewhere."""
NO_KEY = SecretStr("none")
"""For servers that ask for no key; the protocol's client wants one to send."""
RETRIES = 3
CONNECT_SECONDS = 10.0
MOST_READ_SECONDS = 180.0
"""For one answer; a large model on a small machine needs minutes."""


class ChatModels:
    """One model; its clients live as long as this object."""

    def __init__(self, name: str, url: str | None, key: SecretStr | None, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        read = min(MOST_READ_SECONDS, limits.seconds)
        self._timeout = httpx.Timeout(read, connect=min(CONNECT_SECONDS, read))
        self._client = httpx.AsyncClient(timeout=self._timeout, follow_redirects=False)
        self._sync_client = httpx.Client(timeout=self._timeout, follow_redirects=False)
        self._chat = _Chat(
            model=name,
            base_url=url or PUBLIC,
            api_key=key or NO_KEY,
            http_client=self._sync_client,
            http_async_client=self._client,
            timeout=self._timeout,  # without it the vendor's client waits for ever
            max_retries=RETRIES,
            use_responses_api=False,
            disable_streaming=True,
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def limits(self) -> Limits:
        return self._limits

    def chat(self) -> ChatOpenAI:
        return self._chat

    async def ask(self, question: str) -> str:
        """What it says to one question; `Transient` says why it says nothing."""
        try:
            return str((await self._chat.ainvoke(question)).content)
        except (openai.OpenAIError, LangChainException, ModelMisbehaved) as error:
            raise Transient(f"{type(error).__name__}: {error}"[:300]) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        self._sync_client.close()


class _Chat(ChatOpenAI):
    """Says in our words, or LangChain's, what the vendor's client lets through as it comes."""

    async def _agenerate(self, *args: Any, **kwargs: Any) -> ChatResult:
        try:
            result = await super()._agenerate(*args, **kwargs)
        except openai.BadRequestError as error:
            if error.code == "context_length_exceeded" or "context length" in str(error):
                raise ContextOverflowError("the conversation is too long") from error
            raise
        except ModelError:
            raise
        except openai.UnprocessableEntityError as error:
            raise ModelInvalidRequestError("the request was not accepted") from error
        except openai.APIError as error:  # a redirect, a conflict, an answer that is no JSON
            raise ModelError("the server's answer is no answer") from error
        except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            raise ModelMisbehaved("its server's answer is no chat completion") from error
        if not result.generations:
            raise ModelMisbehaved("its server's answer holds no message")
        return result
