"""The Dockerfile, the locks and the compose file keep their promises."""

import re
import tomllib
from typing import Any

import pytest
from ruamel.yaml import YAML

from app.settings import Settings
from tests.dockerfile import ROOT, stages

SETTINGS = {f"SELFHEAL_{name.upper()}" for name in Settings.model_fields}


def pins(name: str) -> dict[str, str]:
    text = (ROOT / f"requirements{name}.lock").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^ ;]+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["-image", "-build"])
def test_a_lock_of_the_image_is_hashed_and_of_one_resolution_with_the_whole(name: str) -> None:
    text = (ROOT / f"requirements{name}.lock").read_text(encoding="utf-8")
    assert pins(name).items() <= pins("").items(), "run: make lock"
    assert text.count("--hash=sha256:") >= len(pins(name)) > 3
    assert "://" not in text


def test_the_image_has_every_dependency_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {
        re.split(r"[\[<>=~ ]", one)[0].lower().replace("_", "-").replace(".", "-") for one in project["dependencies"]
    }
    assert names <= pins("-image").keys(), "run: make lock"
    assert not {"pytest", "mypy", "ruff"} & pins("-image").keys()


def test_the_last_stage_runs_as_an_ordinary_user_with_git_and_the_sandbox() -> None:
    last = stages()[-1]
    said = {step.word: step.rest for step in last}
    assert said["USER"] == "10001:10001"
    installs = " ".join(step.rest for step in last if step.word == "RUN")
    assert "bubblewrap git" in installs
    assert said["ENTRYPOINT"] == '["selfheal"]'
    assert set(re.findall(r"(SELFHEAL_\w+)=", said["ENV"])) <= SETTINGS
    assert not [step for stage in stages() for step in stage if step.word == "ADD"]


def test_every_base_image_is_named_exactly() -> None:
    bases = [stage[0].rest.split()[0] for stage in stages()]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+(@sha256:[0-9a-f]{64})?", bases[0])


def test_what_is_copied_gets_past_the_ignore_file_and_nothing_else_does() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line[1:] for line in ignored if line.startswith("!")}
    copied = {name for step in stages()[0] if step.word == "COPY" for name in step.rest.split()[:-1]}
    assert "*" in ignored
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


def compose() -> dict[str, Any]:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    (service,) = YAML(typ="safe", pure=True).load(text)["services"].values()
    return dict(service)


def test_the_compose_file_sets_what_the_service_reads_and_demands_the_tokens() -> None:
    environment = compose()["environment"]
    assert environment.keys() <= SETTINGS
    for name in ("SELFHEAL_WEBHOOK_TOKENS", "SELFHEAL_API_TOKENS"):
        assert re.fullmatch(rf"\$\{{{name}:\?.+\}}", environment[name]), "nobody starts it with a token that is known"


def test_the_compose_file_mounts_what_the_settings_name_and_gives_away_no_more() -> None:
    service = compose()
    mounts = {parts[1]: parts[2:] for parts in (one.split(":") for one in service["volumes"])}
    environment = service["environment"]
    assert mounts[environment["SELFHEAL_POLICY"]] == mounts[environment["SELFHEAL_BUNDLES"]] == ["ro"]
    assert mounts["/data"] == []
    assert (service["read_only"], service["cap_drop"], service["user"]) == (True, ["ALL"], "10001:10001")
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "privileged" not in service
