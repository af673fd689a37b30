import sqlite3
from pathlib import Path

import pytest
from dbos import error as dbos_error
from sqlalchemy.exc import OperationalError

from agents.errors import Conflict, Denied, Invalid, Transient
from agents.patch import FileChange
from app.jobs import explain, is_transient, open_saver

LOCKED = sqlite3.OperationalError("database is locked")


@pytest.mark.parametrize("error", [Transient("git took too long"), LOCKED, OperationalError("INSERT", {}, LOCKED)])
def test_what_may_pass_by_itself_is_tried_again(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error", [Denied("no"), Conflict("moved"), Invalid("bad"), TypeError("a bug"), OSError("disk")]
)
def test_what_will_not_pass_by_itself_is_not_tried_again(error: Exception) -> None:
    assert not is_transient(error)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Denied("the forge refuses the token"), "the forge refuses the token"),
        (Denied(""), "Denied: "),
        (TypeError("can only\n  concatenate str"), "TypeError: can only concatenate str"),
        (
            dbos_error.DBOSMaxStepRetriesExceeded("graph", 2, [Transient("first"), Transient("git took too long")]),
            "git took too long (tried 2 times)",
        ),
    ],
)
def test_the_reason_of_a_failure_is_one_line_about_what_went_wrong(error: Exception, line: str) -> None:
    assert explain(error) == line


async def test_a_checkpoint_can_name_no_code_to_run(tmp_path: Path) -> None:
    saver = await open_saver(tmp_path / "checkpoints.sqlite")
    try:
        change = FileChange(path="a", before=None, after="b")
        read = saver.serde.loads_typed(saver.serde.dumps_typed({"change": change, "plain": [1, "x", None]}))
    finally:
        await saver.conn.close()
    assert read["plain"] == [1, "x", None]
    assert not isinstance(read["change"], FileChange)
