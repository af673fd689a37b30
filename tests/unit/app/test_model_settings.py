"""Half a configuration of the model is refused at the start, by name, and no value is shown."""

import contextlib

import pytest
from pydantic import SecretStr

from agents.budget import Limits
from agents.errors import Invalid
from app.settings import Settings, read_settings
from app.worker import build_models

KEY = "sk-test-0123456789abcdefghijkl"


def settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    monkeypatch.setenv("SELFHEAL_INSECURE_DEV", "true")
    for name, value in variables.items():
        monkeypatch.setenv(f"SELFHEAL_{name}", value)
    return read_settings()


@pytest.mark.parametrize(
    "variables",
    [
        {"MODEL": "gpt-x", "MODEL_KEY": KEY},
        {"MODEL": "qwen", "MODEL_URL": "http://vllm:8000/v1"},
        {"MODEL": "qwen", "MODEL_URL": "https://llm.example/v1", "MODEL_KEY": KEY},
        {"MODEL": "", "MODEL_URL": "", "MODEL_KEY": ""},
        {},
    ],
)
def test_a_whole_configuration_or_none_is_taken(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    made = settings(monkeypatch, **variables)
    assert (made.model is not None) == bool(variables.get("MODEL"))
    assert isinstance(made.model_key, SecretStr) == bool(variables.get("MODEL_KEY"))
    assert (made.model_calls, made.model_tokens, made.model_seconds) == (40, 400_000, 300)


@pytest.mark.parametrize(
    ("variables", "names"),
    [
        ({"MODEL": "gpt-x"}, "SELFHEAL_MODEL_URL"),
        ({"MODEL_URL": "http://vllm:8000/v1"}, "SELFHEAL_MODEL_URL is set, but SELFHEAL_MODEL is not"),
        ({"MODEL_KEY": KEY}, "SELFHEAL_MODEL_KEY is set, but SELFHEAL_MODEL is not"),
        ({"MODEL": "m", "MODEL_URL": "vllm:8000/v1"}, "SELFHEAL_MODEL_URL must be like https://host/v1"),
        ({"MODEL": "m", "MODEL_URL": "file:///etc/passwd"}, "SELFHEAL_MODEL_URL must be"),
        ({"MODEL": "m", "MODEL_URL": "https://host/v1?key=1"}, "SELFHEAL_MODEL_URL must be"),
        ({"MODEL": "m", "MODEL_URL": "http://[::1/v1"}, "SELFHEAL_MODEL_URL is not a URL"),
        ({"MODEL": "m", "MODEL_URL": f"https://me:{KEY}@host/v1"}, "a key belongs in SELFHEAL_MODEL_KEY"),
        ({"MODEL": "m", "MODEL_KEY": KEY, "MODEL_CALLS": "0"}, "SELFHEAL_MODEL_CALLS"),
        ({"MODEL": "m", "MODEL_KEY": KEY, "MODEL_SECONDS": "-1"}, "SELFHEAL_MODEL_SECONDS"),
        ({"MODEL": "m", "MODEL_KEY": KEY, "MODEL_TOKENS": "many"}, "SELFHEAL_MODEL_TOKENS"),
        ({"MODEL": "m", "MODEL_KYE": KEY}, "SELFHEAL_MODEL_KEY"),
    ],
)
def test_half_a_configuration_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], names: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        settings(monkeypatch, **variables)
    assert names in str(refusal.value)
    assert KEY not in str(refusal.value)


async def test_the_worker_builds_the_model_that_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    async with contextlib.AsyncExitStack() as closing:
        assert build_models(settings(monkeypatch), closing) is None
        variables = {"MODEL": "qwen", "MODEL_URL": "http://vllm:8000/v1", "MODEL_CALLS": "7", "MODEL_SECONDS": "9"}
        models = build_models(settings(monkeypatch, **variables), closing)
        assert models is not None
        assert models.name == "qwen"
        assert models.limits == Limits(calls=7, tokens=400_000, seconds=9)
