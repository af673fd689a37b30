"""The audit trail of a run: every write to the forge has a beginning before it and an end after it."""

from collections import Counter
from pathlib import Path

import pytest

from agents.audit import AuditedForge
from agents.errors import Denied
from agents.evidence import holds
from agents.evidence.nouns import Citation
from agents.graph import State, build
from agents.pull_request import Forge, Text, ensure, join
from tests.fakes import FakeJournal
from tests.forges import SITES, Cut, CutForge, Site
from tests.healing import ATTEMPT, House
from tests.shop import SOURCE_URL, bundle_of


@pytest.fixture(params=sorted(SITES))
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return SITES[request.param](tmp_path)


def audited(forge: Forge) -> tuple[AuditedForge, FakeJournal]:
    journal = FakeJournal({ATTEMPT: bundle_of(commits=(None, None))})
    return AuditedForge(forge, journal, ATTEMPT, ("logs/x#L1-1",)), journal


async def test_every_write_is_noted_before_and_after_and_reading_is_not(site: Site) -> None:
    forge, journal = audited(site.forge)
    await ensure(site.wanted(), forge)
    (record,) = site.pulls()
    for incident in ("b" * 32, "c" * 32):
        await join(site.url, record, incident, "`shop/us`", forge)
    await forge.update_pull_request(site.url, record.number, Text(title="t", body="b"))
    await forge.create_issue(site.url, Text(title="t", body="b"))
    acts = [(act.action, act.phase) for act in journal.acts]
    actions = (
        *("write-commit", "move-branch", "create-pull-request", "add-labels", "request-reviews"),
        *("create-comment", "update-comment", "update-pull-request", "create-issue"),
    )
    assert acts == [(action, phase) for action in actions for phase in ("begun", "done")]
    assert {act.evidence for act in journal.acts} == {("logs/x#L1-1",)}
    sha = site.branches()[site.wanted().branch]
    assert [act.result for act in journal.acts if act.phase == "done"][:3] == [sha, f"nothing -> {sha}", record.url]


async def test_what_the_forge_refuses_is_noted_with_its_reason(site: Site) -> None:
    forge, journal = audited(site.forge)
    with pytest.raises(Denied):
        await forge.update_pull_request(site.url, 7, Text(title="t", body="b"))
    assert [(act.phase, act.result) for act in journal.acts] == [("begun", None), ("refused", journal.acts[1].result)]
    assert "7" in str(journal.acts[1].result)


async def test_a_write_whose_answer_was_lost_is_not_claimed(site: Site) -> None:
    forge, journal = audited(CutForge(site.forge, 1, after=True))
    with pytest.raises(Cut):
        await forge.create_issue(site.url, Text(title="t", body="b"))
    assert len(site.issues()) == 1
    assert [act.phase for act in journal.acts] == ["begun", "lost"]


async def test_a_healed_attempt_can_be_followed_from_evidence_to_pull_request() -> None:
    house = House()
    begin: State = {"attempt": ATTEMPT}
    await build().ainvoke(begin, context=house.ports)
    counted = Counter((act.action, act.phase) for act in house.journal.acts)
    assert counted == {
        (action, phase): 1
        for action in ("write-commit", "move-branch", "create-pull-request", "add-labels")
        for phase in ("begun", "done")
    }
    (created,) = (act for act in house.journal.acts if act.action == "create-pull-request" and act.phase == "done")
    assert created.result == house.forge.pull_requests(SOURCE_URL)[0].url
    cited = created.evidence[0]
    item, _, lines = cited.partition("#L")
    first = house.bundle.contents[item].split("\n")[int(lines.split("-")[0]) - 1]
    assert holds(house.bundle, Citation(ref=cited, quote=first))
