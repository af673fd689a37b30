"""What a notification's body says and does: Argo's JSON in, one frozen noun out. Pure; nothing else knows this format.

The body is a hint from outside: every field may be missing or of another type, and what it says of the cluster is
ignored. The table of what a notification does is DESIGN section 5; the traps are FINDINGS sections 2 and 4.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agents.evidence.origin import HASH_LABEL, parse_time
from agents.incident import Incident

Disposition = Literal["incident", "ignored", "signal", "unsupported-kind"]

FAILURES = frozenset(
    {
        "on-analysis-run-failed",
        "on-analysis-run-error",
        "on-rollout-aborted",
        "on-canary-degraded",
        "on-canary-inconclusive",
    }
)
SIGNALS = frozenset({"on-rollout-completed", "on-skip-steps"})
ENABLED = "selfheal.io/enabled"
REVISION = "rollout.argoproj.io/revision"


class Sighting(BaseModel):
    """What admitting needs to know of one notification of a failed canary."""

    model_config = ConfigDict(frozen=True)

    incident: Incident
    trigger: str
    aborted_at: datetime | None = None
    failed_at: datetime | None = None
    """When the newest failed AnalysisRun of this canary was created."""


class Notification(BaseModel):
    """A body that could be read, and what it does. `sighting` stands exactly where the disposition is `incident`."""

    model_config = ConfigDict(frozen=True)

    disposition: Disposition
    reason: str | None = None
    trigger: str | None = None
    namespace: str | None = None
    rollout: str | None = None
    canary_hash: str | None = None
    sighting: Sighting | None = None
    body: dict[str, Any]


class Unreadable(Exception):
    """The body is no notification; the message says why."""


def read(raw: bytes, cluster: str) -> Notification:
    """Read a body; `Unreadable` for what is no JSON object."""
    if not raw.strip():
        raise Unreadable("the body is empty")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unreadable("the body is not JSON") from error
    if not isinstance(body, dict):
        raise Unreadable("the body is JSON but not an object")
    trigger = _text(body.get("trigger"))
    rollout = body.get("rollout")
    if not isinstance(rollout, dict):
        return Notification(
            disposition="unsupported-kind", reason="the body holds no Rollout", trigger=trigger, body=body
        )
    metadata, status = _mapping(rollout.get("metadata")), _mapping(rollout.get("status"))
    found = Notification(
        disposition="signal",
        trigger=trigger,
        namespace=_text(metadata.get("namespace")),
        rollout=_text(metadata.get("name")),
        canary_hash=_text(status.get("currentPodHash")),
        body=body,
    )
    if not _is_rollout(rollout):
        reason = f"{_text(rollout.get('kind')) or 'this object'} is not a Rollout"
        return found.model_copy(update={"disposition": "unsupported-kind", "reason": reason})
    if trigger in SIGNALS:
        return found
    if trigger not in FAILURES:
        return found.model_copy(update={"disposition": "unsupported-kind", "reason": f"trigger {trigger}"})
    return _failure(found, metadata, status, cluster)


def _failure(found: Notification, metadata: Mapping[str, Any], status: Mapping[str, Any], cluster: str) -> Notification:
    def ignored(reason: str) -> Notification:
        return found.model_copy(update={"disposition": "ignored", "reason": reason})

    annotations = _mapping(metadata.get("annotations"))
    stable, uid = _text(status.get("stableRS")), _text(metadata.get("uid"))
    if _text(annotations.get(ENABLED)) == "false":
        return ignored(f"{ENABLED} is false")
    if not (found.namespace and found.rollout and uid and found.canary_hash):
        return found.model_copy(
            update={
                "disposition": "unsupported-kind",
                "reason": "the Rollout lacks namespace, name, uid or pod hash",
            }
        )
    if not stable:
        return ignored("there is no stable version yet: a first deployment has nothing to go back to")
    if stable == found.canary_hash:
        return ignored("the failing version is the stable one: there is no canary")
    incident = Incident(
        cluster=cluster,
        namespace=found.namespace,
        rollout=found.rollout,
        uid=uid,
        canary_hash=found.canary_hash,
        revision=_text(annotations.get(REVISION)) or "",
        stable_hash=stable,
    )
    sighting = Sighting(
        incident=incident,
        trigger=found.trigger or "",
        aborted_at=parse_time(status.get("abortedAt")),
        failed_at=_newest_failure(found.body, incident.canary_hash),
    )
    return found.model_copy(update={"disposition": "incident", "sighting": sighting})


def _is_rollout(thing: Mapping[str, Any]) -> bool:
    """By kind; by shape where that is missing (FINDINGS 4.9): AnalysisRuns have metrics, Experiments templates."""
    kind = thing.get("kind")
    if kind is not None:
        return bool(kind == "Rollout")
    spec = _mapping(thing.get("spec"))
    return bool(spec) and "metrics" not in spec and "templates" not in spec


def _newest_failure(body: Mapping[str, Any], pod_hash: str) -> datetime | None:
    runs = body.get("analysisRuns")
    moments = []
    for run in runs if isinstance(runs, list) else []:
        metadata = _mapping(_mapping(run).get("metadata"))
        failed = _mapping(_mapping(run).get("status")).get("phase") in {"Failed", "Error"}
        labelled = _mapping(metadata.get("labels")).get(HASH_LABEL)
        created = parse_time(metadata.get("creationTimestamp"))
        if failed and created is not None and labelled in {pod_hash, None}:
            moments.append(created)
    return max(moments, default=None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value[:500] if isinstance(value, str) and value else None
