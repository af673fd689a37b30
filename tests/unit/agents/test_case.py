from collections.abc import Callable

import pytest

from agents.case import Case, open_case, patched_environment
from agents.errors import Denied
from agents.evidence import ManifestSource
from agents.patch import FileChange, Patch
from agents.policy import Policy, RepositoryRule
from tests.fakes import FakeCommit, FakeRepositories, FakeRepository
from tests.healing import SETTINGS, House
from tests.shop import GITOPS_URL, SOURCE_URL


async def opened(house: House) -> Case:
    return await open_case(house.bundle, house.repositories, house.forge, house.policy)


async def test_a_case_has_all_that_the_later_stages_need() -> None:
    house = House(annotations={"selfheal.io/mode": "ready"}, settings=SETTINGS + "mode: propose\n")
    case = await opened(house)
    assert case.diagnosis.culprit_commit == house.culprit
    assert (case.reproduction.kind, case.reproduction.container) == ("replay", "app")
    assert case.commands.test == ("python3", "-m", "unittest")
    assert case.ground is not None
    assert (case.ground.url, case.ground.stable, case.ground.canary) == (
        SOURCE_URL,
        house.repository.shas[0],
        house.repository.shas[-1],
    )
    assert case.program is not None
    assert case.program.commit == house.repository.shas[-1]
    assert case.modes == ("ready", "propose")
    assert case.notes == ("the manifest repository is not known",)
    assert Case.model_validate(case.model_dump(mode="json")) == case


async def test_settings_are_read_from_the_trusted_branch_and_not_from_the_canary() -> None:
    house = House()
    house.repository.push(FakeCommit("main goes on", {".selfheal.yml": "run: python3 -m trusted\n"}))
    assert (await opened(house)).commands.run == ("python3", "-m", "trusted")


async def test_the_policys_base_branch_is_the_trusted_one() -> None:
    house = House(rule=RepositoryRule(match="*", base="stable"))
    house.repository.branches["stable"] = house.repository.shas[0]
    assert (await opened(house)).commands.run[0] == "python3"
    house = House(rule=RepositoryRule(match="*", base="nowhere"))
    case = await opened(house)
    assert case.commands.off
    assert any("nowhere" in note for note in case.notes)


@pytest.mark.parametrize("settings", ["run: [", "run: ''", "unknown: 1", "mode: always", "\0"])
async def test_settings_that_cannot_be_read_switch_everything_off_and_say_so(settings: str) -> None:
    case = await opened(House(settings=settings))
    assert case.commands.off
    assert case.reproduction.kind == "render"
    assert case.modes == ("observe",)
    assert any("nothing of it is run or changed" in note for note in case.notes)


async def test_no_settings_mean_nothing_is_run_but_a_change_may_be_proposed() -> None:
    case = await opened(House(settings=None))
    assert (case.commands.run, case.commands.off, case.modes) == ((), None, ())
    assert "no `run:`" in str(case.reproduction.reason)


@pytest.mark.parametrize(
    ("house", "says"),
    [
        pytest.param(lambda: House(rule=None), "the policy has no entry for the source repository", id="not allowed"),
        pytest.param(lambda: without_repository(House()), "the source repository cannot be read", id="unreadable"),
    ],
)
async def test_a_repository_that_is_not_there_or_not_allowed_is_a_note(house: Callable[[], House], says: str) -> None:
    case = await opened(house())
    assert (case.ground, case.program) == (None, None)
    assert any(says in note for note in case.notes)
    assert case.diagnosis.summary


def without_repository(house: House) -> House:
    house.repositories = FakeRepositories({})
    return house


MANIFEST = "kind: ConfigMap\nmetadata: {name: shop}\ndata: {FEED: x}\n"
ROLLOUT = """\
kind: Rollout
metadata: {name: shop}
spec: {template: {spec: {containers: [{name: app, envFrom: [{configMapRef: {name: shop}}]}]}}}
"""


async def test_patched_manifests_give_the_environment_of_the_whole_folder() -> None:
    house = House()
    gitops = FakeRepository(
        FakeCommit(
            "all", {"apps/shop/config.yaml": MANIFEST, "apps/shop/rollout.yaml": ROLLOUT, "other/x.yaml": "a: 1\n"}
        )
    )
    repositories = FakeRepositories({SOURCE_URL: house.repository, GITOPS_URL: gitops})
    manifests = ManifestSource(repo=GITOPS_URL, path="apps/shop", stable=gitops.shas[0], canary=gitops.shas[0])
    case = (await opened(house)).model_copy(update={"manifests": manifests})
    change = FileChange(path="apps/shop/config.yaml", before=MANIFEST, after=MANIFEST.replace("x", "y"))
    patch = Patch(repository=GITOPS_URL, commit=gitops.shas[0], strategy="restore", why="", edits=(), changes=(change,))
    environment = await patched_environment(patch, case, house.bundle, repositories)
    assert environment is not None
    assert dict(environment.variables) == {"FEED": "y"}
    gone = patch.model_copy(update={"changes": (change.model_copy(update={"after": None}),)})
    environment = await patched_environment(gone, case, house.bundle, repositories)
    assert environment is not None
    assert dict(environment.variables) == {}
    of_source = patch.model_copy(update={"repository": SOURCE_URL})
    assert await patched_environment(of_source, case, house.bundle, repositories) is None
    with pytest.raises(Denied):
        await patched_environment(patch, case, house.bundle, FakeRepositories({}))


async def test_the_first_entry_of_the_policy_that_matches_counts() -> None:
    rules = (RepositoryRule(match=SOURCE_URL, mode="observe"), RepositoryRule(match="*", mode="ready"))
    rule = Policy(repositories=rules).rule(SOURCE_URL)
    assert rule is not None
    assert rule.mode == "observe"
