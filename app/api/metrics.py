"""`/metrics` in Prometheus' text form: the figures are read from the store, which both processes write."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from agents.incident import State
from app.api.wiring import LiveFigures, Wiring
from app.store import counters, dead_letters, views


@dataclass(frozen=True, eq=False)  # the registry keeps its collectors by identity
class Figures(Collector):
    """One scrape's figures."""

    by_state: dict[str, int]
    waiting: int
    dead_letters: int
    totals: Sequence[counters.Total]
    live: LiveFigures | None = None
    """None where no cluster is connected."""

    def collect(self) -> Iterable[Metric]:
        incidents = GaugeMetricFamily(
            "selfheal_incidents", "Incidents by the state of their last attempt", labels=["state"]
        )
        for state in State:
            incidents.add_metric([state.value], self.by_state.get(state.value, 0))
        yield incidents
        yield GaugeMetricFamily("selfheal_queue_depth", "Attempts that the worker has not begun", value=self.waiting)
        yield GaugeMetricFamily("selfheal_dead_letters", "Bodies kept that nobody could read", value=self.dead_letters)
        stages = SummaryMetricFamily("selfheal_stage_seconds", "Seconds spent in a state", labels=["stage"])
        gaps = CounterMetricFamily(
            "selfheal_capture_gaps", "Evidence that could not be had, by status", labels=["status"]
        )
        tokens = CounterMetricFamily("selfheal_model_tokens", "Tokens used, by direction", labels=["direction"])
        for total in self.totals:
            match total.name:
                case counters.STAGE_SECONDS:
                    stages.add_metric([total.label], count_value=total.count, sum_value=total.total)
                case counters.CAPTURE_GAPS:
                    gaps.add_metric([total.label], total.total)
                case counters.MODEL_TOKENS:
                    tokens.add_metric([total.label], total.total)
        yield from (stages, gaps, tokens)
        if self.live is not None:
            yield from _of_clusters(self.live)


def _of_clusters(live: LiveFigures) -> Iterable[Metric]:
    """The flight recorder, and what is asked of the clusters' API servers."""
    recorder = live.recorder
    for name, about, value in (
        ("bytes", "Memory that the flight recorder holds", recorder.bytes),
        ("limit_bytes", "Memory that the flight recorder may hold", recorder.most_bytes),
        ("streams", "Logs that the flight recorder follows", recorder.streams),
        ("limit_streams", "Logs that the flight recorder may follow at once", recorder.most_streams),
        ("rollouts", "Rollouts in progress that the flight recorder follows", recorder.rollouts),
    ):
        yield GaugeMetricFamily(f"selfheal_recorder_{name}", about, value=value)
    yield CounterMetricFamily(
        "selfheal_recorder_evicted", "Streams closed to make room for another", value=recorder.evicted
    )
    yield CounterMetricFamily("selfheal_cluster_calls", "Requests sent to API servers", value=live.calls)
    watches = CounterMetricFamily("selfheal_watches", "Watches opened, by kind", labels=["kind"])
    restarts = CounterMetricFamily(
        "selfheal_watch_restarts",
        "Watches that had to begin with a list again, by kind and why",
        labels=["kind", "why"],
    )
    for kind, heard in live.heard.items():
        watches.add_metric([kind], heard.watches)
        restarts.add_metric([kind, "expired"], heard.expired)
        restarts.add_metric([kind, "refused"], heard.refused)
    yield from (watches, restarts)


def router(wiring: Wiring) -> APIRouter:
    """The metrics' route; open to everybody only where the settings say so."""
    routes = APIRouter()

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        if not wiring.metrics_open:
            wiring.doorkeeper.actor(request, "read")
        registry = CollectorRegistry()
        registry.register(
            Figures(
                by_state=await views.count_by_state(wiring.db),
                waiting=await views.count_waiting(wiring.db),
                dead_letters=await dead_letters.count(wiring.db),
                totals=await counters.totals(wiring.db),
                live=wiring.live() if wiring.live is not None else None,
            )
        )
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return routes
