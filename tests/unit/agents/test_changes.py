import time

import pytest

from agents.changes import Commit, Hunk, at_the_canary, blame_value, hunks_of, manifest_changes, renames_of
from tests.fakes import START, diff_trees


def only_hunk(before: str, after: str, path: str = "a.py") -> Hunk:
    (hunk,) = hunks_of(diff_trees({path: before}, {path: after}, context=3))
    return hunk


def commit(sha: str, diff: str, *parents: str) -> Commit:
    return Commit(sha=sha, parents=parents or ("p",), author="Ana", at=START, subject=sha, diff=diff)


def test_a_hunk_has_its_lines_with_their_numbers_and_the_line_above() -> None:
    hunk = only_hunk("one\ntwo\n\nthree\nfour\n", "one\ntwo\n\nTHREE\nfour\n")
    assert [(line.old, line.new, line.text) for line in (*hunk.removed, *hunk.added)] == [
        (4, None, "three"),
        (None, 4, "THREE"),
    ]
    assert hunk.above == ("two",)
    assert (hunk.file, hunk.old_file) == ("a.py", "a.py")


def test_new_deleted_and_renamed_files_have_the_right_paths() -> None:
    diff = diff_trees({"old.py": "x\n", "moved.py": "m\n"}, {"new.py": "y\n", "to/moved.py": "m\n"}, context=3)
    assert [(hunk.file, hunk.old_file) for hunk in hunks_of(diff)] == [("new.py", None), ("old.py", "old.py")]
    assert renames_of(diff) == {"moved.py": "to/moved.py"}


@pytest.mark.parametrize(
    ("quoted", "path"),
    [
        ("a b.py", "a b.py"),
        ('"q\\"uote.py"', 'q"uote.py'),
        ('"new\\nline.py"', "new\nline.py"),
        ('"back\\\\slash.py"', "back\\slash.py"),
        ('"bell\\001.py"', "bell\x01.py"),
        ("ünï.py", "ünï.py"),
    ],
)
def test_odd_file_names_are_read_as_git_writes_them(quoted: str, path: str) -> None:
    old, new = (quoted[0] + side + quoted[1:] if quoted.startswith('"') else side + quoted for side in ("a/", "b/"))
    hunks = hunks_of(f"diff --git {old} {new}\n--- {old}\n+++ {new}\n@@ -1 +1 @@\n-x\n+y\n")
    assert [(hunk.file, hunk.old_file) for hunk in hunks] == [(path, path)]


def test_text_with_odd_line_breaks_is_one_line_where_git_says_so() -> None:
    hunk = only_hunk("a\x0cb\x85c\u2028d\re\n", "A\x0cb\x85c\u2028d\re\n")
    assert [line.text for line in hunk.added] == ["A\x0cb\x85c\u2028d\re"]


@pytest.mark.parametrize(
    "broken",
    [
        "diff --git a/b b/b\n--- a/b\n+++ b/b\n@@ -1,9 +1 @@\n x\n",
        "diff --git a/b b/b\n--- a/b\n+++ b/b\n@@ nonsense @@\n-x\n",
        "diff --git a/b b/b\nBinary files a/b and b/b differ\n",
        "diff --git a/b b/b\nold mode 100644\nnew mode 100755\n",
        "diff --git a/b b/b\n@@ -1 +1 @@\n",
    ],
)
def test_a_file_that_cannot_be_read_does_not_hide_the_others(broken: str) -> None:
    good = diff_trees({"a.py": "1\n"}, {"a.py": "2\n"}, context=3)
    assert {hunk.file for hunk in hunks_of(good + broken + good.replace("a.py", "c.py"))} >= {"a.py", "c.py"}


@pytest.mark.parametrize("text", ["", "no diff at all", "\0\1\2", "--- a\n+++ b\n", "@@ -1 +1 @@\n+x\n"])
def test_what_is_no_diff_has_no_hunks(text: str) -> None:
    assert hunks_of(text) == ()


@pytest.mark.parametrize(
    ("before", "after", "formatting"),
    [
        pytest.param("f(a,b)\n", "f(a, b)\n", True, id="spaces"),
        pytest.param("x = 'a'\n", 'x = "a"\n', True, id="quotes"),
        pytest.param("f(aaaa, bbbb)\n", "f(\n    aaaa,\n    bbbb,\n)\n", True, id="wrapped as formatters do"),
        pytest.param("x = 1\n", "x = 1  # one\n", True, id="a comment"),
        pytest.param("# old\nx = 1\n", "# new words\nx = 1\n", True, id="a comment line"),
        pytest.param("x = 1\n", "\n\nx = 1\n", True, id="blank lines"),
        pytest.param("if a:\n  b()\n  if c:\n    d()\n", "if a:\n    b()\n    if c:\n        d()\n", True, id="wider"),
        pytest.param("if a:\n    b()\n    c()\n", "if a:\n    b()\nc()\n", False, id="out of a block"),
        pytest.param("for a in b:\n    c()\n    return 1\n", "for a in b:\n    c()\nreturn 1\n", False, id="return"),
        pytest.param('x = "#fff"\n', 'x = "#000"\n', False, id="a hash in a string"),
        pytest.param("x = 1\n", "x = 2\n", False, id="a number"),
        pytest.param("x = f(a)\n", "x = g(a)\n", False, id="a name"),
    ],
)
def test_formatting_is_what_means_the_same(before: str, after: str, formatting: bool) -> None:  # noqa: FBT001 - a column of the table
    assert only_hunk(before, after).is_formatting is formatting


def test_older_commits_are_told_by_the_names_that_files_have_now() -> None:
    edit = diff_trees({"old.py": "1\n"}, {"old.py": "2\n"}, context=3)
    first = diff_trees({"old.py": "2\n"}, {"mid.py": "2\n"}, context=3)
    second = diff_trees({"mid.py": "2\n"}, {"new.py": "2\n"}, context=3)
    merge = commit("m", diff_trees({"old.py": "1\n"}, {"old.py": "9\n"}, context=3), "p", "q")
    found = at_the_canary([merge, commit("c", second), commit("b", first), commit("a", edit)])
    assert [[hunk.file for hunk in hunks] for _, hunks in found] == [[], [], [], ["new.py"]]


CONFIG = "kind: ConfigMap\nmetadata:\n  name: shop\ndata:\n  RATE: '3'\n  URL: http://a\n"
ROLLOUT = """\
kind: Rollout
metadata: {name: shop}
spec:
  template:
    spec:
      containers:
        - name: app
          env:
            - name: FIRST
              value: one
            - name: SECOND
              value: two
"""


def changes(before: str, after: str) -> list[tuple[str, str | None, str | None, int | None]]:
    found = manifest_changes({"a.yaml": before}, {"a.yaml": after})
    return [(change.key, change.old, change.new, change.line) for change in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (CONFIG, CONFIG, []),
        (CONFIG, CONFIG.replace("'3'", "'x'"), [("RATE", "3", "x", 5)]),
        (CONFIG, CONFIG.replace("RATE", "RATIO"), [("RATIO", None, "3", 5), ("RATE", "3", None, 4)]),
        (CONFIG, CONFIG.replace("'3'", "3"), []),
        (ROLLOUT, ROLLOUT.replace("two", "2"), [("SECOND", "two", "2", 12)]),
        (
            ROLLOUT,
            ROLLOUT.replace("            - name: FIRST\n              value: one\n", ""),
            [
                ("FIRST", "FIRST", None, 8),
                ("FIRST", "one", None, 8),
            ],
        ),
    ],
)
def test_values_differ_by_object_and_pointer_not_by_their_place_in_the_file(
    before: str, after: str, expected: list[tuple[str, str | None, str | None, int | None]]
) -> None:
    assert sorted(changes(before, after), key=str) == sorted(expected, key=str)


def test_an_object_that_is_gone_lost_all_its_values() -> None:
    assert [key for key, _, new, _ in changes(CONFIG, "{{ template }}: [") if new is None] == [
        "kind",
        "name",
        "RATE",
        "URL",
    ]


def test_an_object_that_moved_to_another_file_did_not_change() -> None:
    assert manifest_changes({"a.yaml": CONFIG}, {"b/c.yaml": "---\n" + CONFIG}) == ()


def test_two_objects_of_one_name_are_both_compared() -> None:
    base, patch = CONFIG, CONFIG.replace("http://a", "http://b")
    found = manifest_changes({"1.yaml": base, "2.yaml": patch}, {"1.yaml": base.replace("'3'", "'4'"), "2.yaml": patch})
    assert [(change.file, change.key, change.new) for change in found] == [("1.yaml", "RATE", "4")]


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "a: !!int x",
        "t: 2026-13-45",
        "%YAML 9.9\n---\na: 1",
        "a: !!python/object/apply:os.system ['true']",
        "\0",
        "- just\n- a list",
        "[" * 300,
        "a: &a [x]\nb: &b [*a,*a]\n" + "".join(f"k{at}: &k{at} [*b,*b,*b,*b]\n" for at in range(9)),
        "kind: &a x\nmetadata: *a\n",
    ],
)
def test_a_file_that_is_no_manifest_is_left_out(text: str) -> None:
    assert manifest_changes({"a.yaml": text, "b.yaml": CONFIG}, {"a.yaml": text, "b.yaml": CONFIG}) == ()


def test_a_few_aliases_that_stand_for_billions_take_no_time() -> None:
    levels = "".join(f"  l{at}: &l{at} [*l{at - 1}, *l{at - 1}, *l{at - 1}, *l{at - 1}]\n" for at in range(1, 20))
    bomb = f"kind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  l0: &l0 [a, a, a, a]\n{levels}"
    start = time.process_time()
    manifest_changes({"a.yaml": bomb}, {"a.yaml": CONFIG})
    assert time.process_time() - start < 3


def blame(before: str, after: str, key: str) -> str | None:
    (change,) = [one for one in manifest_changes({"a.yaml": before}, {"a.yaml": after}) if one.key == key and one.old][
        -1:
    ]
    others = [
        commit("unrelated", diff_trees({"b.yaml": before}, {"b.yaml": after}, context=3)),
        commit("culprit", diff_trees({"a.yaml": before}, {"a.yaml": after}, context=3)),
        commit("other-key", diff_trees({"a.yaml": "OTHER: 1\n"}, {"a.yaml": "OTHER: 2\n"}, context=3)),
    ]
    found = blame_value(change, others)
    return found.sha if found else None


def test_the_commit_that_took_a_value_away_or_changed_it_is_blamed() -> None:
    assert blame(CONFIG, CONFIG.replace("RATE", "RATIO"), "RATE") == "culprit"
    assert blame(CONFIG, CONFIG.replace("'3'", "'x'"), "RATE") == "culprit"
    assert blame(ROLLOUT, ROLLOUT.replace("two", "2"), "SECOND") == "culprit"
