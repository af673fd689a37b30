"""The cache of packages, and the tools that fill it: what is kept, what never counts, and what ends a tool."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from agents.errors import Denied
from app.adapters.dependencies.shelf import STALE_SECONDS, Shelf
from app.adapters.dependencies.tools import Indexes, read_text, run


def filled(shelf: Shelf, key: str, size: int = 1000) -> Path:
    made = shelf.begin(key)
    (made / "wheel").write_bytes(b"x" * size)
    return made


@pytest.fixture
async def shelf(tmp_path: Path) -> Shelf:
    found = Shelf(tmp_path / "packages", most_bytes=2500)
    async with found.locked("first"):
        return found


async def test_what_is_in_the_making_is_not_found_until_it_is_kept(shelf: Shelf) -> None:
    made = filled(shelf, "a")
    assert shelf.find("a") is None
    kept = shelf.keep("a", made)
    assert shelf.find("a") == kept
    assert (kept / "wheel").read_bytes() == b"x" * 1000


async def test_the_longest_unused_go_when_there_is_no_room(shelf: Shelf) -> None:
    for at, key in enumerate(("a", "b")):
        kept = shelf.keep(key, filled(shelf, key))
        os.utime(kept, (1000 + at, 1000 + at))
    assert shelf.find("a") is not None  # which is a use
    shelf.keep("c", filled(shelf, "c"))
    assert [key for key in ("a", "b", "c") if shelf.find(key)] == ["a", "c"]


async def test_the_newest_stays_however_large_it_is(shelf: Shelf) -> None:
    shelf.keep("a", filled(shelf, "a"))
    shelf.keep("b", filled(shelf, "b", 10_000))
    assert [key for key in ("a", "b") if shelf.find(key)] == ["b"]


async def test_what_a_killed_process_left_in_the_making_is_removed_in_time(shelf: Shelf) -> None:
    old, young = filled(shelf, "a"), filled(shelf, "b")
    before = time.time() - STALE_SECONDS - 1
    os.utime(old, (before, before))
    shelf.keep("c", filled(shelf, "c"))
    assert (old.exists(), young.exists()) == (False, True)


async def test_a_tool_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    script = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', sys.argv[1]]); time.sleep(60)"
    child = f"import time, pathlib; time.sleep(1); pathlib.Path({str(tmp_path / 'alive')!r}).touch()"
    with pytest.raises(Denied, match="not finished after 0 s"):
        await run((sys.executable, "-c", script, child), {}, tmp_path, seconds=0.3)
    await asyncio.sleep(1.2)
    assert not (tmp_path / "alive").exists()


async def test_a_tool_that_fetches_too_much_is_ended(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    script = "import pathlib, sys, time; pathlib.Path(sys.argv[1], 'x').write_bytes(b'x' * 5000); time.sleep(60)"
    with pytest.raises(Denied, match="more than 1000 bytes"):
        await run((sys.executable, "-c", script, str(into)), {}, tmp_path, into, most_bytes=1000)


async def test_a_tool_sees_only_the_variables_it_is_given_and_its_words_are_redacted(tmp_path: Path) -> None:
    script = (
        "import os, sys; print(sorted(os.environ)); sys.exit('ERROR: token=ghp_0123456789abcdefghijABCDEFGHIJ012345')"
    )
    with pytest.raises(Denied, match="ERROR: token=") as refused:
        await run((sys.executable, "-c", script), {"WORD": "x"}, tmp_path)
    assert "ghp_0123456789" not in str(refused.value)
    said = await run((sys.executable, "-c", "import os; print(sorted(os.environ))"), {"WORD": "x"}, tmp_path)
    assert set(eval(said)) - {"LC_CTYPE"} == {"WORD"}  # noqa: S307 - a list that we printed ourselves


async def test_a_tool_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Denied, match="no-such-tool cannot be started"):
        await run(("no-such-tool",), {"PATH": "/usr/bin"}, tmp_path)


def test_of_the_machines_variables_a_tool_gets_its_own_and_the_proxies() -> None:
    indexes = Indexes(machine={"PIP_CERT": "c", "GOPROXY": "g", "https_proxy": "p", "NPM_CONFIG_REGISTRY": "n"})
    assert indexes.variables(("PIP_",)) == {"PIP_CERT": "c", "https_proxy": "p"}
    assert indexes.variables(("GO",)) == {"GOPROXY": "g", "https_proxy": "p"}


def test_no_file_outside_of_the_tree_is_read(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "secret").write_text("x")
    (tree / "requirements.txt").symlink_to(tmp_path / "secret")
    assert read_text(tree, "requirements.txt") is None
    assert read_text(tree, "../secret") is None
