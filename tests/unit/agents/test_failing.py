"""When a canary failed and which metric missed what, from recordings of a real controller and from odd objects."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.evidence import Failing, Missed, failing_of
from tests.replay.capturing import capture_recorded
from tests.replay.recording import load
from tests.shop import bundle_of

RUN = {
    "metadata": {"name": "run"},
    "spec": {"metrics": [{"name": "errors", "failureCondition": "result > 5"}]},
    "status": {"phase": "Failed", "completedAt": "2026-11-24T12:00:00Z", "message": "over"},
}


def run_of(**result: Any) -> dict[str, Any]:
    status: Any = RUN["status"]
    return RUN | {"status": status | {"metricResults": [{"name": "errors", "phase": "Failed", **result}]}}


def failing(*runs: Any, **status: Any) -> Failing:
    objects = [(f"objects/analysisrun/run-{at}", run) for at, run in enumerate(runs)]
    rollout = {"metadata": {"name": "shop"}, "status": status}
    return failing_of(bundle_of(commits=(None, None), objects=[("objects/rollout/shop", rollout), *objects]))


def test_the_metric_its_values_and_what_they_are_held_against_are_read() -> None:
    found = failing(run_of(measurements=[{"value": "6"}, {"value": "[7.5]"}, {"phase": "Error"}], message="6 > 5"))
    (missed,) = found.missed
    assert missed == Missed(
        name="errors",
        phase="Failed",
        values=("6", "[7.5]"),
        conditions=(("failureCondition", "result > 5"),),
        verdict="6 > 5",
    )
    assert found.at == datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_the_rollouts_own_time_and_words_count_where_it_was_aborted() -> None:
    found = failing(run_of(), abortedAt="2026-11-24T12:00:03Z", message="RolloutAborted: why")
    assert (found.at, found.message) == (datetime(2026, 11, 24, 12, 0, 3, tzinfo=UTC), "RolloutAborted: why")
    assert failing(message="more replicas need to be updated") == Failing()


@pytest.mark.parametrize("odd", [{"status": None}, {"status": {"metricResults": "x"}}, {"spec": []}, {}])
def test_objects_that_are_not_as_they_should_be_say_nothing(odd: dict[str, Any]) -> None:
    assert failing(odd).missed == ()


def test_what_passed_is_not_what_failed() -> None:
    assert failing(run_of(phase="Successful", measurements=[{"value": "1"}])).missed == ()


@pytest.mark.parametrize(
    ("name", "metric", "values", "verdict"),
    [
        ("01-canary-step-analysis-failed", "success-rate", ("0.62", "0.62"), "failed (2) > failureLimit (1)"),
        ("18-job-metric-failed", "smoke-test", (), "failed (1) > failureLimit (0)"),
    ],
)
async def test_recordings_tell_it(
    name: str, metric: str, values: tuple[str, ...], verdict: str, tmp_path: Path
) -> None:
    bundle, _ = await capture_recorded(load(name), tmp_path)
    found = failing_of(bundle)
    (missed,) = found.missed
    assert (missed.name, missed.values, missed.verdict) == (metric, values, verdict)
    assert found.at is not None
