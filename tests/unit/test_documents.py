"""The two files that operators write: their schemas and examples in `docs/` say what the code reads."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agents.policy import Policy, RepositoryFile, RepositoryRule, effective_mode, parse_policy, parse_repository_file
from tests.conftest import Golden

DOCS = Path(__file__).resolve().parents[2] / "docs"
POLICY, REPOSITORY = (
    (DOCS / name).read_text(encoding="utf-8") for name in ("policy.example.yaml", "selfheal.example.yml")
)


@pytest.mark.parametrize(
    ("name", "model", "title"),
    [
        ("policy.schema.json", Policy, "Server policy of Self-Healing Rollouts"),
        ("selfheal.schema.json", RepositoryFile, ".selfheal.yml of Self-Healing Rollouts"),
    ],
)
def test_the_schemas_are_what_the_code_reads(
    request: pytest.FixtureRequest, name: str, model: type[BaseModel], title: str
) -> None:
    schema: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(),
        "title": title,
    }
    text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    kept = Golden(DOCS, update=bool(request.config.getoption("--update-golden")))(name, text)
    assert kept == text, f"docs/{name} has drifted: run `pytest --update-golden` and commit what it wrote"
    assert schema["additionalProperties"] is False


def test_the_example_policy_means_what_its_comments_say() -> None:
    policy = parse_policy(POLICY)
    narrow, deploy, wide = (
        policy.rule(f"https://github.com/acme/{name}") for name in ("payments", "deploy", "checkout")
    )
    assert narrow
    assert deploy
    assert wide
    assert [rule.mode for rule in (narrow, deploy, wide)] == ["observe", "propose", "ready"]
    assert (deploy.base, deploy.max_files, deploy.max_lines) == ("main", 3, 60)
    assert policy.rule("https://github.com/other/checkout") is None
    (image,) = policy.images
    assert policy.listed(image.repo) == "https://github.com/acme/checkout"


def test_the_example_of_a_repository_file_can_be_read_and_narrows() -> None:
    file = parse_repository_file(REPOSITORY)
    assert file.commands.run == ("python3", "-m", "checkout", "--port", "{port}")
    assert file.commands.setup
    assert file.commands.test
    assert effective_mode(RepositoryRule(match="*", mode="ready"), file.mode) == "propose"


@pytest.mark.parametrize(
    ("text", "models"), [(POLICY, (Policy, RepositoryRule)), (REPOSITORY, (RepositoryFile,))], ids=["policy", "file"]
)
def test_every_key_is_in_its_example_with_a_word_about_it(text: str, models: tuple[type[BaseModel], ...]) -> None:
    for model in models:
        for key, field in model.model_fields.items():
            assert f"{key}:" in text
            assert field.description, f"{key} has no description"
    assert text.count("#") > text.count(":") / 3
