"""Probes that fail, and pods that are late."""

import pytest

from agents.podstates import CONSEQUENCE, KILLED
from tests.pods import Object, container, ended, event, only, pod, replica_set, running, states

SPEC = {
    "containers": [
        {
            "name": "app",
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
            "livenessProbe": {"httpGet": {"path": "/live", "port": 8080}},
        }
    ]
}
UNREADY = container(state={"running": {"startedAt": "2026-11-24T11:00:00Z"}})


def failing(message: str, status: Object = UNREADY) -> list[Object]:
    return [
        state.model_dump()
        for state in states(
            running(status), events=[event("Unhealthy", message)], replicaset=[replica_set("canary", SPEC)]
        )
        if state.kind == "probe"
    ]


@pytest.mark.parametrize(
    ("message", "subject", "says", "field"),
    [
        (
            "Readiness probe failed: HTTP probe failed with statuscode: 404",
            "readinessProbe path",
            "/ready is answered 404",
            "readinessProbe/httpGet/path",
        ),
        (
            "Liveness probe failed: HTTP probe failed with statuscode: 503",
            "livenessProbe status",
            "/live is answered 503",
            "livenessProbe/httpGet/path",
        ),
        (
            "Readiness probe failed: dial tcp 10.0.0.9:8080: connect: connection refused",
            "readinessProbe port",
            "nothing listens",
            "readinessProbe/httpGet/port",
        ),
        (
            (
                'Readiness probe failed: Get "http://10.0.0.9:8080/ready": context deadline exceeded '
                "(Client.Timeout exceeded while awaiting headers)"
            ),
            "readinessProbe time",
            "does not answer in time",
            "readinessProbe/timeoutSeconds",
        ),
        (
            'Readiness probe failed: Get "https://10.0.0.9/ready": http: server gave HTTP response to HTTPS client',
            "readinessProbe scheme",
            "another protocol",
            "readinessProbe/httpGet/scheme",
        ),
        (
            (
                "Readiness probe errored: failed to exec in container: OCI runtime exec failed: exec failed: "
                'unable to start container process: exec: "curl": executable file not found in $PATH'
            ),
            "readinessProbe command",
            "cannot be executed",
            "readinessProbe/exec/command",
        ),
        (
            'Startup probe failed: service unhealthy (responded with "NOT_SERVING")',
            "startupProbe answer",
            "NOT_SERVING",
            "startupProbe/grpc",
        ),
    ],
)
def test_each_way_of_failing_leads_to_the_field_that_would_explain_it(
    message: str, subject: str, says: str, field: str
) -> None:
    (state,) = failing(message)
    assert (state["subject"], state["weight"], state["category"]) == (subject, KILLED, "code")
    assert says in state["sentence"]
    assert any(field in wanted["field"] for wanted in state["wanted"])


def test_only_a_path_that_is_not_there_is_looked_for_in_the_source() -> None:
    (missing,) = failing("Readiness probe failed: HTTP probe failed with statuscode: 404")
    (refused,) = failing("Readiness probe failed: dial tcp 10.0.0.9:8080: connect: connection refused")
    assert (missing["names"], refused["names"]) == (("/ready",), ())


def test_a_pod_that_became_ready_in_the_end_has_no_failed_probe() -> None:
    ready = container(ready=True, state={"running": {}})
    assert failing("Readiness probe failed: HTTP probe failed with statuscode: 503", ready) == []


def test_what_a_probe_says_of_a_pod_that_is_being_deleted_says_nothing() -> None:
    leaving = running(UNREADY)
    leaving["metadata"] |= {"deletionTimestamp": "2026-11-24T12:00:30Z", "deletionGracePeriodSeconds": 30}
    message = "Readiness probe failed: dial tcp 10.0.0.9:8080: connect: connection refused"
    for seen, count in (("2026-11-24T12:00:05Z", 0), ("2026-11-24T11:59:05Z", 1)):
        events = [event("Unhealthy", message, lastTimestamp=seen)]
        assert len([one for one in states(leaving, events=events) if one.kind == "probe"]) == count


def test_the_probe_of_a_container_that_crashes_is_a_consequence() -> None:
    (state,) = failing("Readiness probe failed: dial tcp 10.0.0.9:8080: connect: connection refused", ended(1))
    assert state["weight"] == CONSEQUENCE


def test_a_liveness_probe_that_killed_the_container_is_told_with_the_killing() -> None:
    killed = ended(143, restarts=3)
    events = [
        event("Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500"),
        event("Killing", "Container app failed liveness probe, will be restarted"),
    ]
    state = only(states(running(killed), events=events), "probe")
    assert "restarted 3 times" in state.sentence
    assert [one.ref for one in state.evidence] == ["events#/0/message", "events#/1/message"]


def rollout(reason: str = "ProgressDeadlineExceeded") -> Object:
    condition = {
        "type": "Progressing",
        "reason": reason,
        "message": 'ReplicaSet "shop-bad" has timed out progressing.',
        "lastTransitionTime": "2026-11-24T11:05:00Z",
    }
    return {"metadata": {"name": "shop"}, "status": {"currentPodHash": "bad", "conditions": [condition]}}


def test_a_container_that_was_late_is_told_with_the_deadline() -> None:
    found = states(running(UNREADY), rollout=[rollout()])
    assert only(found, "deadline").weight == CONSEQUENCE
    assert "was not ready 300 s after it had started" in only(found, "slow-start").sentence
    assert states(running(UNREADY), rollout=[rollout("ReplicaSetUpdated")]) == []
    assert [one.kind for one in states(pod(), rollout=[rollout()])] == ["deadline"]
