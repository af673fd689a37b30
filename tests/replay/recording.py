"""What a real API server answered while a rollout failed, as a function of the seconds since the first webhook.

`tests/recordings/<scenario>/` holds the lists at the first webhook, the logs read then, every later status of the
Rollout with its time, and when pods began to end, were gone, and when their logs could not be read any more.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "recordings"
HASH_LABEL = "rollouts-pod-template-hash"
SOURCE, REVISION = "selfheal.io/source-repo", "selfheal.io/source-revision"
ATTEMPTS = ("retry", "v3")
"""Subfolders: the same Rollout's second failure."""
REQUIREMENT = re.compile(r"([\w./-]+) (in|notin) \(([^)]*)\)|([\w./-]+)=([^,]*)|([\w./-]+)")


@cache
def scenarios() -> tuple[str, ...]:
    """Every recording, such as `01-canary-step-analysis-failed` or `16-v3-supersedes-failing-v2/v3`."""
    return tuple(sorted(str(path.parent.relative_to(FOLDER)) for path in FOLDER.rglob("replay.json")))


@dataclass
class Recording:
    """One rollout that failed. `namespace` and `rollout` may be renamed to have many of them."""

    name: str
    expected: str
    namespace: str
    rollout: str
    stable_hash: str
    canary_hash: str
    seconds: dict[str, float | None]
    objects: dict[str, list[dict[str, Any]]]
    history: list[dict[str, Any]]
    logs: dict[tuple[str, str], str] = field(default_factory=dict)
    """By pod and file name without `.log`: `<container>`, `<container>.previous`."""
    refusals: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """The answers that were no log, with their HTTP status."""
    delay: float = 0.0
    """Seconds that it fails later than the server begins, to have many fail one after another."""

    def list(self, plural: str, at: float) -> list[dict[str, Any]]:
        """The objects of a kind at a moment."""
        if plural == "rollouts":
            return [self.rollout_at(at)] if self.history else []
        if plural == "pods":
            return [self._ending(pod, at) for pod in self.objects.get("pods", []) if self.is_there(pod, at)]
        return self.objects.get(plural, [])

    def rollout_at(self, at: float) -> dict[str, Any]:
        version = [one for one in self.history if one["t"] <= at] or self.history[:1]
        return self.version(version[-1])

    def version(self, entry: dict[str, Any]) -> dict[str, Any]:
        """The whole Rollout of one entry of the history."""
        (rollout,) = self.objects["rollouts"]
        metadata = rollout["metadata"] | {
            "annotations": entry["annotations"],
            "resourceVersion": entry["resourceVersion"],
            "generation": entry["generation"],
        }
        return {**rollout, "metadata": metadata, "status": entry["status"]}

    def is_there(self, pod: dict[str, Any], at: float) -> bool:
        gone = self.seconds.get("last_canary_pod_gone")
        return gone is None or at < gone or not self._is_canary(pod)

    def log_is_readable(self, pod: str, at: float) -> bool:
        """Until the recorded 404; a pod that the recording does not know has no log either."""
        until = self.seconds.get("first_log_unreadable") or self.seconds.get("last_canary_pod_gone")
        for one in self.objects.get("pods", []):
            if one["metadata"]["name"] == pod:
                return until is None or at < until or not self._is_canary(one)
        return False

    def _is_canary(self, pod: dict[str, Any]) -> bool:
        owners = [owner["name"] for owner in pod["metadata"].get("ownerReferences", [])]
        return any(name.startswith(f"{self.rollout}-{self.canary_hash}") for name in owners)

    def _ending(self, pod: dict[str, Any], at: float) -> dict[str, Any]:
        since = self.seconds.get("first_canary_pod_terminating")
        if since is None or at < since or not self._is_canary(pod):
            return pod
        return {**pod, "metadata": pod["metadata"] | {"deletionTimestamp": "2026-11-23T08:00:00Z"}}


def load(name: str) -> Recording:
    """A recording by its whole name or by the number that it starts with."""
    (found,) = (one for one in scenarios() if one == name or (one.startswith(f"{name}-") and "/" not in one))
    folder = FOLDER / found
    about = json.loads((folder / "replay.json").read_text())
    recording = Recording(
        name=found,
        expected=about["expected"],
        namespace=about["namespace"],
        rollout=about["rollout"],
        stable_hash=about["stable_hash"] or about["canary_hash"],
        canary_hash=about["canary_hash"],
        seconds=about["seconds_after_first_webhook"],
        objects={path.stem: json.loads(path.read_text())["items"] for path in (folder / "objects").glob("*.json")},
        history=[json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()],
    )
    for path in (folder / "logs").glob("*/*"):
        container, _, rest = path.name.partition(".log")
        refused = re.fullmatch(r"\.http(\d+)\.(?:json|empty)", rest)
        if refused:
            recording.refusals[path.parent.name, container] = int(refused[1]), path.read_text()
        else:
            recording.logs[path.parent.name, container] = path.read_text()
    return recording


def renamed(recording: Recording, namespace: str, delay: float = 0.0) -> Recording:
    """The same failure in another namespace, to have many at once."""
    text = json.dumps(recording.objects).replace(f'"namespace": "{recording.namespace}"', f'"namespace": "{namespace}"')
    uid = recording.objects["rollouts"][0]["metadata"]["uid"]
    other = recording.__dict__ | {
        "namespace": namespace,
        "objects": json.loads(text.replace(uid, f"{uid}-{namespace}")),
        "delay": delay,
    }
    return Recording(**other)


def built_from(recording: Recording, source: str, stable: str, canary: str) -> Recording:
    """The same failure of images that were built from commits of another repository, which their annotations name."""
    written = [one["metadata"]["annotations"] for one in recording.objects["replicasets"]]
    known = {
        one["metadata"]["labels"][HASH_LABEL]: said[REVISION]
        for one, said in zip(recording.objects["replicasets"], written, strict=True)
    }
    replaced = {written[0][SOURCE]: source, known[recording.stable_hash]: stable, known[recording.canary_hash]: canary}

    def renewed(document: Any) -> Any:
        text = json.dumps(document)
        for old, new in replaced.items():
            text = text.replace(json.dumps(old), json.dumps(new))
        return json.loads(text)

    changed = {"objects": renewed(recording.objects), "history": renewed(recording.history)}
    return Recording(**(recording.__dict__ | changed))


def enlarged(recording: Recording, pods: int, lines: int) -> Recording:
    """The same failure with this many pods, half of them canary, each with two containers of this many lines."""
    by_hash: dict[str, dict[str, Any]] = {
        pod["metadata"]["labels"][HASH_LABEL]: pod for pod in recording.objects["pods"]
    }
    logs = [text for (pod, _), text in recording.logs.items() if recording.canary_hash in pod]
    content = (logs[0].splitlines(keepends=True) * (lines // logs[0].count("\n") + 1))[:lines]
    many: list[dict[str, Any]] = []
    texts: dict[tuple[str, str], str] = {}
    for number in range(pods):
        version = recording.canary_hash if number % 2 else recording.stable_hash
        name = f"{recording.rollout}-{version}-{number:05}"
        pod = json.loads(json.dumps(by_hash[version]))
        pod["metadata"] |= {"name": name, "uid": name}
        (container,) = pod["spec"]["containers"]
        pod["spec"]["containers"] = [container, {**container, "name": "sidecar"}]
        many.append(pod)
        texts |= {(name, one["name"]): "".join(content) for one in pod["spec"]["containers"]}
    objects = {**recording.objects, "pods": many}
    return Recording(**(recording.__dict__ | {"objects": objects, "logs": texts, "refusals": {}, "seconds": {}}))


def matches(labels: dict[str, str], selector: str) -> bool:
    """Whether labels meet a selector: `k=v`, `k in (a,b)`, `k notin (a,b)`, `k`, joined by commas."""
    for key, verb, values, equal, value, present in REQUIREMENT.findall(selector):
        among = set(values.split(","))
        if verb == "in" and labels.get(key) not in among:
            return False
        if verb == "notin" and labels.get(key) in among:
            return False
        if equal and labels.get(equal) != value:
            return False
        if present and present not in labels:
            return False
    return True
