"""The Kubernetes objects of a rollout whose canary failed, filled with what really ran."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.demo.pods import Pod, Run
from app.demo.repositories import Built
from app.demo.story import Scenario


@dataclass(frozen=True)
class Stage:
    """Everything that the objects are made of."""

    scenario: Scenario
    source: Built
    deploy: Built
    stable: Run
    canary: Run
    hashes: tuple[str, str]
    uid: str
    now: datetime

    @property
    def crashed(self) -> bool:
        """Whether the canary died at start."""
        return self.canary.asked == 0

    @property
    def measured(self) -> float:
        """What the analysis measured of the canary: its success rate, or the seconds of its slow requests."""
        if self.scenario.metric == "latency-p95":
            return self.canary.p95
        return self.canary.succeeded / self.canary.asked if self.canary.asked else 0.0

    @property
    def condition(self) -> str:
        """What the analysis wanted of it. A stable version that stumbled while it was measured does not excuse it."""
        if self.scenario.metric == "latency-p95":
            return f"result <= {min(max(2 * self.stable.p95, 0.01), self.canary.p95 / 2):.3f}"
        return "result >= 0.95"

    @property
    def verdict(self) -> str:
        return f'Metric "{self.scenario.metric}" assessed Failed due to failed (2) > failureLimit (1)'

    @property
    def tracking(self) -> str:
        scenario = self.scenario
        return f"{scenario.service}:argoproj.io/Rollout:{scenario.namespace}/{scenario.service}"


def stamp(moment: datetime) -> str:
    """A Kubernetes timestamp."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def rollout(stage: Stage, *, after_abort: bool) -> dict[str, Any]:
    """The Rollout. A notification of the event path still shows the state before the abort (FINDINGS 2)."""
    scenario = stage.scenario
    status: dict[str, Any] = {
        "currentPodHash": stage.hashes[1],
        "stableRS": stage.hashes[0],
        "observedGeneration": "2",
        "phase": "Progressing",
        "message": "more replicas need to be updated",
        "replicas": 4,
        "readyReplicas": 3,
    }
    if after_abort:
        cause = f'ReplicaSet "{scenario.service}-{stage.hashes[1]}" has timed out progressing.'
        if not stage.crashed:
            cause = f"Step-based analysis phase error/failed: {stage.verdict}"
        message = f"Rollout aborted update to revision 2: {cause}"
        status |= {
            "phase": "Degraded",
            "abort": True,
            "abortedAt": stamp(stage.now),
            "message": f"RolloutAborted: {message}",
            "conditions": [{"type": "Progressing", "status": "False", "reason": "RolloutAborted", "message": message}],
        }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": _metadata(stage, scenario.service, {"rollout.argoproj.io/revision": "2", **_origin(stage, 1)})
        | {"uid": stage.uid, "generation": 2},
        "spec": {
            "replicas": 3,
            "strategy": {"canary": {"steps": [{"setWeight": 30}]}},
            "template": _template(stage, 1),
        },
        "status": status,
    }


def replica_set(stage: Stage, side: int) -> dict[str, Any]:
    """The ReplicaSet of a version (0 stable, 1 canary), with the annotations of its time."""
    name = f"{stage.scenario.service}-{stage.hashes[side]}"
    annotations = {"rollout.argoproj.io/revision": str(side + 1), **_origin(stage, side)}
    created = stage.now - (timedelta(days=2) if side == 0 else timedelta(minutes=5))
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": _metadata(stage, name, annotations, side) | {"creationTimestamp": stamp(created)},
        "spec": {"replicas": 3 - 2 * side, "template": _template(stage, side)},
    }


def pod(stage: Stage, side: int, one: Pod) -> dict[str, Any]:
    """A pod whose container did what the process did."""
    crashed = side == 1 and stage.crashed
    ended = {"exitCode": one.exit_code, "reason": "Error", "finishedAt": stamp(stage.now)}
    state: dict[str, Any] = {"running": {"startedAt": stamp(one.started_at)}}
    if crashed:
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}}
    container = {
        "name": stage.scenario.service,
        "image": _image(stage, side),
        "ready": not crashed,
        "restartCount": 3 if crashed else 0,
        "state": state,
        "lastState": {"terminated": ended} if crashed else {},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(stage, one.name, {}, side) | {"creationTimestamp": stamp(one.started_at)},
        "spec": _template(stage, side)["spec"],
        "status": {"phase": "Running", "containerStatuses": [container]},
    }


def analysis_run(stage: Stage) -> dict[str, Any]:
    """The AnalysisRun that failed, with the value that the traffic really had."""
    metric, value = stage.scenario.metric, f"{stage.measured:.3f}"
    measurement = {
        "phase": "Failed",
        "value": value,
        "startedAt": stamp(stage.now),
        "finishedAt": stamp(stage.now),
    }
    result = {
        "name": metric,
        "phase": "Failed",
        "count": 2,
        "failed": 2,
        "measurements": [measurement] * 2,
    }
    name = f"{stage.scenario.service}-{stage.hashes[1]}-2-1"
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": _metadata(stage, name, {"rollout.argoproj.io/revision": "2"}, 1)
        | {"creationTimestamp": stamp(stage.now)},
        "spec": {"metrics": [{"name": metric, "successCondition": stage.condition, "failureLimit": 1}]},
        "status": {"phase": "Failed", "message": stage.verdict, "metricResults": [result]},
    }


def config_map(stage: Stage) -> dict[str, Any]:
    """The ConfigMap as it is now."""
    name = f"{stage.scenario.service}-config"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(stage, name, {}),
        "data": dict(stage.scenario.canary_config),
    }


def application(stage: Stage) -> dict[str, Any]:
    """The Argo CD Application, with what it deployed when."""
    history = stage.scenario.deploy
    deployments = (
        (history.stable, stage.now - timedelta(days=2)),
        (history.canary, stage.now - timedelta(minutes=5)),
    )
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": stage.scenario.service, "namespace": "argocd"},
        "spec": {
            "source": {
                "repoURL": stage.deploy.url,
                "path": f"apps/{stage.scenario.service}",
                "targetRevision": "main",
            }
        },
        "status": {
            "history": [
                {"id": number, "revision": stage.deploy.shas[commit], "deployedAt": stamp(moment)}
                for number, (commit, moment) in enumerate(deployments)
            ]
        },
    }


def events(stage: Stage) -> list[dict[str, Any]]:
    """The events that are left."""
    first = stage.canary.pods[0].name
    if stage.crashed:
        return [_event(stage, "Pod", first, "BackOff", "Back-off restarting failed container")]
    name = f"{stage.scenario.service}-{stage.hashes[1]}-2-1"
    return [_event(stage, "AnalysisRun", name, "AnalysisRunFailed", stage.verdict)]


def body(stage: Stage) -> dict[str, Any]:
    """The notification that Argo Rollouts would post."""
    after_abort = stage.scenario.trigger == "on-canary-degraded"
    return {
        "schema": "selfheal.argo/v1",
        "trigger": stage.scenario.trigger,
        "recipient": "",
        "rollout": rollout(stage, after_abort=after_abort),
        "analysisRuns": [] if stage.crashed else [analysis_run(stage)],
    }


def _event(stage: Stage, kind: str, name: str, reason: str, message: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.1", "namespace": stage.scenario.namespace},
        "involvedObject": {"kind": kind, "name": name},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": stamp(stage.now),
    }


def _template(stage: Stage, side: int) -> dict[str, Any]:
    service = stage.scenario.service
    container = {
        "name": service,
        "image": _image(stage, side),
        "ports": [{"containerPort": 8080}],
        "envFrom": [{"configMapRef": {"name": f"{service}-config"}}],
    }
    return {"metadata": {"labels": {"app.kubernetes.io/name": service}}, "spec": {"containers": [container]}}


def _image(stage: Stage, side: int) -> str:
    return f"registry.acme.example/{stage.scenario.service}:{stage.scenario.images[side]}"


def _origin(stage: Stage, side: int) -> dict[str, str]:
    history = stage.scenario.source
    return {
        "selfheal.io/source-repo": stage.source.url,
        "selfheal.io/source-revision": stage.source.shas[history.canary if side else history.stable],
        "argocd.argoproj.io/tracking-id": stage.tracking,
    }


def _metadata(stage: Stage, name: str, annotations: dict[str, str], side: int | None = None) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": stage.scenario.service}
    if side is not None:
        labels["rollouts-pod-template-hash"] = stage.hashes[side]
    return {"name": name, "namespace": stage.scenario.namespace, "labels": labels, "annotations": annotations}
