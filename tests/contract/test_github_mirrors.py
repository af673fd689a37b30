"""Fetching from GitHub for real: what arrives, what is refused, and where the token is not."""

import asyncio
import base64
import ipaddress
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agents.errors import Denied, Transient
from app.adapters.checkout import Mirrors, Trees
from app.adapters.forge_github import GitHubForge
from app.clock import utc_now
from tests.github_server import READER, WRITER, Answer, GitHubServer, Grant, HangUp, Repository
from tests.github_server.clients import access_of
from tests.mirrored import mirrors_of

TOKEN = "ghp_writer"
ENCODED = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()


@pytest.fixture
def shop(github: GitHubServer) -> Repository:
    return github.hub.repositories["acme/shop"]


async def test_a_mirror_has_every_branch_and_what_was_pushed_since(
    github: GitHubServer, shop: Repository, tmp_path: Path
) -> None:
    mirrors, url = mirrors_of(github, tmp_path), github.url("acme/shop")
    first = shop.branches()["main"]
    side = shop.push("side", {"side.py": "s\n"})
    repository = await mirrors.open(url)
    assert await repository.resolve("main") == first
    assert await repository.resolve("HEAD") == first
    assert await repository.resolve("side") == side
    second = shop.push("main", {"shop/app.py": "price = 2\n"}, "Raise the price")
    repository = await mirrors.open(url)
    assert await repository.resolve("HEAD") == second
    (commit,) = await repository.commits(first, second)
    assert (commit.subject, commit.author) == ("Raise the price", "Ana Ruiz")
    assert (await repository.read(second, "shop/app.py")).text == "price = 2\n"
    shop.git("update-ref", "-d", "refs/heads/side")
    with pytest.raises(Denied, match="side"):
        await (await mirrors.open(url)).resolve("side")


async def test_a_tree_is_laid_out_from_github(github: GitHubServer, shop: Repository, tmp_path: Path) -> None:
    trees = Trees(mirrors_of(github, tmp_path), tmp_path / "trees", None)
    tree = Path(await trees.lay_out(github.url("acme/shop"), shop.branches()["main"], {}))
    assert (tree / "shop/app.py").read_text() == "price = 1\n"
    assert (tree / "run.sh").stat().st_mode & 0o111


async def test_one_repository_has_one_mirror_however_its_url_is_written(github: GitHubServer, tmp_path: Path) -> None:
    mirrors = mirrors_of(github, tmp_path)
    opened = {(await mirrors.mirror(f"{github.url('acme/shop')}{ending}")).git_dir for ending in ("", ".git", "/")}
    assert len(opened) == 1


async def test_the_token_is_in_no_file_and_no_command_line(github: GitHubServer, tmp_path: Path) -> None:
    seen: list[str] = []

    def look(_number: int, _method: str, _path: str) -> None:
        """Read the command line of every process while git waits for the answer."""
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(place.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue

    github.trouble = look
    mirror = (await mirrors_of(github, tmp_path).mirror(github.url("acme/shop"))).git_dir
    assert any("git" in line and "fetch" in line and github.web in line for line in seen)
    assert not [line for line in seen if TOKEN in line or ENCODED in line]
    assert any(call.authorization == f"Basic {ENCODED}" for call in github.calls)
    for path in mirror.parent.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content
            assert ENCODED.encode() not in content


@pytest.mark.parametrize(
    ("name", "token", "says"),
    [
        ("acme/none", TOKEN, "not found"),
        ("acme/shop", "ghp_wrong", "does not accept our credentials"),
        ("acme/shop", "ghp_blind", "403"),
        ("acme/shop", "ghp_stranger", "not found"),
    ],
)
async def test_a_repository_that_the_token_may_not_read_is_denied(
    github: GitHubServer, tmp_path: Path, name: str, token: str, says: str
) -> None:
    github.hub.grants["ghp_blind"] = Grant("selfheal", {"metadata": "read"})
    github.hub.grants["ghp_stranger"] = Grant("eve", WRITER, frozenset({"eve/own"}))
    with pytest.raises(Denied, match=f"git fetch: .*{says}") as raised:
        await mirrors_of(github, tmp_path, token).open(github.url(name))
    assert token not in str(raised.value)


@pytest.mark.parametrize("trouble", [Answer(500), Answer(502), Answer(503), HangUp(after=False), HangUp(after=True)])
@pytest.mark.parametrize("number", [1, 2, 3])
async def test_a_server_that_fails_in_the_middle_is_for_a_later_try(
    github: GitHubServer, tmp_path: Path, trouble: Answer | HangUp, number: int
) -> None:
    mirrors, url = mirrors_of(github, tmp_path), github.url("acme/shop")
    github.trouble = lambda n, *_: trouble if n >= number else None  # curl itself asks again on a fresh line
    with pytest.raises(Transient, match="git fetch"):
        await mirrors.open(url)
    github.trouble = lambda *_: None
    assert await (await mirrors.open(url)).resolve("main")


async def test_a_redirect_is_not_followed_with_the_token(github: GitHubServer, tmp_path: Path) -> None:
    other = GitHubServer(tmp_path / "other")
    other.hub.create("acme/shop").private = False
    with other.running():
        for status in (301, 302, 307):
            place = {"Location": f"{other.web}/acme/shop.git/info/refs?service=git-upload-pack"}
            github.trouble = lambda *_, status=status, place=place: Answer(status, headers=place)
            with pytest.raises(Denied):
                await mirrors_of(github, tmp_path).open(github.url("acme/shop"))
            with pytest.raises(Denied):
                await GitHubForge(access_of(github)).default_branch(github.url("acme/shop"))
        assert other.calls == []


async def test_a_server_of_the_old_kind_cannot_lead_to_another_one(
    github: GitHubServer, shop: Repository, tmp_path: Path
) -> None:
    other = GitHubServer(tmp_path / "other")
    other.hub.create("acme/shop").private = False
    answers = {
        "info/refs": f"{shop.branches()['main']}\trefs/heads/main\n",
        "HEAD": "ref: refs/heads/main\n",
        "objects/info/http-alternates": f"{other.web}/acme/shop.git/objects\n",
        "objects/info/alternates": f"{other.web}/acme/shop.git/objects\n",
    }

    def pretend(_number: int, _method: str, path: str) -> Answer:
        name = path.removeprefix("/acme/shop.git/")
        return Answer(
            200 if name in answers else 404, headers={"Content-Type": "text/plain"}, raw=answers.get(name, "")
        )

    github.trouble = pretend
    with other.running(), pytest.raises((Denied, Transient), match="git fetch"):
        await mirrors_of(github, tmp_path).open(github.url("acme/shop"))
    assert any("alternates" in call.path for call in github.calls)
    assert other.calls == []


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/shop",
        "http://127.0.0.1:1/acme/shop",
        "{web}@evil.example/acme/shop",
        "{web}/acme/shop/../../x",
        "ssh://git@127.0.0.1/acme/shop",
        "git@127.0.0.1:acme/shop",
        "ext::sh -c touch% /tmp/x",
        "file:///etc",
        "/etc",
        "--upload-pack=touch /tmp/x",
    ],
)
async def test_nothing_but_the_configured_host_is_reached(github: GitHubServer, tmp_path: Path, url: str) -> None:
    with pytest.raises(Denied):
        await mirrors_of(github, tmp_path).open(url.format(web=github.web))
    assert github.calls == []
    assert not (tmp_path / "mirrors").exists()


async def test_without_a_github_an_https_url_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(Denied, match="SELFHEAL_GITHUB_TOKEN"):
        await Mirrors(tmp_path / "mirrors", tmp_path / "forge").open("https://github.com/acme/shop")


async def test_many_at_once_share_a_mirror(github: GitHubServer, shop: Repository, tmp_path: Path) -> None:
    mirrors, url = mirrors_of(github, tmp_path), github.url("acme/shop")
    opened = await asyncio.gather(*(mirrors.open(url) for _ in range(6)))
    assert {await repository.resolve("main") for repository in opened} == {shop.branches()["main"]}


async def test_a_reader_is_enough_to_fetch(github: GitHubServer, tmp_path: Path) -> None:
    github.hub.grants["ghp_reader"] = Grant("selfheal", READER)
    repository = await mirrors_of(github, tmp_path, "ghp_reader").open(github.url("acme/shop"))
    assert await repository.files(await repository.resolve("main")) == ("run.sh", "shop/app.py")


@pytest.fixture
def enterprise(tmp_path: Path) -> Iterator[GitHubServer]:
    """A server over https whose certificate, in `server.pem`, no public authority vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(host, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "server.pem").write_bytes(certificate.public_bytes(pem))
    (tmp_path / "chain.pem").write_bytes(private + certificate.public_bytes(pem))
    server = GitHubServer(tmp_path / "enterprise", tmp_path / "chain.pem")
    server.hub.grants[TOKEN] = Grant("selfheal", WRITER)
    server.hub.create("acme/shop").push("main", {"shop/app.py": "price = 1\n"})
    with server.running():
        yield server


async def test_a_server_without_a_trusted_certificate_never_sees_the_token(
    enterprise: GitHubServer, tmp_path: Path
) -> None:
    url = enterprise.url("acme/shop")
    assert url.startswith("https:")
    with pytest.raises(Denied, match="certificate"):
        await GitHubForge(access_of(enterprise)).default_branch(url)
    with pytest.raises(Denied, match="certificate"):
        await mirrors_of(enterprise, tmp_path).open(url)
    assert enterprise.calls == []


async def test_an_enterprise_server_is_reached_by_its_own_authority(enterprise: GitHubServer, tmp_path: Path) -> None:
    access = access_of(enterprise, ca_file=tmp_path / "server.pem")
    url = enterprise.url("acme/shop")
    head = await GitHubForge(access).head(url, "main")
    assert head is not None
    repository = await Mirrors(tmp_path / "mirrors", tmp_path / "forge", access).open(url)
    assert await repository.resolve("main") == head.sha
