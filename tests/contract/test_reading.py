"""Blame and search: what any `Repository` promises, held by the fake and by git on a real repository."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from agents.changes import MOST_MATCHES, Match, Repository
from agents.errors import Denied
from app.adapters.checkout import GitRepository
from tests.fakes import FakeCommit, FakeRepository
from tests.mirrored import Mirrored
from tests.scratch import LINK, Scratch

FIRST = {"shop/price.py": "def price():\n    return 1\n", "notes.txt": "one\n"}
SECOND = {"shop/price.py": "def price():\n    rate = 2\n    return rate\n", "a b/ü.txt": "rate of a city\n-e rate\n"}
THIRD = {"blob.bin": "rate\0rate", "crlf.txt": "rate\r\nmore\r\n", "notes.txt": "one\nrate [a-z]* $(x)\n"}
HISTORY: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("Price things", FIRST),
    ("Use a rate", {**FIRST, **SECOND}),
    ("More files", {**FIRST, **SECOND, **THIRD}),
)


@pytest.fixture(params=["fake", "git", "mirror"])
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, mirrored: Mirrored
) -> tuple[Repository, tuple[str, ...]]:
    if request.param == "fake":
        fake = FakeRepository(*(FakeCommit(subject, files) for subject, files in HISTORY))
        return fake, fake.shas
    scratch = Scratch(tmp_path / "shop.git")
    for subject, files in HISTORY:
        scratch.commit(subject, files)
    is_mirror = request.param == "mirror"
    return await mirrored(scratch) if is_mirror else GitRepository(scratch.path), tuple(scratch.shas)


async def test_blame_names_the_commit_that_wrote_each_line(site: tuple[Repository, tuple[str, ...]]) -> None:
    repository, shas = site
    found = await repository.blame(shas[2], "shop/price.py", 1, 3)
    assert [(one.line, one.commit, one.subject, one.text) for one in found] == [
        (1, shas[0], "Price things", "def price():"),
        (2, shas[1], "Use a rate", "    rate = 2"),
        (3, shas[1], "Use a rate", "    return rate"),
    ]
    assert {one.author for one in found} == {"Ana Ruiz"}
    assert [one.commit for one in await repository.blame(shas[0], "shop/price.py", 2, 2)] == [shas[0]]


@pytest.mark.parametrize(("first", "last", "lines"), [(3, 9, [3]), (4, 9, []), (0, 2, []), (3, 1, [])])
async def test_blame_gives_the_lines_that_there_are(
    site: tuple[Repository, tuple[str, ...]], first: int, last: int, lines: list[int]
) -> None:
    repository, shas = site
    assert [one.line for one in await repository.blame(shas[2], "shop/price.py", first, last)] == lines


@pytest.mark.parametrize("path", ["gone.py", "blob.bin", "--help", "../etc/passwd", "shop"])
async def test_blame_of_what_is_no_text_file_is_denied(site: tuple[Repository, tuple[str, ...]], path: str) -> None:
    repository, shas = site
    with pytest.raises(Denied):
        await repository.blame(shas[2], path, 1, 1)


async def test_search_finds_literal_text_in_order(site: tuple[Repository, tuple[str, ...]]) -> None:
    repository, shas = site
    assert await repository.search(shas[2], "rate") == (
        Match(path="a b/ü.txt", line=1, text="rate of a city"),
        Match(path="a b/ü.txt", line=2, text="-e rate"),
        Match(path="crlf.txt", line=1, text="rate\r"),
        Match(path="notes.txt", line=2, text="rate [a-z]* $(x)"),
        Match(path="shop/price.py", line=2, text="    rate = 2"),
        Match(path="shop/price.py", line=3, text="    return rate"),
    )
    assert await repository.search(shas[0], "rate") == ()
    assert [one.line for one in await repository.search(shas[2], "rate", "shop")] == [2, 3]
    assert [one.line for one in await repository.search(shas[2], "rate", "notes.txt")] == [2]
    assert await repository.search(shas[2], "rate", "sho") == ()


@pytest.mark.parametrize("text", ["[a-z]*", "$(x)", "-e rate", "*", "."])
async def test_nothing_in_a_search_is_a_pattern_or_an_option(
    site: tuple[Repository, tuple[str, ...]], text: str
) -> None:
    repository, shas = site
    found = await repository.search(shas[2], text)
    assert all(text in one.text for one in found)
    assert bool(found) == (text != ".")


@pytest.mark.parametrize("text", ["", "  ", "one\ntwo", "a\0b"])
async def test_a_search_for_nothing_or_for_more_than_a_line_is_denied(
    site: tuple[Repository, tuple[str, ...]], text: str
) -> None:
    repository, shas = site
    with pytest.raises(Denied, match="one line"):
        await repository.search(shas[2], text)


async def test_a_search_ends_at_its_limit(tmp_path: Path) -> None:
    many = {f"f{at:03}.txt": "needle\n" * 10 for at in range(100)}
    scratch = Scratch(tmp_path / "shop.git")
    fake = FakeRepository(FakeCommit("many", many))
    found = await GitRepository(scratch.path).search(scratch.commit("many", many), "needle")
    assert len(found) == MOST_MATCHES
    assert found == await fake.search(fake.shas[0], "needle")


async def test_a_link_is_not_followed(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "shop.git")
    (tmp_path / "outside.txt").write_text("needle\n", encoding="utf-8")
    sha = scratch.commit("link", {"link": str(tmp_path / "outside.txt")}, {"link": LINK})
    repository = GitRepository(scratch.path)
    assert [one.path for one in await repository.search(sha, "needle")] == []
    with pytest.raises(Denied):
        await repository.blame(sha, "link", 1, 1)
