from pathlib import Path

import pytest

from agents.changes import Commit
from agents.diagnosis import Location
from agents.patch import EditRejected, apply_edits
from agents.strategies.restore import restore
from agents.strategies.reversal import NotReversible, parse
from agents.strategies.revert import revert
from app.adapters.checkout import GitRepository
from tests.scratch import EXECUTABLE, LINK, SUBMODULE, Scratch

ODD = "a\x0cb \u2028 c\x85d\x1ee"
"""Characters that Python takes for line ends and git does not."""


async def culprit_of(scratch: Scratch) -> tuple[GitRepository, Commit]:
    """The commit whose subject is `culprit`, with its diff as the service reads it."""
    repository = GitRepository(scratch.path)
    commits = await repository.commits(scratch.shas[0], scratch.shas[-1])
    return repository, next(commit for commit in commits if commit.subject == "culprit")


async def reverted(scratch: Scratch, file: str, line: int | None = None) -> list[dict[str, str | None]]:
    """What each candidate makes of the files that it touches."""
    repository, culprit = await culprit_of(scratch)
    files: dict[str, str | None] = {}
    for path in {changed.path for changed in parse(culprit.diff)}:
        found = await repository.read(scratch.shas[-1], path)
        if found.status != "denied":
            files[path] = found.text if found.status == "ok" else None
    touched = frozenset() if line is None else frozenset({line})
    found_candidates = revert(culprit, Location(file=file, line=line), touched, files)
    return [{change.path: change.after for change in apply_edits(files, edits)} for edits, _ in found_candidates]


@pytest.fixture
def scratch(tmp_path: Path) -> Scratch:
    return Scratch(tmp_path / "repository.git")


def numbered(**replaced: str) -> str:
    """Forty lines `line 1` ...; `line_7="x"` replaces one."""
    return "".join(replaced.get(f"line_{at}", f"line {at}") + "\n" for at in range(1, 41))


async def test_the_hunk_at_the_failing_line_comes_first_then_the_file_then_the_commit(scratch: Scratch) -> None:
    scratch.commit("first", {"a.py": numbered(), "b.py": "b\n"})
    scratch.commit("culprit", {"a.py": numbered(line_5="broken", line_30="also new"), "b.py": "B\n"})
    scratch.commit("later", {"c.py": "c\n"})
    assert await reverted(scratch, "a.py", line=6) == [
        {"a.py": numbered(line_30="also new")},
        {"a.py": numbered()},
        {"a.py": numbered(), "b.py": "b\n"},
    ]
    assert (await reverted(scratch, "a.py", line=29))[0] == {"a.py": numbered(line_5="broken")}


async def test_of_a_merge_the_place_that_failed_goes_back_first_and_leaves_what_came_with_it(scratch: Scratch) -> None:
    scratch.commit("first", {"a.py": numbered()})
    side = scratch.commit("side", {"a.py": numbered(line_9="wanted")})
    scratch.git("update-ref", "refs/heads/main", scratch.shas[0])
    ours = scratch.commit("ours", {"b.py": "b\n"})
    merged = {"a.py": numbered(line_5="broken", line_9="wanted").removesuffix("\n")}
    scratch.commit("tree of the merge", merged)
    tree = scratch.git("rev-parse", "main^{tree}")
    merge = scratch.git("commit-tree", tree, "-p", ours, "-p", side, "-m", "culprit")
    scratch.git("update-ref", "refs/heads/main", merge)
    scratch.shas = [scratch.shas[0], merge]
    first, *_ = await reverted(scratch, "a.py", line=5)
    assert first == {"a.py": numbered(line_9="wanted").removesuffix("\n")}


async def test_a_place_that_later_commits_moved_is_found_by_its_text_and_ranked_where_it_stands_now(
    scratch: Scratch,
) -> None:
    head = "".join(f"new {at}\n" for at in range(25))
    scratch.commit("first", {"a.py": numbered()})
    scratch.commit("culprit", {"a.py": numbered(line_5="broken", line_30="also new")})
    scratch.commit("later", {"a.py": head + numbered(line_5="broken", line_30="also new")})
    # line 30 of the file now is where line 5 of the culprit's file stood
    assert (await reverted(scratch, "a.py", line=30))[0] == {"a.py": head + numbered(line_30="also new")}


async def test_context_that_later_commits_changed_does_not_keep_a_place_from_being_reverted(scratch: Scratch) -> None:
    scratch.commit("first", {"a.py": numbered()})
    scratch.commit("culprit", {"a.py": numbered(line_20="broken")})
    scratch.commit("later", {"a.py": numbered(line_18="changed", line_20="broken", line_21="changed too")})
    assert await reverted(scratch, "a.py", line=20) == [{"a.py": numbered(line_18="changed", line_21="changed too")}]


async def test_a_place_that_later_commits_changed_is_not_offered_and_no_other_place_instead(scratch: Scratch) -> None:
    scratch.commit("first", {"a.py": numbered()})
    scratch.commit("culprit", {"a.py": numbered(line_5="broken", line_30="also new")})
    scratch.commit("later", {"a.py": numbered(line_5="broken further", line_30="also new")})
    assert await reverted(scratch, "a.py", line=5) == []


@pytest.mark.parametrize(
    ("before", "culprit", "later"),
    [
        pytest.param("x = 1\n", "max = 2\n", "climax = 2\n", id="inside another line"),
        pytest.param("old", "new\n", "new\nmore\n", id="would be joined with what was appended"),
        pytest.param("a\nold\n", "a\nnew", "a\nnewer\n", id="the last line without its end, written on"),
    ],
)
async def test_a_match_that_is_not_whole_lines_is_no_match(
    scratch: Scratch, before: str, culprit: str, later: str
) -> None:
    scratch.commit("first", {"a.py": before})
    scratch.commit("culprit", {"a.py": culprit})
    scratch.commit("later", {"a.py": later})
    assert await reverted(scratch, "a.py", line=1) == []


@pytest.mark.parametrize(
    ("before", "culprit"),
    [
        pytest.param("one\ntwo", "one\nthree", id="no newline at the end"),
        pytest.param("one\ntwo", "one\ntwo\n", id="newline added at the end"),
        pytest.param("one\ntwo\n", "one\ntwo", id="newline taken from the end"),
        pytest.param("one\r\ntwo\r\nthree\r\n", "one\r\n2\r\nthree\r\n", id="CRLF"),
        pytest.param("one\ntwo\n", "one\r\ntwo\r\n", id="line ends changed"),
        pytest.param("a\rb\nc\n", "a\rd\nc\n", id="a carriage return inside a line"),
        pytest.param(f"{ODD}\nx\ny\n", f"{ODD}\nX\ny\n", id="form feeds beside it"),
        pytest.param(f"{ODD}\n", f"{ODD}!\n", id="form feeds in it"),
        pytest.param("", "made\n", id="an empty file filled"),
        pytest.param("-- a\n++ b\n", "++ a\n-- b\n", id="lines that look like a diff's head"),
        pytest.param("x\n", "first\nx\n", id="a line before all others"),
        pytest.param("x\ny\n", "x\n", id="the last line removed"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "with space/a b.txt", "naïve.txt"])
async def test_reverting_gives_back_every_byte(scratch: Scratch, name: str, before: str, culprit: str) -> None:
    scratch.commit("first", {name: before, "other": "1\n"})
    scratch.commit("culprit", {name: culprit})
    scratch.commit("later", {"other": "2\n"})
    assert await reverted(scratch, name) == [{name: before}]


async def test_an_emptied_file_is_filled_again_only_if_nothing_was_written_since(scratch: Scratch) -> None:
    scratch.commit("first", {"a.py": "x\n"})
    scratch.commit("culprit", {"a.py": ""})
    assert await reverted(scratch, "a.py") == []


async def test_an_added_file_goes_with_the_rest_of_its_commit_and_only_unchanged(scratch: Scratch) -> None:
    scratch.commit("first", {"a.py": "a\n"})
    scratch.commit("culprit", {"a.py": "import new\n", "new.py": "n\n"})
    assert await reverted(scratch, "new.py") == [{"a.py": "a\n", "new.py": None}]
    scratch.commit("later", {"new.py": "n\nmore\n"})
    assert await reverted(scratch, "new.py") == []


@pytest.mark.parametrize("content", ["c\n", "no newline", ""])
async def test_a_deleted_file_comes_back_unless_it_exists_again(scratch: Scratch, content: str) -> None:
    scratch.commit("first", {"a.py": content, "b.py": "b\n"})
    scratch.commit("culprit", {"a.py": None})
    assert await reverted(scratch, "a.py") == [{"a.py": content}]
    scratch.commit("later", {"a.py": "another\n"})
    assert await reverted(scratch, "a.py") == []


@pytest.mark.parametrize("mode", [EXECUTABLE, LINK, SUBMODULE])
async def test_what_was_no_ordinary_file_is_not_made_again_as_one(scratch: Scratch, mode: str) -> None:
    scratch.commit("first", {"a": "target", "b.py": "b\n"}, modes={"a": mode})
    scratch.commit("culprit", {"a": None})
    assert await reverted(scratch, "a") == []


async def test_a_changed_mode_is_not_half_undone(scratch: Scratch) -> None:
    scratch.commit("first", {"a.py": "a\n", "b.py": "b\n"})
    scratch.commit("culprit", {"a.py": "A\n", "b.py": "B\n"}, modes={"a.py": EXECUTABLE})
    assert await reverted(scratch, "a.py", line=1) == [{"a.py": "a\n"}]  # the one place, not "the file"
    assert await reverted(scratch, "b.py", line=1) == [{"b.py": "b\n"}]


@pytest.mark.parametrize("content", [b"\x00binary", b"latin \xe9\n"])
async def test_what_is_not_text_is_left_alone(scratch: Scratch, content: bytes) -> None:
    scratch.commit("first", {"a.py": "a\n", "data": b"\x00old" if b"\x00" in content else b"old \xe8\n"})
    scratch.commit("culprit", {"a.py": "A\n", "data": content})
    assert await reverted(scratch, "data", line=1) == []
    assert await reverted(scratch, "a.py", line=1) == [{"a.py": "a\n"}]


async def test_a_rename_stays_and_the_place_changed_with_it_is_undone(scratch: Scratch) -> None:
    scratch.commit("first", {"old.py": numbered()})
    scratch.commit("culprit", {"old.py": None, "new.py": numbered(line_9="broken")})
    assert await reverted(scratch, "new.py", line=9) == [{"new.py": numbered()}]


async def test_a_file_that_later_commits_renamed_is_not_guessed_at(scratch: Scratch) -> None:
    scratch.commit("first", {"a.py": numbered()})
    scratch.commit("culprit", {"a.py": numbered(line_9="broken")})
    scratch.commit("later", {"a.py": None, "b.py": numbered(line_9="broken")})
    assert await reverted(scratch, "a.py", line=9) == []


def test_a_diff_that_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(NotReversible):
        parse("diff --git a/b/x b/y b/b/x b/y\n--- a/b/x b/y\n+++ b/b/x b/y\n@@ -1 +1 @@\n-a\n+b\n")


STABLE = """\
kind: ConfigMap
data:
  # where prices come from
  PRICE_FEED: https://feed
  PAGE_SIZE: "20"
  GREETING: hello
"""


async def restored(scratch: Scratch, stable: str, canary: str, line: int) -> list[str | None]:
    scratch.commit("first", {"config.yaml": stable})
    scratch.commit("culprit", {"config.yaml": canary})
    difference = await GitRepository(scratch.path).compare(scratch.shas[0], scratch.shas[1], "config.yaml")
    candidates = restore(difference, Location(file="config.yaml", line=line), canary)
    return [apply_edits({"config.yaml": canary}, edits)[0].after for edits, _ in candidates]


async def test_a_restored_value_keeps_comments_and_all_else_that_the_canary_changed(scratch: Scratch) -> None:
    canary = STABLE.replace("PRICE_FEED", "FEED_PRICE").replace("hello", "welcome # new in spring") + "  MORE: x\n"
    expected = STABLE.replace("hello", "welcome # new in spring") + "  MORE: x\n"
    assert await restored(scratch, STABLE, canary, line=4) == [expected]


async def test_of_neighbouring_lines_only_the_one_with_the_value_is_restored_first(scratch: Scratch) -> None:
    canary = STABLE.replace("PRICE_FEED", "FEED_PRICE").replace('"20"', '"50"')
    assert await restored(scratch, STABLE, canary, line=4) == [STABLE.replace('"20"', '"50"'), STABLE]


async def test_a_removed_key_comes_back_where_it_stood(scratch: Scratch) -> None:
    canary = STABLE.replace("  PRICE_FEED: https://feed\n", "").replace("hello", "welcome")
    assert await restored(scratch, STABLE, canary, line=4) == [STABLE.replace("hello", "welcome")]


@pytest.mark.parametrize(
    ("stable", "canary"),
    [
        pytest.param(f"# {ODD}\nold: 1\n", f"# {ODD}\nnew: 1\n", id="form feeds above"),
        pytest.param("a: 1\r\nold: 1\r\n", "a: 1\r\nnew: 1\r\n", id="CRLF"),
        pytest.param("a: 1\nold: 1", "a: 1\nnew: 1", id="no newline at the end"),
        pytest.param("a: 1\nold: 1\n", "a: 1\nnew: 1", id="newline taken from the end"),
        pytest.param(
            "x: 1\nx: 1\nx: 1\nold: 1\nx: 1\n", "x: 1\nx: 1\nx: 1\nx: 1\nx: 1\n", id="the same line over and over"
        ),
    ],
)
async def test_restoring_counts_lines_as_git_does(scratch: Scratch, stable: str, canary: str) -> None:
    line = 4 if stable.startswith("x") else 2
    assert (await restored(scratch, stable, canary, line=line))[-1] == stable


def test_the_candidates_of_a_file_that_is_gone_are_refused_when_they_are_applied() -> None:
    difference = "diff --git a/c.yaml b/c.yaml\n--- a/c.yaml\n+++ b/c.yaml\n@@ -1 +1 @@\n-a: 1\n+b: 1\n"
    ((edits, _),) = restore(difference, Location(file="c.yaml", line=1), "b: 1\n")
    with pytest.raises(EditRejected):
        apply_edits({"c.yaml": None}, edits)
    assert restore(difference, Location(file="c.yaml", line=1), None) == []
