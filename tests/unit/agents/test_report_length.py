"""A report is never longer than GitHub takes, and never ends in the middle of a fence."""

from agents.diagnosis import Claim, Diagnosis
from agents.evidence import Citation, Manifest, Version
from agents.patch import FileChange, Patch
from agents.pull_request import with_marker
from agents.report import Story, issue_text, pull_request_text
from tests.fakes import START
from tests.stories import VERIFIED

GITHUB_TAKES = 65_536
LINE = "`` ``` x" * 50


def story(claims: int, lines: int) -> Story:
    manifest = Manifest(
        incident="0" * 32, attempt=1, cluster="prod", namespace="shops", rollout="shop", uid="u", revision="2",
        strategy=None, stable=Version(hash="s"), canary=Version(hash="c"), captured_at=START, items=(),
    )  # fmt: skip
    quote = "\n".join([LINE] * 30)
    diagnosis = Diagnosis(
        category="code", summary="it fails", confidence="high", location=None, culprit_commit=None, suspects=(),
        claims=tuple(
            Claim(
                text=f"claim {at}",
                evidence=tuple(Citation(ref=f"logs/{at}-{of}#L1-30", quote=quote) for of in range(4)),
            )
            for at in range(claims)
        ),
        strategy=None,
    )  # fmt: skip
    change = FileChange(path="a.py", before="", after=f"{LINE}\n" * lines)
    patch = Patch(
        repository="r", commit="0" * 40, strategy="revert", why="Why it is small.", edits=(), changes=(change,)
    )
    return Story(bundle=manifest, diagnosis=diagnosis, patch=patch, notes=("not allowed",))


def test_what_does_not_fit_is_left_out_whole_and_says_so() -> None:
    said = VERIFIED.before.model_copy(update={"output": f"{LINE}\n" * 40})
    run = VERIFIED.model_copy(update={"before": said, "after": said})
    long = story(40, 400).model_copy(update={"verification": run})
    texts = (issue_text(long), issue_text(story(40, 1)), pull_request_text(story(40, 1)))
    assert "left out: the text would be longer than the forge takes" in texts[0]
    for text in texts:
        assert len(with_marker("0" * 32, "Title", text)) <= GITHUB_TAKES
        assert "more quotations, which the incident lists" in text
        assert text.endswith("A person decides.</sub>")
        fences = [line for line in text.splitlines() if line.startswith("```")]
        assert len(fences) % 2 == 0
        assert "## Not checked" in text


def test_what_fits_is_all_there() -> None:
    text = issue_text(story(1, 3))
    assert "left out" not in text
    assert text.count(LINE[:40]) >= 120


def test_twenty_lines_of_evidence_are_in_sight_and_the_rest_is_folded() -> None:
    text = pull_request_text(story(3, 1))
    sight, fold, rest = text.partition("<details><summary>The rest of the evidence</summary>")
    assert fold
    assert sum(line.startswith(LINE[:40]) for line in sight.splitlines()) == 20
    assert "[... 10 lines ...]" in sight
    assert "(`logs/1-0#L1-30`, quoted below)." in sight
    assert LINE[:40] in rest.partition("</details>")[0]


def test_what_is_quoted_once_is_not_quoted_again() -> None:
    told = story(1, 1)
    short = told.diagnosis.claims[0].model_copy(update={"evidence": (Citation(ref="logs/x#L1-1", quote="only once"),)})
    diagnosis = told.diagnosis.model_copy(update={"claims": (short, short.model_copy(update={"text": "claim two"}))})
    text = pull_request_text(told.model_copy(update={"diagnosis": diagnosis}))
    assert text.count("only once") == 1
    assert "Claim two (`logs/x#L1-1`, quoted above)." in text
