"""What any `Journal` promises to the graph, held by the fake and by the store on both databases."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from agents.evidence import Answer, Bundle, Item, seal
from agents.graph import Journal
from agents.incident import Incident, State
from agents.outcome import Outcome, Reported, final_state
from agents.pull_request import LeftAlone, Proposed, PullRequestLink
from app.store import bundles, incidents, views
from app.store.database import Database
from app.worker import StoreJournal
from tests.fakes import START, FakeJournal

INCIDENT = Incident(
    cluster="prod",
    namespace="shop",
    rollout="checkout",
    uid="c4583ee6",
    canary_hash="7fdfff8c97",
    revision="2",
    stable_hash="748cdc5cd4",
)
LOG = Answer(id="logs/canary/pod-1/app", kind="log", side="canary", status="ok", content="a line\n")
BUNDLE = seal(INCIDENT, 1, [LOG], START)
ATTEMPT = f"{INCIDENT.key}-1"
LINK = PullRequestLink(number=7, url="https://git.example/acme/shop/pulls/7", branch="selfheal/checkout-0", base="main")


class Site(NamedTuple):
    journal: Journal
    shown: Callable[[], Awaitable[dict[str, Any]]]
    """The state that people see, the stages in order, and the documents."""


@pytest.fixture(params=["fake", "store"])
async def site(request: pytest.FixtureRequest, db: Database) -> Site:
    if request.param == "fake":
        fake = FakeJournal({ATTEMPT: BUNDLE})

        async def remembered() -> dict[str, Any]:
            stages = [stage for at, stage in enumerate(fake.stages) if at == 0 or stage is not fake.stages[at - 1]]
            outcome = fake.outcome.model_dump(mode="json") if fake.outcome else None
            return {"stages": stages, "outcome": outcome} | fake.documents

        return Site(fake, remembered)
    await incidents.open_manual(db, INCIDENT, "ana", START)
    await incidents.advance(db, ATTEMPT, State.CAPTURING, START)
    await bundles.save(db, ATTEMPT, BUNDLE)

    async def stored() -> dict[str, Any]:
        document = await views.show_incident(db, INCIDENT.key)
        assert document is not None
        (attempt,) = document["attempts"]
        assert attempt["state"] == attempt["timeline"][-1]["state"]
        kept = {name: attempt[name] for name in ("diagnosis", "patch", "verification", "outcome")}
        stages = [State(step["state"]) for step in attempt["timeline"][2:]]
        return {name: value for name, value in kept.items() if value or name == "outcome"} | {"stages": stages}

    return Site(StoreJournal(db), stored)


async def test_the_bundle_is_there_as_it_was_sealed(site: Site) -> None:
    found: Bundle = await site.journal.bundle(ATTEMPT)
    assert found == BUNDLE
    with pytest.raises(LookupError, match="nobody-1"):
        await site.journal.bundle("nobody-1")


async def test_what_is_found_out_about_the_versions_is_kept_and_the_items_that_were_added(site: Site) -> None:
    item = Item(id="objects/image/0", kind="object", side="none", path="objects/image/0.json", status="ok", bytes=2)
    canary = BUNDLE.manifest.canary.model_copy(update={"commit": "f" * 40, "found_by": "labels", "confidence": "high"})
    manifest = BUNDLE.manifest.model_copy(update={"canary": canary, "items": (*BUNDLE.manifest.items, item)})
    known = Bundle(manifest=manifest, contents={**BUNDLE.contents, item.id: "{}"})
    for _ in range(2):
        await site.journal.identified(ATTEMPT, known)
    assert await site.journal.bundle(ATTEMPT) == known


async def test_a_stage_may_be_entered_again_and_what_it_found_replaced(site: Site) -> None:
    for summary in ("first", "second"):
        await site.journal.enter(ATTEMPT, State.DIAGNOSING)
        await site.journal.record(ATTEMPT, {"diagnosis": {"summary": summary}})
    await site.journal.enter(ATTEMPT, State.FIXING)
    await site.journal.record(ATTEMPT, {"patch": {"files": ["shop.py"]}, "verification": {"verdict": "verified"}})
    assert await site.shown() == {
        "stages": [State.DIAGNOSING, State.FIXING],
        "diagnosis": {"summary": "second"},
        "patch": {"files": ["shop.py"]},
        "verification": {"verdict": "verified"},
        "outcome": None,
    }


@pytest.mark.parametrize(
    "outcome",
    [
        Proposed(pull_request=LINK, draft=True),
        LeftAlone(pull_request=LINK, because="closed"),
        Reported(reasons=("no reason that a database would refuse \x00\ud7ff",), issue=None),
    ],
    ids=lambda outcome: outcome.kind,
)
async def test_an_outcome_ends_the_attempt_once(site: Site, outcome: Outcome) -> None:
    await site.journal.enter(ATTEMPT, State.DIAGNOSING)
    await site.journal.enter(ATTEMPT, State.PUBLISHING)
    for _ in range(2):
        await site.journal.finish(ATTEMPT, outcome)
    shown = await site.shown()
    assert shown["stages"] == [State.DIAGNOSING, State.PUBLISHING, final_state(outcome)[0]]
    assert shown["outcome"] == outcome.model_dump(mode="json")
