import asyncio
from datetime import timedelta

import pytest

from agents.incident import FINAL, NEXT, Incident, State
from app.notification import Sighting
from app.store import incidents, views
from app.store.database import Database
from tests.fakes import START

INCIDENT = Incident(
    cluster="prod",
    namespace="shop",
    rollout="checkout",
    uid="c4583ee6",
    canary_hash="7fdfff8c97",
    revision="2",
    stable_hash="748cdc5cd4",
)
A, B = START, START + timedelta(hours=1)
LATER = timedelta(minutes=10)


def seen(aborted: object = None, failed: object = None) -> Sighting:
    return Sighting.model_validate(
        {"incident": INCIDENT, "trigger": "on-rollout-aborted", "aborted_at": aborted, "failed_at": failed}
    )


# each row: what is sighted, in order, and to which attempt each sighting must belong
ADMISSIONS = {
    "the first one opens": ([seen()], [1]),
    "a copy joins": ([seen(), seen()], [1, 1]),
    "an abort is stored where none is, and known then": ([seen(), seen(A), seen(A)], [1, 1, 1]),
    "a later abort opens": ([seen(A), seen(B)], [1, 2]),
    "a late copy of the earlier abort joins": ([seen(A), seen(B), seen(A)], [1, 2, 2]),
    "an earlier abort joins": ([seen(B), seen(A)], [1, 1]),
    "a failure after the abort opens, and the abort of that attempt joins": (
        [seen(A, A - LATER), seen(None, A + LATER), seen(B, A + LATER), seen(B, A + LATER)],
        [1, 2, 2, 2],
    ),
    "a late copy of the first abort is not taken for the second one's": (
        [seen(A), seen(None, A + LATER), seen(A), seen(B)],
        [1, 2, 2, 2],
    ),
    "a failure that seems later than its own abort opens nothing": ([seen(A, B), seen(A, B), seen(None, B)], [1, 1, 1]),
    "a failure joins while no abort is known": ([seen(None, A), seen(None, B)], [1, 1]),
}


@pytest.mark.parametrize("case", ADMISSIONS)
async def test_what_a_sighting_joins_and_what_it_opens(case: str, db: Database) -> None:
    sightings, numbers = ADMISSIONS[case]
    admissions = [await incidents.admit(db, "row", sighting, START) for sighting in sightings]
    assert [one.attempt.number for one in admissions] == numbers
    opened = [one.opened for one in admissions]
    assert opened == [number not in numbers[:at] for at, number in enumerate(numbers)]


async def test_many_at_once_open_one(db: Database) -> None:
    admissions = await asyncio.gather(*(incidents.admit(db, f"row-{n}", seen(A), START) for n in range(20)))
    assert sum(one.opened for one in admissions) == 1
    assert await incidents.count(db) == 1


async def test_a_person_joins_what_is_in_progress_and_opens_the_next_after_its_end(db: Database) -> None:
    first = await incidents.admit(db, "row", seen(A), START)
    joined = await incidents.open_manual(db, INCIDENT, "ana", START)
    assert (joined.attempt.id, joined.opened) == (first.attempt.id, False)
    await incidents.advance(db, first.attempt.id, State.FAILED, START, "for a test")
    again = await asyncio.gather(*(incidents.open_manual(db, INCIDENT, "ana", START) for _ in range(5)))
    assert {one.attempt.number for one in again} == {2}
    assert sum(one.opened for one in again) == 1
    assert again[0].attempt.opened_by == "ana"


async def test_the_incident_stays_as_it_was_first_stored(db: Database) -> None:
    await incidents.admit(db, "row", seen(A), START)
    claimed = INCIDENT.model_copy(update={"rollout": "other", "stable_hash": "0000000000"})
    joined = await incidents.open_manual(db, claimed, "ana", START)
    assert joined.attempt.incident == INCIDENT


async def bring_to(db: Database, state: State) -> str:
    """A fresh attempt, moved along legal transitions to a state."""
    admission = await incidents.open_manual(db, INCIDENT, "ana", START)
    ways = {State.RECEIVED: [State.RECEIVED]}
    while state not in ways:
        for reached, way in list(ways.items()):
            for following in NEXT[reached]:
                ways.setdefault(following, [*way, following])
    for step in ways[state][1:]:
        await incidents.advance(db, admission.attempt.id, step, START)
    return admission.attempt.id


async def test_every_transition_is_allowed_or_refused_as_the_table_says(db: Database) -> None:
    for state in State:
        for to in State:
            attempt = await bring_to(db, state)
            if to in NEXT[state] or to is state:
                await incidents.advance(db, attempt, to, START)
                expected = to
            else:
                with pytest.raises(incidents.IllegalTransition, match=f"from {state.value} to {to.value}"):
                    await incidents.advance(db, attempt, to, START)
                expected = state
            stored = await incidents.find_attempt(db, attempt)
            assert stored is not None
            assert stored.state is expected
            if expected not in FINAL:
                await incidents.advance(db, attempt, State.FAILED, START)


async def test_entering_a_state_again_leaves_its_detail_and_timeline_alone(db: Database) -> None:
    attempt = await bring_to(db, State.CAPTURING)
    await incidents.advance(db, attempt, State.FAILED, START, "the reason")
    await incidents.advance(db, attempt, State.FAILED, START + LATER, "another reason")
    shown = await views.show_incident(db, INCIDENT.key)
    assert shown is not None
    assert shown["detail"] == "the reason"
    assert [step["state"] for step in shown["attempts"][0]["timeline"]] == ["received", "capturing", "failed"]


async def test_of_two_that_end_an_attempt_one_is_heard(db: Database) -> None:
    attempt = await bring_to(db, State.PUBLISHING)
    ends = await asyncio.gather(
        *(incidents.advance(db, attempt, state, START) for state in (State.PROPOSED, State.REPORTED) * 5),
        return_exceptions=True,
    )
    assert sum(isinstance(end, incidents.IllegalTransition) for end in ends) == 5
    stored = await incidents.find_attempt(db, attempt)
    assert stored is not None
    assert stored.state in {State.PROPOSED, State.REPORTED}


async def test_an_attempt_that_is_not_there_cannot_move(db: Database) -> None:
    with pytest.raises(incidents.IllegalTransition):
        await incidents.advance(db, "nobody-1", State.CAPTURING, START)
    assert await incidents.find_attempt(db, "nobody-1") is None


async def test_an_abort_read_from_the_rollout_is_noted_once_and_never_for_two_attempts(db: Database) -> None:
    first = (await incidents.admit(db, "row", seen(), START)).attempt
    await incidents.note_abort(db, first.id, A)
    await incidents.note_abort(db, first.id, B)
    second = (await incidents.admit(db, "row", seen(None, A + LATER), START)).attempt
    await incidents.note_abort(db, second.id, A)
    stored = [await incidents.find_attempt(db, one.id) for one in (first, second)]
    assert [one.aborted_at for one in stored if one] == [A, None]


async def test_the_newest_incident_that_fits_is_found(db: Database) -> None:
    older, newer = INCIDENT, INCIDENT.model_copy(update={"revision": "3", "canary_hash": "0123456789"})
    await incidents.open_manual(db, older, "ana", START)
    await incidents.open_manual(db, newer, "ana", START + LATER)
    names = {"cluster": "prod", "namespace": "shop", "rollout": "checkout"}
    assert await incidents.find_newest(db, names) == newer
    assert await incidents.find_newest(db, names | {"revision": "2"}) == older
    assert await incidents.find_newest(db, names | {"cluster": "other"}) is None
