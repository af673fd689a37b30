"""What diagnosing asks of a range of commits: held by the fake and by git on a real repository."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import pytest

from agents.changes import Repository
from agents.errors import Denied
from app.adapters.checkout import GitRepository
from app.adapters.checkout import repository as adapter
from tests.fakes import FakeCommit, FakeRepository
from tests.mirrored import Mirrored
from tests.scratch import Scratch

TEXT = "first = 1\nsecond = 2\nthird = 3\n"
SPACED = TEXT.replace("second = 2", "second  =  other")
HISTORY: Sequence[Mapping[str, str]] = (
    {"a.py": TEXT, "b/c.py": "total(price)\n", "d.md": "price\n", "e.py": "price(1)\nprices(2)\n"},
    {"a.py": TEXT.replace("second = 2", "second = other")},
    {"a.py": SPACED},
    {"a.py": SPACED.replace("third = 3", "third = 4")},
)
Build = Callable[[Sequence[Mapping[str, str]]], Awaitable[tuple[Repository, Sequence[str]]]]


@pytest.fixture(params=["fake", "git", "mirror"])
def build(request: pytest.FixtureRequest, tmp_path: Path, mirrored: Mirrored) -> Build:
    """A repository with a commit for each set of changes."""

    async def make(history: Sequence[Mapping[str, str]]) -> tuple[Repository, Sequence[str]]:
        if request.param != "fake":
            scratch = Scratch(tmp_path / "repo.git")
            for number, files in enumerate(history):
                scratch.commit(str(number), files)
            is_mirror = request.param == "mirror"
            return await mirrored(scratch) if is_mirror else GitRepository(scratch.path), scratch.shas
        tree: dict[str, str] = {}
        commits = []
        for number, files in enumerate(history):
            tree = {**tree, **files}
            commits.append(FakeCommit(str(number), tree))
        fake = FakeRepository(*commits)
        return fake, fake.shas

    return make


async def test_many_files_are_read_as_each_is_alone(build: Build) -> None:
    repository, shas = await build(HISTORY)
    paths = [*await repository.files(shas[-1]), "not/there", "b"]
    texts = await repository.read_all(shas[-1], paths)
    for path in paths:
        alone = await repository.read(shas[-1], path)
        assert texts.get(path) == (alone.text if alone.status == "ok" else None)
    assert await repository.read_all(shas[-1], []) == {}


POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)


async def test_a_pointer_to_git_lfs_is_told_and_never_read_as_the_file(build: Build) -> None:
    about = "See version https://git-lfs.github.com/spec/v1\nand oid sha256:x\n"
    repository, shas = await build([{"model.bin.py": POINTER, "about.md": about}, {"b.py": "1\n"}])
    found = await repository.read(shas[1], "model.bin.py")
    assert (found.status, found.text, "Git LFS" in str(found.reason)) == ("denied", "", True)
    assert await repository.read_all(shas[1], ["model.bin.py", "about.md"]) == {"about.md": about}
    with pytest.raises(Denied, match="Git LFS"):
        await repository.blame(shas[1], "model.bin.py", 1, 1)


async def test_lines_are_traced_to_the_commit_of_the_range_that_wrote_them(build: Build) -> None:
    repository, shas = await build(HISTORY)
    assert await repository.origins(shas[3], "a.py", [(1, 3)], shas[0]) == {2: shas[1], 3: shas[3]}
    assert await repository.origins(shas[3], "a.py", [(1, 2)], shas[2]) == {}
    assert await repository.origins(shas[3], "a.py", [(3, 3)], shas[0], [shas[3]]) == {}
    assert await repository.origins(shas[3], "nothing.py", [(1, 1)], shas[0]) == {}
    assert await repository.origins(shas[3], "a.py", [], shas[0]) == {}


async def test_who_mentions_a_word_is_found_by_whole_words_in_files_of_a_kind(build: Build) -> None:
    repository, shas = await build(HISTORY)
    found = await repository.mentions(shas[0], ["price", "total"], [".py"])
    assert [(match.path, match.line, match.text) for match in found] == [
        ("b/c.py", 1, "total(price)"),
        ("e.py", 1, "price(1)"),
    ]
    assert await repository.mentions(shas[0], [], [".py"]) == ()
    assert await repository.mentions(shas[0], ["nowhere"], [".py"]) == ()


async def test_odd_names_and_what_is_not_text_are_read_together_with_the_rest(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "repo.git")
    files: dict[str, str | bytes | None] = {"a b.py": "1\n", "new\nline.py": "2\n", ":(glob)*.py": "3\n"}
    scratch.commit("one", {**files, "image.png": b"\x89PNG\0", "latin.py": "ü".encode("latin-1"), "empty.py": ""})
    texts = await GitRepository(scratch.path).read_all(scratch.shas[0], [*files, "image.png", "latin.py", "empty.py"])
    assert texts == {"a b.py": "1\n", "new\nline.py": "2\n", ":(glob)*.py": "3\n", "empty.py": ""}


async def test_where_generated_files_are_too_large_the_rest_of_each_commit_is_read(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "repo.git")
    large = ("x" * 99_999 + "\n") * (adapter.MOST_DIFF_BYTES // 100_000 + 1)
    scratch.commit("start", {"a.py": "1\n"})
    scratch.commit("vendor", {"web/vendor/lib.js": large, "a.py": "2\n"})
    scratch.commit("only generated", {"web/vendor/lib.js": "x\n"})
    commits = await GitRepository(scratch.path).commits(scratch.shas[0], scratch.shas[2])
    assert [commit.sha for commit in commits] == [scratch.shas[2], scratch.shas[1]]
    assert all(commit.is_partial for commit in commits)
    assert [hunk.file for commit in commits for hunk in commit.hunks] == ["a.py"]
