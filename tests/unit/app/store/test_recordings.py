"""What recorders heard, in the store from the failure until the bundle is sealed; on both databases."""

from datetime import timedelta

from agents.evidence import Answer, LogSource, seal
from agents.evidence.recording import Recording
from agents.incident import State
from app.store import bundles, incidents, recordings
from app.store.database import Database
from tests.fakes import START
from tests.unit.app.store.test_incidents import INCIDENT

SOURCE = LogSource(side="canary", pod="cart-bad-1", container="app")


def heard(text: str) -> Recording:
    pod = {"metadata": {"name": "cart-bad-1"}}
    return Recording(logs={SOURCE: text}, pods=(pod,), events=({"reason": "BackOff"},))


async def opened(db: Database) -> str:
    return (await incidents.open_manual(db, INCIDENT, "ana", START)).attempt.id


async def test_another_process_finds_it_as_it_was_and_its_own_is_in_memory(db: Database) -> None:
    await opened(db)
    await recordings.keep(db, INCIDENT.key, "first", heard("a\n"), START)
    assert await recordings.load(db, INCIDENT.key, "second") == (heard("a\n"),)
    assert await recordings.load(db, INCIDENT.key, "first") == ()
    assert await recordings.load(db, "another incident", "second") == ()


async def test_a_later_word_of_a_process_replaces_its_own_and_no_others(db: Database) -> None:
    await opened(db)
    for process, text in (("first", "a\n"), ("second", "b\n"), ("first", "a\nb\n")):
        await recordings.keep(db, INCIDENT.key, process, heard(text), START)
    assert {one.logs[SOURCE] for one in await recordings.load(db, INCIDENT.key, "")} == {"a\nb\n", "b\n"}


async def test_with_the_bundle_sealed_it_is_let_go(db: Database) -> None:
    attempt = await opened(db)
    await recordings.keep(db, INCIDENT.key, "first", heard("a\n"), START)
    log = Answer(id=SOURCE.item_id, kind="log", side="canary", status="ok", content="a\n")
    await bundles.save(db, attempt, seal(INCIDENT, 1, [log], START))
    assert await recordings.load(db, INCIDENT.key, "") == ()


async def test_what_still_waits_for_its_bundle_is_kept_whatever_its_age_and_the_rest_is_not(db: Database) -> None:
    attempt = await opened(db)
    await recordings.keep(db, INCIDENT.key, "first", heard("a\n"), START)
    later = START + recordings.KEPT + timedelta(seconds=1)
    await recordings.prune(db, later)
    assert await recordings.load(db, INCIDENT.key, "")
    await incidents.advance(db, attempt, State.FAILED, START)
    await recordings.prune(db, START)
    assert await recordings.load(db, INCIDENT.key, "")
    await recordings.prune(db, later)
    assert await recordings.load(db, INCIDENT.key, "") == ()


async def test_lines_that_no_database_takes_as_text_come_back(db: Database) -> None:
    await opened(db)
    await recordings.keep(db, INCIDENT.key, "first", heard("nul \0 and half \ud800\n"), START)
    assert await recordings.load(db, INCIDENT.key, "") == (heard("nul \0 and half \ud800\n"),)
