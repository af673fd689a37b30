"""The settings about GitHub: which combinations make sense, and what is said about the others."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.github_account import GitHubAccount, GitHubApp, repository_name, web_address
from app.settings import Settings


def settings(**values: object) -> Settings:
    return Settings.model_validate({"insecure_dev": True, **values})


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "app.pem"
    path.write_text("-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n")
    return path


@pytest.mark.parametrize(
    ("api", "web"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://ghe.example/api/v3", "https://ghe.example"),
        ("https://ghe.example:8443/api/v3", "https://ghe.example:8443"),
        ("https://api.acme.ghe.com", "https://acme.ghe.com"),
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ("http://localhost:4000/api/v3", "http://localhost:4000"),
        ("http://[::1]:4000/api/v3", "http://[::1]:4000"),
    ],
)
def test_the_api_says_where_the_repositories_are(api: str, web: str) -> None:
    assert web_address(api) == web
    account = settings(github_url=f"{api}/", github_token="t").github
    assert account is not None
    assert (account.api, account.web) == (api, web)


@pytest.mark.parametrize(
    ("api", "says"),
    [
        ("https://github.com", "did you mean https://api.github.com"),
        ("https://ghe.example", "did you mean https://ghe.example/api/v3"),
        ("https://ghe.example/api/v4", "did you mean https://ghe.example/api/v3"),
        ("http://ghe.example/api/v3", "must be https"),
        ("http://localhost.evil.example/api/v3", "must be https"),
        ("ghe.example/api/v3", "scheme, host and path"),
        ("https://user:secret@ghe.example/api/v3", "scheme, host and path"),
        ("https://ghe.example/api/v3?x=1", "scheme, host and path"),
        ("https://[::1/api/v3", "not a URL"),
        ("https://", "scheme, host and path"),
    ],
)
def test_another_address_is_refused_with_what_it_should_be(api: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says) as raised:
        settings(github_url=api, github_token="t")
    assert "secret" not in str(raised.value)


def test_nothing_set_means_no_github() -> None:
    assert settings().github is None
    assert settings(github_token="  ").github is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"github_token": "t", "github_app_id": "1"}, "not both"),
        ({"github_app_id": "1"}, "SELFHEAL_GITHUB_APP_ID needs SELFHEAL_GITHUB_PRIVATE_KEY_FILE"),
        ({"github_private_key_file": "x"}, "SELFHEAL_GITHUB_PRIVATE_KEY_FILE needs SELFHEAL_GITHUB_APP_ID"),
        ({"github_installation_id": 7}, "SELFHEAL_GITHUB_INSTALLATION_ID needs SELFHEAL_GITHUB_APP_ID"),
        ({"github_installation_id": 7, "github_token": "t"}, "SELFHEAL_GITHUB_INSTALLATION_ID needs"),
        ({"github_app_id": "1", "github_private_key_file": "/nowhere/app.pem"}, "cannot be read"),
        ({"github_app_id": "1", "github_private_key_file": "/dev/null"}, "no private key"),
        ({"github_token": "t", "github_ca_file": "/nowhere/ca.pem"}, "SELFHEAL_GITHUB_CA_FILE cannot be read"),
        (
            {"github_token": "t", "github_ca_file": "/dev/null"},
            "SELFHEAL_GITHUB_CA_FILE: /dev/null holds no certificate",
        ),
        ({"github_token": "two words"}, "white space"),
        ({"github_token": "line\nbreak"}, "white space or odd"),
        ({"github_token": "tokén"}, "white space or odd"),
    ],
)
def test_half_a_sign_in_is_refused_with_what_is_missing(values: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says) as raised:
        settings(**values)
    assert "two words" not in str(raised.value)


def test_an_app_signs_in_with_its_key(key: Path) -> None:
    account = settings(github_app_id="7001", github_private_key_file=str(key), github_installation_id=11).github
    assert account is not None
    assert account.auth == GitHubApp(app_id="7001", private_key_file=key, installation_id=11)


def test_the_token_is_in_no_representation() -> None:
    made = settings(github_token="ghp_secret\n")
    assert made.github is not None
    assert isinstance(made.github.auth, SecretStr)
    assert made.github.auth.get_secret_value() == "ghp_secret"
    for shown in (repr(made), str(made), repr(made.github), made.github.model_dump_json(), made.model_dump_json()):
        assert "ghp_secret" not in shown


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/acme/shop", ("acme", "shop")),
        ("https://GitHub.com/acme/shop.git", ("acme", "shop")),
        ("https://github.com/acme/my.github.io", ("acme", "my.github.io")),
        ("https://github.com/acme/.git", None),
        ("https://github.com/acme", None),
        ("https://github.com/acme/shop/tree/main", None),
        ("https://github.com//shop", None),
        ("https://github.com/acme/%2e%2e", None),
        ("https://github.com.evil.example/acme/shop", None),
        ("https://github.com/acme/sh\u014dp", None),
        ("http://github.com/acme/shop", None),
    ],
)
def test_owner_and_name_come_from_urls_of_that_host_alone(url: str, name: tuple[str, str] | None) -> None:
    assert repository_name("https://github.com", url) == name


def test_an_account_is_only_as_good_as_its_address() -> None:
    with pytest.raises(ValueError, match="must be https"):
        GitHubAccount.of("http://ghe.example/api/v3", SecretStr("t"), None, None, None)
