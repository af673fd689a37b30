"""Metrics that could not be measured, measured nothing, or are Jobs that failed."""

from typing import Any

import pytest

from agents.podstates import CONSEQUENCE, KILLED
from tests.pods import Object, only, pod, states


def run(**result: Any) -> Object:
    return {
        "metadata": {"name": "shop-bad-2", "labels": {"rollouts-pod-template-hash": "bad"}},
        "status": {"phase": result["phase"], "message": "the run ended", "metricResults": [{"name": "rate", **result}]},
    }


@pytest.mark.parametrize(
    ("message", "kind", "category"),
    [
        ("received non 2xx response code: 503", "metric-unreachable", "infrastructure"),
        (
            'Post "http://prometheus:9090/api/v1/query": dial tcp: connection refused',
            "metric-unreachable",
            "infrastructure",
        ),
        ("received non 2xx response code: 404", "metric-query", "analysis"),
        ("reflect: slice index out of range", "metric-query", "analysis"),
        ('bad_data: invalid parameter "query": 1:5: parse error: unexpected end of input', "metric-query", "analysis"),
        ("Could not find JSONPath in body: successRate is not found", "metric-query", "analysis"),
    ],
)
def test_a_metric_that_could_not_be_measured_is_its_providers_matter_or_its_querys(
    message: str, kind: str, category: str
) -> None:
    state = only(states(pod(), analysisrun=[run(phase="Error", message=message)]), kind)
    assert state.category == category
    assert state.evidence[0].quote == message


@pytest.mark.parametrize("value", ["[NaN]", "NaN", "[]", "null", "[NaN,NaN]"])
def test_a_metric_that_failed_without_any_value_is_a_matter_of_its_query(value: str) -> None:
    measured = [{"phase": "Failed", "value": value}] * 2
    state = only(states(pod(), analysisrun=[run(phase="Failed", measurements=measured)]), "metric-query")
    assert "without a value" in state.sentence
    assert state.weight > CONSEQUENCE


def test_a_metric_that_failed_with_a_value_is_a_consequence_of_something() -> None:
    measured = [{"phase": "Failed", "value": "[0.71]"}, {"phase": "Failed", "value": "[NaN]"}]
    state = only(states(pod(), analysisrun=[run(phase="Failed", measurements=measured)]), "metric-query")
    assert state.weight == CONSEQUENCE


def test_a_run_of_another_version_is_not_looked_at() -> None:
    other = run(phase="Error", message="x")
    other["metadata"]["labels"] = {"rollouts-pod-template-hash": "older"}
    assert states(pod(), analysisrun=[other]) == []


def test_a_job_that_failed_is_told_by_what_it_wrote_last() -> None:
    job = "8c4d.smoke.1"
    log = "collected 2 items\nE  AssertionError: 1 != 2\nFAILED tests/test_a.py::test_a\n1 failed in 2.87s\n"
    measured = [{"phase": "Failed", "metadata": {"job-name": job}}]
    ended = {"containerStatuses": [{"name": "smoke", "state": {"terminated": {"exitCode": 2}}}]}
    pods = [pod(), {"metadata": {"name": f"{job}-x"}, "spec": {}, "status": ended}]
    state = only(
        states(
            *pods,
            analysisrun=[run(phase="Failed", measurements=measured)],
            logs={f"logs/none/{job}-x/smoke": log, "logs/none/other-y/smoke": "FAILED elsewhere\n"},
        ),
        "failed-job",
    )
    assert (state.category, state.weight) == ("code", KILLED)
    assert "exit code 2" in state.sentence
    assert [one.ref for one in state.evidence] == [
        f"logs/none/{job}-x/smoke#L1-3",
        "objects/analysisrun/shop-bad-2#/status/message",
    ]
