import json
from datetime import timedelta

from sqlalchemy import insert, select

from app.notification import read
from app.store import dead_letters, inbox, incidents
from app.store.database import Database
from app.store.tables import dead_letters as letters
from tests.fakes import START
from tests.recorded import bodies

DAY = timedelta(days=1)


async def keep(db: Database, raw: bytes, at: timedelta = timedelta(0)) -> str:
    found = read(raw, "prod")
    row = inbox.row_id("prod", raw)
    await inbox.put(db, row, "prod", found, found.body, START + at)
    return row


async def test_a_notification_waits_until_it_is_admitted_oldest_first(db: Database) -> None:
    late = await keep(db, bodies("01")[3], at=DAY)
    early = await keep(db, bodies("01")[1])
    await keep(db, bodies("01")[0])
    waiting = await inbox.pending(db)
    assert [one.id for one in waiting] == [early, late]
    await incidents.admit(db, early, waiting[0].sighting, START)
    assert [one.id for one in await inbox.pending(db)] == [late]


async def test_the_body_is_read_back(db: Database) -> None:
    row = await keep(db, bodies("01")[1])
    assert await inbox.body_of(db, row) == json.loads(bodies("01")[1])
    assert await inbox.body_of(db, "0" * 64) is None
    assert await inbox.body_of(db, None) is None


async def test_the_same_body_of_two_clusters_is_two_rows() -> None:
    assert inbox.row_id("eu", b"{}") != inbox.row_id("us", b"{}")
    assert inbox.row_id("a", b"bc") != inbox.row_id("ab", b"c")


async def test_after_a_month_what_is_done_with_goes_and_what_waits_stays(db: Database) -> None:
    signal, waiting = await keep(db, bodies("01")[0]), await keep(db, bodies("01")[1])
    recent = await keep(db, bodies("02")[0], at=DAY)
    await inbox.prune(db, START + 30 * DAY)
    assert await inbox.body_of(db, signal)
    await inbox.prune(db, START + 30 * DAY + timedelta(seconds=1))
    assert await inbox.body_of(db, signal) is None
    assert await inbox.body_of(db, waiting)
    assert await inbox.body_of(db, recent)


async def test_dead_letters_go_after_a_week_even_if_no_new_one_comes(db: Database) -> None:
    for day in range(3):
        await dead_letters.put(db, "prod", "not JSON", 3, "a\x00b", START + day * DAY)
    await dead_letters.prune(db, START + 8 * DAY + timedelta(hours=1))
    assert await dead_letters.count(db) == 1


async def test_no_more_than_a_thousand_dead_letters_are_kept(db: Database) -> None:
    row = {"received_at": START, "cluster": "prod", "reason": "not JSON", "size": 1, "body": b""}
    async with db.write() as connection:
        await connection.execute(insert(letters), [row] * (dead_letters.MOST + 7))
    await dead_letters.put(db, "prod", "the newest", 2, "", START)
    assert await dead_letters.count(db) == dead_letters.MOST
    async with db.read() as connection:
        reasons = (await connection.execute(select(letters.c.reason).order_by(letters.c.id.desc()))).scalars().all()
    assert reasons[0] == "the newest"
