"""The evidence of a row's canary as capture would have sealed it: items named, objects shaped as a cluster has them."""

from collections.abc import Mapping
from typing import Any, Literal

from agents.evidence import Answer, Bundle, Side, seal
from agents.incident import Incident
from tests.fakes import START
from tests.prepared.rows import Prepared

Version = Literal["stable", "canary"]
HASHES: Mapping[Version, str] = {"stable": "7c9d8f6b5", "canary": "5f8b9d7c4"}
PODS: Mapping[Version, str] = {"stable": "shop-7c9d8f6b5-k8m2z", "canary": "shop-5f8b9d7c4-x2v7q"}
REVISIONS: Mapping[Version, str] = {"stable": "6", "canary": "7"}
IMAGES: Mapping[Version, str] = {
    "stable": "registry.acme.example/shop:2.3.0",
    "canary": "registry.acme.example/shop:2.4.0",
}
DEPLOYED: Mapping[Version, str] = {"stable": "2026-11-23T10:00:10Z", "canary": "2026-11-24T11:00:05Z"}
NAMESPACE, ROLLOUT = "storefront", "shop"
TRACKING = {"argocd.argoproj.io/tracking-id": f"app:argoproj.io/Rollout:{NAMESPACE}/{ROLLOUT}"}
FAILED = 'Metric "success-rate" assessed Failed due to failed (2) > failureLimit (1)'
ABORTED = f"Rollout aborted update to revision 7: Step-based analysis phase error/failed: {FAILED}"


def capture(
    row: Prepared, urls: Mapping[str, str], versions: Mapping[str, Mapping[Version, str]], logs: Mapping[Version, str]
) -> Bundle:
    """The sealed bundle. `urls` and `versions` are those of `source` and `manifests`; `logs` are by version."""
    incident = Incident(
        cluster="eu-west",
        namespace=NAMESPACE,
        rollout=ROLLOUT,
        uid="0d0e6a4c-77bc-4b39-9f0d-0a9b2f6f1f55",
        canary_hash=HASHES["canary"],
        revision=REVISIONS["canary"],
        stable_hash=HASHES["stable"],
    )
    answers = [_object("rollout", ROLLOUT, _rollout(row, is_tracked="manifests" in urls))]
    for version, pod_hash in HASHES.items():
        claim = _claim(row, urls.get("source"), versions.get("source", {}).get(version))
        replica_set = _replica_set(version, claim, _spec(row, version))
        answers += [
            _object("replicaset", f"{ROLLOUT}-{pod_hash}", replica_set),
            _object("pod", PODS[version], _pod(row, version), version),
        ]
        if version in logs:
            answers.append(_log(version, logs[version]))
    if row.evidence.rollout is None:
        answers.append(_object("analysisrun", f"{ROLLOUT}-{HASHES['canary']}-7-1", _analysis_run()))
    if "manifests" in urls:
        answers.append(_object("application", "app", _application(urls["manifests"], versions["manifests"])))
    if row.evidence.events:
        content = [dict(event) for event in row.evidence.events]
        answers.append(Answer(id="events", kind="events", side="none", status="ok", content=content))
    for config_map in row.evidence.config_maps:
        name = config_map["metadata"]["name"]
        answers.append(Answer(id=f"config/{name}", kind="config", side="none", status="ok", content=dict(config_map)))
    return seal(incident, 1, answers, START)


def _object(kind: str, name: str, content: dict[str, Any], side: Side = "none") -> Answer:
    return Answer(id=f"objects/{kind}/{name}", kind="object", side=side, status="ok", content=content)


def _log(version: Version, text: str) -> Answer:
    name = f"logs/{version}/{PODS[version]}/shop"
    return Answer(id=name, kind="log", side=version, status="ok" if text else "empty", content=text or None)


def _rollout(row: Prepared, *, is_tracked: bool) -> dict[str, Any]:
    condition = {"type": "Progressing", "status": "False", "reason": "RolloutAborted", "message": ABORTED}
    status = {
        "currentPodHash": HASHES["canary"],
        "stableRS": HASHES["stable"],
        "abort": True,
        "phase": "Degraded",
        "message": f"RolloutAborted: {ABORTED}",
        "conditions": [condition],
        **(row.evidence.rollout or {}),
    }
    about = {"name": ROLLOUT, "namespace": NAMESPACE, "annotations": TRACKING if is_tracked else {}}
    return {"kind": "Rollout", "metadata": about, "status": status}


def _analysis_run() -> dict[str, Any]:
    labels = {"rollouts-pod-template-hash": HASHES["canary"]}
    measured = [{"phase": "Failed", "value": "[0.58]", "finishedAt": f"2026-11-24T11:00:{at}Z"} for at in (41, 51)]
    result = {"name": "success-rate", "phase": "Failed", "count": 2, "failed": 2, "measurements": measured}
    return {
        "kind": "AnalysisRun",
        "metadata": {"name": f"{ROLLOUT}-{HASHES['canary']}-7-1", "namespace": NAMESPACE, "labels": labels},
        "spec": {"metrics": [{"name": "success-rate", "successCondition": "result[0] >= 0.95"}]},
        "status": {"phase": "Failed", "message": FAILED, "metricResults": [result]},
    }


def _claim(row: Prepared, url: str | None, commit: str | None) -> dict[str, str]:
    """Which code a version is, as whoever builds the image wrote it down."""
    if url is None or commit is None:
        return {}
    path = row.evidence.source_path
    said = {"selfheal.io/source-repo": url, "selfheal.io/source-revision": commit}
    return said if path is None else said | {"selfheal.io/source-path": path}


def _spec(row: Prepared, version: Version) -> dict[str, Any]:
    return dict(row.evidence.specs.get(version) or {"containers": [{"name": "shop", "image": IMAGES[version]}]})


def _replica_set(version: Version, claim: Mapping[str, str], spec: Mapping[str, Any]) -> dict[str, Any]:
    labels = {"rollouts-pod-template-hash": HASHES[version]}
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{ROLLOUT}-{HASHES[version]}",
            "namespace": NAMESPACE,
            "labels": labels,
            "annotations": {**claim, "rollout.argoproj.io/revision": REVISIONS[version]},
            "creationTimestamp": DEPLOYED[version],
        },
        "spec": {"replicas": 1, "template": {"metadata": {"labels": labels}, "spec": spec}},
        "status": {"replicas": 1},
    }


def _pod(row: Prepared, version: Version) -> dict[str, Any]:
    running = {"name": "shop", "ready": True, "restartCount": 0, "state": {"running": {}}}
    labels = {"rollouts-pod-template-hash": HASHES[version]}
    return {
        "kind": "Pod",
        "metadata": {"name": PODS[version], "namespace": NAMESPACE, "labels": labels},
        "spec": _spec(row, version),
        "status": dict(row.evidence.statuses.get(version) or {"phase": "Running", "containerStatuses": [running]}),
    }


def _application(url: str, versions: Mapping[Version, str]) -> dict[str, Any]:
    deployed = [{"revision": versions[version], "deployedAt": DEPLOYED[version]} for version in HASHES]
    return {
        "metadata": {"name": "app", "namespace": "argocd"},
        "spec": {"source": {"repoURL": url, "path": "deploy"}, "destination": {"name": "in-cluster"}},
        "status": {"history": deployed},
    }
