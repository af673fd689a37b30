"""A fix that does not last: after two merged ones whose canary fails the same way, the third failure asks a person.

Everything is real: the merges are git's, each canary is built from what `main` is then, runs, and fails.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.incident import State
from agents.outcome import Outcome, Reported, final_state
from agents.policy import RepositoryRule
from agents.pull_request import Joined, Proposed, Record
from tests.boxes import mode, yard
from tests.prepared.capturing import VERSIONS, Cluster, Version
from tests.prepared.places import Place, place
from tests.prepared.rows import Evidence, Play, Source, read_program
from tests.prepared.staging import World, heal, perform

PLAY = Play(run="python3 -m shop --port {port}", requests=("GET /price/europe", "GET /price/pacific"))
LENIENT, STRICT = "return RATES.get(region, DEFAULT)", "return RATES[region]"
STRICTER = {"path": "shop/pricing.py", "find": LENIENT, "replace": STRICT}
HISTORY = {
    "base": read_program("shop"),
    "commits": [{"id": "canary", "subject": "Charge only agreed tax rates", "edits": [STRICTER]}],
    "canary": "canary",
}
RULE = RepositoryRule(match="*", mode="ready")


class Story:
    """One rollout whose stable version never changes, and what happens to its source."""

    def __init__(self, where: Place, world: World) -> None:
        self.place, self.world = where, world
        self.url, shas = where.put("shop", Source.model_validate(HISTORY))
        self.stable, self.canary = shas["base"], shas["canary"]
        self.revision = 6
        self.logs: dict[str, str] = {}

    async def fail(self) -> Outcome:
        """The next canary is built from `self.canary`, fails, and the service does what it can."""
        self.revision += 1
        commits: dict[Version, str] = {"stable": self.stable, "canary": self.canary}
        for version, commit in commits.items():
            known = self.logs.get(commit)
            self.logs[commit] = known or await perform(PLAY, self.url, commits, version, self.world)
        logs = {version: self.logs[commits[version]] for version in VERSIONS}
        cluster = Cluster(Evidence(), {"source": self.url}, {"source": commits}, logs, self.revision)
        outcome = (await heal(cluster.capture(), self.world, RULE)).outcome
        assert outcome is not None
        return outcome

    def insist(self) -> None:
        """Somebody brings the fault back, and the next canary is built from it."""
        git = self.place.gits[self.url]
        text = git.text("main", "shop/pricing.py").replace(LENIENT, STRICT)
        subject = f"Charge only agreed tax rates, please ({self.revision})"
        self.canary = git.commit(subject, {"shop/pricing.py": text})

    @property
    def ours(self) -> list[Record]:
        return self.place.pulls(self.url)


@pytest.fixture
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    kind: str = getattr(request, "param", "local")
    with yard() as room, place(kind, tmp_path) as where:
        yield Story(where, World.around(where, tmp_path, room, mode()))


@pytest.mark.parametrize(
    ("story", "squash"),
    [pytest.param("local", False, id="merged locally"), pytest.param("github", True, id="squashed on GitHub")],
    indirect=["story"],
)
async def test_the_third_failure_after_two_merged_fixes_asks_a_person(story: Story, *, squash: bool) -> None:
    for number in (1, 2):
        outcome = await story.fail()
        assert isinstance(outcome, Proposed)
        assert len(story.ours) == number
        story.place.merge(story.url, story.ours[-1], squash=squash)
        story.insist()
    third = await story.fail()
    assert isinstance(third, Reported)
    assert final_state(third)[0] is State.REPORTED
    assert "a person has to look" in third.reasons[0]
    (issue,) = story.place.issues(story.url)
    assert issue.url == third.issue
    earlier = [pull.url for pull in story.ours]
    assert [line[2:] for line in issue.body.splitlines() if line[2:] in earlier] == earlier


async def test_a_canary_that_was_built_before_the_fix_was_merged_joins_it(story: Story) -> None:
    await story.fail()
    story.place.merge(story.url, story.ours[-1], squash=False)
    again = await story.fail()
    assert isinstance(again, Joined)
    assert again.state == "merged"
    assert len(story.ours) == 1
    assert story.place.issues(story.url) == []
