"""A restored value: as little as gives the stable version's value back, and nothing of the changes beside it."""

import pytest

from agents.diagnosis import Location
from agents.patch import apply_edits
from agents.strategies.restore import restore
from tests.fakes import diff_trees

OLD = """\
data:
  FIRST: 1
  SECOND: 2
  THIRD: 3
list:
  - A=1
  - B=2
"""


def restored(new: str, line: int) -> str | None:
    """The file after the first candidate."""
    difference = diff_trees({"a.yaml": OLD}, {"a.yaml": new}, context=0)
    candidates = restore(difference, Location(file="a.yaml", line=line), new)
    if not candidates:
        return None
    edits, _ = candidates[0]
    (change,) = apply_edits({"a.yaml": new}, edits)
    return change.after


@pytest.mark.parametrize(
    ("new", "line", "expected"),
    [
        pytest.param(OLD.replace("SECOND: 2", "SECOND: 9"), 3, OLD, id="a value that changed"),
        pytest.param(
            OLD.replace("SECOND: 2", "SECOND: 9").replace("THIRD: 3", "THIRD: 4"),
            3,
            OLD.replace("THIRD: 3", "THIRD: 4"),
            id="a value that changed, beside another",
        ),
        pytest.param(
            OLD.replace("SECOND: 2", "OTHER: 2").replace("THIRD: 3", "THIRD: 4"),
            3,
            OLD.replace("THIRD: 3", "THIRD: 4"),
            id="a key that was renamed, beside a value that changed",
        ),
        pytest.param(
            OLD.replace("  SECOND: 2\n", "").replace("THIRD: 3", "THIRD: 4"),
            2,
            OLD.replace("THIRD: 3", "THIRD: 4"),
            id="a key that was removed, beside a value that changed",
        ),
        pytest.param(
            OLD.replace("  SECOND: 2\n", "  NEW: x\n  SECOND: 5\n"),
            3,
            OLD.replace("SECOND: 2", "SECOND: 5"),
            id="a key that was added, beside a value that changed",
        ),
        pytest.param(
            OLD.replace("  - A=1\n  - B=2\n", "  - B=7\n"),
            5,
            OLD.replace("B=2", "B=7"),
            id="a literal of a generator that was removed, beside one that changed",
        ),
        pytest.param(OLD.replace("  SECOND: 2\n", ""), 2, OLD, id="a key that was removed"),
    ],
)
def test_only_what_is_wanted_is_given_back(new: str, line: int, expected: str) -> None:
    assert restored(new, line) == expected
