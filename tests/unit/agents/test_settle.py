"""When the blamed commit's revert does not help, the next suspects are tried, and the one that helps is named."""

from agents.case import Case, settled
from agents.diagnosis import Diagnosis, Location
from agents.fix import Ground, propose
from agents.suspects import Suspect
from agents.verification import Check, Commands, Reproduction, Verification
from tests.fakes import FakeCommit, FakeRepository

URL = "file:///forge/bank.git"
BASE = {"a.py": "def a():\n    return 1\n", "b.py": "def b():\n    return 1\n"}
MIDDLE = BASE | {"a.py": "def a():\n    return 2\n"}
LAST = MIDDLE | {"b.py": "def b():\n    return 2\n"}
REPOSITORY = FakeRepository(FakeCommit("start", BASE), FakeCommit("change a", MIDDLE), FakeCommit("change b", LAST))
STABLE, CHANGE_A, CHANGE_B = REPOSITORY.shas
GROUND = Ground(url=URL, stable=STABLE, canary=CHANGE_B)


def suspect(file: str, commit: str, score: float) -> Suspect:
    return Suspect(file=file, line=2, function=file[0], commit=commit, score=score, why=f"it changed {file[0]}")


DIAGNOSIS = Diagnosis(
    category="code",
    summary="slow; commit b",
    confidence="medium",
    location=Location(file="b.py", line=2, function="b"),
    culprit_commit=CHANGE_B,
    suspects=(suspect("b.py", CHANGE_B, 6.0), suspect("a.py", CHANGE_A, 5.0)),
    claims=(),
    strategy="revert",
    repository="source",
    failure="GET /a is slow",
)
CASE = Case(
    diagnosis=DIAGNOSIS,
    reproduction=Reproduction(kind="none"),
    commands=Commands(),
    program=None,
    ground=GROUND,
    home=GROUND.url,
    manifests=None,
    modes=(),
    notes=(),
)


def verification(verdict: str) -> Verification:
    check = Check(result="not_run")
    return Verification.model_validate(
        {
            "kind": "replay",
            "verdict": verdict,
            "before": check,
            "after": check,
            "tests_before": check,
            "tests_after": check,
        }
    )


async def test_the_next_suspects_come_after_the_blamed_commit() -> None:
    first, second = [await propose(DIAGNOSIS, GROUND, REPOSITORY, tried) for tried in (0, 1)]
    assert first is not None
    assert second is not None
    assert [(change.path, change.after) for change in first.changes] == [("b.py", BASE["b.py"])]
    assert [(change.path, change.after) for change in second.changes] == [("a.py", BASE["a.py"])]
    assert (first.undoes, second.undoes) == (CHANGE_B, CHANGE_A)
    assert await propose(DIAGNOSIS, GROUND, REPOSITORY, 2) is None


async def test_a_suspect_below_the_threshold_is_not_tried() -> None:
    faint = DIAGNOSIS.model_copy(update={"suspects": (DIAGNOSIS.suspects[0], suspect("a.py", CHANGE_A, 1.0))})
    assert await propose(faint, GROUND, REPOSITORY, 1) is None


async def test_the_commit_whose_revert_helps_takes_the_blame_over() -> None:
    patch = await propose(DIAGNOSIS, GROUND, REPOSITORY, 1)
    assert patch is not None
    found = settled(CASE, patch, verification("verified")).diagnosis
    assert found.culprit_commit == CHANGE_A
    assert found.location == Location(file="a.py", line=2, function="a")
    assert found.confidence == "high"
    assert found.summary == (
        f"GET /a is slow; commit {CHANGE_A[:12]}: it changed a, and taking it back removes the failure; "
        f"taking back {CHANGE_B[:12]} did not"
    )


async def test_the_blame_stays_where_it_was_proven_or_nothing_was() -> None:
    first, second = [await propose(DIAGNOSIS, GROUND, REPOSITORY, tried) for tried in (0, 1)]
    assert first is not None
    assert second is not None
    assert settled(CASE, first, verification("verified")) == CASE
    assert settled(CASE, second, verification("refuted")) == CASE
    assert settled(CASE, second, verification("unverified")) == CASE
