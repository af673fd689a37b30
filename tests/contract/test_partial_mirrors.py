"""Mirrors without files: what is fetched and when, that nothing reads differently, and what is said where it cannot."""

import copy
import secrets
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agents.errors import Denied, SelfhealError, Transient
from app.adapters.checkout import GitRepository, Mirrors, Trees
from app.adapters.checkout.objects import Objects
from tests.github_server import GitHubServer
from tests.mirrored import mirrors_of, serve
from tests.scratch import LINK, SUBMODULE, Scratch

A_FETCH = 2
"""Requests: what the server can do, then what is wanted."""
LONG = "".join(f"line {at}\n" for at in range(40))
Ask = Callable[[GitRepository, list[str]], Awaitable[object]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scratch:
    """A history with what makes git read more than it seems to: renames, merges, copies, links, odd files."""
    scratch = Scratch(tmp_path_factory.mktemp("made") / "origin.git")
    many = {f"lib/{at}.py": f"def f{at}():\n    return {at}\n" for at in range(120)}
    modes = {"link": LINK, "sub": SUBMODULE}
    scratch.commit("start", {"old.py": LONG, "d/a.py": LONG, "link": "old.py", "x.png": b"\x89\0\1", **many}, modes)
    side = scratch.commit("side", {"lib/7.py": "seven = 7\n"}, branch="side")
    scratch.commit("rename", {"old.py": None, "new.py": LONG.replace("line 7\n", "line seven\n")})
    scratch.commit("binary", {"x.png": b"\x89\0\2", "win.txt": "a\r\nb\r\n"})
    main = scratch.commit("move", {"d/a.py": LONG[: len(LONG) // 2], "d/b.py": LONG[len(LONG) // 2 :]})
    scratch.git("read-tree", main)
    blob = scratch.listed("side")["lib/7.py"][1]
    scratch.run("update-index", "--index-info", stdin=f"100644 {blob}\tlib/7.py\n".encode())
    merge = scratch.git("commit-tree", scratch.git("write-tree"), "-p", main, "-p", side, "-m", "merge")
    scratch.git("update-ref", "refs/heads/main", merge)
    scratch.shas.append(merge)
    scratch.commit("again", {"new.py": LONG.replace("line 7\n", "line VII\n"), "lib/7.py": "seven = 'VII'\n"})
    return scratch


@pytest.fixture
def origin(made: Scratch, tmp_path: Path) -> Scratch:
    """The same, for one test alone."""
    shutil.copytree(made.path, tmp_path / "origin.git")
    own = copy.copy(made)
    own.path, own.shas = tmp_path / "origin.git", [*made.shas]
    return own


@pytest.fixture
def mirrors(github: GitHubServer, tmp_path: Path) -> Mirrors:
    return mirrors_of(github, tmp_path)


@pytest.fixture
async def mirror(github: GitHubServer, mirrors: Mirrors, origin: Scratch) -> GitRepository:
    """The repository just after it was opened for the first time; no request has been counted."""
    repository = await mirrors.open(serve(github, origin))
    github.calls.clear()
    return repository


def names_in(tree: str) -> set[str]:
    return {str(path.relative_to(tree)) for path in Path(tree).rglob("*") if not path.is_dir()}


def blobs_in(mirror: Path) -> int:
    argv = ["git", "-C", str(mirror), "cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split().count("blob")


async def all_files(repository: GitRepository, shas: list[str]) -> object:
    return await repository.read_all(shas[-1], await repository.files(shas[-1]))


ASKED: dict[str, Ask] = {
    "a file": lambda repository, shas: repository.read(shas[-1], "new.py"),
    "all files": all_files,
    "the commits of a range": lambda repository, shas: repository.commits(shas[0], shas[-1]),
    "a difference": lambda repository, shas: repository.compare(shas[0], shas[-1]),
    "a search": lambda repository, shas: repository.search(shas[-1], "return"),
    "mentions": lambda repository, shas: repository.mentions(shas[-1], ["f7", "seven"], [".py"]),
    "origins": lambda repository, shas: repository.origins(shas[-1], "lib/7.py", [(1, 2)], shas[0]),
    "origins across a move": lambda repository, shas: repository.origins(shas[-1], "d/b.py", [(1, 9)], shas[0]),
    "blame": lambda repository, shas: repository.blame(shas[-1], "lib/7.py", 1, 1),
}


@pytest.mark.parametrize("asked", ASKED)
async def test_whatever_is_asked_costs_one_fetch_and_the_second_time_none(
    github: GitHubServer, mirror: GitRepository, origin: Scratch, asked: str
) -> None:
    answer = await ASKED[asked](mirror, origin.shas)
    once = len(github.calls)
    assert await ASKED[asked](mirror, origin.shas) == answer
    assert answer == await ASKED[asked](GitRepository(origin.path), origin.shas)
    assert len(github.calls) == once
    assert 0 < once <= A_FETCH * (2 if asked == "blame" else 1), [call.path for call in github.calls]


async def test_a_tree_is_laid_out_by_one_fetch(github: GitHubServer, mirrors: Mirrors, origin: Scratch) -> None:
    url = serve(github, origin)
    await mirrors.open(url)
    opened, trees = len(github.calls), Trees(mirrors, origin.path.parent / "trees", None)
    tree = await trees.lay_out(url, origin.shas[-1], {})
    assert len(github.calls) - opened == A_FETCH
    await trees.lay_out(url, origin.shas[-1], {})
    assert len(github.calls) - opened == A_FETCH
    assert names_in(tree) == set(origin.listed("main")) - {"sub"}


async def test_a_commit_that_is_not_here_yet_is_fetched_before_it_is_laid_out(
    github: GitHubServer, mirrors: Mirrors, origin: Scratch, tmp_path: Path
) -> None:
    url = serve(github, origin)
    await mirrors.open(url)
    later = origin.commit("later", {"later.py": "later\n"})
    tree = await Trees(mirrors, tmp_path / "trees", None).lay_out(url, later, {})
    assert "later.py" in names_in(tree)


async def test_nothing_but_history_is_fetched_when_a_repository_is_opened(
    github: GitHubServer, mirrors: Mirrors, origin: Scratch
) -> None:
    mirror = await mirrors.mirror(serve(github, origin))
    repository = GitRepository(mirror.git_dir, mirror)
    assert await repository.resolve("main") == origin.shas[-1]
    assert len(await repository.files(origin.shas[-1])) == 127
    assert await repository.message(origin.shas[-1]) == "again\n\n"
    assert await repository.messages_with(origin.shas[0], origin.shas[-1], "bin") == ("binary",)
    assert (mirror.is_partial, blobs_in(mirror.git_dir)) == (True, 0)
    origin.commit("later", {"new.py": "later\n"})
    await mirrors.open(github.url("acme/made"))
    assert blobs_in(mirror.git_dir) == 0


async def test_a_mirror_without_files_reads_as_the_repository_itself(mirror: GitRepository, origin: Scratch) -> None:
    whole, shas = GitRepository(origin.path), origin.shas
    assert await mirror.commits(shas[0], shas[-1]) == await whole.commits(shas[0], shas[-1])
    for path in await whole.files(shas[-1]):
        if path.startswith("lib/") and path != "lib/7.py":
            continue
        assert await mirror.read(shas[-1], path) == await whole.read(shas[-1], path)
        assert await mirror.compare(shas[0], shas[-1], path) == await whole.compare(shas[0], shas[-1], path)
        origins = await whole.origins(shas[-1], path, [(1, 60)], shas[0])
        assert await mirror.origins(shas[-1], path, [(1, 60)], shas[0]) == origins
        if (await whole.read(shas[-1], path)).status == "ok":
            assert await mirror.blame(shas[-1], path, 1, 60) == await whole.blame(shas[-1], path, 1, 60)


async def test_a_file_of_many_names_is_blamed_back_to_the_first(
    github: GitHubServer, mirrors: Mirrors, origin: Scratch
) -> None:
    text = LONG
    origin.commit("first name", {"name0.py": text})
    for at in range(12):
        text = text.replace(f"line {3 * at}\n", f"line {3 * at} of {at}\n")
        origin.commit(f"name {at}", {f"name{at}.py": None, f"name{at + 1}.py": text})
    repository = await mirrors.open(serve(github, origin))
    blamed = await repository.blame(origin.shas[-1], "name12.py", 1, 60)
    assert blamed == await GitRepository(origin.path).blame(origin.shas[-1], "name12.py", 1, 60)


async def test_what_cannot_be_fetched_is_said_and_never_taken_for_empty(
    github: GitHubServer, mirror: GitRepository, origin: Scratch
) -> None:
    github.close()
    for ask in ASKED.values():
        with pytest.raises(Transient, match="git fetch"):
            await ask(mirror, origin.shas)


async def test_a_name_that_sounds_like_damage_is_a_name(mirror: GitRepository, origin: Scratch) -> None:
    for path in ("inflate: data", "packfile x does not match index"):
        assert await mirror.origins(origin.shas[-1], path, [(1, 1)], origin.shas[0]) == {}
        with pytest.raises(Denied):
            await mirror.blame(origin.shas[-1], path, 1, 1)


async def test_a_file_that_the_origin_has_lost_is_said_and_never_taken_for_empty(
    mirror: GitRepository, origin: Scratch
) -> None:
    lose(origin, "lib/7.py")
    for asked in ASKED.keys() - {"a file", "all files", "origins across a move"}:
        with pytest.raises(Denied, match="any more"):
            await ASKED[asked](mirror, origin.shas)


async def test_of_many_files_the_others_are_read_where_the_origin_has_lost_one(
    mirror: GitRepository, origin: Scratch
) -> None:
    lose(origin, "lib/7.py")
    found = await mirror.read_all(origin.shas[-1], ["lib/6.py", "lib/7.py", "lib/8.py"])
    assert sorted(found) == ["lib/6.py", "lib/8.py"]
    lost = await mirror.read(origin.shas[-1], "lib/7.py")
    assert (lost.status, lost.text) == ("denied", "")


def lose(origin: Scratch, path: str) -> None:
    blob = origin.listed(origin.shas[-1])[path][1]
    (origin.path / "objects" / blob[:2] / blob[2:]).unlink()


async def test_files_that_are_larger_than_wanted_are_given_up_on_the_way(
    github: GitHubServer, mirrors: Mirrors, origin: Scratch
) -> None:
    origin.commit("large", {"model.dat": secrets.token_bytes(2 << 20)})
    github.seconds_a_part = 0.03
    mirror = await mirrors.mirror(serve(github, origin))
    blob = origin.listed("main")["model.dat"][1]
    with pytest.raises(Denied, match="larger than"):
        await Objects(mirror.git_dir, mirror).sizes([blob], most_bytes=1 << 19)
    github.seconds_a_part = 0
    await mirrors.open(github.url("acme/made"))
    assert list(mirror.git_dir.rglob("tmp_pack_*")) == []
    assert blobs_in(mirror.git_dir) == 0


@pytest.mark.parametrize("lacks", [{"has_filters"}, {"has_protocol_2"}, {"has_filters", "has_protocol_2"}])
async def test_a_server_that_gives_no_single_files_gives_them_all(
    github: GitHubServer, mirrors: Mirrors, origin: Scratch, lacks: set[str]
) -> None:
    url = serve(github, origin)
    for what in lacks:
        setattr(github.hub.repositories["acme/made"], what, False)
    repository = await mirrors.open(url)
    assert (await repository.read(origin.shas[-1], "new.py")).status == "ok"
    github.close()
    assert len(await repository.commits(origin.shas[0], origin.shas[-1])) == 6
    assert await all_files(repository, origin.shas) == await all_files(GitRepository(origin.path), origin.shas)


async def test_a_whole_mirror_of_before_goes_on_as_it_is(
    github: GitHubServer, mirrors: Mirrors, origin: Scratch
) -> None:
    url = serve(github, origin)
    mirror = (await mirrors.mirror(url)).git_dir
    make_whole(mirror, origin)
    later = origin.commit("later", {"new.py": "later\n"})
    repository = await mirrors.open(url)
    github.close()
    assert (await repository.read(later, "new.py")).text == "later\n"
    assert await all_files(repository, origin.shas) == await all_files(GitRepository(origin.path), origin.shas)


def make_whole(mirror: Path, origin: Scratch) -> None:
    """Put in its place what an older version made there."""
    shutil.rmtree(mirror)
    heads = "+refs/heads/*:refs/heads/*"
    subprocess.run(["git", "init", "--quiet", "--bare", str(mirror)], check=True)
    subprocess.run(["git", "-C", str(mirror), "fetch", "--quiet", str(origin.path), heads], check=True)


async def test_a_mirrors_config_tells_neither_the_address_nor_how_to_sign_in(
    github: GitHubServer, mirror: GitRepository, origin: Scratch, tmp_path: Path
) -> None:
    await mirror.commits(origin.shas[0], origin.shas[-1])
    assert any(call.authorization for call in github.calls)
    files = [path for path in (tmp_path / "mirrors").rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert not [word for word in (b"ghp_", b"Basic", b"127.0.0.1", b"http:") if word in content], path


async def test_a_refusal_names_no_token(github: GitHubServer, mirror: GitRepository, origin: Scratch) -> None:
    github.hub.grants.clear()
    with pytest.raises(SelfhealError) as raised:
        await mirror.read(origin.shas[-1], "new.py")
    assert "ghp_" not in str(raised.value)
