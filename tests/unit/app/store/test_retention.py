from datetime import timedelta

from agents.evidence import Answer, seal
from agents.incident import Incident, State
from app.store import bundles, incidents
from app.store.database import Database
from app.store.retention import AT_ONCE, Retention, prune
from tests.fakes import START
from tests.unit.app.store.test_incidents import INCIDENT


async def sealed(db: Database, name: str, days_ago: float, state: State = State.FAILED, lines: int = 1) -> str:
    """A bundle of an incident of its own, in an attempt that stands so."""
    incident: Incident = INCIDENT.model_copy(update={"uid": name})
    attempt = (await incidents.open_manual(db, incident, "ana", START)).attempt
    text = "".join(f"{name} {number * 7919 % 104729}\n" for number in range(lines))
    log = Answer(id="logs/canary/pod/app", kind="log", side="canary", status="ok", content=text)
    await bundles.save(db, attempt.id, seal(incident, 1, [log], START - timedelta(days=days_ago)))
    if state is not State.RECEIVED:
        await incidents.advance(db, attempt.id, state, START)
    return attempt.id


async def kept(db: Database, *attempts: str) -> list[bool]:
    return [await bundles.load(db, attempt) is not None for attempt in attempts]


async def test_what_is_too_old_goes_and_what_is_not_stays(db: Database) -> None:
    old, young = await sealed(db, "old", 31), await sealed(db, "young", 29)
    assert await prune(db, START, Retention()) == (old,)
    assert await kept(db, old, young) == [False, True]
    assert await prune(db, START, Retention()) == ()


async def test_of_too_much_the_oldest_go(db: Database) -> None:
    names = [await sealed(db, f"one-{days}", days, lines=500) for days in range(5)]
    size = 2 * 3000
    gone = await prune(db, START, Retention(size=size))
    assert gone
    stayed = await kept(db, *names)
    assert stayed == sorted(stayed, reverse=True)
    assert stayed[0]


async def test_what_somebody_works_with_stays_whatever_its_age(db: Database) -> None:
    attempt = await sealed(db, "busy", 400, state=State.RECEIVED)
    assert await prune(db, START, Retention(size=1)) == ()
    assert await kept(db, attempt) == [True]


async def test_an_attempt_whose_evidence_is_gone_is_not_captured_again(db: Database) -> None:
    await sealed(db, "old", 31)
    await prune(db, START, Retention())
    assert await incidents.without_bundle(db) == ()
    assert await incidents.without_workflow(db) == ()


async def test_many_go_in_several_steps(db: Database) -> None:
    for number in range(AT_ONCE + 3):
        await sealed(db, f"old-{number}", 31)
    assert len(await prune(db, START, Retention())) == AT_ONCE + 3
