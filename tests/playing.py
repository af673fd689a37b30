"""Plays a script of a model against a scene: what the model says, and what came of it."""

from contextlib import AsyncExitStack
from typing import Any

from pydantic import SecretStr

from agents.budget import Limits
from agents.outcome import Outcome
from app.adapters.llm import ChatModels
from tests.fake_models import PLENTY
from tests.model_server import Message, ModelServer, Step, call, model_server
from tests.scene import LOG, SECRETS, Scene

KEY = "sk-test-0123456789abcdefghijkl"
DONE = call("Fix", why="Charges the default rate again where none is agreed.")


async def play(
    scene: Scene, *steps: Step, limits: Limits = PLENTY, usage: bool = True, key: str | None = None
) -> tuple[Outcome, ModelServer]:
    """The outcome, and the server with all that it heard, among which no secret is."""
    async with AsyncExitStack() as closing:
        server = closing.enter_context(model_server(*steps, usage=usage))
        models = ChatModels("test-model", server.url, SecretStr(key) if key else None, limits)
        closing.push_async_callback(models.close)
        outcome = await scene.heal(models)
    heard = [secret for secret in SECRETS for raw in server.raw if secret in raw]
    if heard:
        raise AssertionError(f"a secret reached the model's server: {heard}")
    return outcome, server


def conclusion(scene: Scene, **changes: Any) -> Message:
    """The answer of a model that has found the cause."""
    answer: dict[str, Any] = {
        "category": "code",
        "summary": "rate_for refuses regions that have no agreed rate, where the stable version took the default",
        "confidence": "high",
        "repository": "source",
        "file": "shop/pricing.py",
        "line": 10,
        "function": "rate_for",
        "culprit_commit": scene.culprit,
        "fixable": True,
        "claims": [
            {
                "text": "a region without a rate is refused",
                "evidence": [{"ref": f"{LOG}#L11-11", "quote": "LookupError: no rate for pacific"}],
            }
        ],
    }
    return call("Conclusion", **(answer | changes))


def edit(search: str, replace: str, path: str = "shop/pricing.py") -> Message:
    return call("edit_files", edits=[{"path": path, "search": search, "replace": replace}])


def pushed(scene: Scene) -> dict[str, str | None]:
    """The files of the one commit that was stored in the forge."""
    ((_, changes),) = scene.forge.commits.values()
    return {change.path: change.after for change in changes}
