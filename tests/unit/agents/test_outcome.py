from pathlib import Path

import pytest

from agents.carrying import carry
from agents.errors import Denied
from agents.fix import Ground, propose
from agents.incident import State
from agents.outcome import Outcome, Reported, conclude, final_state
from agents.patch import EditRejected
from agents.policy import RepositoryRule
from agents.pull_request import LeftAlone, Proposed, PullRequestLink
from agents.verification.nouns import Verdict
from app.adapters.checkout import Mirrors
from tests.fakes import FakeCommit, FakeRepository
from tests.forges import LocalSite
from tests.healing import Ended, House, ended_case, opened, verification
from tests.shop import BASE, INCIDENT, PRICES, SOURCE_URL

LINK = PullRequestLink(url="https://forge/1", branch="selfheal/x", base="main")


@pytest.fixture
async def ended() -> Ended:
    return await ended_case()


@pytest.mark.parametrize(
    ("mode", "verdict", "ending"),
    [
        ("propose", "verified", "draft"),
        ("ready", "verified", "ready"),
        ("ready", "unverified", "draft"),
        ("ready", "refuted", "issue"),
        ("observe", "verified", "nothing"),
    ],
)
async def test_mode_and_verdict_decide_what_leaves(ended: Ended, mode: str, verdict: Verdict, ending: str) -> None:
    outcome = await ended.conclude(verdict, RepositoryRule.model_validate({"match": "*", "mode": mode}))
    drafts = ["draft" if pull.draft else "ready" for pull in ended.house.forge.pull_requests(SOURCE_URL)]
    issues = ["issue" for _ in ended.house.forge.issues(SOURCE_URL)]
    assert [*drafts, *issues] == ([] if ending == "nothing" else [ending])
    assert isinstance(outcome, Proposed if drafts else Reported)


async def test_unverified_with_less_than_high_confidence_is_an_issue(ended: Ended) -> None:
    doubtful = ended.case.diagnosis.model_copy(update={"confidence": "medium"})
    ended.case = ended.case.model_copy(update={"diagnosis": doubtful})
    outcome = await ended.conclude("unverified")
    assert isinstance(outcome, Reported)
    assert outcome.reasons == ("not verified, and the confidence is only medium", "no sandbox")
    assert outcome.issue == ended.house.forge.issues(SOURCE_URL)[0].url


async def test_a_base_that_moved_on_gets_the_same_edits_and_the_page_says_so(ended: Ended) -> None:
    now = str((await ended.house.repository.read(ended.house.repository.shas[-1], "shop/prices.py")).text)
    ended.advance(**{"shop/prices.py": "# prices\n" + now})
    outcome = await ended.conclude()
    assert isinstance(outcome, Proposed)
    tip = ended.house.repository.shas[-1]
    parent, (change,) = ended.house.forge.commits[ended.house.forge.branches[SOURCE_URL][INCIDENT.branch]]
    assert parent == tip
    assert str(change.after).startswith("# prices\n")
    assert "found = DEFAULT" in str(change.after)
    assert f"the change on the tip of main ({tip[:12]})" in ended.house.forge.pull_requests(SOURCE_URL)[0].body


@pytest.mark.parametrize(
    ("prices", "says"),
    [
        pytest.param(PRICES.replace('"coffee": 4', '"coffee": 4, "water": 1'), "not have this fault", id="fixed there"),
        pytest.param("TABLE = {}\n", "is not on main what it was in the canary", id="rewritten there"),
        pytest.param(None, "is not on main what it was in the canary", id="gone there"),
        pytest.param("\0", "cannot be made on main", id="no text there"),
    ],
)
async def test_a_base_that_cannot_take_the_change_is_reported(ended: Ended, prices: str | None, says: str) -> None:
    ended.advance(**{"shop/prices.py": prices})
    outcome = await ended.conclude()
    assert isinstance(outcome, Reported)
    assert says in outcome.reasons[0]
    assert outcome.issue
    assert set(ended.house.forge.branches[SOURCE_URL]) == {"main"}


async def test_a_base_branch_that_is_not_there_is_named(ended: Ended) -> None:
    outcome = await ended.conclude(rule=RepositoryRule(match="*", base="release"))
    assert isinstance(outcome, Reported)
    assert "release" in outcome.reasons[0]


async def test_a_diff_that_the_policy_refuses_is_only_shown(ended: Ended) -> None:
    outcome = await ended.conclude(rule=RepositoryRule(match="*", mode="ready", deny=("shop/**",)))
    assert isinstance(outcome, Reported)
    assert outcome.reasons == ("`shop/prices.py` is denied by the server policy",)
    (issue,) = ended.house.forge.issues(SOURCE_URL)
    assert "```diff" in issue.body
    assert set(ended.house.forge.branches[SOURCE_URL]) == {"main"}


async def test_a_branch_that_is_not_ours_ends_in_a_report_and_stays(ended: Ended) -> None:
    ended.house.forge.branches[SOURCE_URL][INCIDENT.branch] = "c" * 40
    outcome = await ended.conclude()
    assert isinstance(outcome, Reported)
    assert "not ours" in outcome.reasons[0]
    assert ended.house.forge.branches[SOURCE_URL][INCIDENT.branch] == "c" * 40


async def test_carrying_a_change_is_all_or_nothing() -> None:
    house = House()
    case = await opened(house)
    assert case.ground is not None
    whole = await propose(case.diagnosis, case.ground, house.repository, 1)
    assert whole is not None
    assert len(whole.changes) == 2
    half = {change.path: str(change.after) for change in whole.changes[:1]}
    repository = FakeRepository(FakeCommit("half of it is there", {**BASE, **half, "shop/prices.py": "other\n"}))
    with pytest.raises(EditRejected):
        await carry(whole, repository.shas[0], repository)
    done = FakeRepository(FakeCommit("all of it", {change.path: str(change.after) for change in whole.changes}))
    assert (await carry(whole, done.shas[0], done)).changes == ()
    with pytest.raises(Denied):
        await carry(whole, "f" * 40, repository)


@pytest.mark.parametrize(
    ("outcome", "state", "says"),
    [
        (Proposed(pull_request=LINK, draft=True), State.PROPOSED, "draft pull request: https://forge/1"),
        (Proposed(pull_request=LINK, draft=False), State.PROPOSED, "pull request: https://forge/1"),
        (
            LeftAlone(pull_request=LINK, because="merged"),
            State.REPORTED,
            "left alone, merged by a person: https://forge/1",
        ),
        (
            Reported(reasons=("a", "b"), issue="https://forge/2"),
            State.REPORTED,
            "no pull request: a; b (https://forge/2)",
        ),
        (Reported(reasons=("a",)), State.REPORTED, "no pull request: a"),
    ],
)
def test_every_outcome_has_a_state_and_a_line(outcome: Outcome, state: State, says: str) -> None:
    assert final_state(outcome) == (state, says)


async def test_a_real_repository_and_the_local_forge_take_what_the_core_publishes(tmp_path: Path) -> None:
    house, site = House(), LocalSite(tmp_path)
    shas = [site.scratch.commit(commit.subject, commit.files) for commit in house.repository.history]
    repositories = Mirrors(tmp_path / "mirrors", site.folder)
    case = await opened(house)
    ground = Ground(url=site.url, stable=shas[0], canary=shas[-1])
    case = case.model_copy(
        update={"ground": ground, "diagnosis": case.diagnosis.model_copy(update={"culprit_commit": shas[2]})}
    )
    patch = await propose(case.diagnosis, ground, await repositories.open(site.url), 0)
    assert patch is not None
    for _ in range(2):
        outcome = await conclude(
            house.bundle.manifest,
            case,
            patch,
            verification("verified"),
            repositories=repositories,
            forge=site.forge,
            policy=house.policy,
        )
        assert isinstance(outcome, Proposed)
    assert len(site.pulls()) == 1
    assert site.scratch.git("diff", "--stat", "main", INCIDENT.branch).endswith("1 file changed, 2 insertions(+)")
    assert "found = DEFAULT" in site.scratch.text(INCIDENT.branch, "shop/prices.py")
