"""What any `Repository` promises, held by the fake and by git; then what only a real repository can do to us."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from agents.changes import MOST_COMMITS, Repository, at_the_canary, hunks_of
from agents.errors import Denied, Invalid
from app.adapters.checkout import GitRepository
from app.adapters.checkout import repository as adapter
from tests.fakes import FakeCommit, FakeRepository
from tests.mirrored import Mirrored
from tests.scratch import LINK, SUBMODULE, Scratch

Build = Callable[[Sequence[dict[str, str | None]]], Awaitable[tuple[Repository, Sequence[str]]]]


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path / "repo.git")


@pytest.fixture(params=["fake", "git", "mirror"])
def build(request: pytest.FixtureRequest, scratch: Scratch, mirrored: Mirrored) -> Build:
    """A repository with a commit for each set of changes; the subjects are numbers."""

    async def make(history: Sequence[dict[str, str | None]]) -> tuple[Repository, Sequence[str]]:
        if request.param != "fake":
            for number, files in enumerate(history):
                scratch.commit(str(number), files)
            is_mirror = request.param == "mirror"
            return await mirrored(scratch) if is_mirror else GitRepository(scratch.path), scratch.shas
        tree: dict[str, str] = {}
        commits = []
        for number, files in enumerate(history):
            tree = {path: text for path, text in {**tree, **files}.items() if text is not None}
            commits.append(FakeCommit(str(number), tree))
        fake = FakeRepository(*commits)
        return fake, fake.shas

    return make


HISTORY: Sequence[dict[str, str | None]] = (
    {"a.py": "one\ntwo\nthree\n", "b/c.yaml": "x: 1\n", "gone.txt": "bye\n", "moved.txt": "stays\nthe\nsame\n"},
    {"a.py": "one\nTWO\nthree\n"},
    {"gone.txt": None, "b/new.py": "no newline at end", "moved.txt": None, "b/moved.txt": "stays\nthe\nsame\n"},
)


async def test_revisions_are_resolved_to_full_ids(build: Build) -> None:
    repository, shas = await build(HISTORY)
    assert await repository.resolve("main") == shas[-1]
    assert await repository.resolve("refs/heads/main") == shas[-1]
    assert await repository.resolve("HEAD") == shas[-1]
    assert await repository.resolve(shas[0]) == shas[0]
    assert await repository.resolve(shas[0][:12]) == shas[0]


@pytest.mark.parametrize(
    "revision",
    [
        *("", "nothing", "f" * 40, "0" * 40, "abc", "x" * 5000),
        *("-h", "--all", "--output=/tmp/x"),
        *("main..main", "main:a.py", ":/0", "a\0b", "a\nb"),
    ],
)
async def test_what_is_no_revision_is_denied(build: Build, revision: str) -> None:
    repository, _ = await build(HISTORY)
    with pytest.raises(Denied, match="revision"):
        await repository.resolve(revision)


async def test_the_commits_between_come_newest_first_with_their_diffs(build: Build) -> None:
    repository, shas = await build(HISTORY)
    newest, middle = await repository.commits(shas[0], shas[2])
    assert [newest.sha, middle.sha] == [shas[2], shas[1]]
    assert (middle.parents, middle.subject) == ((shas[0],), "1")
    assert middle.at.tzinfo is not None
    (hunk,) = middle.hunks
    assert (hunk.file, [line.text for line in hunk.removed], [line.text for line in hunk.added], hunk.above) == (
        "a.py",
        ["two"],
        ["TWO"],
        ("one",),
    )
    assert {(one.file, one.old_file) for one in newest.hunks} == {("gone.txt", "gone.txt"), ("b/new.py", None)}
    assert newest.renames == {"moved.txt": "b/moved.txt"}


async def test_nothing_lies_between_a_commit_and_itself_or_an_older_one(build: Build) -> None:
    repository, shas = await build(HISTORY)
    assert await repository.commits(shas[2], shas[2]) == ()
    assert await repository.commits(shas[2], shas[0]) == ()


async def test_a_commit_that_is_not_there_is_denied(build: Build) -> None:
    repository, shas = await build(HISTORY)
    for call in (
        repository.commits(shas[0], "f" * 40),
        repository.compare("f" * 40, shas[0]),
        repository.files("f" * 40),
        repository.read("f" * 40, "a.py"),
    ):
        with pytest.raises(Denied):
            await call


async def test_a_comparison_has_no_context_and_stays_below_its_path(build: Build) -> None:
    repository, shas = await build(HISTORY)
    hunks = hunks_of(await repository.compare(shas[0], shas[2]))
    assert {hunk.file for hunk in hunks} == {"a.py", "b/new.py", "gone.txt"}
    assert all(hunk.above == () for hunk in hunks)
    assert {hunk.file for hunk in hunks_of(await repository.compare(shas[0], shas[2], "b"))} >= {"b/new.py"}
    assert "a.py" not in await repository.compare(shas[0], shas[2], "b")
    assert [hunk.file for hunk in hunks_of(await repository.compare(shas[0], shas[2], "a.py"))] == ["a.py"]
    assert await repository.compare(shas[0], shas[2], "nothing/here") == ""
    assert await repository.compare(shas[0], shas[0]) == ""


async def test_files_are_read_at_a_commit(build: Build) -> None:
    repository, shas = await build(HISTORY)
    assert await repository.files(shas[0]) == ("a.py", "b/c.yaml", "gone.txt", "moved.txt")
    assert (await repository.read(shas[0], "a.py")).text == "one\ntwo\nthree\n"
    assert (await repository.read(shas[2], "b/new.py")).text == "no newline at end"
    for path in ("gone.txt", "nothing", "b/nothing", "a.py/x"):
        missing = await repository.read(shas[2], path)
        assert (missing.status, missing.text) == ("gone", "")
        assert missing.reason


ODD = [
    "a b.py",
    'q"uote.py',
    "new\nline.py",
    "tab\tx.py",
    "back\\slash.py",
    "ünï.py",
    "-dash.py",
    ":(glob)*.py",
    "*.py",
    "[a].py",
]


@pytest.mark.parametrize("name", ODD)
async def test_a_file_of_any_name_is_read_and_compared_by_it_alone(scratch: Scratch, name: str) -> None:
    scratch.commit("one", {name: "1\n", "other.py": "1\n", "a.py": "1\n"})
    scratch.commit("two", {name: "2\n", "other.py": "2\n"})
    repository = GitRepository(scratch.path)
    assert name in await repository.files(scratch.shas[1])
    assert (await repository.read(scratch.shas[1], name)).text == "2\n"
    compared = hunks_of(await repository.compare(scratch.shas[0], scratch.shas[1], name))
    assert [hunk.file for hunk in compared] == [name]
    (commit,) = await repository.commits(*scratch.shas)
    assert {hunk.file for hunk in commit.hunks} == {name, "other.py"}


async def test_what_is_not_text_is_denied_and_changes_no_line(scratch: Scratch) -> None:
    scratch.commit("one", {"image.png": b"\x89PNG\0\1", "latin.py": "ü = 1\n".encode("latin-1"), "ok.py": "1\n"})
    scratch.commit("two", {"image.png": b"\x89PNG\0\2", "latin.py": "ü = 2\n".encode("latin-1"), "ok.py": "2\n"})
    repository = GitRepository(scratch.path)
    for path in ("image.png", "latin.py"):
        found = await repository.read(scratch.shas[1], path)
        assert (found.status, found.text) == ("denied", "")
    (commit,) = await repository.commits(*scratch.shas)
    assert {hunk.file for hunk in commit.hunks} == {"latin.py", "ok.py"}


async def test_links_submodules_and_folders_are_no_files(scratch: Scratch) -> None:
    scratch.commit(
        "one", {"d/a.py": "1\n", "link": "d/a.py", "out": "/etc/passwd"}, {"link": LINK, "out": LINK, "sub": SUBMODULE}
    )
    repository = GitRepository(scratch.path)
    for path in ("link", "out", "sub", "d", "d/", "./d/a.py", "d//a.py", "../repo.git/HEAD", "", ".", "nul\0"):
        assert (await repository.read(scratch.shas[0], path)).status in {"denied", "gone"}, path
    assert (await repository.read(scratch.shas[0], "d/a.py")).status == "ok"
    scratch.commit("two", {"d/a.py": "2\n"}, {"sub": SUBMODULE, "link": LINK})
    (commit,) = await repository.commits(*scratch.shas)
    assert "d/a.py" in {hunk.file for hunk in commit.hunks}


async def test_a_file_that_is_too_large_is_denied(scratch: Scratch) -> None:
    scratch.commit("one", {"big.py": "x" * (adapter.MOST_FILE_BYTES + 1), "fits.py": "x" * adapter.MOST_FILE_BYTES})
    repository = GitRepository(scratch.path)
    assert (await repository.read(scratch.shas[0], "big.py")).status == "denied"
    assert (await repository.read(scratch.shas[0], "fits.py")).status == "ok"


async def test_a_damaged_file_is_denied_by_whatever_reads_it(scratch: Scratch) -> None:
    scratch.commit("one", {"a.py": "1\n", "b.py": "1\n"})
    scratch.commit("two", {"a.py": "2\n"})
    blob = scratch.listed("main")["a.py"][1]
    loose = scratch.path / "objects" / blob[:2] / blob[2:]
    loose.chmod(0o644)
    loose.write_bytes(b"damaged")
    repository = GitRepository(scratch.path)
    assert (await repository.read(scratch.shas[1], "a.py")).status == "denied"
    assert (await repository.read(scratch.shas[1], "b.py")).status == "ok"
    with pytest.raises(Denied):
        await repository.commits(scratch.shas[0], scratch.shas[1])


async def test_changes_that_are_too_large_are_denied_rather_than_cut(scratch: Scratch) -> None:
    scratch.commit("one", {"a.txt": ""})
    scratch.commit("two", {"a.txt": ("x" * 99_999 + "\n") * (adapter.MOST_DIFF_BYTES // 100_000 + 1)})
    repository = GitRepository(scratch.path)
    with pytest.raises(Denied, match="larger than"):
        await repository.commits(*scratch.shas)
    with pytest.raises(Denied, match="larger than"):
        await repository.compare(*scratch.shas)


async def test_of_a_long_range_the_newest_commits_are_returned(scratch: Scratch) -> None:
    scratch.commit("start", {"a.txt": "0\n"})
    when = "author A <a@b> 1790000000 +0000\ncommitter A <a@b> 1790000000 +0000\n"
    stream = "".join(
        f"commit refs/heads/main\n{when}data 1\nx\nfrom {scratch.shas[0] if at == 0 else 'refs/heads/main^0'}\n\n"
        for at in range(MOST_COMMITS + 5)
    )
    scratch.run("fast-import", "--quiet", "--force", stdin=stream.replace("from refs/heads/main^0\n", "").encode())
    tip = scratch.tip()
    assert tip is not None
    commits = await GitRepository(scratch.path).commits(scratch.shas[0], tip)
    assert len(commits) == MOST_COMMITS
    assert commits[0].sha == tip


async def test_a_merge_brings_its_commits_and_is_told_by_its_parents(scratch: Scratch) -> None:
    base = scratch.commit("base", {"a.py": "a\n", "b.py": "b\n"})
    scratch.git("update-ref", "refs/heads/side", base)
    side = scratch.commit("side", {"b.py": "B\n"}, branch="side")
    main = scratch.commit("main", {"a.py": "A\n"})
    scratch.git("read-tree", main)
    scratch.run("update-index", "--index-info", stdin=f"100644 {scratch.listed('side')['b.py'][1]}\tb.py\n".encode())
    merge = scratch.git("commit-tree", scratch.git("write-tree"), "-p", main, "-p", side, "-m", "merge")
    commits = await GitRepository(scratch.path).commits(base, merge)
    assert {commit.sha for commit in commits} == {side, main, merge}
    assert next(commit.parents for commit in commits if commit.sha == merge) == (main, side)
    assert {hunk.file for commit, hunks in at_the_canary(commits) for hunk in hunks if commit.sha == merge} == set()
    assert {hunk.file for commit in commits for hunk in commit.hunks if commit.sha == side} == {"b.py"}


async def test_a_rename_with_changes_keeps_both_names(scratch: Scratch) -> None:
    text = "".join(f"line {at}\n" for at in range(20))
    scratch.commit("one", {"old name.py": text})
    scratch.commit("two", {"old name.py": None, 'new "name".py': text.replace("line 7", "LINE 7")})
    (commit,) = await GitRepository(scratch.path).commits(*scratch.shas)
    assert commit.renames == {"old name.py": 'new "name".py'}
    assert [(hunk.file, hunk.old_file) for hunk in commit.hunks] == [('new "name".py', "old name.py")]


@pytest.mark.parametrize(
    "text", ["\x01" * 3, "a\x01b\nc\0d", "commit f\n", "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"]
)
async def test_no_content_or_message_is_taken_for_the_start_of_a_commit(scratch: Scratch, text: str) -> None:
    scratch.commit("one", {"a.py": "x\n", ".gitattributes": "* text diff\n"})
    scratch.commit(f"\x01two\x02 {text.replace(chr(0), '')}", {"a.py": text})
    scratch.commit("three", {"a.py": "y\n"})
    commits = await GitRepository(scratch.path).commits(scratch.shas[0], scratch.shas[2])
    assert [commit.sha for commit in commits] == scratch.shas[:0:-1]
    assert {hunk.file for commit in commits for hunk in commit.hunks} <= {"a.py"}


async def test_a_date_beyond_all_calendars_is_a_date(scratch: Scratch) -> None:
    scratch.commit("one", {"a.py": "x\n"})
    raw = scratch.run("cat-file", "commit", scratch.shas[0]).decode()
    for when in ("99999999999999 +0000", "1790000000 +5180", "0 -0000"):
        lines = [
            line.rsplit(">", 1)[0] + f"> {when}" if line.startswith("committer") else line for line in raw.split("\n")
        ]
        text = lines[0] + f"\nparent {scratch.shas[0]}\n" + "\n".join(lines[1:])
        odd = scratch.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=text.encode())
        (commit,) = await GitRepository(scratch.path).commits(scratch.shas[0], odd)
        assert commit.at.tzinfo is not None


async def test_the_repositorys_own_configuration_runs_nothing_and_changes_no_diff(
    scratch: Scratch, tmp_path: Path
) -> None:
    scratch.commit("one", {"d/a.py": "x = 1\n", "b.py": "1\n", ".gitattributes": "* diff=evil filter=evil\n"})
    scratch.commit("two", {"d/a.py": "x = 2\n", "b.py": "2\n"})
    clean = await GitRepository(scratch.path).commits(*scratch.shas)
    marker = tmp_path / "ran"
    evil = tmp_path / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {marker}\n")
    evil.chmod(0o755)
    for name in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "gpg.program", "diff.external",
                 "diff.evil.command", "diff.evil.textconv", "filter.evil.smudge", "filter.evil.process",
                 "core.alternateRefsCommand", "credential.helper", "uploadpack.packObjectsHook",
                 "alias.log"):  # fmt: skip
        scratch.git("config", name, f"!{evil}" if name.startswith("alias") else str(evil))
    for name, value in {
        "log.showSignature": "true", "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.context": "0",
        "diff.interHunkContext": "99", "diff.orderFile": "/nowhere", "diff.renames": "false", "color.ui": "always",
        "diff.submodule": "log", "diff.relative": "true", "i18n.logOutputEncoding": "utf-16", "log.decorate": "full",
        "core.hooksPath": str(tmp_path), "diff.wordRegex": ".", "format.pretty": "raw", "log.date": "relative",
    }.items():  # fmt: skip
        scratch.git("config", name, value)
    attributes = scratch.path / "info" / "attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_text("* diff=evil filter=evil\n")
    repository = GitRepository(scratch.path)
    assert await repository.commits(*scratch.shas) == clean
    assert (await repository.read(scratch.shas[1], "b.py")).text == "2\n"
    assert {hunk.file for hunk in hunks_of(await repository.compare(*scratch.shas))} == {"b.py", "d/a.py"}
    assert await repository.resolve("main") == scratch.shas[1]
    assert not marker.exists()


async def test_reading_changes_nothing_in_the_repository(scratch: Scratch) -> None:
    scratch.commit("one", {"a.py": "1\n"})
    scratch.commit("two", {"a.py": "2\n"})
    before = snapshot(scratch.path)
    repository = GitRepository(scratch.path)
    await repository.commits(await repository.resolve("main~1"), await repository.resolve("main"))
    await repository.compare(*scratch.shas)
    await repository.read(scratch.shas[1], "a.py")
    assert snapshot(scratch.path) == before


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes() if path.is_file() else b"", path.stat().st_mtime_ns)
        for path in folder.rglob("*")
    }


async def test_a_repository_is_found_bare_with_a_work_tree_and_in_a_linked_one(
    scratch: Scratch, tmp_path: Path
) -> None:
    sha = scratch.commit("one", {"a.py": "1\n"})
    clone, linked = tmp_path / "clone", tmp_path / "linked"
    scratch.git("clone", "--quiet", str(scratch.path), str(clone))
    scratch.git("--git-dir", str(clone / ".git"), "worktree", "add", "--quiet", str(linked))
    for folder in (scratch.path, clone, linked):
        assert await (await GitRepository.at(folder)).resolve("HEAD") == sha


@pytest.mark.parametrize("git", [None, b"gitdir: /nowhere\n", b"\xff\0\xfe", b""])
async def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path, git: bytes | None) -> None:
    if git is not None:
        (tmp_path / ".git").write_bytes(git)
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(Invalid, match=r"not a git repository|cannot be read"):
            await GitRepository.at(folder)
