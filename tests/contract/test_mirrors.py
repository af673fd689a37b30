"""Opening repositories by URL: only what lies below the forge's folder, and nothing of it is ever run."""

import asyncio
from pathlib import Path

import pytest

from agents.changes import Repositories
from agents.errors import Denied
from app.adapters.checkout import Mirrors
from tests.fakes import FakeRepositories, FakeRepository
from tests.scratch import Scratch


@pytest.fixture
def origin(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "forge" / "acme" / "shop.git")
    scratch.commit("one", {"a.py": "1\n"})
    return scratch


@pytest.fixture
def mirrors(tmp_path: Path, origin: Scratch) -> Mirrors:
    return Mirrors(tmp_path / "mirrors", origin.path.parents[1])


async def test_what_cannot_be_opened_is_denied_by_fake_and_mirrors_alike(mirrors: Mirrors, origin: Scratch) -> None:
    fake: Repositories = FakeRepositories({origin.url: FakeRepository()})
    for repositories in (mirrors, fake):
        await repositories.open(origin.url)
        with pytest.raises(Denied, match="other"):
            await repositories.open(origin.url.replace("shop", "other"))


async def test_each_opening_sees_what_is_there_now(mirrors: Mirrors, origin: Scratch) -> None:
    first = origin.shas[0]
    assert await (await mirrors.open(origin.url)).resolve("main") == first
    second = origin.commit("two", {"a.py": "2\n"})
    origin.git("update-ref", "refs/heads/side", first)
    origin.git("tag", "v1", first)
    repository = await mirrors.open(origin.url)
    assert await repository.resolve("main") == second
    assert await repository.resolve("side") == await repository.resolve("v1") == first
    origin.git("update-ref", "-d", "refs/heads/side")
    origin.git("update-ref", "refs/heads/main", first)
    origin.git("symbolic-ref", "HEAD", "refs/heads/other")
    origin.git("update-ref", "refs/heads/other", second)
    repository = await mirrors.open(origin.url)
    assert await repository.resolve("main") == first
    assert await repository.resolve("HEAD") == second
    with pytest.raises(Denied):
        await repository.resolve("side")


async def test_a_branch_that_becomes_a_folder_of_branches_is_followed(mirrors: Mirrors, origin: Scratch) -> None:
    origin.git("update-ref", "refs/heads/fix", origin.shas[0])
    await mirrors.open(origin.url)
    origin.git("update-ref", "-d", "refs/heads/fix")
    origin.git("update-ref", "refs/heads/fix/one", origin.shas[0])
    assert await (await mirrors.open(origin.url)).resolve("fix/one") == origin.shas[0]


async def test_many_openings_at_once_agree(mirrors: Mirrors, origin: Scratch) -> None:
    found = await asyncio.gather(*(mirrors.open(origin.url) for _ in range(8)))
    assert {await repository.resolve("main") for repository in found} == {origin.shas[0]}


async def test_an_empty_repository_opens_and_holds_nothing(mirrors: Mirrors, origin: Scratch) -> None:
    empty = Scratch(origin.path.parent / "empty.git")
    repository = await mirrors.open(empty.url)
    with pytest.raises(Denied):
        await repository.resolve("main")


@pytest.mark.parametrize(
    "url",
    [
        "{forge}",
        "{forge}/",
        "{forge}/acme",
        "{forge}/nowhere.git",
        "{forge}/acme/shop.git?x=1",
        "{forge}/acme/shop.git#x",
        "{forge}/../outside/secret.git",
        "{forge}/acme/../../outside/secret.git",
        "{forge}/%2e%2e/outside/secret.git",
        "{forge}/acme/link.git",
        "{forge}/acme/ring.git",
        "{forge}/acme/shop.git%00",
        "{forge}/%s" % ("x" * 5000),
        "{outside}/secret.git",
        "file://host{path}/acme/shop.git",
        "file://[::1",
        "{path}/acme/shop.git",
        "https://git.example/acme/shop.git",
        "http://127.0.0.1/shop.git",
        "ssh://git@git.example/acme/shop.git",
        "git@git.example:acme/shop.git",
        "ext::sh -c touch% /tmp/ran",
        "--upload-pack=touch /tmp/ran",
        "",
    ],
)
async def test_nothing_but_a_repository_below_the_forge_is_opened(
    tmp_path: Path, mirrors: Mirrors, origin: Scratch, url: str
) -> None:
    secret = Scratch(tmp_path / "outside" / "secret.git")
    secret.commit("one", {"a.py": "1\n"})
    (origin.path.parent / "link.git").symlink_to(secret.path)
    (origin.path.parent / "ring.git").symlink_to(origin.path.parent / "ring.git")
    forge = origin.path.parents[1]
    full = url.format(forge=forge.as_uri(), outside=secret.path.parent.as_uri(), path=forge)
    with pytest.raises(Denied):
        await mirrors.open(full)
    assert list((tmp_path / "mirrors").glob("*.git")) == []


async def test_nothing_of_the_origin_is_run_and_nothing_written_into_it(
    tmp_path: Path, mirrors: Mirrors, origin: Scratch
) -> None:
    marker, evil = tmp_path / "ran", tmp_path / "evil.sh"
    evil.write_text(f'#!/bin/sh\ntouch {marker}\nexec "$@"\n')
    evil.chmod(0o755)
    (origin.path / "hooks").mkdir(exist_ok=True)
    for hook in (
        "post-checkout",
        "reference-transaction",
        "pre-receive",
        "post-update",
        "post-upload-pack",
        "fsmonitor-watchman",
    ):
        (origin.path / "hooks" / hook).write_bytes(evil.read_bytes())
        (origin.path / "hooks" / hook).chmod(0o755)
    for name in (
        "uploadpack.packObjectsHook",
        "core.fsmonitor",
        "core.sshCommand",
        "core.alternateRefsCommand",
        "core.pager",
    ):
        origin.git("config", name, str(evil))
    origin.git("config", "core.hooksPath", str(origin.path / "hooks"))
    before = {path: path.stat().st_mtime_ns for path in origin.path.rglob("*")}
    await mirrors.open(origin.url)
    await mirrors.open(origin.url)
    assert not marker.exists()
    assert {path: path.stat().st_mtime_ns for path in origin.path.rglob("*")} == before


async def test_what_the_origins_configuration_says_is_not_taken_over(mirrors: Mirrors, origin: Scratch) -> None:
    origin.git("config", "diff.noprefix", "true")
    mirror = (await mirrors.mirror(origin.url)).git_dir
    assert "noprefix" not in (mirror / "config").read_text()
    assert not (mirror / "hooks" / "reference-transaction").exists()
