import asyncio
import random

from agents.evidence import Answer, Bundle, seal
from agents.incident import Attempt
from app.store import bundles, incidents
from app.store.database import Database
from tests.fakes import START
from tests.unit.app.store.test_incidents import INCIDENT


async def opened(db: Database) -> Attempt:
    return (await incidents.open_manual(db, INCIDENT, "ana", START)).attempt


def sealed(text: str) -> Bundle:
    log = Answer(id="logs/canary/pod-1/app", kind="log", side="canary", status="ok", content=text)
    gone = Answer(id="logs/stable/pod-2/app", kind="log", side="stable", status="gone", reason="the log is not kept")
    return seal(INCIDENT, 1, [log, gone], START)


async def test_a_bundle_comes_back_as_it_was_sealed(db: Database) -> None:
    attempt, bundle = await opened(db), sealed("línea\x00 1\nline \ud800 2\n")
    await bundles.save(db, attempt.id, bundle)
    assert await bundles.load(db, attempt.id) == bundle


async def test_there_is_none_before_it_is_sealed(db: Database) -> None:
    attempt = await opened(db)
    assert await bundles.load(db, attempt.id) is None
    assert [one.id for one in await incidents.without_bundle(db)] == [attempt.id]
    assert await incidents.without_workflow(db) == ()
    await bundles.save(db, attempt.id, sealed("x"))
    assert await incidents.without_bundle(db) == ()
    assert [one.id for one in await incidents.without_workflow(db)] == [attempt.id]
    await incidents.mark_enqueued(db, attempt.id, START)
    assert await incidents.without_workflow(db) == ()


async def test_the_first_one_saved_stays(db: Database) -> None:
    attempt, first = await opened(db), sealed("first")
    await bundles.save(db, attempt.id, first)
    await bundles.save(db, attempt.id, sealed("second"))
    assert await bundles.load(db, attempt.id) == first


async def test_of_two_saved_at_once_one_is_kept_whole(db: Database) -> None:
    attempt, candidates = await opened(db), [sealed(f"{number}\n" * 1000) for number in range(6)]
    await asyncio.gather(*(bundles.save(db, attempt.id, one) for one in candidates))
    assert await bundles.load(db, attempt.id) in candidates


async def test_a_large_one_fits(db: Database) -> None:
    noise = random.Random(1).randbytes(4 * 1024 * 1024).hex()  # noqa: S311 - incompressible, and the same each time
    attempt, bundle = await opened(db), sealed("\n".join(noise[at : at + 100] for at in range(0, len(noise), 100)))
    await bundles.save(db, attempt.id, bundle)
    assert await bundles.load(db, attempt.id) == bundle
