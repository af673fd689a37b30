"""Every labelled case, through the code behind `selfheal diagnose`; and how often each confidence was right."""

from pathlib import Path

import pytest

from tests.conftest import Golden
from tests.labelled import FAMILIES, Answered, Case, answer, read_cases
from tests.scoring import calibration, claimed, mark, tally

pytestmark = pytest.mark.xdist_group("cases")
DOCS = Path(__file__).resolve().parents[2] / "docs"
LEAST = {"python": 8, "go": 8, "java": 8, "javascript": 8, "others": 8, "states": 20, "controls": 10}
KNOWN_MISSES: dict[str, str] = {}
"""Cases that are not answered rightly yet, each with why."""


class Answers:
    """Each case is answered once a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Answered] = {}

    async def of(self, case: Case) -> Answered:
        if case.id not in self._known:
            self._known[case.id] = await answer(case, self._folder / case.family / case.name)
        return self._known[case.id]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    return Answers(tmp_path_factory.mktemp("cases"))


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in read_cases()])
async def test_the_cause_is_named_as_it_was(case: Case, answers: Answers) -> None:
    answered = await answers.of(case)
    said = claimed(answered)
    is_right = mark(case, said).is_right
    if case.id in KNOWN_MISSES:
        assert not is_right, "it is right by now: take it off the list of known misses"
        pytest.xfail(KNOWN_MISSES[case.id])
    expect = case.expect
    assert said.category in expect.categories, answered.diagnosis.summary
    assert said.file in expect.files, answered.diagnosis.summary
    assert said.commit in expect.commits, answered.diagnosis.summary


def test_there_are_cases_of_every_kind() -> None:
    counts = {family: sum(case.family == family for case in read_cases()) for family in FAMILIES}
    assert {family: count for family, count in counts.items() if count < LEAST[family]} == {}
    assert {case.family for case in read_cases()} == {*FAMILIES}
    assert KNOWN_MISSES.keys() <= {case.id for case in read_cases()}


async def test_the_documents_say_how_often_each_confidence_was_right(
    answers: Answers, request: pytest.FixtureRequest
) -> None:
    answered = [await answers.of(case) for case in read_cases()]
    text = _page(answered)
    kept = Golden(DOCS, update=bool(request.config.getoption("--update-golden")))("calibration.md", text)
    assert kept == text, "docs/calibration.md has drifted: run `pytest --update-golden` and read what changed"


def _page(answered: list[Answered]) -> str:
    rows = [
        f"| {level} | {figures['cases']} | {_percent(figures['right'])} |"
        for level, figures in calibration(answered).items()
    ]
    families = []
    for family in FAMILIES:
        marks = [mark(one.case, claimed(one)) for one in answered if one.case.family == family]
        figures = tally(marks)
        parts = [_percent(figures[name]) for name in ("category", "file_top1", "commit_top1")]
        families.append(f"| {family} | {figures['cases']} | {' | '.join(parts)} | {figures['false_alarms']} |")
    misses = [f"- `{name}`: {why}" for name, why in sorted(KNOWN_MISSES.items())] or ["None."]
    return "\n".join(
        [
            "# How far a diagnosis can be trusted",
            "",
            "Written by `pytest --update-golden tests/scenarios/test_cases.py` from the project's own labelled cases,",
            "by rules alone, without a model. The cases were written by the people who wrote the rules: a share here",
            "is no promise for other programs.",
            "",
            "Right means that category, file and commit are, and that none is named where none is to blame.",
            "",
            "| confidence | cases | right |",
            "| --- | --- | --- |",
            *rows,
            "",
            "| family | cases | category | file | commit | false alarms |",
            "| --- | --- | --- | --- | --- | --- |",
            *families,
            "",
            "Cases that are not answered rightly yet:",
            "",
            *misses,
            "",
        ]
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:g} %"
