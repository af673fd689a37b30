"""Pods that never ran: images, references, nodes, quotas, admission, volumes."""

import pytest

from agents.podstates import NEVER_RAN
from tests.pods import Object, event, only, pod, replica_set, running, states, waiting

IMAGE = "registry.acme.example/shop:2"
PULL = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": '


@pytest.mark.parametrize(
    ("message", "subject", "category"),
    [
        (f"{PULL}{IMAGE}: not found", "missing", "config"),
        (f"manifest for {IMAGE} not found: manifest unknown: manifest unknown", "missing", "config"),
        (f"{PULL}failed to authorize: 401 Unauthorized", "access", "infrastructure"),
        (
            (
                "pull access denied, repository does not exist or may require authorization: server message: "
                "insufficient_scope: authorization failed"
            ),
            "access",
            "infrastructure",
        ),
        (f"{PULL}unexpected status from HEAD request to https://x: 403 Forbidden", "access", "infrastructure"),
        (f"{PULL}dial tcp: lookup registry.acme.example: no such host", "unreachable", "infrastructure"),
        (f"{PULL}net/http: TLS handshake timeout", "unreachable", "infrastructure"),
        (f"{PULL}tls: failed to verify certificate: x509: certificate has expired", "unreachable", "infrastructure"),
        (f"{PULL}unexpected status code 503 Service Unavailable", "unreachable", "infrastructure"),
        ("toomanyrequests: You have reached your pull rate limit", "limit", "infrastructure"),
        (f"{PULL}no match for platform in manifest: not found", "platform", "code"),
        (f'Failed to apply default image tag "{IMAGE}:": couldn\'t parse: invalid reference format', "name", "config"),
        (f'Container image "{IMAGE}" is not present with pull policy of Never', "policy", "config"),
        ("write /var/lib/containerd/x: no space left on device", "disk", "infrastructure"),
        ("something else", "unclear", "infrastructure"),
    ],
)
def test_pulls_that_fail_are_told_apart_by_what_the_registry_says(message: str, subject: str, category: str) -> None:
    for text in (message, message.upper()):
        state = only(states(running(waiting("ImagePullBackOff", text))), "image-pull")
        assert (state.subject, state.category, state.weight) == (subject, category, NEVER_RAN)


def test_where_the_back_off_tells_nothing_the_event_does() -> None:
    back_off = waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')
    told = event("Failed", f'Failed to pull image "{IMAGE}": rpc error: code = NotFound desc = {PULL}: not found')
    state = only(states(running(back_off), events=[told]), "image-pull")
    assert state.subject == "missing"
    assert state.evidence[0].ref == "events#/0/message"


REFERENCES = [
    ("couldn't find key URL in ConfigMap shop/settings", "ConfigMap/settings/URL"),
    ("couldn't find key password in Secret shop/db", "Secret/db/password"),
    ('configmap "settings" not found', "ConfigMap/settings/"),
    ('secret "db" not found', "Secret/db/"),
]


@pytest.mark.parametrize(("message", "subject"), REFERENCES)
def test_a_reference_that_leads_nowhere_is_named(message: str, subject: str) -> None:
    state = only(states(running(waiting("CreateContainerConfigError", message))), "config-reference")
    assert (state.subject, state.category, state.weight) == (subject, "config", NEVER_RAN)
    told = event("Failed", f"Error: {message}")
    assert only(states(running(waiting("ContainerCreating")), events=[told]), "config-reference").subject == subject


def test_a_file_that_a_volume_lists_and_its_config_map_does_not_have() -> None:
    spec = {"containers": [{"name": "app"}], "volumes": [{"name": "conf", "configMap": {"name": "files"}}]}
    told = event(
        "FailedMount", 'MountVolume.SetUp failed for volume "conf" : references non-existent config key: a.ini'
    )
    found = states(running(waiting("ContainerCreating")), events=[told], replicaset=[replica_set("canary", spec)])
    assert only(found, "config-reference").subject == "ConfigMap/files/a.ini"
    assert "volume" not in {state.kind for state in found}


def unscheduled(message: str) -> Object:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    waiting_pod = pod(phase="Pending", conditions=[condition])
    del waiting_pod["spec"]["nodeName"]
    return waiting_pod


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("0/4 nodes are available: 4 Insufficient cpu.", "containers/*/resources/requests/cpu"),
        ("0/4 nodes are available: 4 Insufficient nvidia.com/gpu.", "containers/*/resources/requests/nvidia.com~1gpu"),
        ("0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector.", "nodeSelector/**"),
        ("0/4 nodes are available: 4 node(s) had untolerated taint {gpu: true}.", "tolerations/**"),
        ("0/4 nodes are available: 4 node(s) didn't match pod anti-affinity rules.", "affinity/**"),
        ("0/4 nodes are available: 4 node(s) didn't match pod topology spread constraints.", "topologySpread"),
        ("0/4 nodes are available: 4 node(s) didn't have free ports for the requested pod ports.", "ports/**"),
    ],
)
def test_what_the_scheduler_says_leads_to_the_field_that_would_explain_it(message: str, field: str) -> None:
    state = only(states(unscheduled(message)), "unschedulable")
    assert (state.category, state.weight) == ("infrastructure", NEVER_RAN)
    assert any(field in wanted.field for wanted in state.wanted)


def test_a_limit_explains_a_full_node_only_where_nothing_is_requested() -> None:
    message = "0/4 nodes are available: 4 Insufficient memory."
    for resources, expected in (
        ({"limits": {"memory": "1Gi"}}, True),
        ({"limits": {"memory": "1Gi"}, "requests": {"memory": "1Mi"}}, False),
    ):
        spec = {"containers": [{"name": "app", "resources": resources}]}
        state = only(states(unscheduled(message), replicaset=[replica_set("canary", spec)]), "unschedulable")
        assert any("limits/memory" in wanted.field for wanted in state.wanted) is expected


def test_a_pod_that_found_a_node_in_the_end_is_not_unschedulable() -> None:
    late = event("FailedScheduling", "0/4 nodes are available: 4 Insufficient cpu.", of=None)
    assert states(pod(), events=[late]) == []


def refused(message: str) -> list[Object]:
    return [event("FailedCreate", f"Error creating: {message}", name="shop-bad", of=None)]


FORBIDDEN = 'pods "shop-bad-x" is forbidden: '


@pytest.mark.parametrize(
    ("message", "kind", "category", "field"),
    [
        (
            (
                f"{FORBIDDEN}exceeded quota: q, requested: requests.cpu=4,limits.memory=8Gi, used: requests.cpu=1, "
                "limited: requests.cpu=4"
            ),
            "quota",
            "infrastructure",
            "containers/*/resources/limits/memory",
        ),
        (f"{FORBIDDEN}failed quota: q: must specify limits.cpu for: app", "quota", "infrastructure", "limits/cpu"),
        (
            f"{FORBIDDEN}maximum memory usage per Container is 1Gi, but limit is 2Gi",
            "quota",
            "infrastructure",
            "limits/memory",
        ),
        (
            f"{FORBIDDEN}minimum cpu usage per Container is 50m, but request is 10m",
            "quota",
            "infrastructure",
            "requests/cpu",
        ),
        (
            f"{FORBIDDEN}cpu max limit to request ratio per Container is 4, but provided ratio is 10.000000",
            "quota",
            "infrastructure",
            "limits/cpu",
        ),
        (
            (
                f'{FORBIDDEN}violates PodSecurity "baseline:v1": allowPrivilegeEscalation != false (container "app" '
                "must set securityContext.allowPrivilegeEscalation=false)"
            ),
            "admission",
            "config",
            "allowPrivilegeEscalation",
        ),
        (
            'admission webhook "validate.kyverno.svc-fail" denied the request: livenessProbe required',
            "admission",
            "config",
            "livenessProbe",
        ),
        (
            'Internal error occurred: failed calling webhook "mutate.acme.example": EOF',
            "admission",
            "infrastructure",
            "",
        ),
        (
            f'{FORBIDDEN}error looking up service account shop/robot: serviceaccount "robot" not found',
            "admission",
            "config",
            "serviceAccountName",
        ),
        (f"{FORBIDDEN}no PriorityClass with name gold was found", "admission", "config", "priorityClassName"),
        (
            'Pod "shop-bad-x" is invalid: spec.containers[0].volumeMounts[1].name: Not found: "data"',
            "admission",
            "config",
            "containers/*/volumeMounts/*/name",
        ),
        (f"{FORBIDDEN}host network is not allowed", "admission", "config", ""),
    ],
)
def test_pods_that_the_api_server_refuses(message: str, kind: str, category: str, field: str) -> None:
    state = only(states(events=refused(message)), kind)
    assert (state.category, state.weight) == (category, NEVER_RAN)
    assert any(field in wanted.field for wanted in state.wanted) or not field
    standing = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    found = states(pod(), replicaset=[replica_set("canary", {}, conditions=[standing])])
    assert only(found, kind).evidence[0].ref == "objects/replicaset/shop-bad#/status/conditions/0/message"


def test_a_refusal_that_passed_is_not_told_once_the_pods_are_there() -> None:
    there = replica_set("canary", {}, replicas=1)
    assert states(pod(), events=refused(f"{FORBIDDEN}exceeded quota: q, requested: pods=1"), replicaset=[there]) == []


@pytest.mark.parametrize(
    ("reason", "message", "says", "category"),
    [
        ("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used', "another node", None),
        ("FailedScheduling", '0/3 nodes: persistentvolumeclaim "data" not found.', "is not there", "config"),
        ("FailedScheduling", "0/3 nodes: pod has unbound immediate PersistentVolumeClaims.", "not bound", None),
        ("FailedScheduling", "0/3 nodes: 3 node(s) had volume node affinity conflict.", "cannot use", None),
        ("FailedMount", 'MountVolume.SetUp failed for volume "nfs" : mount failed: exit status 32', "mounted", None),
        ("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data]: timed out", "mounted", None),
        (
            "FailedMount",
            'MountVolume.SetUp failed for volume "h" : hostPath type check failed: /x',
            "on the node",
            "config",
        ),
    ],
)
def test_volumes_that_cannot_be_had(reason: str, message: str, says: str, category: str | None) -> None:
    found = states(
        pod(phase="Pending", containerStatuses=[waiting("ContainerCreating")]), events=[event(reason, message, of=None)]
    )
    state = only(found, "volume")
    assert says in state.sentence
    assert (state.category, state.weight) == (category or "infrastructure", NEVER_RAN)
    assert {one.kind for one in found} == {"volume"}


def test_of_a_time_out_and_its_reason_the_reason_is_told() -> None:
    events = [
        event("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data]: timed out waiting", of=None),
        event("FailedAttachVolume", 'Multi-Attach error for volume "pvc-1" Volume is already used', of=None),
    ]
    found = states(pod(phase="Pending", containerStatuses=[waiting("ContainerCreating")]), events=events)
    assert found[0].subject == "pvc-1"
