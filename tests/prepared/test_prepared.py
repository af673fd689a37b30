"""Prepared repositories end as the table says (tests/prepared/README.md), through the whole pipeline."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.boxes import mode, yard
from tests.conftest import IN_CI, Golden
from tests.package_indexes import package_server
from tests.prepared.places import place
from tests.prepared.rows import TABLE, Ending, Prepared, read_rows, render_table
from tests.prepared.staging import Ended, World, play
from tests.prepared.wheels import PYTEST, add_installed

ROWS = read_rows()
SEARCHED = "/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin"


@pytest.fixture(scope="module")
def room() -> Iterator[Path]:
    with yard() as folder:
        yield folder


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    """The URL of a Python index that has pytest."""
    with package_server() as server:
        add_installed(server, *PYTEST)
        yield f"{server.url}/simple/"


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
async def test_a_prepared_repository_ends_as_the_table_says(
    row: Prepared, tmp_path: Path, room: Path, index: str
) -> None:
    lacking = [tool for tool in row.needs if shutil.which(tool, path=SEARCHED) is None]
    if lacking:
        pytest.skip(f"no {' and no '.join(lacking)} in {SEARCHED}")
    if row.slow and not IN_CI:
        pytest.skip("takes more than a few seconds: run where CI is set")
    with place(row.forge, tmp_path) as where:
        ended = await play(row, World.around(where, tmp_path, room, mode(), index))
    came_out, wanted = told(row, ended).model_dump(), row.expect.model_dump()
    assert {name: value for name, value in came_out.items() if value != wanted[name]} == {}, ended.text


def told(row: Prepared, ended: Ended) -> Ending:
    """The ending as it came out, in the table's own words: what the row does not ask for is as it says."""
    asked, said = row.expect, {name: ended.documents.get(name) or {} for name in ("diagnosis", "patch", "verification")}
    verification, draft = said["verification"], getattr(ended.outcome, "draft", None)
    base = verification.get("base") or {}
    names = {sha: name for shas in ended.shas.values() for name, sha in shas.items()}
    found = {
        "outcome": ended.outcome.kind,
        "draft": draft,
        "verdict": verification.get("verdict"),
        "kind": verification.get("kind"),
        "tests": tuple(verification[side]["result"] for side in ("tests_before", "tests_after"))
        if verification
        else (),
        "on_base": base.get("verdict"),
        "culprit": names.get(str(said["diagnosis"].get("culprit_commit"))),
    }
    return asked.model_copy(
        update={
            **{name: value for name, value in found.items() if getattr(asked, name) is not None},
            "base": next((str(pull.base) for pull in ended.pulls), asked.base),
            "files": tuple(sorted(ended.changed)),
            "issue": bool(ended.issues),
            "holds": {
                path: tuple(text for text in texts if text.encode() in (ended.changed.get(path) or b""))
                for path, texts in asked.holds.items()
            },
            "lacks": {
                path: tuple(text for text in texts if text.encode() not in (ended.changed.get(path) or b""))
                for path, texts in asked.lacks.items()
            },
            "modes": {path: ended.modes.get(path, "") for path in asked.modes},
            "says": tuple(text for text in asked.says if text in ended.text),
            "never": tuple(text for text in asked.never if text not in ended.text),
        }
    )


def test_the_table_for_people_says_what_the_files_say(request: pytest.FixtureRequest) -> None:
    golden = Golden(TABLE.parent, update=bool(request.config.getoption("--update-golden")))
    assert golden(TABLE.name, render_table(ROWS)) == render_table(ROWS)


def test_there_are_enough_rows_and_each_asks_for_more_than_its_outcome() -> None:
    assert len(ROWS) >= 20
    assert all(row.expect.says for row in ROWS)
