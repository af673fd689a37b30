"""What a commit only refers to is told: nobody takes a trial without it for one with it."""

from pathlib import Path

from agents.changes import unread
from app.adapters.checkout import GitRepository
from tests.scratch import LINK, SUBMODULE, Scratch

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12\n"
MODULES = '[submodule "fonts"]\n\tpath = vendor/fonts\n\turl = ../fonts\n[submodule "x"]\n  path=lib/x y\n'


async def told(scratch: Scratch, *traced: str) -> tuple[str, ...]:
    repository = GitRepository(scratch.path)
    stable, canary = scratch.shas[0], scratch.shas[-1]
    return await unread(repository, canary, await repository.commits(stable, canary), traced)


async def test_files_of_the_failure_that_are_not_read_are_named_with_the_reason(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "r.git")
    scratch.commit(
        "first", {"small.py": "x = 1\n", "large.py": "#\n" * 600_000, "link.py": "small.py"}, {"link.py": LINK}
    )
    notes = await told(scratch, "small.py", "large.py", "link.py", "gone.py")
    assert notes == (
        "large.py is larger than 1048576 bytes, so it was not read",
        "link.py is a link, so it was not read",
    )


async def test_what_git_lfs_keeps_is_named_where_the_range_changed_it(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "r.git")
    scratch.commit("first", {"a.bin": POINTER.format("a" * 64), "b.bin": POINTER.format("b" * 64), "c.txt": "c\n"})
    scratch.commit("second", {"a.bin": POINTER.format("c" * 64), "c.txt": f"see {POINTER}"})
    assert await told(scratch) == ("a.bin was changed, but Git LFS has what is in it: that was not compared",)


async def test_submodules_are_named_by_their_paths(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "r.git")
    scratch.commit("first", {".gitmodules": MODULES}, {"vendor/fonts": SUBMODULE, "lib/x y": SUBMODULE})
    assert await told(scratch) == (
        "vendor/fonts is a submodule, which is not fetched",
        "lib/x y is a submodule, which is not fetched",
    )
