"""Which forge a repository's URL goes to, as the worker is wired by its settings."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.errors import Denied
from agents.graph import Ports
from agents.pull_request import Text
from app.settings import Settings
from app.store.database import Database
from app.worker import build_ports
from tests.github_server import GitHubServer
from tests.scratch import Scratch


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    """Nothing is read from it here; which engine it is does not matter."""
    database = Database(f"sqlite:///{tmp_path / 'store.sqlite'}")
    yield database
    await database.close()


async def ports(tmp_path: Path, db: Database, **values: object) -> Ports:
    settings = {"insecure_dev": True, "data_dir": tmp_path / "data", "forge_dir": tmp_path / "forge", **values}
    return await build_ports(Settings.model_validate(settings), db)


async def test_file_urls_go_to_the_local_forge_and_https_urls_to_github(
    github: GitHubServer, tmp_path: Path, db: Database
) -> None:
    local = Scratch(tmp_path / "forge" / "acme" / "shop.git")
    local.commit("first", {"a.py": "a\n"})
    built = await ports(tmp_path, db, github_url=github.api, github_token="ghp_writer")
    for url in (local.url, github.url("acme/shop")):
        assert await built.forge.default_branch(url) == "main"
        head = await built.forge.head(url, "main")
        assert head is not None
        assert await (await built.repositories.open(url)).resolve("main") == head.sha
    await built.forge.create_issue(local.url, Text(title="t", body="b"))
    assert github.writes("/issues") == []
    assert "ghp_writer" not in repr(built)


async def test_without_a_github_an_https_repository_says_what_to_set(tmp_path: Path, db: Database) -> None:
    built = await ports(tmp_path, db)
    with pytest.raises(Denied, match=r"no GitHub is configured.*SELFHEAL_GITHUB_TOKEN"):
        await built.forge.default_branch("https://github.com/acme/shop")
    with pytest.raises(Denied, match=r"no GitHub is configured.*SELFHEAL_GITHUB_TOKEN"):
        await built.repositories.open("https://github.com/acme/shop")


async def test_another_host_is_on_neither(github: GitHubServer, tmp_path: Path, db: Database) -> None:
    built = await ports(tmp_path, db, github_url=github.api, github_token="ghp_writer")
    for url in ("https://github.com/acme/shop", "ssh://git@github.com/acme/shop", "file:///etc"):
        with pytest.raises(Denied):
            await built.forge.default_branch(url)
        with pytest.raises(Denied):
            await built.repositories.open(url)
    assert github.calls == []
