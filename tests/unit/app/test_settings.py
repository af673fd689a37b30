import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from agents.errors import Invalid
from app.settings import Settings, read_policy, read_settings

GOOD = {"SELFHEAL_WEBHOOK_TOKENS": "prod:one", "SELFHEAL_API_TOKENS": "ops:read:two"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The process's own environment, with what every start needs."""
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def refusal(environment: pytest.MonkeyPatch, **variables: str) -> str:
    for name, value in variables.items():
        environment.setenv(name, value)
    with pytest.raises(Invalid) as refused:
        read_settings()
    return str(refused.value)


def test_tokens_are_split_at_the_first_colons_and_may_rotate(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SELFHEAL_WEBHOOK_TOKENS", " prod:one , prod:two,eu-1:with:colons,us:tökén,")
    environment.setenv("SELFHEAL_API_TOKENS", "ops:read + trigger:a:b:c, viewer:read:d")
    settings = read_settings()
    webhook = [(caller.cluster, caller.token.get_secret_value()) for caller in settings.webhook_callers]
    assert webhook == [("prod", "one"), ("prod", "two"), ("eu-1", "with:colons"), ("us", "tökén")]
    api = [(caller.name, caller.scopes, caller.token.get_secret_value()) for caller in settings.api_callers]
    assert api == [("ops", frozenset({"read", "trigger"}), "a:b:c"), ("viewer", frozenset({"read"}), "d")]
    assert settings.clusters == ("prod", "eu-1", "us")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"SELFHEAL_WEBHOOK_TOKENS": ""}, "SELFHEAL_WEBHOOK_TOKENS is not set"),
        ({"SELFHEAL_WEBHOOK_TOKENS": " , "}, "SELFHEAL_WEBHOOK_TOKENS is not set"),
        ({"SELFHEAL_API_TOKENS": ""}, "SELFHEAL_API_TOKENS is not set"),
        ({"SELFHEAL_WEBHOOK_TOKENS": "secret-value"}, "SELFHEAL_WEBHOOK_TOKENS: each entry is <cluster>:<token>"),
        ({"SELFHEAL_WEBHOOK_TOKENS": "prod:one,:secret-value"}, "each entry is <cluster>:<token>"),
        ({"SELFHEAL_WEBHOOK_TOKENS": "prod:"}, "each entry is <cluster>:<token>"),
        ({"SELFHEAL_WEBHOOK_TOKENS": "../prod:secret-value"}, "a cluster's name"),
        ({"SELFHEAL_WEBHOOK_TOKENS": "prod:secret-value,test:secret-value"}, "the same token"),
        ({"SELFHEAL_API_TOKENS": "ops:secret-value"}, "SELFHEAL_API_TOKENS: each entry is <name>:<scope>"),
        ({"SELFHEAL_API_TOKENS": "ops::secret-value"}, "each entry is <name>:<scope>"),
        ({"SELFHEAL_API_TOKENS": "ops:read+write:secret-value"}, "'write' is not a scope"),
        ({"SELFHEAL_API_TOKENS": "ops:read:secret-value,ops:trigger:secret-value"}, "the same token"),
        ({"SELFHEAL_PORT": "http"}, "SELFHEAL_PORT: "),
        ({"SELFHEAL_PORT": "0"}, "SELFHEAL_PORT: "),
        ({"SELFHEAL_SANDBOX": "docker"}, "SELFHEAL_SANDBOX: "),
        ({"SELFHEAL_LOG_LEVEL": "loud"}, "SELFHEAL_LOG_LEVEL: "),
        ({"SELFHEAL_INSECURE_DEV": "true", "SELFHEAL_HOST": "0.0.0.0"}, "loopback"),
        ({"SELFHEAL_INSECURE_DEV": "true", "SELFHEAL_HOST": "example.com"}, "loopback"),
        ({"SELFHEAL_INSECURE_DEV": "true", "SELFHEAL_WEBHOOK_TOKENS": "secret-value"}, "each entry"),
        ({"SELFHEAL_INSECURE_DEV": "true", "SELFHEAL_API_TOKENS": "secret-value"}, "each entry"),
        ({"SELFHEAL_WEBHOOK_TOKEN": "prod:secret-value"}, "did you mean SELFHEAL_WEBHOOK_TOKENS?"),
        ({"SELFHEAL_WEBHOOKTOKENS": "prod:secret-value"}, "did you mean SELFHEAL_WEBHOOK_TOKENS?"),
        ({"selfheal_polici": "secret-value"}, "did you mean SELFHEAL_POLICY?"),
        ({"SELFHEAL_XYZZY": "secret-value"}, "SELFHEAL_XYZZY is not a setting; there are SELFHEAL_DATA_DIR"),
    ],
)
def test_a_wrong_setting_stops_the_start_by_its_name_and_without_its_value(
    environment: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    message = refusal(environment, **variables)
    assert says in message
    assert "secret-value" not in message


def test_two_wrong_settings_are_named_together(environment: pytest.MonkeyPatch) -> None:
    message = refusal(environment, SELFHEAL_PORT="x", SELFHEAL_SANDBOX_UID="y")
    assert "SELFHEAL_PORT" in message
    assert "SELFHEAL_SANDBOX_UID" in message


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_insecure_dev_needs_no_tokens_on_a_loopback_address(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("SELFHEAL_INSECURE_DEV", "true")
    monkeypatch.setenv("SELFHEAL_HOST", host)
    assert read_settings().clusters == ("dev",)


def test_what_kubernetes_sets_for_a_service_of_our_name_is_borne(environment: pytest.MonkeyPatch) -> None:
    for name, value in {
        "SELFHEAL_PORT": "tcp://10.0.0.7:8080",
        "SELFHEAL_SERVICE_HOST": "10.0.0.7",
        "SELFHEAL_SERVICE_PORT": "8080",
        "SELFHEAL_SERVICE_PORT_HTTP": "8080",
        "SELFHEAL_PORT_8080_TCP": "tcp://10.0.0.7:8080",
        "SELFHEAL_PORT_8080_TCP_PROTO": "tcp",
        "SELFHEAL_PORT_8080_TCP_PORT": "8080",
        "SELFHEAL_PORT_8080_TCP_ADDR": "10.0.0.7",
        "SELFHEAL_POSTGRES_PORT": "tcp://10.0.0.8:5432",
        "SELFHEAL_POSTGRES_SERVICE_HOST": "10.0.0.8",
    }.items():
        environment.setenv(name, value)
    assert read_settings().port == 8080


def test_an_empty_variable_is_no_setting(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SELFHEAL_POLICY", "")
    environment.setenv("SELFHEAL_PORT", "")
    settings = read_settings()
    assert (settings.policy, settings.port) == (None, 8080)


def test_no_way_of_showing_settings_shows_a_token() -> None:
    settings = Settings.model_validate({"webhook_tokens": "prod:secret-value", "api_tokens": "ops:read:other-value"})
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {settings.webhook_callers}"
    assert "-value" not in shown
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"webhook_tokens": "secret-value", "api_tokens": "ops:read:other-value"})
    assert "secret-value" not in str(refused.value)


def test_a_policy_is_read_and_none_allows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("repositories: [{match: 'https://git.example/acme/*'}]")
    assert read_policy(path).rule("https://git.example/acme/shop")
    assert read_policy(None).rule("https://git.example/acme/shop") is None


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"repositories: [", "YAML"), (b"repos: []", "repos"), (b"\xff\xfe", "decode")],
)
def test_a_policy_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "policy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Invalid, match=rf"SELFHEAL_POLICY: .*policy\.yaml.*{says}"):
        read_policy(path)
    with pytest.raises(Invalid, match="SELFHEAL_POLICY"):
        read_policy(tmp_path)


def serve(cwd: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run `selfheal serve`, which is expected to refuse; returns its exit code and standard error."""
    env = {"PATH": os.defpath, **GOOD, "SELFHEAL_DATA_DIR": str(cwd / "data"), **variables}
    command = [sys.executable, "-P", "-m", "app.cli", "serve", *arguments]
    ended = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stderr


@pytest.mark.parametrize(
    ("arguments", "variables", "says"),
    [
        ((), {"SELFHEAL_WEBHOOK_TOKENS": ""}, "SELFHEAL_WEBHOOK_TOKENS is not set"),
        (("--insecure-dev",), {"SELFHEAL_HOST": "0.0.0.0"}, "loopback"),
        ((), {"SELFHEAL_POLICY": "nowhere.yaml"}, "SELFHEAL_POLICY: nowhere.yaml"),
        (("--role", "intake"), {"SELFHEAL_POLICY": "nowhere.yaml"}, "SELFHEAL_POLICY: nowhere.yaml"),
        ((), {"SELFHEAL_DATA_DIR": "/dev/null/data"}, "SELFHEAL_DATA_DIR: /dev/null/data cannot be written to"),
        ((), {"SELFHEAL_BUNDLES": "nowhere"}, "SELFHEAL_BUNDLES: there is no folder nowhere"),
        ((), {"SELFHEAL_HOST": "192.0.2.1"}, "cannot listen on 192.0.2.1:8080"),
    ],
)
def test_serve_refuses_what_cannot_work_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], says: str
) -> None:
    code, stderr = serve(tmp_path, *arguments, **variables)
    assert code == 2
    assert stderr.startswith("selfheal: ")
    assert says in stderr
    assert stderr.count("\n") == 1


def test_a_worker_takes_no_tokens_since_it_answers_nobody(environment: pytest.MonkeyPatch) -> None:
    for name in ("SELFHEAL_WEBHOOK_TOKENS", "SELFHEAL_API_TOKENS"):
        environment.delenv(name)
    environment.setenv("SELFHEAL_CONTEXTS", "prod:replay")
    assert read_settings(answers=False).webhook_callers == ()
    with pytest.raises(Invalid, match=r"SELFHEAL_CONTEXTS|SELFHEAL_WEBHOOK_TOKENS is not set"):
        read_settings()
    environment.setenv("SELFHEAL_API_TOKENS", "ops:secret-value")
    with pytest.raises(Invalid, match="each entry is <name>:<scope>"):
        read_settings(answers=False)
