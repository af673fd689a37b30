from typing import Any

from agents.incident import Incident, State
from app.store import incidents, views
from app.store.database import Database
from tests.fakes import START


async def open_incidents(db: Database, count: int) -> list[str]:
    """As many incidents, all of the same moment."""
    keys = []
    for number in range(count):
        incident = Incident(
            cluster="prod" if number % 2 else "test",
            namespace=f"shop-{number % 3}",
            rollout="checkout",
            uid=f"uid-{number}",
            canary_hash="7fdfff8c97",
            revision=str(number),
            stable_hash="748cdc5cd4",
        )
        await incidents.open_manual(db, incident, "ana", START)
        keys.append(incident.key)
    return keys


async def test_pages_with_equal_times_hold_every_incident_once(db: Database) -> None:
    keys = await open_incidents(db, 11)
    found: list[str] = []
    before = None
    while page := await views.list_incidents(db, {}, 3, before):
        found += [one["id"] for one in page]
        before = (START, page[-1]["id"])
    assert found == sorted(keys, reverse=True)


async def test_filters_narrow_the_list(db: Database) -> None:
    keys = await open_incidents(db, 6)
    await incidents.advance(db, f"{keys[1]}-1", State.FAILED, START)

    async def found(**filters: str) -> set[str]:
        return {one["id"] for one in await views.list_incidents(db, filters, 50, None)}

    assert await found() == {*keys}
    assert await found(cluster="prod") == {keys[1], keys[3], keys[5]}
    assert await found(namespace="shop-0", cluster="test") == {keys[0]}
    assert await found(state="failed") == {keys[1]}
    assert await found(state="received", cluster="prod") == {keys[3], keys[5]}
    assert await found(rollout="other") == set()


async def test_an_incident_shows_its_last_attempt_or_the_one_that_is_asked_for(db: Database) -> None:
    (key,) = await open_incidents(db, 1)
    await incidents.record(db, f"{key}-1", diagnosis={"summary": "one"}, outcome={"pull_request": {"number": 7}})
    await incidents.advance(db, f"{key}-1", State.FAILED, START, "for a test")
    incident = await incidents.find_newest(db, {"rollout": "checkout"})
    assert incident is not None
    await incidents.open_manual(db, incident, "ben", START)
    shown = await show(db, key)
    assert (shown["state"], shown["attempt"], shown["diagnosis"]) == ("received", 2, None)
    assert [one["opened_by"] for one in shown["attempts"]] == ["ana", "ben"]
    first = await show(db, key, 1)
    assert (first["state"], first["detail"], first["diagnosis"]) == ("failed", "for a test", {"summary": "one"})
    assert first["pull_request"] == {"number": 7}
    assert await views.show_incident(db, key, 3) is None
    assert await views.show_incident(db, "0" * 32) is None


async def show(db: Database, key: str, number: int | None = None) -> dict[str, Any]:
    shown = await views.show_incident(db, key, number)
    assert shown is not None
    return shown
