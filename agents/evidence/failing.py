"""What the cluster says of the failure itself: when it was, in whose words, and which metrics missed what."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from agents.evidence.nouns import Bundle
from agents.evidence.origin import dig, label, mappings, parse_time

MOST_VALUES = 8
MISSED = {"Failed", "Error", "Inconclusive"}


class Missed(BaseModel):
    """A metric of the canary's analysis that did not succeed, as its AnalysisRun has it."""

    model_config = ConfigDict(frozen=True)

    name: str
    phase: str
    """`Failed`, `Error` or `Inconclusive`."""
    values: tuple[str, ...] = ()
    """The last `MOST_VALUES` that were measured, in order."""
    conditions: tuple[tuple[str, str], ...] = ()
    """What a value is held against: `successCondition`, `failureCondition`, with its expression."""
    verdict: str = ""
    """Why Argo Rollouts took it for missed: `failed (2) > failureLimit (1)`."""


class Failing(BaseModel):
    """The failure as the cluster tells it; empty where it says nothing."""

    model_config = ConfigDict(frozen=True)

    at: datetime | None = None
    """When the Rollout was aborted, else when the last analysis that failed ended."""
    message: str = ""
    """The Rollout's own words."""
    missed: tuple[Missed, ...] = ()


def failing_of(bundle: Bundle) -> Failing:
    """Read it from the Rollout and the canary's AnalysisRuns."""
    rollout: Mapping[str, Any] = next(iter(bundle.objects("rollout")), {})
    status = dig(rollout, "status")
    runs = [run for run in bundle.objects("analysisrun") if label(run) in {bundle.manifest.canary.hash, None}]
    failed = [run for run in runs if dig(run, "status").get("phase") in MISSED]
    ended = [at for run in failed if (at := parse_time(dig(run, "status").get("completedAt"))) is not None]
    return Failing(
        at=parse_time(status.get("abortedAt")) or max(ended, default=None),
        message=_text(status.get("message")) if status.get("abortedAt") else "",
        missed=tuple(missed for run in failed for missed in _missed(run)),
    )


def _missed(run: Mapping[str, Any]) -> list[Missed]:
    asked = {str(one.get("name")): one for one in mappings(dig(run, "spec").get("metrics"))}
    status = dig(run, "status")
    found = []
    for result in mappings(status.get("metricResults")):
        if result.get("phase") not in MISSED:
            continue
        name, metric = str(result.get("name")), asked.get(str(result.get("name")), {})
        found.append(
            Missed(
                name=name,
                phase=str(result["phase"]),
                values=_values(mappings(result.get("measurements"))),
                conditions=tuple(
                    (key, _text(metric[key])) for key in ("successCondition", "failureCondition") if metric.get(key)
                ),
                verdict=_verdict(name, result, _text(status.get("message"))),
            )
        )
    return found


def _values(measurements: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    texts = [_text(one.get("value")) for one in measurements]
    return tuple(text for text in texts if text)[-MOST_VALUES:]


def _verdict(name: str, result: Mapping[str, Any], message: str) -> str:
    """The result's own message, else what the run's says of this metric."""
    _, due, why = message.partition(f'Metric "{name}" assessed {result["phase"]} due to ')
    return _text(result.get("message")) or (why if due else "")


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""
