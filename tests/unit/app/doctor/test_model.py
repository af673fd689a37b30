"""What the doctor says of the model, on a real server."""

from pathlib import Path

import pytest

from app.doctor.finding import Finding
from app.doctor.model import check_model
from app.settings import Settings
from tests.model_server import Raw, model_server, say


def settings(folder: Path, **changes: object) -> Settings:
    values = {"data_dir": folder, "webhook_tokens": "prod:w", "api_tokens": "ops:read:t"}
    return Settings.model_validate(values | changes)


def told(finding: Finding, level: str, *words: str) -> bool:
    return finding.level == level and all(word in f"{finding.text} {finding.todo}" for word in words)


async def test_without_a_model_that_is_fine_and_says_what_rules_do(tmp_path: Path) -> None:
    assert told(await check_model(settings(tmp_path), ask=True), "ok", "rules")


@pytest.mark.parametrize(
    ("models", "level", "words"),
    [
        (["small", "large"], "ok", ("lists large",)),
        (["small"], "fail", ("does not list large", "small", "SELFHEAL_MODEL")),
        ([], "fail", ("it lists none",)),
        (None, "warn", ("404", "--ask-model")),
    ],
)
async def test_a_model_is_looked_for_among_those_that_its_server_lists(
    models: list[str] | None, level: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    with model_server() as server:
        server.models = models
        found = await check_model(settings(tmp_path, model="large", model_url=server.url), ask=False)
        assert server.bodies == []
    assert told(found, level, *words)


@pytest.mark.parametrize(("key", "words"), [("wrong", "is not accepted"), (None, "is missing")])
async def test_a_key_that_is_not_taken_is_named_and_never_shown(key: str | None, words: str, tmp_path: Path) -> None:
    with model_server() as server:
        server.key = "right"
        found = await check_model(settings(tmp_path, model="m", model_url=server.url, model_key=key), ask=False)
    assert told(found, "fail", words, "SELFHEAL_MODEL_KEY")
    assert "wrong" not in str(found)


async def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    found = await check_model(settings(tmp_path, model="m", model_url="http://127.0.0.1:9/v1"), ask=False)
    assert told(found, "fail", "http://127.0.0.1:9/v1", "SELFHEAL_MODEL_URL")


async def test_asked_for_it_the_model_says_a_word(tmp_path: Path) -> None:
    with model_server(say("ready")) as server:
        found = await check_model(settings(tmp_path, model="m", model_url=server.url), ask=True)
        assert len(server.bodies) == 1
    assert told(found, "ok", "m answers")


async def test_a_model_that_its_server_does_not_have_is_no_answer(tmp_path: Path) -> None:
    with model_server(Raw(404, '{"error": {"message": "no such model"}}')) as server:
        found = await check_model(settings(tmp_path, model="m", model_url=server.url), ask=True)
    assert told(found, "fail", "m does not answer", "SELFHEAL_MODEL")
