"""Metrics of the analysis that could not be measured, or measured nothing, and Jobs that failed as metrics.

The texts are those of the metric providers and of the expression evaluator of Argo Rollouts (argo-contract 7.1, 7.2).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from agents.evidence import Citation, cite_lines
from agents.evidence.origin import dig, label
from agents.podstates.nouns import CONSEQUENCE, ENDED, KILLED, SAID, State, Wanted
from agents.podstates.scene import Scene, Thing, containers_of, int_in, text_in, things

UNREACHABLE = (
    "non 2xx response code: 5",
    "connection refused",
    "no such host",
    "i/o timeout",
    "deadline exceeded",
    "timeout",
    "eof",
    "server error: 5",
    "server_error",
    "bad gateway",
    "service unavailable",
    "x509:",
    "tls:",
    "connection reset",
    "no route to host",
    "too many requests",
    "response code: 429",
)
EMPTY = re.compile(r"\s*(?:\[\s*(?:(?:NaN|\+?Inf|-Inf)[\s,]*)*\]|NaN|null|\+?Inf|-Inf|)\s*", re.IGNORECASE)
TEMPLATES = ("AnalysisTemplate", "ClusterAnalysisTemplate")
QUERY = (
    "spec/metrics/*/provider/**",
    "spec/metrics/*/successCondition",
    "spec/metrics/*/failureCondition",
    "spec/metrics/*/failureLimit",
    "spec/args/**",
)
WROTE = re.compile(r"\b(?:FAILED|FAIL|Error|ERROR|error:|assert|AssertionError|panic:|Exception)\b")
MOST_LINES = 12


class Metric(NamedTuple):
    """The result of one metric, and where in its AnalysisRun it stands."""

    run: Thing
    pointer: str
    result: Mapping[str, Any]

    @property
    def name(self) -> str:
        return text_in(self.result, "name")


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each metric of the canary's analysis that did not succeed."""
    if scene.side != "canary":
        return
    for metric in _metrics(scene):
        phase = text_in(metric.result, "phase")
        if phase == "Error":
            yield _unmeasured(metric)
        elif phase in {"Failed", "Inconclusive"}:
            yield _job(scene, metric) or _missed(metric)


def _metrics(scene: Scene) -> Iterator[Metric]:
    for run in things(scene.bundle, "analysisrun"):
        if label(run.object) not in {scene.hash, None}:
            continue
        results = dig(run.object, "status").get("metricResults")
        for at, result in enumerate(results if isinstance(results, list) else []):
            if isinstance(result, dict):
                yield Metric(run, f"/status/metricResults/{at}", result)


def _unmeasured(metric: Metric) -> State:
    """What the provider said: it could not be reached, or it did not understand."""
    message, citation = _message(metric)
    text = message.lower()
    down = any(phrase in text for phrase in UNREACHABLE)
    why = "its provider could not be reached" if down else "its query or its condition does not fit what is there"
    return State(
        kind="metric-unreachable" if down else "metric-query",
        category="infrastructure" if down else "analysis",
        sentence=f"the metric {metric.name} could not be measured: {why}",
        evidence=(citation,),
        weight=SAID,
        subject=metric.name,
        wanted=_wanted(),
    )


def _missed(metric: Metric) -> State:
    """A metric that was measured and failed: without any value it is the query, else a change of the condition."""
    values = _values(metric)
    empty = [(pointer, value) for pointer, value in values if EMPTY.fullmatch(value)]
    if values and len(empty) == len(values):
        pointer, value = empty[0]
        return State(
            kind="metric-query",
            category="analysis",
            sentence=f"the metric {metric.name} failed without a value: its query gave {value.strip() or 'nothing'}",
            evidence=(Citation(ref=f"{metric.run.item}#{pointer}", quote=value),),
            weight=ENDED,
            subject=metric.name,
            wanted=_wanted(),
        )
    _, citation = _message(metric)
    return State(
        kind="metric-query",
        category="analysis",
        sentence=f"the metric {metric.name} failed",
        evidence=(citation,),
        weight=CONSEQUENCE,
        subject=metric.name,
        wanted=_wanted(),
    )


def _wanted() -> tuple[Wanted, ...]:
    """The query first, then what its result is compared with."""
    return tuple(
        Wanted(kind=kind, field=field, is_weak=field not in QUERY[:3]) for field in QUERY for kind in TEMPLATES
    )


def _values(metric: Metric) -> list[tuple[str, str]]:
    """The values that were measured, with their pointers; a text that is empty quotes nothing, so it is no value."""
    measurements = metric.result.get("measurements")
    return [
        (f"{metric.pointer}/measurements/{at}/value", one["value"])
        for at, one in enumerate(measurements if isinstance(measurements, list) else [])
        if isinstance(one, dict) and isinstance(one.get("value"), str) and one["value"].strip()
    ]


def _message(metric: Metric) -> tuple[str, Citation]:
    """The metric's message, else its last measurement's or the run's, else its phase."""
    places = [(f"{metric.pointer}/message", metric.result.get("message"))]
    measurements = metric.result.get("measurements")
    listed = measurements if isinstance(measurements, list) else []
    places += [
        (f"{metric.pointer}/measurements/{at}/message", one.get("message"))
        for at, one in reversed([*enumerate(listed)])
        if isinstance(one, dict)
    ]
    places.append(("/status/message", dig(metric.run.object, "status").get("message")))
    places.append((f"{metric.pointer}/phase", metric.result.get("phase")))
    pointer, text = next((place, one) for place, one in places if isinstance(one, str) and one.strip())
    return text, Citation(ref=f"{metric.run.item}#{pointer}", quote=text)


def _job(scene: Scene, metric: Metric) -> State | None:
    """A metric that is a Job: what its pod wrote last tells why."""
    names = {
        text_in(dig(one, "metadata"), "job-name")
        for one in metric.result.get("measurements") or []
        if isinstance(one, dict) and text_in(dig(one, "metadata"), "job-name")
    }
    if not names:
        return None
    evidence, code = _job_logs(scene, names), _job_exit(scene, names)
    _, citation = _message(metric)
    return State(
        kind="failed-job",
        category="code",
        sentence=f"the Job of the metric {metric.name} failed{f' with exit code {code}' if code else ''}",
        evidence=(*evidence, citation),
        weight=KILLED,
        subject=metric.name,
        wanted=tuple(Wanted(kind=kind, field="spec/metrics/**") for kind in TEMPLATES),
    )


def _job_logs(scene: Scene, names: set[str]) -> tuple[Citation, ...]:
    """The last lines of the Jobs' pods that say what went wrong, else just the last ones."""
    found: list[Citation] = []
    for item in scene.bundle.logs("none"):
        if not any(name in item.id for name in names):
            continue
        lines = scene.bundle.contents[item.id].rstrip().split("\n")
        telling = [at for at, line in enumerate(lines) if WROTE.search(line[:2000])]
        last = telling[-1] if telling else len(lines) - 1
        first = max(0, last - MOST_LINES + 1)
        citation = cite_lines(scene.bundle, item.id, first + 1, last + 1)
        if citation.quote.strip():
            found.append(citation)
    return tuple(found[:2])


def _job_exit(scene: Scene, names: set[str]) -> int | None:
    for pod in things(scene.bundle, "pod"):
        if any(pod.name.startswith(name) for name in names):
            for container in containers_of(pod):
                for _, ended in container.terminations:
                    if int_in(ended, "exitCode"):
                        return int_in(ended, "exitCode")
    return None
