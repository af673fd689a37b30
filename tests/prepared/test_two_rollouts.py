"""Recordings 17a and 17b: one bug failed the canaries of two rollouts, in two namespaces, and is fixed once.

What the real controller's cluster held is captured as the service captures it; the source is the one that the recorded
traces come from, line by line. Both are diagnosed and verified once; then they are published again and again, each time
on the forge as it was before.
"""

import asyncio
import contextlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import pytest

from agents.errors import Transient
from agents.evidence import Bundle
from agents.graph import Ports
from agents.outcome import Outcome
from agents.policy import Policy, RepositoryRule
from agents.pull_request import Turns
from app.jobs import Healer, open_saver
from tests.boxes import mode, yard
from tests.fakes import FakeJournal
from tests.healing import Fuse
from tests.prepared.places import Place, place
from tests.prepared.rows import Source, read_program
from tests.prepared.staging import World
from tests.replay.capturing import capture_recorded
from tests.replay.recording import built_from, load

NAMESPACES = {"17a": "shop-eu", "17b": "shop-us"}
ORDERS = [("17a", "17b"), ("17b", "17a")]
TRUST = {
    "path": "checkout/pricing.py",
    "find": 'discounts.get(cart.get("currency", "EUR"), 0)',
    "replace": 'discounts[cart["currency"]]',
}
HISTORY = {
    "base": read_program("checkout"),
    "commits": [
        {"id": "culprit", "subject": "Take the discount of the cart's currency", "edits": [TRUST]},
        {"id": "canary", "subject": "Describe orders", "files": {"README.md": "# checkout\n\nTakes orders.\n"}},
    ],
    "canary": "canary",
}


@dataclass(frozen=True)
class Scene:
    """Both incidents in one worker, each as far as its last checkpoint says."""

    place: Place
    world: World
    url: str
    bundles: dict[str, Bundle]
    folder: Path
    """Of the checkpoints."""
    turns: Turns = field(default_factory=Turns)

    async def run(self, number: str, fuse: Fuse | None = None) -> Outcome | None:
        """The worker's step once, from the attempt's last checkpoint; `Transient` where the fuse burns."""
        journal = FakeJournal({number: self.bundles[number]})
        ports = Ports(
            journal=journal,
            repositories=self.world.mirrors,
            forge=self.place.forge,
            sandbox=self.world.sandbox,
            workspace=self.world.workspace,
            dependencies=self.world.dependencies,
            policy=Policy(repositories=(RepositoryRule(match="*", mode="ready"),)),
            turns=self.turns,
        )
        saver = await open_saver(self.folder / f"{number}.sqlite")
        try:
            await Healer(fuse.ports(ports) if fuse else ports, saver).run(number)
        finally:
            self.bundles[number] = await journal.bundle(number)
            await saver.conn.close()
        return journal.outcome

    async def heal(self, number: str, *, lost_at: str | None = None, after: bool = False) -> Outcome:
        """To the end; a step that is lost at its first call of that name is run again."""
        outcome = None
        if lost_at is not None:
            with contextlib.suppress(Transient):
                outcome = await self.run(number, Fuse(1, after=after, name=lost_at))
        outcome = outcome or await self.run(number)
        assert outcome is not None
        return outcome

    async def verify(self, number: str) -> None:
        """Diagnose, fix and verify, up to the first look for pull requests of ours."""
        with pytest.raises(Transient):
            await self.run(number, Fuse(1, name="our_pull_requests"))


async def stage(where: Place, folder: Path, yard_: Path) -> Scene:
    """Capture both, and bring both to the point where they are published; at the same time, as they failed."""
    url, shas = where.put("checkout", Source.model_validate(HISTORY))
    bundles = {}
    for number in NAMESPACES:
        kept = folder / number
        kept.mkdir()
        bundles[number], _ = await capture_recorded(built_from(load(number), url, shas["base"], shas["canary"]), kept)
    scene = Scene(where, World.around(where, folder, yard_, mode()), url, bundles, folder)
    await asyncio.gather(*(scene.verify(number) for number in NAMESPACES))
    return scene


@pytest.fixture(scope="module", params=["local", "github"])
def staged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("two")
    with yard() as room, place(request.param, folder) as where:
        yield asyncio.run(stage(where, folder, room))


@pytest.fixture
def scene(staged: Scene, tmp_path: Path) -> Scene:
    """Nothing is published yet, and the worker has just started."""
    staged.place.forget(staged.url)
    for number in NAMESPACES:
        shutil.copy(staged.folder / f"{number}.sqlite", tmp_path)
    return replace(staged, folder=tmp_path, bundles=dict(staged.bundles), turns=Turns())


class Found(NamedTuple):
    """What is on the forge in the end."""

    outcomes: tuple[str, ...]
    pulls: int
    drafts: int
    commits: tuple[str, ...]
    issues: int
    comments: int
    named: tuple[int, ...]
    """How often the comments name each rollout."""


ONCE = Found(("joined", "proposed"), pulls=1, drafts=0, commits=("1",), issues=0, comments=1, named=(1, 1))


async def found(scene: Scene, outcomes: Sequence[Outcome]) -> Found:
    pulls, git = scene.place.pulls(scene.url), scene.place.gits[scene.url]
    comments = [one.body for pull in pulls for one in await scene.place.forge.comments(scene.url, pull.number)]
    return Found(
        outcomes=tuple(sorted(outcome.kind for outcome in outcomes)),
        pulls=len(pulls),
        drafts=sum(pull.draft for pull in pulls),
        commits=tuple(git.git("rev-list", "--count", f"main..{pull.branch}") for pull in pulls),
        issues=len(scene.place.issues(scene.url)),
        comments=len(comments),
        named=tuple("".join(comments).count(f"{namespace}/checkout") for namespace in NAMESPACES.values()),
    )


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_one_after_the_other(scene: Scene, order: tuple[str, str]) -> None:
    outcomes = [await scene.heal(number) for number in order]
    assert [outcome.kind for outcome in outcomes] == ["proposed", "joined"]
    assert await found(scene, outcomes) == ONCE


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_both_at_the_same_time(scene: Scene, order: tuple[str, str]) -> None:
    assert await found(scene, await asyncio.gather(*(scene.heal(number) for number in order))) == ONCE


@pytest.mark.parametrize(
    ("lost_at", "after"),
    [
        pytest.param("our_pull_requests", True, id="after it found the first"),
        pytest.param("comments", True, id="after it looked for a comment"),
        pytest.param("create_comment", False, id="before it commented"),
        pytest.param("create_comment", True, id="after it commented"),
        pytest.param("finish", False, id="before its ending was kept"),
    ],
)
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
async def test_the_second_is_lost_on_the_way(
    scene: Scene, order: tuple[str, str], lost_at: str, *, after: bool
) -> None:
    first, second = order
    outcomes = [await scene.heal(first), await scene.heal(second, lost_at=lost_at, after=after)]
    assert [outcome.kind for outcome in outcomes] == ["proposed", "joined"]
    assert await found(scene, outcomes) == ONCE


@pytest.mark.parametrize("lost_at", ["point", "create_pull_request", "create_comment"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_both_at_the_same_time_and_each_is_lost_on_the_way(scene: Scene, lost_at: str, *, after: bool) -> None:
    healed = (scene.heal(number, lost_at=lost_at, after=after) for number in NAMESPACES)
    assert await found(scene, await asyncio.gather(*healed)) == ONCE
