"""The audit trail in the store: only added to, by whatever hand, and told with the incident."""

import asyncio

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError

from agents.audit import Act
from app.store import audit, incidents
from app.store.database import Database
from app.store.tables import audit as table
from tests.fakes import START
from tests.shop import INCIDENT

ACT = Act(action="create-issue", target="https://git.example/acme/shop", phase="begun", evidence=("logs/x#L1-2",))


@pytest.fixture
async def attempt(db: Database) -> str:
    return (await incidents.open_manual(db, INCIDENT, "ana", START)).attempt.id


async def test_acts_are_told_in_order_with_who_and_on_which_evidence(db: Database, attempt: str) -> None:
    done = ACT.model_copy(update={"phase": "done", "result": "https://git.example/acme/shop/issues/1"})
    for act in (ACT, done):
        await audit.append(db, attempt, audit.SERVICE, act, START)
    opened, begun, ended = await audit.of_incident(db, INCIDENT.key)
    assert (opened["actor"], opened["action"], opened["result"]) == ("ana", "open-attempt", attempt)
    assert begun == ACT.model_dump(mode="json") | {"at": START.isoformat(), "attempt": attempt, "actor": "selfheal"} | {
        "evidence": ["logs/x#L1-2"]
    }
    assert (ended["phase"], ended["result"]) == ("done", done.result)
    assert await audit.of_incident(db, "0" * 32) == []


@pytest.mark.parametrize(
    "change",
    [update(table).values(actor="nobody"), delete(table), text("UPDATE audit SET phase = 'done' WHERE id = 1")],
    ids=["update", "delete", "by hand"],
)
async def test_nobody_can_change_or_take_away_what_was_noted(db: Database, attempt: str, change: object) -> None:
    await audit.append(db, attempt, audit.SERVICE, ACT, START)
    before = await audit.of_incident(db, INCIDENT.key)
    with pytest.raises(DBAPIError, match="only added to"):
        await db.write(lambda connection: connection.execute(change))  # type: ignore[call-overload] # three kinds of statement
    assert await audit.of_incident(db, INCIDENT.key) == before


async def test_notes_of_many_at_once_are_all_kept(db: Database, attempt: str) -> None:
    await asyncio.gather(*(audit.append(db, attempt, audit.SERVICE, ACT, START) for _ in range(50)))
    assert len(await audit.of_incident(db, INCIDENT.key)) == 51
