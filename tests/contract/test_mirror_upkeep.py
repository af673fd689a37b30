"""Mirrors over time: killed fetches, damage, room, and what several processes do at once. With real processes."""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.errors import Denied, Transient
from app.adapters.checkout import Mirrors
from app.adapters.checkout.locks import locked, take
from tests.github_server import GitHubServer
from tests.github_server.clients import access_of
from tests.mirrored import mirrors_of, serve
from tests.scratch import WHO, Scratch

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def another_process(folder: Path, url: str) -> Iterator["subprocess.Popen[str]"]:
    """Opens the repository and keeps it until it is killed, as a service would that shares the folder."""
    argv = [sys.executable, "-m", "tests.mirror_process", str(folder), url]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=WHO) as process:
        try:
            yield process
        finally:
            process.kill()


def started_by(pid: int) -> list[int]:
    """Every process below it."""
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(below for child in found for below in started_by(child))]


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def grow(scratch: Scratch) -> str:
    """Commits that take a while over a slow line: long messages, for files are not fetched."""
    for _ in range(4):
        scratch.commit(secrets.token_hex(60_000), {"a.py": secrets.token_hex(4)})
    return scratch.shas[-1]


@pytest.fixture
def origin(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "forge" / "acme" / "shop.git")
    scratch.commit("one", {"a.py": "1\n"})
    return scratch


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("with_git", [True, False], ids=["all", "alone"])
async def test_a_process_that_is_killed_while_it_fetches_harms_nothing(
    github: GitHubServer, tmp_path: Path, origin: Scratch, *, is_first: bool, with_git: bool
) -> None:
    url, mirrors, folder = serve(github, origin), mirrors_of(github, tmp_path), tmp_path / "mirrors"
    if not is_first:
        await mirrors.open(url)
    tip = grow(origin)
    github.seconds_a_part = 0.25
    with another_process(tmp_path, url) as process:
        await asyncio.to_thread(wait_for, lambda: any(folder.rglob("tmp_pack_*")))
        for pid in [process.pid, *(started_by(process.pid) if with_git else ())]:
            os.kill(pid, signal.SIGKILL)
    github.seconds_a_part = 0
    (lock,) = (path for path in folder.glob("*.lock") if path.name != "quota.lock")
    if not with_git:
        assert take(lock) is None, "git goes on without its parent, and nobody else may write meanwhile"
    mirror = await mirrors.mirror(url)
    assert origin.shas[-1] == tip == await (await mirrors.open(url)).resolve("main")
    assert [path for path in folder.rglob("*") if path.suffix == ".new" or path.name.startswith("tmp_")] == []
    assert list(mirror.git_dir.rglob("*.lock")) == []
    assert is_sound(mirror.git_dir)


def is_sound(mirror: Path) -> bool:
    done = subprocess.run(
        ["git", "-c", "remote.x.promisor=true", "-C", str(mirror), "fsck"], capture_output=True, check=False
    )
    return done.returncode == 0


async def test_what_a_killed_git_leaves_in_the_way_is_cleared(tmp_path: Path, origin: Scratch) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", tmp_path / "forge")
    mirror = (await mirrors.mirror(origin.url)).git_dir
    origin.commit("two", {"a.py": "2\n"})
    left = [mirror / "HEAD.lock", mirror / "packed-refs.lock", mirror / "refs/heads/main.lock"]
    left += [mirror / "objects/pack/tmp_pack_abc", mirror / "objects/tmp_obj_abc", mirror / "fetching"]
    for path in left:
        path.write_text("half")
    assert await (await mirrors.open(origin.url)).resolve("main") == origin.shas[-1]
    assert not [path for path in left if path.exists()]


def largest(mirror: Path, ending: str) -> Path:
    found = max(mirror.rglob(f"*.{ending}"), key=lambda path: path.stat().st_size)
    found.chmod(0o644)
    return found


def truncate(path: Path, by: int = 30) -> None:
    with path.open("r+b") as file:
        file.truncate(max(0, path.stat().st_size - by))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a pack that is cut": lambda mirror: truncate(largest(mirror, "pack")),
    "an empty pack": lambda mirror: truncate(largest(mirror, "pack"), 1 << 30),
    "an index that is cut": lambda mirror: truncate(largest(mirror, "idx")),
    "no pack": lambda mirror: largest(mirror, "pack").unlink(),
    "no HEAD": lambda mirror: (mirror / "HEAD").unlink(),
    "a HEAD that is none": lambda mirror: (mirror / "HEAD").write_text("?"),
    "a config that is none": lambda mirror: (mirror / "config").write_text("[core"),
    "refs that are none": lambda mirror: (mirror / "packed-refs").write_text("?"),
    "an empty ref": lambda mirror: (mirror / "refs/heads/main").write_text(""),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_mirror_is_made_anew(tmp_path: Path, origin: Scratch, damage: str) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", tmp_path / "forge")
    mirror = (await mirrors.mirror(origin.url)).git_dir
    DAMAGES[damage](mirror)
    repository = await mirrors.open(origin.url)
    assert await repository.resolve("HEAD") == origin.shas[-1]
    assert (await repository.read(origin.shas[-1], "a.py")).text == "1\n"
    assert is_sound(mirror)


async def test_damage_that_only_reading_finds_is_mended_when_the_work_is_tried_again(
    github: GitHubServer, tmp_path: Path, origin: Scratch
) -> None:
    mirrors, url = mirrors_of(github, tmp_path), serve(github, origin)
    origin.commit("long", {"long.py": "".join(f"line {secrets.token_hex(40)}\n" for _ in range(99))})
    repository = await mirrors.open(url)
    text = (await repository.read(origin.shas[-1], "long.py")).text
    pack = largest(tmp_path / "mirrors", "pack")
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 0xFF
    pack.write_bytes(content)
    with pytest.raises(Transient, match="damaged"):
        await repository.read(origin.shas[-1], "long.py")
    again = await mirrors.open(url)
    assert (await again.read(origin.shas[-1], "long.py")).text == text


async def test_a_server_that_is_away_is_no_reason_to_throw_a_mirror_away(
    github: GitHubServer, tmp_path: Path, origin: Scratch
) -> None:
    mirrors, url = mirrors_of(github, tmp_path), serve(github, origin)
    mirror = (await mirrors.mirror(url)).git_dir
    (mirror / "mark").touch()
    github.close()
    with pytest.raises(Transient):
        await mirrors.open(url)
    assert (mirror / "mark").exists()


async def test_many_packs_are_put_together(github: GitHubServer, tmp_path: Path, origin: Scratch) -> None:
    mirrors, url = mirrors_of(github, tmp_path), serve(github, origin)
    origin.commit("two", {"a.py": "2\n", "b.py": "b\n"})
    repository = await mirrors.open(url)
    await repository.read(origin.shas[-1], "b.py")
    packs = tmp_path / "mirrors"
    for at in range(60):  # each with an object of its own
        blob = origin.git("hash-object", "-w", "--stdin", stdin=f"blob {at}\n".encode())
        made = origin.git("pack-objects", "--quiet", str(next(packs.rglob("pack")) / "pack"), stdin=blob.encode())
        (next(packs.rglob("pack")) / f"pack-{made}.promisor").touch()
    repository = await mirrors.open(url)
    assert len(list(packs.rglob("*.pack"))) < 3
    github.close()
    assert (await repository.read(origin.shas[-1], "b.py")).text == "b\n"
    with pytest.raises(Transient):
        await repository.read(origin.shas[-1], "a.py")


@pytest.fixture
def three(tmp_path: Path) -> list[Scratch]:
    """Repositories of about 150 kB each."""
    made = [Scratch(tmp_path / "forge" / f"{at}.git") for at in range(3)]
    for scratch in made:
        scratch.commit("one", {"a.bin": secrets.token_bytes(150_000)})
    return made


async def test_the_mirror_used_least_recently_makes_room(tmp_path: Path, three: list[Scratch]) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", tmp_path / "forge", most_bytes=400_000)
    first, second = [(await mirrors.mirror(one.url)).git_dir for one in three[:2]]
    await mirrors.open(three[0].url)
    third = (await mirrors.mirror(three[2].url)).git_dir
    assert [path.exists() for path in (first, second, third)] == [True, False, True]
    assert not list(second.parent.glob(f"{second.stem}.*")), "nothing is left of it"
    repository = await mirrors.open(three[1].url)
    assert await repository.resolve("main") == three[1].shas[0]
    assert [path.exists() for path in (first, second, third)] == [False, True, True]


async def test_a_mirror_in_use_is_never_removed(tmp_path: Path, three: list[Scratch]) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", tmp_path / "forge", most_bytes=200_000)
    unused = (await mirrors.mirror(three[2].url)).git_dir
    with another_process(tmp_path, three[1].url) as process:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == f"{three[1].shas[0]}\n"
        held = await mirrors.mirror(three[0].url)
        assert (len(list(held.git_dir.parent.glob("*.git"))), unused.exists()) == (2, False)
        assert await (await mirrors.open(three[0].url)).files(three[0].shas[0]) == ("a.bin",)
    released = held.git_dir
    del held
    await mirrors.open(three[2].url)
    assert (list(released.parent.glob("*.git")), unused.exists()) == ([unused], True)


async def test_a_repository_that_is_larger_than_all_room_is_not_fetched_to_its_end(
    github: GitHubServer, tmp_path: Path, origin: Scratch
) -> None:
    grow(origin)
    github.seconds_a_part = 0.1
    mirrors = Mirrors(tmp_path / "mirrors", tmp_path / "forge", access_of(github), most_bytes=50_000)
    with pytest.raises(Denied, match="larger than 50000 bytes"):
        await mirrors.open(serve(github, origin))
    assert sum(path.stat().st_size for path in (tmp_path / "mirrors").rglob("*")) < 50_000


async def test_what_failed_before_there_was_a_mirror_leaves_nothing(
    github: GitHubServer, tmp_path: Path, origin: Scratch
) -> None:
    mirrors = mirrors_of(github, tmp_path)
    with pytest.raises(Denied):
        await mirrors.open(github.url("acme/none"))
    await mirrors.open(serve(github, origin))
    assert len({path.stem for path in (tmp_path / "mirrors").iterdir()} - {"quota"}) == 1


async def test_who_waits_for_a_lock_keeps_nobody_elses_work_waiting(tmp_path: Path, origin: Scratch) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", tmp_path / "forge")
    await mirrors.open(origin.url)
    (path,) = (path for path in (tmp_path / "mirrors").glob("*.lock") if path.name != "quota.lock")
    async with locked(path, 1):
        waiting = [asyncio.create_task(mirrors.open(origin.url)) for _ in range(50)]
        await asyncio.sleep(0.05)
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 5) == "done"
        assert not any(task.done() for task in waiting)
        for task in waiting[1:]:
            task.cancel()
    assert await (await waiting[0]).resolve("main") == origin.shas[-1]
    assert all(
        isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*waiting[1:], return_exceptions=True)
    )


async def test_a_lock_that_is_never_free_is_given_up(tmp_path: Path) -> None:
    async with locked(tmp_path / "x.lock", 1):
        with pytest.raises(Transient, match="another process"):
            async with locked(tmp_path / "x.lock", 0.05):
                pass


async def test_a_lock_whose_file_was_replaced_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    async with locked(path, 1):
        path.unlink()
        async with locked(path, 1):
            assert take(path) is None
