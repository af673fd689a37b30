"""Containers that ended, were killed, or were never started."""

import pytest

from agents.evidence import holds
from agents.podstates import KILLED, NEVER_RAN
from tests.pods import bundle_of_pods, container, ended, event, only, pod, replica_set, running, states, waiting

LIMITED = {"containers": [{"name": "app", "image": "shop:2", "resources": {"limits": {"memory": "256Mi"}}}]}
LOG = {"logs/canary/shop-bad-1/app.previous": "one\ntwo\nno connection string\n"}
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: "
)


def test_a_healthy_pod_gives_nothing() -> None:
    assert states(pod(), pod("stable")) == []


def test_a_crash_is_told_with_its_exit_code_and_the_last_lines_before_it() -> None:
    found = states(running(ended(3)), logs=LOG)
    assert [state.kind for state in found] == ["crash"]
    assert found[0].sentence == "container app ended with exit code 3 and was started again 3 times"
    assert [one.ref for one in found[0].evidence] == [
        "objects/pod/shop-bad-1#/status/containerStatuses/0/lastState/terminated/exitCode",
        "logs/canary/shop-bad-1/app.previous#L1-3",
    ]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (0, "came to its end"),
        (126, "may not be executed"),
        (127, "was not found"),
        (134, "SIGABRT"),
        (137, "SIGKILL"),
        (139, "SIGSEGV"),
        (143, "SIGTERM"),
        (255, "exit code 255"),
    ],
)
def test_exit_codes_are_put_into_words(code: int, says: str) -> None:
    assert says in only(states(running(ended(code))), "crash").sentence


def test_an_init_container_that_did_its_work_is_no_crash_and_one_that_did_not_is() -> None:
    done = container("migrate", ready=True, state={"terminated": {"exitCode": 0, "reason": "Completed"}})
    up = container(ready=True, state={"running": {}})
    assert states(running(up, init=[done])) == []
    failed = ended(1) | {"name": "migrate"}
    found = states(running(waiting("PodInitializing"), init=[failed]))
    assert only(found, "crash").sentence.startswith("init container migrate ended with exit code 1")


def test_a_pod_that_is_deleted_and_ends_by_sigterm_is_no_crash() -> None:
    leaving = running(container(state={"terminated": {"exitCode": 143, "reason": "Error"}}))
    leaving["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    assert states(leaving) == []


@pytest.mark.parametrize("reason", ["OOMKilled", "oomkilled"])
def test_a_container_that_was_killed_for_its_memory_is_told_with_its_limit(reason: str) -> None:
    found = states(running(ended(137, reason)), replicaset=[replica_set("canary", LIMITED)])
    state = only(found, "oom")
    assert (state.weight, state.category) == (KILLED, "code")
    assert state.sentence == "container app was killed for its memory at its limit of 256Mi, 3 times"
    assert state.evidence[1].ref.endswith("/spec/template/spec/containers/0/resources/limits/memory")
    assert (state.wanted[0].field, state.wanted[0].sense) == ("containers/[name=app]/resources/limits/memory", "lower")
    assert "crash" not in {one.kind for one in found}


def test_exit_137_without_the_kernels_word_is_not_called_out_of_memory() -> None:
    assert {state.kind for state in states(running(ended(137)))} == {"crash"}


@pytest.mark.parametrize(
    ("message", "says", "category", "field"),
    [
        (
            f'{RUNC}exec: "serve": executable file not found in $PATH: unknown',
            "serve is not in the image",
            "code",
            "args",
        ),
        (
            f'{RUNC}exec: "/app/go": stat /app/go: no such file or directory: unknown',
            "/app/go is not",
            "code",
            "command",
        ),
        (f'{RUNC}exec: "/app/go": permission denied: unknown', "may not be executed", "code", "securityContext"),
        (f"{RUNC}exec /app/go: exec format error", "processor", "code", "nodeSelector"),
        (
            (
                f'{RUNC}error mounting "/a" to rootfs at "/etc/x": not a directory: unknown: Are you trying to mount a '
                "directory onto a file (or vice-versa)?"
            ),
            "mounts does not fit",
            "code",
            "volumeMounts",
        ),
        (
            f'{RUNC}chdir to cwd ("/srv") set in config.json failed: no such file or directory: unknown',
            "working directory",
            "code",
            "workingDir",
        ),
        ("failed to reserve container name app_shop", "could not be started", "infrastructure", ""),
    ],
)
def test_a_container_that_the_runtime_cannot_start_says_why(message: str, says: str, category: str, field: str) -> None:
    for found in (
        states(running(waiting("CreateContainerError", message))),
        states(running(ended(128, "StartError", message=message))),
    ):
        state = only(found, "cannot-start")
        assert says in state.sentence
        assert (state.category, state.weight) == (category, NEVER_RAN)
        assert any(field in wanted.field for wanted in state.wanted) or not field


def test_an_event_tells_what_the_status_does_not_hold_any_more() -> None:
    told = event("Failed", f'Error: {RUNC}exec: "serve": executable file not found in $PATH: unknown')
    state = only(states(running(waiting("CrashLoopBackOff")), events=[told]), "cannot-start")
    assert state.evidence[0].ref == "events#/0/message"
    assert state.names == ("serve",)


@pytest.mark.parametrize(
    ("reason", "message", "category", "weight"),
    [
        ("Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi", "infrastructure", KILLED),
        ("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", "code", KILLED),
        ("Preempting", "Preempted in order to admit critical pod", "infrastructure", KILLED),
    ],
)
def test_pods_that_were_driven_out(reason: str, message: str, category: str, weight: float) -> None:
    state = only(states(pod(phase="Failed", reason=reason, message=message)), "evicted")
    assert (state.category, state.weight) == (category, weight)


def test_what_stable_pods_have_too_is_not_the_canarys_own() -> None:
    stable = pod("stable", phase="Running", containerStatuses=[ended(1)])
    assert states(running(ended(1)), stable) == []
    assert [state.subject for state in states(running(ended(2)), stable)] == ["exit 2"]


def test_several_pods_with_the_same_trouble_are_one_state() -> None:
    other = running(ended(3))
    other["metadata"]["name"] = "shop-bad-2"
    assert len(states(running(ended(3)), other)) == 1


def test_every_citation_of_every_state_holds() -> None:
    things = [replica_set("canary", LIMITED)]
    pods = [running(ended(137, "OOMKilled"), ended(1) | {"name": "side"})]
    bundle = bundle_of_pods(*pods, logs=LOG, objects={"replicaset": things})
    cited = [one for state in states(*pods, logs=LOG, replicaset=things) for one in state.evidence]
    assert len(cited) > 2
    assert all(holds(bundle, one) for one in cited)
