"""Acting as a GitHub App: who signs, which installation it is, and what its short-lived tokens are good for."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from agents.errors import Denied, Invalid, Transient
from agents.patch import FileChange
from agents.pull_request import Text
from app.adapters.forge_github import Access, GitHubForge
from app.clock import utc_now
from app.github_account import GitHubAccount
from tests.fakes import FakeClock
from tests.github_server import Answer, App, GitHubServer
from tests.github_server.clients import impatient

GRANTED = {"metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write", "workflows": "write"}
APP_ID = "7001"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, encryption)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def app(github: GitHubServer, key: rsa.RSAPrivateKey, tmp_path: Path) -> App:
    """An App that is installed on `acme/shop`; its key lies in `app.pem`."""
    (tmp_path / "app.pem").write_bytes(pem(key))
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    app = App(APP_ID, public.decode(), GRANTED, {11: frozenset({"acme/shop"})})
    github.hub.apps[APP_ID] = app
    return app


def access(
    github: GitHubServer, tmp_path: Path, installation: int | None = None, now: Callable[[], datetime] = utc_now
) -> Access:
    account = GitHubAccount.of(github.api, None, APP_ID, tmp_path / "app.pem", installation)
    assert account is not None
    return impatient(account, now=now)


def signings(github: GitHubServer) -> list[str]:
    return [call.path for call in github.calls if call.authorization.startswith("Bearer ")]


@pytest.mark.usefixtures("app")
async def test_an_app_finds_its_installation_and_keeps_its_token(github: GitHubServer, tmp_path: Path) -> None:
    shop = github.hub.repositories["acme/shop"]
    forge = GitHubForge(access(github, tmp_path))
    url, main = github.url("acme/shop"), shop.branches()["main"]
    sha = await forge.commit(url, main, (FileChange(path="shop/app.py", before="", after="x\n"),), "m")
    await forge.point(url, "selfheal/x", sha, None)
    pull = await forge.create_pull_request(url, "selfheal/x", "main", Text(title="t", body="b", draft=True))
    assert shop.thread(pull.number).author == "app-7001[bot]"
    assert signings(github) == ["/repos/acme/shop/installation", "/app/installations/11/access_tokens"]


@pytest.mark.usefixtures("app")
async def test_an_installation_that_is_given_is_not_looked_up(github: GitHubServer, tmp_path: Path) -> None:
    await GitHubForge(access(github, tmp_path, installation=11)).default_branch(github.url("acme/shop"))
    assert signings(github) == ["/app/installations/11/access_tokens"]


@pytest.mark.usefixtures("app")
async def test_its_token_can_do_no_more_than_publishing_needs(github: GitHubServer, tmp_path: Path) -> None:
    """The App of this test may change workflows; its token may not."""
    forge = GitHubForge(access(github, tmp_path))
    main = github.hub.repositories["acme/shop"].branches()["main"]
    change = FileChange(path=".github/workflows/ci.yml", before=None, after="on: push\n")
    with pytest.raises(Denied, match="workflows=write"):
        await forge.commit(github.url("acme/shop"), main, (change,), "m")
    (grant,) = [grant for token, grant in github.hub.grants.items() if token.startswith("ghs_")]
    assert dict(grant.permissions) == {
        "metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write",
    }  # fmt: skip


@pytest.mark.usefixtures("app")
async def test_a_token_is_renewed_a_quarter_of_an_hour_before_it_ends(github: GitHubServer, tmp_path: Path) -> None:
    clock = FakeClock(utc_now())
    github.hub.now = lambda: clock().timestamp()
    forge = GitHubForge(access(github, tmp_path, now=clock))
    for minutes, tokens in ((0, 1), (44, 1), (2, 2), (30, 2), (30, 3)):
        clock.advance(minutes=minutes)
        await forge.default_branch(github.url("acme/shop"))
        assert len(github.writes("/access_tokens")) == tokens


@pytest.mark.usefixtures("app")
async def test_a_token_that_is_refused_early_is_replaced_once(github: GitHubServer, tmp_path: Path) -> None:
    """It was revoked, or the clocks differ; the refused request had no effect, so it is made again."""
    forge = GitHubForge(access(github, tmp_path))
    url, shop = github.url("acme/shop"), github.hub.repositories["acme/shop"]
    await forge.head(url, "main")
    github.hub.grants.clear()
    await forge.create_issue(url, Text(title="t", body="b"))
    assert len(shop.issues) == 1
    github.calls.clear()
    github.trouble = lambda _n, _m, path: Answer(401, "Bad credentials") if "/repos/acme/shop" in path else None
    with pytest.raises(Denied, match="Bad credentials"):
        await forge.create_issue(url, Text(title="t", body="b"))
    assert len(github.calls) < 6


async def test_an_app_that_is_not_installed_is_denied_and_looked_up_anew_when_it_is(
    github: GitHubServer, app: App, tmp_path: Path
) -> None:
    github.hub.create("acme/till")
    forge = GitHubForge(access(github, tmp_path))
    with pytest.raises(Denied, match=r"signing in to GitHub for acme/till.*not there"):
        await forge.default_branch(github.url("acme/till"))
    app.installations[12] = frozenset({"acme/till"})
    assert await forge.default_branch(github.url("acme/till")) == "main"


async def test_an_app_that_is_installed_anew_is_found_again(github: GitHubServer, app: App, tmp_path: Path) -> None:
    forge, url = GitHubForge(access(github, tmp_path)), github.url("acme/shop")
    await forge.head(url, "main")
    github.hub.grants.clear()
    app.installations = {13: frozenset({"acme/shop"})}
    with pytest.raises(Denied):
        await forge.head(url, "main")
    assert await forge.default_branch(url) == "main"


async def test_permissions_that_the_app_lacks_are_named_by_github(
    github: GitHubServer, app: App, tmp_path: Path
) -> None:
    app.permissions = {"contents": "read"}
    with pytest.raises(Denied, match="permissions requested are not granted"):
        await GitHubForge(access(github, tmp_path)).default_branch(github.url("acme/shop"))


@pytest.mark.usefixtures("app")
async def test_another_apps_key_is_refused(github: GitHubServer, tmp_path: Path) -> None:
    (tmp_path / "app.pem").write_bytes(pem(rsa.generate_private_key(65537, 2048)))
    with pytest.raises(Denied, match=r"signing in.*key is wrong"):
        await GitHubForge(access(github, tmp_path)).default_branch(github.url("acme/shop"))


@pytest.mark.usefixtures("app")
async def test_a_lost_answer_while_signing_in_is_for_a_later_try(github: GitHubServer, tmp_path: Path) -> None:
    github.trouble = lambda _n, _m, path: Answer(502, after=True) if path.endswith("access_tokens") else None
    with pytest.raises(Transient, match="signing in"):
        await GitHubForge(access(github, tmp_path)).default_branch(github.url("acme/shop"))
    assert len(github.writes("/access_tokens")) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"-----BEGIN RSA PRIVATE KEY-----\nnot base64\n-----END RSA PRIVATE KEY-----\n",
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(65537, 2048), b"password"),
    ],
    ids=["garbage", "not RSA", "encrypted"],
)
async def test_a_key_that_cannot_sign_is_refused_at_the_start(
    github: GitHubServer, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "app.pem").write_bytes(content)
    with pytest.raises(Invalid, match="SELFHEAL_GITHUB_PRIVATE_KEY_FILE"):
        access(github, tmp_path)


@pytest.mark.usefixtures("app")
async def test_git_gets_the_same_token(github: GitHubServer, tmp_path: Path) -> None:
    one = access(github, tmp_path)
    url = github.url("acme/shop")
    await GitHubForge(one).default_branch(url)
    assert (await one.authorization(url)).get_secret_value().startswith("Basic ")
    assert len(github.writes("/access_tokens")) == 1


@pytest.mark.usefixtures("app")
def test_a_pretended_github_that_believes_every_signature_would_be_noticed(github: GitHubServer) -> None:
    """The server under these tests checks the signature, the issuer and the time of an App's token."""
    for bearer in ("", "x", "e30.e30.x"):
        headers = {"Authorization": f"Bearer {bearer}"}
        response = github.handle("GET", "/api/v3/app/installations", headers, b"")
        assert response is not None
        assert response.status == 401
