"""The queries behind a failed analysis, for both versions, over the time that the canary ran."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from agents.evidence.cluster import Side, Status, Target
from agents.evidence.origin import dig, label, mappings, parse_time

RESOLVED = "ResolvedPrometheusQuery"
"""Where Argo Rollouts notes the query that it sent, in the result's metadata."""
BEFORE = timedelta(minutes=5)
"""How much of the time before the canary is asked for: what was usual then."""
LONGEST = timedelta(hours=6)
POINTS = 240
MOST_QUERIES = 10


class RangeQuery(BaseModel):
    """One Prometheus range query."""

    model_config = ConfigDict(frozen=True)

    metric: str
    side: Side
    query: str
    start: datetime
    end: datetime
    step_seconds: int


class Series(BaseModel):
    """The answer to a range query: Prometheus' own `result`, a list of `{"metric", "values"}`."""

    model_config = ConfigDict(frozen=True)

    status: Status
    reason: str | None = None
    result: tuple[dict[str, Any], ...] = ()


class Metrics(Protocol):
    """Where range queries are answered."""

    async def ask(self, query: RangeQuery) -> Series: ...


def range_queries(
    runs: Sequence[Mapping[str, Any]], replica_sets: Sequence[Mapping[str, Any]], target: Target, now: datetime
) -> tuple[RangeQuery, ...]:
    """For each `prometheus` metric of the runs its query for the canary, and for the stable version too.

    The stable version's is the same query with the pod hash exchanged; one that names no hash is asked as it is,
    and is of neither side.
    """
    created = [parse_time(dig(one, "metadata").get("creationTimestamp")) for one in replica_sets if _is(one, target)]
    began = min((moment for moment in created if moment is not None), default=now - timedelta(hours=1))
    start = max(began - BEFORE, now - LONGEST)
    step = max(5, int((now - start).total_seconds() // POINTS))
    queries: dict[str, RangeQuery] = {}
    for run in runs:
        for result in mappings(dig(run, "status").get("metricResults")):
            resolved = dig(result, "metadata").get(RESOLVED)
            if not isinstance(resolved, str) or not resolved.strip():
                continue
            for side, query in _sides(resolved, target):
                metric = str(result.get("name"))
                one = RangeQuery(metric=metric, side=side, query=query, start=start, end=now, step_seconds=step)
                queries.setdefault(query, one)
    return tuple(queries.values())[:MOST_QUERIES]


def _sides(query: str, target: Target) -> list[tuple[Side, str]]:
    if target.canary_hash not in query:
        return [("none", query)]
    return [("canary", query), ("stable", query.replace(target.canary_hash, target.stable_hash))]


def _is(replica_set: Mapping[str, Any], target: Target) -> bool:
    return label(replica_set) == target.canary_hash
