import subprocess
from pathlib import Path

import pytest

from agents.patch import Edit, EditRejected, FileChange, Patch, apply_edits, unified_diff


def test_an_edit_replaces_the_one_place_its_search_text_stands() -> None:
    (change,) = apply_edits({"a.py": "x = 1\ny = 2\n"}, [Edit(path="a.py", search="y = 2\n", replace="y = 3\n")])
    assert change.after == "x = 1\ny = 3\n"


@pytest.mark.parametrize(
    ("text", "search", "matches"),
    [("a\na\n", "a\n", 2), ("b\n", "a\n", 0), ("aaa", "aa", 2), ("x", "", 0)],
)
def test_an_edit_that_does_not_match_exactly_once_is_refused(text: str, search: str, matches: int) -> None:
    with pytest.raises(EditRejected) as caught:
        apply_edits({"f": text}, [Edit(path="f", search=search, replace="z")])
    assert caught.value.matches == matches


def test_all_edits_apply_or_none() -> None:
    files: dict[str, str | None] = {"a": "1", "b": "2"}
    with pytest.raises(EditRejected):
        apply_edits(files, [Edit(path="a", search="1", replace="9"), Edit(path="b", search="nope", replace="9")])
    assert files == {"a": "1", "b": "2"}


def test_a_file_is_created_only_where_none_is_and_deleted_only_unchanged() -> None:
    (made,) = apply_edits({"new": None}, [Edit(path="new", search=None, replace="hi\n")])
    assert (made.before, made.after) == (None, "hi\n")
    (gone,) = apply_edits({"old": "hi\n"}, [Edit(path="old", search="hi\n", replace=None)])
    assert gone.after is None
    with pytest.raises(EditRejected):
        apply_edits({"new": "there"}, [Edit(path="new", search=None, replace="hi\n")])
    with pytest.raises(EditRejected):
        apply_edits({"old": "hi\nmore\n"}, [Edit(path="old", search="hi\n", replace=None)])


def test_edits_that_cancel_out_change_nothing() -> None:
    edits = [Edit(path="f", search="a", replace="b"), Edit(path="f", search="b", replace="a")]
    assert apply_edits({"f": "a"}, edits) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("one\ntwo\n", "one\n2\n"),
        ("no newline", "no newline\n"),
        ("tail", "other tail"),
        (None, "made\n"),
        ("gone\n", None),
        ("form\x0cfeed\u2028line\n-- dashes\n", "form\x0cfeed\u2028line\n++ plus\n"),
    ],
)
def test_git_applies_our_diff(tmp_path: Path, before: str | None, after: str | None) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    target = tmp_path / "dir" / "f.txt"
    target.parent.mkdir()
    if before is not None:
        target.write_bytes(before.encode())
    diff = unified_diff(FileChange(path="dir/f.txt", before=before, after=after))
    subprocess.run(["git", "apply", "-"], input=diff.encode(), cwd=tmp_path, check=True)
    assert (target.read_bytes().decode() if target.exists() else None) == after


def test_changed_lines_count_content_that_looks_like_a_header() -> None:
    change = FileChange(path="f", before="-- a\n++ b\n", after="c\n")
    patch = Patch(repository="r", commit="0" * 40, strategy="revert", why="", edits=(), changes=(change,))
    assert patch.changed_lines == 3
