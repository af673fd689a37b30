"""The loader of labelled cases: what is written wrongly is named, and the same words make the same commits."""

from pathlib import Path

import pytest

from agents.evidence import holds
from agents.evidence.nouns import Citation
from app.adapters.checkout import GitRepository
from tests import labelled
from tests.histories import History, Step, make_repository
from tests.labelled import Case, bundle_of

HISTORY = History.model_validate(
    {
        "base": {"a.txt": "one\ntwo\n", "b.txt": "b\n"},
        "commits": [
            {"id": "side", "subject": "On the side", "edits": [{"path": "b.txt", "find": "b", "replace": "c"}]},
            {"id": "main", "subject": "Straight on", "on": "base", "files": {"a.txt": "three\n"}},
            {"id": "join", "subject": "Merge side", "merge": "side", "renames": {"a.txt": "d/a.txt"}},
        ],
        "canary": "join",
    }
)


async def test_a_history_becomes_the_same_repository_each_time(tmp_path: Path) -> None:
    first, second = (make_repository(HISTORY, tmp_path / name) for name in ("one.git", "two.git"))
    assert first == second
    repository = await GitRepository.at(tmp_path / "one.git")
    assert await repository.files(first["join"]) == ("b.txt", "d/a.txt")
    assert (await repository.read(first["join"], "b.txt")).text == "c\n"
    assert await repository.resolve("main") == first["join"]
    commits = await repository.commits(first["base"], first["join"])
    assert {commit.subject for commit in commits} == {"On the side", "Straight on", "Merge side"}
    (merge,) = (commit for commit in commits if commit.sha == first["join"])
    assert merge.parents == (first["main"], first["side"])


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ({"id": "x", "subject": "s", "edits": [{"path": "a.txt", "find": "o", "replace": "0"}]}, "stands 2 times"),
        ({"id": "x", "subject": "s", "renames": {"gone": "b"}}, "no file gone"),
        ({"id": "x", "subject": "s", "on": "nowhere"}, "no commit 'nowhere'"),
        ({"id": "base", "subject": "s"}, "two commits are called 'base'"),
    ],
)
def test_a_commit_that_cannot_be_made_is_named(tmp_path: Path, step: dict[str, object], says: str) -> None:
    history = HISTORY.model_copy(update={"commits": (Step.model_validate(step),), "canary": str(step["id"])})
    with pytest.raises(ValueError, match=says):
        make_repository(history, tmp_path / "r.git")


def test_a_merge_of_two_changes_to_one_file_must_say_what_it_wrote(tmp_path: Path) -> None:
    both = [
        {"id": "left", "subject": "l", "files": {"a.txt": "left\n"}},
        {"id": "right", "subject": "r", "on": "base", "files": {"a.txt": "right\n"}},
        {"id": "join", "subject": "j", "merge": "left"},
    ]
    history = History.model_validate({"base": {"a.txt": "a\n"}, "commits": both, "canary": "join"})
    with pytest.raises(ValueError, match=r"both sides changed a\.txt"):
        make_repository(history, tmp_path / "r.git")
    apart = [
        {"id": "left", "subject": "l", "files": {"a.txt": "one\n2\n3\n4\n5\n"}},
        {"id": "right", "subject": "r", "on": "base", "files": {"a.txt": "1\n2\n3\n4\nfive\n"}},
        both[2],
    ]
    clean = {"base": {"a.txt": "1\n2\n3\n4\n5\n"}, "commits": apart, "canary": "join"}
    assert make_repository(History.model_validate(clean), tmp_path / "s.git")["join"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("about: a\nexpect: {category: code, file: null}\n", "expect.commit"),
        ("about: a\nexpect: {category: cosmic, file: null, commit: null}\n", "expect.category"),
        ("about: a\nexpect: {category: code, file: a, commit: ghost}\n", "no commit 'ghost'"),
        ("about: a\nlogs: {canary: {pod: x}}\nexpect: {category: code, file: a, commit: null}\n", "not pod/container"),
        ("about: a\nexpects: {}\n", "expects"),
        ("- a\n", "wrong.yaml"),
    ],
)
def test_a_case_that_is_written_wrongly_is_named_with_its_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "python" / "wrong.yaml"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        labelled.read_case(path)


def test_what_a_case_holds_can_be_cited() -> None:
    case = Case.model_validate(
        {
            "family": "states",
            "name": "x",
            "about": "a",
            "logs": {"canary": {"p-1/app.previous": "boom\n"}},
            "objects": {
                "pod": [{"metadata": {"name": "p-1", "labels": {"rollouts-pod-template-hash": "canary"}}}],
                "event": [{"reason": "BackOff"}],
                "configmap": [{"metadata": {"name": "settings"}, "data": {"A": "1"}}],
            },
            "expect": {"category": "unknown", "file": None, "commit": None},
        }
    )
    bundle = bundle_of(case, {}, {})
    for ref, quote in (
        ("logs/canary/p-1/app.previous#L1-1", "boom"),
        ("events#/0/reason", "BackOff"),
        ("objects/pod/p-1#/metadata/name", "p-1"),
        ("config/settings#/data/A", "1"),
    ):
        assert holds(bundle, Citation(ref=ref, quote=quote))
    assert {item.id for item in bundle.manifest.items if item.side == "canary"} == {
        "logs/canary/p-1/app.previous",
        "objects/pod/p-1",
    }
