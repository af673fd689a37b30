"""Bundles of pods: the rollout `shop` with its ReplicaSets `shop-good` and `shop-bad`, as small as can be."""

from collections.abc import Mapping, Sequence
from typing import Any

from agents.evidence import Answer, Bundle, seal
from agents.evidence.relations import side_of
from agents.podstates import State, states_of
from tests.fakes import START
from tests.shop import INCIDENT

HASHES = {"stable": "good", "canary": "bad"}
Object = dict[str, Any]


def pod(side: str = "canary", name: str = "1", **status: Any) -> Object:
    """A pod of a version; without a status it runs and is ready."""
    version = HASHES[side]
    ready = {"containerStatuses": [container(ready=True, state={"running": {"startedAt": "2026-11-24T11:00:00Z"}})]}
    return {
        "metadata": {"name": f"shop-{version}-{name}", "labels": {"rollouts-pod-template-hash": version}},
        "spec": {"nodeName": "node-a"},
        "status": status or {"phase": "Running", **ready},
    }


def container(name: str = "app", **status: Any) -> Object:
    """The status of a container."""
    return {"name": name, "ready": False, "restartCount": 0, "state": {}, "lastState": {}} | status


def waiting(reason: str, message: str = "", **status: Any) -> Object:
    """The status of a container that waits."""
    return container(state={"waiting": {"reason": reason, "message": message}}, **status)


def ended(code: int, reason: str = "Error", restarts: int = 3, **more: Any) -> Object:
    """The status of a container that ended and waits to be started again."""
    return waiting("CrashLoopBackOff", restartCount=restarts) | {
        "lastState": {"terminated": {"exitCode": code, "reason": reason, **more}}
    }


def running(*statuses: Object, init: Sequence[Object] = ()) -> Object:
    """A canary pod with these containers."""
    return pod(phase="Running", containerStatuses=[*statuses], initContainerStatuses=[*init])


def event(reason: str, message: str, name: str = "shop-bad-1", of: str | None = "app", **more: Any) -> Object:
    """An event about the canary's pod, or something else of that name."""
    about = {"kind": "Pod", "name": name} | ({"fieldPath": f"spec.containers{{{of}}}"} if of else {})
    return {"reason": reason, "message": message, "involvedObject": about, "type": "Warning", **more}


def replica_set(side: str, spec: Mapping[str, Any], **status: Any) -> Object:
    """A version's ReplicaSet with the spec of its pods."""
    version = HASHES[side]
    labels = {"rollouts-pod-template-hash": version}
    return {
        "metadata": {"name": f"shop-{version}", "labels": labels},
        "spec": {"replicas": 1, "template": {"metadata": {"labels": labels}, "spec": spec}},
        "status": status,
    }


def bundle_of_pods(
    *pods: Object,
    events: Sequence[Any] = (),
    logs: Mapping[str, str] | None = None,
    objects: Mapping[str, Sequence[Object]] | None = None,
) -> Bundle:
    """A sealed bundle; `logs` by item id, `objects` by kind."""
    answers = [Answer(id="events", kind="events", side="none", status="ok", content=list(events))]
    for kind, things in {"pod": pods, **(objects or {})}.items():
        for at, thing in enumerate(things):
            metadata = thing.get("metadata")
            name = metadata.get("name") if isinstance(metadata, dict) else None
            answers.append(
                Answer(
                    id=f"objects/{kind}/{name if isinstance(name, str) else at}",
                    kind="object",
                    side=side_of(thing, INCIDENT_TARGET),
                    status="ok",
                    content=thing,
                )
            )
    for item, text in (logs or {}).items():
        side = item.split("/")[1]
        answers.append(
            Answer.model_validate({"id": item, "kind": "log", "side": side, "status": "ok", "content": text})
        )
    return seal(INCIDENT, 1, answers, START)


INCIDENT_TARGET = seal(INCIDENT, 1, [], START).target


def states(
    *pods: Object, events: Sequence[Any] = (), logs: Mapping[str, str] | None = None, **objects: Sequence[Object]
) -> list[State]:
    """What only the canary has, heaviest first; `objects` by kind."""
    return list(states_of(bundle_of_pods(*pods, events=events, logs=logs, objects=objects)).own)


def only(found: Sequence[State], kind: str) -> State:
    """The one state of a kind."""
    (state,) = [one for one in found if one.kind == kind]
    return state
