"""Whether the model that is set can be reached, is known by its server, and, where that is asked for, answers."""

import httpx

from agents.budget import Limits
from agents.errors import Transient
from app.adapters.llm import PUBLIC, ChatModels
from app.doctor.finding import Finding, fail, ok, warn
from app.settings import Settings

SECONDS = 20.0
FEW = 5


async def check_model(settings: Settings, *, ask: bool) -> Finding:
    """Lists the server's models, which costs nothing; `ask` has it say one word, which may."""
    if settings.model is None:
        return ok("model", "none is set: rules diagnose, and propose reverts and restored values")
    return await (_asked(settings, settings.model) if ask else _listed(settings, settings.model))


async def _listed(settings: Settings, model: str) -> Finding:
    url = f"{(settings.model_url or PUBLIC).rstrip('/')}/models"
    headers = {"Authorization": f"Bearer {settings.model_key.get_secret_value()}"} if settings.model_key else {}
    try:
        async with httpx.AsyncClient(timeout=SECONDS, follow_redirects=False) as client:
            answer = await client.get(url, headers=headers)
    except httpx.HTTPError as error:
        return fail("model", f"{url}: {type(error).__name__}: {error}", "check SELFHEAL_MODEL_URL and the network")
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        state = "is not accepted" if settings.model_key else "is missing"
        return fail("model", f"{url} answers {answer.status_code}: the key {state}", "set SELFHEAL_MODEL_KEY")
    names = _names(answer)
    if names is None:
        todo = "see with --ask-model, which sends one short question"
        return warn("model", f"{url} answers {answer.status_code} and lists no models, so {model} may be there", todo)
    if model not in names:
        known = ", ".join(sorted(names)[:FEW]) or "none"
        return fail("model", f"{url} does not list {model}; it lists {known}", "correct SELFHEAL_MODEL")
    return ok("model", f"{url} lists {model}")


def _names(answer: httpx.Response) -> set[str] | None:
    """The models of a list as the OpenAI API gives it; None where it is no such list."""
    try:
        document = answer.json()
    except ValueError:
        return None
    data = document.get("data") if answer.is_success and isinstance(document, dict) else None
    if not isinstance(data, list):
        return None
    return {str(one["id"]) for one in data if isinstance(one, dict) and "id" in one}


async def _asked(settings: Settings, model: str) -> Finding:
    models = ChatModels(model, settings.model_url, settings.model_key, Limits(calls=1, tokens=1000, seconds=SECONDS))
    try:
        said = await models.ask("Answer with the single word: ready")
    except Transient as error:
        todo = "check SELFHEAL_MODEL, SELFHEAL_MODEL_URL and SELFHEAL_MODEL_KEY"
        return fail("model", f"{model} does not answer: {error}", todo)
    finally:
        await models.close()
    return ok("model", f"{model} answers ({len(said)} characters)")
