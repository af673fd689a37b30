"""What a patch of manifests is said to give back, where nothing of it can be run."""

import pytest

from agents.changes import manifest_changes
from agents.patch import FileChange, Patch
from agents.verification import Commands, Reproduction, Served, Verification, verify
from tests.fakes import FakeSandbox, FakeWorkspace

STABLE = (
    "kind: Rollout\nmetadata: {name: shop}\nspec:\n  template:\n    spec:\n      containers:\n        - name: app\n"
)
PROBE = "          readinessProbe:\n            httpGet: {path: /healthz}\n"
LIMIT = "          resources:\n            limits: {memory: 512Mi}\n"
CONFIG = "kind: ConfigMap\nmetadata: {name: shop}\ndata:\n  URL: http://a\n  TOKEN: swordfish\n"
KUSTOMIZATION = "configMapGenerator:\n  - name: shop\n    envs: [app.env]\n"


async def verified(stable: str, canary: str, patched: str, path: str = "deploy/a.yaml") -> Verification:
    beside = {"deploy/kustomization.yaml": KUSTOMIZATION}
    values = manifest_changes({path: stable, **beside}, {path: canary, **beside})
    change = FileChange(path=path, before=canary, after=patched)
    patch = Patch(repository="u", commit="0" * 40, strategy="restore", why="", edits=(), changes=(change,))
    reproduction = Reproduction(kind="render", reason="there is no trace", values=values)
    sandbox = FakeSandbox(FakeWorkspace({}), never_run)
    return await verify(patch, reproduction, None, None, Commands(), sandbox=sandbox, workspace=sandbox.workspace)


def never_run(*_: object) -> Served:
    raise AssertionError("nothing of it is run")


@pytest.mark.parametrize(
    ("stable", "find", "replace", "pointer"),
    [
        (STABLE + PROBE, "/healthz", "/ready", "/readinessProbe/httpGet/path of Rollout shop"),
        (STABLE + LIMIT, "512Mi", "64Mi", "/resources/limits/memory of Rollout shop"),
        (CONFIG, "  URL: http://a\n", "", "/data/URL of ConfigMap shop"),
        (CONFIG, "swordfish", "sesame", "/data/TOKEN of ConfigMap shop"),
    ],
)
async def test_a_restored_value_is_there_again_and_nothing_is_called_healthy(
    stable: str, find: str, replace: str, pointer: str
) -> None:
    canary = stable.replace(find, replace)
    result = await verified(stable, canary, stable)
    assert (result.kind, result.verdict, result.unchecked) == ("render", "unverified", ("there is no trace",))
    assert (result.before.result, result.after.result) == ("not_run", "not_run")
    assert f"{pointer}: not as in the stable version" in str(result.before.reason)
    assert f"{pointer}: as in the stable version again" in str(result.after.reason)
    assert "swordfish" not in result.model_dump_json()


async def test_a_value_that_is_neither_as_before_nor_as_it_was_is_said_so() -> None:
    result = await verified(
        STABLE + LIMIT, (STABLE + LIMIT).replace("512", "64"), (STABLE + LIMIT).replace("512", "99")
    )
    assert "is not what the stable version had" in str(result.after.reason)


async def test_a_patch_that_touches_no_value_gives_nothing_back() -> None:
    canary = (STABLE + LIMIT).replace("512Mi", "64Mi")
    result = await verified(STABLE + LIMIT, canary, f"# a remark\n{canary}")
    assert result.before.reason == result.after.reason == "there is no trace"


async def test_a_file_that_a_kustomization_generates_from_counts_as_manifest() -> None:
    result = await verified("A=1\n", "A=2\n", "A=1\n", "deploy/app.env")
    assert (result.kind, result.verdict) == ("render", "unverified")
    assert (await verified("A=1\n", "A=2\n", "A=1\n", "src/main.py")).kind == "none"
