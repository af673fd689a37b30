"""Our Rollouts and AnalysisRuns are what Argo Rollouts takes: held against its own definitions (tests/data/crds)."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from app.demo.manifests import ROLLOUT
from tests.kustomization import K8S, load_all
from tests.recorded import SCENARIOS, bodies

CRDS = Path(__file__).parents[1] / "data" / "crds"
SUBSCRIPTION = K8S / "components" / "argo" / "subscription.example.yaml"
Object = dict[str, Any]


def schema_of(kind: str) -> Object:
    """The schema of the version that is stored."""
    file = {"Rollout": "rollout-crd.yaml", "AnalysisRun": "analysis-run-crd.yaml"}[kind]
    crd = YAML(typ="safe").load((CRDS / file).read_text(encoding="utf-8"))
    assert crd["spec"]["names"]["kind"] == kind
    (version,) = (version for version in crd["spec"]["versions"] if version["storage"])
    schema: Object = version["schema"]["openAPIV3Schema"]
    return schema


SCHEMAS = {kind: schema_of(kind) for kind in ("Rollout", "AnalysisRun")}


def unknown(thing: Any, schema: Object, path: str = "") -> Iterator[str]:
    """Fields that the definition does not have: an API server drops them without a word."""
    if isinstance(thing, list):
        for at, one in enumerate(thing):
            yield from unknown(one, schema.get("items", {}), f"{path}/{at}")
    if not isinstance(thing, dict) or "properties" not in schema:
        return
    for key, value in thing.items():
        inner = schema["properties"].get(key)
        if inner is not None:
            yield from unknown(value, inner, f"{path}/{key}")
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield f"{path}/{key}"


def check(thing: Object) -> list[str]:
    """What is wrong with an object."""
    schema = SCHEMAS[thing["kind"]]
    errors = [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(thing)]
    return [*errors, *unknown(thing, schema)]


def written(thing: Any) -> Any:
    """Without what Go writes for what is not set: nulls, and the stub of a template beside a `workloadRef`."""
    if isinstance(thing, dict):
        stub = {"template"} if "workloadRef" in thing else set()
        return {key: written(value) for key, value in thing.items() if value is not None and key not in stub}
    return [written(one) for one in thing] if isinstance(thing, list) else thing


def demo_rollout() -> Object:
    text = ROLLOUT.format(service="shop", namespace="storefront", tag="1.0")
    loaded: Object = YAML(typ="safe").load(text)
    return loaded


def test_the_demos_manifest_is_one() -> None:
    assert check(demo_rollout()) == []


def test_the_subscription_is_a_patch_that_a_rollout_takes() -> None:
    (patch,) = load_all(SUBSCRIPTION)
    assert check(demo_rollout() | {"metadata": {**demo_rollout()["metadata"], **patch["metadata"]}}) == []
    assert patch.keys() == {"apiVersion", "kind", "metadata"}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_the_controller_sent_is_one_by_its_own_definition(scenario: str) -> None:
    """But for fields of the status that are younger than the definition which is kept."""
    things = []
    for raw in bodies(scenario.partition("-")[0]):
        body = json.loads(raw)
        things += [body["rollout"]] if isinstance(body.get("rollout"), dict) and "spec" in body["rollout"] else []
    things = [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", **written(one)} for one in things]
    assert [problem for thing in things for problem in check(thing) if not problem.startswith("/status/")] == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"replicas": "three"}, "'three' is not of type"),
        ({"strategy": {"canary": {"steps": [{"setWeight": "a lot"}]}}}, "'a lot'"),
        ({"stratgy": {}}, "/spec/stratgy"),
        ({"strategy": {"canary": {"step": []}}}, "/spec/strategy/canary/step"),
    ],
)
def test_a_broken_one_is_refused(change: Object, says: str) -> None:
    broken = copy.deepcopy(demo_rollout())
    broken["spec"] |= change
    assert any(says in problem for problem in check(broken))
