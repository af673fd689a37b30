"""What merging a change of manifests sets off: a new canary, the end of the failed one, or nothing until a retry."""

from typing import Any

import pytest

from agents.changes import manifest_changes
from agents.strategies.restarting import Effect, Watched, effect_of, effect_of_pin, retry_command, watched
from tests.rollbacks import NEW, OLD, replica_set
from tests.shop import bundle_of

ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  replicas: 2
  strategy: {canary: {steps: [{setWeight: 20}], maxSurge: 1}}
  template:
    metadata: {annotations: {team: shop}}
    spec: {containers: [{name: app, image: "shop:1", env: [{name: MODE, value: old}]}]}
"""
CONFIG = "kind: ConfigMap\nmetadata: {name: shop-config}\ndata: {RATE: '1'}\n"
SECRET = "kind: Secret\nmetadata: {name: shop-key}\nstringData: {KEY: a}\n"
ANALYSIS = "kind: AnalysisTemplate\nmetadata: {name: errors}\nspec: {metrics: [{name: errors, failureLimit: 1}]}\n"
GENERATED = "configMapGenerator:\n- name: shop-config\n  literals: [RATE=1]\n"
STABLE = {
    "r.yaml": ROLLOUT,
    "c.yaml": CONFIG,
    "s.yaml": SECRET,
    "a.yaml": ANALYSIS,
    "kustomization.yaml": GENERATED + "images:\n- name: shop\n  newTag: '1'\n",
}
SEEN = Watched(rollout="shop", namespace="shop", references=("shop-config", "shop-key"))
HASHED = SEEN.model_copy(update={"references": ("shop-config-7h2k9m4b5t", "shop-key-abcdefghij")})


def effect(path: str, old: str, new: str, seen: Watched = SEEN, **left: str) -> Effect:
    """Of giving a value in a file back that the canary changed; `left` is what else differs from stable, by file."""
    after = {**STABLE, **{f"{name}.yaml": text for name, text in left.items()}}
    assert old in after[path]
    before = {**after, path: after[path].replace(old, new)}
    return effect_of(manifest_changes(before, after), manifest_changes(STABLE, after), after, seen)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("r.yaml", "value: old", "value: new"),
        ("r.yaml", '"shop:1"', '"shop:2"'),
        ("r.yaml", "team: shop", "team: cart"),
        ("r.yaml", "setWeight: 20", "setWeight: 50"),
        ("kustomization.yaml", "newTag: '1'", "newTag: '2'"),
    ],
)
def test_the_pod_template_and_the_steps_start_a_canary_unless_they_are_the_stable_versions_again(
    path: str, old: str, new: str
) -> None:
    assert effect(path, old, new) == "stable"
    assert effect(path, old, new, r=ROLLOUT.replace("name: app,", "name: app, tty: true,")) == "canary"


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("a.yaml", "failureLimit: 1", "failureLimit: 0"),
        ("c.yaml", "'1'", "'2'"),
        ("s.yaml", "KEY: a", "KEY: b"),
        ("r.yaml", "replicas: 2", "replicas: 3"),
        ("r.yaml", "maxSurge: 1", "maxSurge: 2"),
    ],
)
def test_what_the_rollout_does_not_watch_starts_nothing(path: str, old: str, new: str) -> None:
    assert effect(path, old, new) == "nothing"


def test_configuration_with_a_hash_in_its_name_or_a_checksum_beside_it_starts_a_canary() -> None:
    other = {"r": ROLLOUT.replace("name: app,", "name: app, tty: true,")}
    assert effect("c.yaml", "'1'", "'2'", HASHED, **other) == "canary"
    assert effect("kustomization.yaml", "RATE=1", "RATE=2", HASHED, **other) == "canary"
    assert effect("kustomization.yaml", "RATE=1", "RATE=2", SEEN) == "nothing"
    assert effect("s.yaml", "KEY: a", "KEY: b", HASHED) == "stable"
    assert effect("c.yaml", "'1'", "'2'", SEEN.model_copy(update={"reloads": True})) == "stable"
    assert effect("c.yaml", "'1'", "'2'", SEEN.model_copy(update={"checksums": ("5f2b",)})) == "stable"


def test_a_checksum_that_stands_in_git_follows_nothing() -> None:
    seen = SEEN.model_copy(update={"checksums": ("5f2b",)})
    written = ROLLOUT.replace("team: shop", "checksum/config: 5f2b")
    assert effect("c.yaml", "'1'", "'2'", seen, r=written) == "nothing"


def template(**spec: Any) -> dict[str, Any]:
    annotations = {"checksum/config": "5f2b", "note": "x"}
    return {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "app", **spec}]}}


def test_what_the_pods_follow_is_read_from_the_canarys_template() -> None:
    name, replica = replica_set("bad", NEW)
    replica["spec"]["template"] = template(
        envFrom=[{"configMapRef": {"name": "shop-config-7h2k9m4b5t"}}, {"secretRef": {"name": "shop-key"}}]
    )
    replica["spec"]["template"]["spec"]["volumes"] = [{"secret": {"secretName": "tls"}}]
    rollout = {
        "metadata": {"name": "shop", "annotations": {"reloader.stakater.com/auto": "true"}},
        "spec": {"workloadRef": {"kind": "Deployment", "name": "shop-pods"}},
    }
    seen = watched(bundle_of(objects=[(name, replica), ("objects/rollout/shop", rollout)]))
    assert set(seen.references) == {"shop-config-7h2k9m4b5t", "shop-key", "tls"}
    assert (seen.checksums, seen.reloads, seen.workload) == (("5f2b",), True, "shop-pods")
    assert retry_command(seen) == "kubectl argo rollouts retry rollout shop -n shop"


def test_a_pin_ends_the_canary_where_nothing_but_the_image_differs() -> None:
    same = bundle_of(objects=[replica_set("good", OLD, MODE="a"), replica_set("bad", NEW, MODE="a")])
    other = bundle_of(objects=[replica_set("good", OLD, MODE="a"), replica_set("bad", NEW, MODE="b")])
    assert effect_of_pin(same, {"app": OLD}) == "stable"
    assert effect_of_pin(other, {"app": OLD}) == "canary"


def test_names_are_compared_as_kustomize_makes_them_and_never_in_part() -> None:
    prefixed = SEEN.model_copy(update={"rollout": "eu-shop", "references": ("eu-shop-config-7h2k9m4b5t",)})
    kustomization = STABLE["kustomization.yaml"] + "namePrefix: eu-\n"
    assert effect("r.yaml", "value: old", "value: new", prefixed) == "nothing"
    assert effect("r.yaml", "value: old", "value: new", prefixed, kustomization=kustomization) != "nothing"
    assert effect("c.yaml", "'1'", "'2'", prefixed, kustomization=kustomization) != "nothing"
    assert effect("r.yaml", "value: old", "value: new", SEEN.model_copy(update={"rollout": "shop-worker"})) == "nothing"
