"""Objects come from people and from many versions of Kubernetes: nothing of any shape breaks an analyzer."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.evidence import holds
from agents.podstates import Scene, states_of
from tests.pods import HASHES, bundle_of_pods, ended, event, pod, replica_set, running, waiting

PULL = 'failed to pull "x": not found'
SPEC = {
    "containers": [{"name": "app", "image": "x:1", "readinessProbe": {"httpGet": {"path": "/r", "port": 80}}}],
    "volumes": [{"name": "v", "configMap": {"name": "c"}}],
}
RUN = {
    "metadata": {"name": "shop-bad-2", "labels": {"rollouts-pod-template-hash": "bad"}},
    "status": {
        "phase": "Failed",
        "metricResults": [
            {
                "name": "m",
                "phase": "Failed",
                "measurements": [{"phase": "Failed", "value": "[NaN]", "metadata": {"job-name": "j"}}],
            }
        ],
    },
}
ROLLOUT = {
    "metadata": {"name": "shop"},
    "spec": {"template": {"spec": SPEC}},
    "status": {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "late"}]},
}
SCENERY: dict[str, Any] = {
    "pods": [
        running(ended(137, "OOMKilled"), waiting("ImagePullBackOff", PULL), init=[ended(1)]),
        pod(
            phase="Pending",
            name="2",
            conditions=[{"type": "PodScheduled", "status": "False", "message": "Insufficient cpu"}],
        ),
        pod(name="3", phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        pod("stable"),
    ],
    "events": [
        event("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404"),
        event(
            "FailedMount", 'MountVolume.SetUp failed for volume "v" : references non-existent config key: k', of=None
        ),
        event("FailedCreate", 'pods "x" is forbidden: exceeded quota: q, requested: pods=1', name="shop-bad", of=None),
    ],
    "replicaset": [
        replica_set("canary", SPEC, conditions=[{"type": "ReplicaFailure", "status": "True", "message": "forbidden"}]),
        replica_set("stable", SPEC),
    ],
    "rollout": [ROLLOUT],
    "analysisrun": [RUN],
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=4), st.one_of(st.none(), st.text(max_size=3)), max_size=2),
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything below a node."""
    entries = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    found: list[tuple[Any, ...]] = []
    for key, value in entries:
        found += [(*path, key), *places(value, (*path, key))]
    return found


PLACES = places(SCENERY)


@settings(derandomize=True, max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, len(PLACES) - 1), ODD, st.booleans()), min_size=1, max_size=6))
def test_no_field_of_another_type_or_missing_breaks_an_analyzer(changes: list[tuple[int, Any, bool]]) -> None:
    scenery = copy.deepcopy(SCENERY)
    for at, value, gone in changes:
        *path, last = PLACES[at]
        here: Any = scenery
        try:
            for key in path:
                here = here[key]
            if gone and isinstance(here, dict):
                del here[last]
            else:
                here[last] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    things = {
        kind: [one for one in some if isinstance(one, dict)] for kind, some in scenery.items() if isinstance(some, list)
    }
    pods, events = things.pop("pods", []), things.pop("events", [])
    bundle = bundle_of_pods(*pods, events=events, objects=things)
    found = states_of(bundle)
    assert all(holds(bundle, citation) for state in (*found.own, *found.shared) for citation in state.evidence)


@pytest.mark.parametrize("raw", ["null", "[]", "{}", "[null, 1, []]", '{"metadata": 3}', '[{"message": {}}]'])
def test_items_that_are_no_objects_at_all_are_passed_over(raw: str) -> None:
    bundle = bundle_of_pods(*SCENERY["pods"], events=SCENERY["events"])
    broken = bundle.model_copy(update={"contents": dict.fromkeys(bundle.contents, raw)})
    assert states_of(broken).own == ()
    assert Scene(broken, "canary").spec == {}


HOSTILE = {
    "quota": ("FailedCreate", "exceeded quota: q, requested: " + "a=1," * 20_000),
    "words": ("FailedCreate", 'x is forbidden: violates PodSecurity "r:l": ' + "containers.securityContext" * 4_000),
    "path": ("FailedCreate", "is invalid: " + "spec.a[0]" * 10_000),
    "host": ("Unhealthy", "Readiness probe failed: " + "a." * 40_000),
    "insufficient": ("FailedScheduling", "Insufficient " * 10_000),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_message_is_read_to_its_end_and_told_in_one_line(case: str) -> None:
    reason, text = HOSTILE[case]
    name = "shop-bad" if reason == "FailedCreate" else "shop-bad-1"
    pods = [] if reason == "FailedCreate" else [running(waiting("ContainerCreating"))]
    found = states_of(bundle_of_pods(*pods, events=[event(reason, text * 10, name=name, of=None)]))
    assert all(len(state.sentence) < 1200 for state in found.own)


def test_a_hostile_log_is_read_to_its_end() -> None:
    line = "connection refused permission denied x509: " + "a-b.c_d:" * 40_000 + "\n"
    logs = {f"logs/canary/shop-{HASHES['canary']}-1/app": line * 20}
    assert {state.kind for state in states_of(bundle_of_pods(pod(), logs=logs)).own} == {"dependency", "permission"}
