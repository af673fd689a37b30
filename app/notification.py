"""What a notification's body says and does: Argo's JSON in, one frozen noun out. Pure; nothing else knows this format.

The body is a hint from outside: every field may be missing or of another type, and what it says of the cluster is
ignored. What is read can be stored: no NUL, no half surrogate pair, no endless nesting, no number beyond a float.
The table of what a notification does is DESIGN section 5; the traps are FINDINGS sections 2 and 4.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict

from agents.evidence.origin import HASH_LABEL, mappings, parse_time
from agents.incident import NAME, Incident, Promotion

Disposition = Literal["incident", "lookup", "ignored", "signal", "unsupported-kind"]
"""`lookup`: the body is about something of a Rollout, which has to be read before more can be said."""

FAILURES = frozenset(
    {
        "on-analysis-run-failed",
        "on-analysis-run-error",
        "on-rollout-aborted",
        "on-canary-degraded",
        "on-canary-inconclusive",
    }
)
OWNED_FAILURES = FAILURES | {"on-experiment-failed", "on-experiment-error", "on-metric-failed", "on-metric-error"}
"""Of AnalysisRuns and Experiments: a trigger can be subscribed to for these objects as well (argo-contract 1.4)."""
FAILED = frozenset({"Failed", "Error"})
COMPLETED = "on-rollout-completed"
SIGNALS = frozenset({COMPLETED, "on-skip-steps"})
ENABLED = "selfheal.io/enabled"
REVISION = "rollout.argoproj.io/revision"
DEEPEST = 100
"""Levels of nesting; Kubernetes objects have about 20."""
IS_NAME = re.compile(NAME)
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
"""PostgreSQL refuses NUL in text, and UTF-8 has no halves of surrogate pairs; JSON can spell both."""


class Sighting(BaseModel):
    """What admitting needs to know of one notification of a failed canary."""

    model_config = ConfigDict(frozen=True)

    incident: Incident
    trigger: str
    aborted_at: datetime | None = None
    failed_at: datetime | None = None
    """When the newest failed AnalysisRun of this canary was created."""


class Lead(BaseModel):
    """What a failed AnalysisRun or Experiment says of the Rollout that it belongs to."""

    model_config = ConfigDict(frozen=True)

    cluster: str
    namespace: str
    owner_kind: Literal["Rollout", "Experiment"]
    owner: str
    canary_hash: str | None
    """None for a run of an Experiment, which has no labels (FINDINGS 4.8)."""
    trigger: str
    failed_at: datetime | None = None


class Notification(BaseModel):
    """A body that could be read, and what it does.

    `sighting` stands exactly where the disposition is `incident`, `lead` where it is `lookup`; `promotion` with the
    signal that a new version has become the stable one.
    """

    model_config = ConfigDict(frozen=True)

    disposition: Disposition
    reason: str | None = None
    trigger: str | None = None
    namespace: str | None = None
    rollout: str | None = None
    canary_hash: str | None = None
    sighting: Sighting | None = None
    lead: Lead | None = None
    promotion: Promotion | None = None
    body: dict[str, Any]


class Unreadable(Exception):
    """The body is no notification; the message says why."""


def read(raw: bytes, cluster: str) -> Notification:
    """Read a body; `Unreadable` for what is no JSON object."""
    body = _parse(raw)
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
        namespace=_name(metadata.get("namespace")),
        rollout=_name(metadata.get("name")),
        canary_hash=_name(status.get("currentPodHash")),
        body=body,
    )
    if not _is_rollout(rollout):
        return found.model_copy(update=_owned(rollout, trigger, cluster))
    if trigger in SIGNALS:
        return found.model_copy(update={"promotion": _promoted(rollout, cluster) if trigger == COMPLETED else None})
    if trigger not in FAILURES:
        return found.model_copy(update={"disposition": "unsupported-kind", "reason": f"trigger {trigger}"})
    enabled = _text(_mapping(metadata.get("annotations")).get(ENABLED)) or "true"
    incident = f"{ENABLED} is false" if enabled.strip().lower() == "false" else identify(rollout, cluster)
    if isinstance(incident, str):
        return found.model_copy(update={"disposition": "ignored", "reason": incident})
    sighting = Sighting(
        incident=incident,
        trigger=trigger,
        aborted_at=parse_time(status.get("abortedAt")),
        failed_at=_newest_failure(body, incident.canary_hash),
    )
    return found.model_copy(update={"disposition": "incident", "sighting": sighting})


def identify(rollout: Mapping[str, Any], cluster: str) -> Incident | str:
    """The canary that a Rollout is at, or the reason why there is none to look into."""
    metadata, status = _mapping(rollout.get("metadata")), _mapping(rollout.get("status"))
    namespace, name, uid = (_name(metadata.get(field)) for field in ("namespace", "name", "uid"))
    canary, stable = _name(status.get("currentPodHash")), _name(status.get("stableRS"))
    if not stable:
        return "there is no stable version yet: a first deployment has nothing to go back to"
    if not (namespace and name and uid and canary):
        return "the Rollout lacks namespace, name, uid or pod hash"
    if stable == canary:
        return "the failing version is the stable one: there is no canary"
    return Incident(
        cluster=cluster,
        namespace=namespace,
        rollout=name,
        uid=uid,
        canary_hash=canary,
        revision=_name(_mapping(metadata.get("annotations")).get(REVISION)) or "",
        stable_hash=stable,
    )


def _promoted(rollout: Mapping[str, Any], cluster: str) -> Promotion | None:
    """Of a completed update: the body still has the old stable version, and a first deployment none (FINDINGS 2, 4)."""
    completed = identify(rollout, cluster)
    return promotion_of(rollout, cluster) if isinstance(completed, Incident) else None


def promotion_of(rollout: Mapping[str, Any], cluster: str) -> Promotion | None:
    """The version that the Rollout is at, as one that has passed; None where its names cannot be read."""
    metadata, status = _mapping(rollout.get("metadata")), _mapping(rollout.get("status"))
    namespace, name = _name(metadata.get("namespace")), _name(metadata.get("name"))
    pod_hash = _name(status.get("currentPodHash"))
    if namespace is None or name is None or pod_hash is None:
        return None
    revision = _name(_mapping(metadata.get("annotations")).get(REVISION)) or ""
    return Promotion(cluster=cluster, namespace=namespace, rollout=name, pod_hash=pod_hash, revision=revision)


def _parse(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise Unreadable("the body is empty")
    try:
        body = json.loads(raw.decode("utf-8-sig"), parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise Unreadable("the body is not JSON: it is not UTF-8") from error
    except RecursionError as error:
        raise Unreadable(f"the body is nested deeper than {DEEPEST} levels") from error
    except ValueError as error:
        raise Unreadable("the body is not JSON") from error
    if not isinstance(body, dict):
        raise Unreadable("the body is JSON but not an object")
    _refuse_deep(body, 0)
    # Only an escape can bring in what a database refuses, and hardly any body holds one.
    storable: dict[str, Any] = _storable(body) if b"\\u" in raw else body
    return storable


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is beyond every float")
    return number


def _refuse_deep(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise Unreadable(f"the body is nested deeper than {DEEPEST} levels")
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _refuse_deep(item, depth + 1)


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {UNSTORABLE.sub("\ufffd", key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return value


def _is_rollout(thing: Mapping[str, Any]) -> bool:
    """By kind; by shape where that is missing (FINDINGS 4.9): AnalysisRuns have metrics, Experiments templates."""
    kind = thing.get("kind")
    if kind is not None:
        return bool(kind == "Rollout")
    spec = _mapping(thing.get("spec"))
    return bool(spec) and "metrics" not in spec and "templates" not in spec


def _owned(thing: Mapping[str, Any], trigger: str | None, cluster: str) -> dict[str, Any]:
    """What a body about something else than a Rollout does."""
    lead = _lead(thing, trigger, cluster)
    if lead is not None:
        return {"disposition": "lookup", "canary_hash": lead.canary_hash, "rollout": None, "lead": lead}
    return {
        "disposition": "unsupported-kind",
        "reason": f"{_text(thing.get('kind')) or 'this object'} is not a Rollout",
    }


def _lead(thing: Mapping[str, Any], trigger: str | None, cluster: str) -> Lead | None:
    """The Rollout or Experiment that a failed AnalysisRun or Experiment names as its owner; None if there is none."""
    metadata = _mapping(thing.get("metadata"))
    namespace = _name(metadata.get("namespace"))
    failed = _text(_mapping(thing.get("status")).get("phase")) in FAILED
    if trigger not in OWNED_FAILURES or namespace is None or not failed:
        return None
    for owner in mappings(metadata.get("ownerReferences")):
        kind, name = owner.get("kind"), _name(owner.get("name"))
        if name is not None and (kind == "Rollout" or kind == "Experiment"):  # noqa: PLR1714 - mypy narrows only this
            return Lead(
                cluster=cluster,
                namespace=namespace,
                owner_kind=kind,
                owner=name,
                canary_hash=_name(_mapping(metadata.get("labels")).get(HASH_LABEL)),
                trigger=trigger,
                failed_at=parse_time(metadata.get("creationTimestamp")),
            )
    return None


def _newest_failure(body: Mapping[str, Any], pod_hash: str) -> datetime | None:
    runs = body.get("analysisRuns")
    moments = []
    for run in runs if isinstance(runs, list) else []:
        metadata = _mapping(_mapping(run).get("metadata"))
        failed = _text(_mapping(_mapping(run).get("status")).get("phase")) in FAILED
        labelled = _text(_mapping(metadata.get("labels")).get(HASH_LABEL))
        created = parse_time(metadata.get("creationTimestamp"))
        if failed and created is not None and labelled in {pod_hash, None}:
            moments.append(created)
    return max(moments, default=None)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return value[:500] if isinstance(value, str) and value else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) and IS_NAME.fullmatch(value) else None
