"""The evidence of a failed canary as capture would have sealed it: items named, and objects as a cluster has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agents.evidence import Answer, Bundle, Side, seal
from agents.incident import Incident
from tests.fakes import START
from tests.prepared.rows import Evidence

Version = Literal["stable", "canary"]
VERSIONS: tuple[Version, ...] = ("stable", "canary")
DEPLOYED: Mapping[Version, str] = {"stable": "2026-11-23T10:00:10Z", "canary": "2026-11-24T11:00:05Z"}
NAMESPACE, ROLLOUT = "storefront", "shop"
TRACKING = {"argocd.argoproj.io/tracking-id": f"app:argoproj.io/Rollout:{NAMESPACE}/{ROLLOUT}"}
LABEL = "rollouts-pod-template-hash"
FAILED = 'Metric "success-rate" assessed Failed due to failed (2) > failureLimit (1)'


@dataclass(frozen=True)
class Cluster:
    """The rollout with both its versions; `revision` is the canary's, which its hash follows from."""

    evidence: Evidence
    urls: Mapping[str, str]
    """Of `source` and `manifests`, as far as there are any."""
    commits: Mapping[str, Mapping[Version, str]]
    """The versions' commits in each."""
    logs: Mapping[Version, str]
    revision: int = 7

    def hash(self, version: Version) -> str:
        return "7c9d8f6b5" if version == "stable" else f"5f8b9d7c{self.revision}"

    def pod(self, version: Version) -> str:
        return f"{ROLLOUT}-{self.hash(version)}-{'k8m2z' if version == 'stable' else 'x2v7q'}"

    def capture(self) -> Bundle:
        """The sealed bundle."""
        incident = Incident(
            cluster="eu-west",
            namespace=NAMESPACE,
            rollout=ROLLOUT,
            uid="0d0e6a4c-77bc-4b39-9f0d-0a9b2f6f1f55",
            canary_hash=self.hash("canary"),
            revision=str(self.revision),
            stable_hash=self.hash("stable"),
        )
        answers = [_object("rollout", self._rollout())]
        for version in VERSIONS:
            answers.append(_object("replicaset", self._replica_set(version)))
            answers.append(_object("pod", self._pod(version), version))
        answers += [self._log(version, text) for version, text in self.logs.items()]
        if self.evidence.rollout is None:
            answers.append(_object("analysisrun", self._analysis_run()))
        if "manifests" in self.urls:
            answers.append(_object("application", self._application()))
        if self.evidence.events:
            events = [dict(event) for event in self.evidence.events]
            answers.append(Answer(id="events", kind="events", side="none", status="ok", content=events))
        for one in self.evidence.config_maps:
            name = f"config/{one['metadata']['name']}"
            answers.append(Answer(id=name, kind="config", side="none", status="ok", content=dict(one)))
        return seal(incident, 1, answers, START)

    def _log(self, version: Version, text: str) -> Answer:
        name = f"logs/{version}/{self.pod(version)}/shop"
        return Answer(id=name, kind="log", side=version, status="ok" if text else "empty", content=text or None)

    def _about(self, name: str, version: Version | None = None, **more: Any) -> dict[str, Any]:
        labels = {LABEL: self.hash(version)} if version else {}
        return {"name": name, "namespace": NAMESPACE, "labels": labels, **more}

    def _rollout(self) -> dict[str, Any]:
        why = f"Rollout aborted update to revision {self.revision}: Step-based analysis phase error/failed: {FAILED}"
        condition = {"type": "Progressing", "status": "False", "reason": "RolloutAborted", "message": why}
        status = {
            "currentPodHash": self.hash("canary"),
            "stableRS": self.hash("stable"),
            "abort": True,
            "phase": "Degraded",
            "message": f"RolloutAborted: {why}",
            "conditions": [condition],
            **(self.evidence.rollout or {}),
        }
        tracking = TRACKING if "manifests" in self.urls else {}
        return {"kind": "Rollout", "metadata": self._about(ROLLOUT, annotations=tracking), "status": status}

    def _analysis_run(self) -> dict[str, Any]:
        measured = [{"phase": "Failed", "value": "[0.58]", "finishedAt": f"2026-11-24T11:00:{at}Z"} for at in (41, 51)]
        result = {"name": "success-rate", "phase": "Failed", "count": 2, "failed": 2, "measurements": measured}
        return {
            "kind": "AnalysisRun",
            "metadata": self._about(f"{ROLLOUT}-{self.hash('canary')}-{self.revision}-1", "canary"),
            "spec": {"metrics": [{"name": "success-rate", "successCondition": "result[0] >= 0.95"}]},
            "status": {"phase": "Failed", "message": FAILED, "metricResults": [result]},
        }

    def _claim(self, version: Version) -> dict[str, str]:
        """Which code a version is, as whoever builds the image wrote it down."""
        if "source" not in self.urls:
            return {}
        said = {
            "selfheal.io/source-repo": self.urls["source"],
            "selfheal.io/source-revision": self.commits["source"][version],
        }
        path = self.evidence.source_path
        return said if path is None else said | {"selfheal.io/source-path": path}

    def _spec(self, version: Version) -> dict[str, Any]:
        image = f"registry.acme.example/shop:2.{'3' if version == 'stable' else self.revision}.0"
        return dict(self.evidence.specs.get(version) or {"containers": [{"name": "shop", "image": image}]})

    def _replica_set(self, version: Version) -> dict[str, Any]:
        revision = self.revision if version == "canary" else self.revision - 1
        said = {**self._claim(version), "rollout.argoproj.io/revision": str(revision)}
        name = f"{ROLLOUT}-{self.hash(version)}"
        template = {"metadata": {"labels": {LABEL: self.hash(version)}}, "spec": self._spec(version)}
        return {
            "kind": "ReplicaSet",
            "metadata": self._about(name, version, annotations=said, creationTimestamp=DEPLOYED[version]),
            "spec": {"replicas": 1, "template": template},
            "status": {"replicas": 1},
        }

    def _pod(self, version: Version) -> dict[str, Any]:
        running = {"name": "shop", "ready": True, "restartCount": 0, "state": {"running": {}}}
        status = self.evidence.statuses.get(version) or {"phase": "Running", "containerStatuses": [running]}
        return {
            "kind": "Pod",
            "metadata": self._about(self.pod(version), version),
            "spec": self._spec(version),
            "status": dict(status),
        }

    def _application(self) -> dict[str, Any]:
        deployed = [{"revision": self.commits["manifests"][one], "deployedAt": DEPLOYED[one]} for one in VERSIONS]
        return {
            "metadata": {"name": "app", "namespace": "argocd"},
            "spec": {
                "source": {"repoURL": self.urls["manifests"], "path": "deploy"},
                "destination": {"name": "in-cluster"},
            },
            "status": {"history": deployed},
        }


def _object(kind: str, content: dict[str, Any], side: Side = "none") -> Answer:
    name = f"objects/{kind}/{content['metadata']['name']}"
    return Answer(id=name, kind="object", side=side, status="ok", content=content)
