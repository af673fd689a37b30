"""A smoke test against a GitHub that we did not write: the npm package `emulate`.

Our own server decides what is strict; this one says whether we read GitHub's API as others do. It accepts a second pull
request of the same head, so the promise of one pull request cannot be tested on it.
"""

import http.client
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from agents.errors import Conflict, Denied
from agents.patch import FileChange
from agents.pull_request import LABEL, Proposed, Wanted, ensure, ensure_issue
from app.adapters.forge_github import GitHubForge
from app.github_account import GitHubAccount
from tests.conftest import missing
from tests.forges import wanted_issue
from tests.github_server.clients import impatient

INSTALL = "npm install --prefix .venv/emulate --ignore-scripts --no-audit --no-fund emulate@0.11.2"
EMULATOR = Path(__file__).resolve().parents[2] / ".venv/emulate/node_modules/emulate/dist/index.js"
TOKEN, APP_ID, INSTALLATION = "ghp_emulated", 7001, 11
START_SECONDS = 20
INCIDENT = "0123456789abcdef" * 2


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def seed(private_key: str) -> str:
    """One user, one repository, and an App that is installed on it."""
    app = {
        "app_id": APP_ID,
        "slug": "selfheal",
        "name": "selfheal",
        "private_key": private_key,
        "permissions": {"contents": "write", "pull_requests": "write", "issues": "write", "metadata": "read"},
        "installations": [{"installation_id": INSTALLATION, "account": "acme"}],
    }
    github = {
        "users": [{"login": "acme", "name": "Acme", "email": "acme@shop.example"}],
        "repos": [{"owner": "acme", "name": "shop", "auto_init": True}],
        "apps": [app],
    }
    return json.dumps({"tokens": {TOKEN: {"login": "acme", "scopes": ["repo"]}}, "github": github})


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.fixture
def emulator(tmp_path: Path, private_key: str) -> Iterator[str]:
    """The base URL of a running emulator; skips, with the command to install it, where it is missing."""
    node = shutil.which("node")
    if node is None or not EMULATOR.is_file():
        missing(f"the GitHub emulator is not installed ({INSTALL})")
    (tmp_path / "seed.json").write_text(seed(private_key))
    port = free_port()
    command = [node, str(EMULATOR), "start", "--service", "github", "--port", str(port), "--seed", "seed.json"]
    with (tmp_path / "emulator.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_until_up(port, process, tmp_path / "emulator.log")
        yield f"http://localhost:{port}"  # the host that its own URLs name
    finally:
        process.terminate()
        process.wait(10)


def wait_until_up(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("localhost", port, timeout=2)
        try:
            connection.request("GET", "/rate_limit")
            connection.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    pytest.fail(f"the emulator did not start: {log.read_text()[-500:]}")


async def publish(forge: GitHubForge, url: str) -> None:
    base = await forge.default_branch(url)
    tip = await forge.head(url, base)
    assert tip is not None
    wanted = Wanted(
        repository=url,
        incident=INCIDENT,
        branch="selfheal/shop-0123456789",
        base=base,
        base_commit=tip.sha,
        changes=(
            FileChange(path="shop/app.py", before=None, after="price = 2\n"),
            FileChange(path="README.md", before="", after=None),
        ),
        message="Restore the price",
        title="Restore the price",
        text="Red before, green after.",
        draft=True,
        fix="f" * 32,
        labels=(LABEL, "urgent"),
        reviewers=("acme",),
    )
    first = await ensure(wanted, forge)
    assert isinstance(first, Proposed)
    assert first.draft
    assert await ensure(wanted, forge) == first
    head = await forge.head(url, wanted.branch)
    assert head is not None
    assert f"Selfheal-Incident: {INCIDENT}" in head.message
    with pytest.raises(Conflict):
        await forge.point(url, wanted.branch, head.sha, None)
    with pytest.raises(Conflict):
        await forge.point(url, wanted.branch, tip.sha, tip.sha)
    better = await ensure(wanted.model_copy(update={"text": "Better."}), forge)
    assert better == first
    found = await forge.find_pull_request(url, wanted.branch)
    assert found is not None
    assert found.body.startswith("Better.")
    await forge.add_labels(url, found.number, (LABEL,))  # again does no harm
    with pytest.raises(Denied):
        await forge.attention(url, found.number)  # this GitHub keeps no timeline: then nothing is done a second time
    assert await forge.account(url, tip.sha) in {"acme", None}
    assert await forge.page(url, tip.sha) == f"{url}/commit/{tip.sha}"
    issues = [await ensure_issue(wanted_issue(url), forge) for _ in range(2)]
    assert issues[0] == issues[1]


async def test_publishing_works_on_an_independent_emulator_with_a_token(emulator: str) -> None:
    account = GitHubAccount.of(emulator, SecretStr(TOKEN), None, None, None)
    assert account is not None
    await publish(GitHubForge(impatient(account)), f"{emulator}/acme/shop")


async def test_publishing_works_on_an_independent_emulator_as_an_app(
    emulator: str, tmp_path: Path, private_key: str
) -> None:
    (tmp_path / "app.pem").write_text(private_key)
    account = GitHubAccount.of(emulator, None, str(APP_ID), tmp_path / "app.pem", None)
    assert account is not None
    forge = GitHubForge(impatient(account))
    await publish(forge, f"{emulator}/acme/shop")
    with pytest.raises(Denied):
        await forge.default_branch(f"{emulator}/acme/none")
