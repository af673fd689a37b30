"""The `Cluster` port on live clusters, and what the reconciler and the recorder listen to."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from agents.evidence import Kind, LogSource, LogText, Objects, Status, Target
from agents.evidence.relations import belongs
from app.adapters.cluster.connection import Connection, Expired, Params, Refused
from app.adapters.cluster.contexts import Context
from app.adapters.cluster.logs import read_log
from app.adapters.cluster.queries import MOST_PAGES, PAGE, RESOURCES, Query, path_of, queries

OBJECT_SECONDS = 4.0
"""For all of one question about objects."""
WATCH_SECONDS = 300
CHECK_SECONDS = 3.0
WARM = 8
"""Connections for logs that are open in advance: those of a usual rollout, 4 pods with 2 containers."""
WARM_EVERY_SECONDS = 60.0
"""Before they are too old to be kept."""
GROUPS = {"/api/v1": "v1"}
NOISE = ("kubectl.kubernetes.io/last-applied-configuration",)
BAD: tuple[Status, ...] = ("failed", "denied", "gone")


class LiveCluster:
    """Every cluster that is configured, by name. Nothing here raises for what a cluster answers."""

    def __init__(
        self, contexts: Mapping[str, Context], argocd_namespace: str = "argocd", namespaces: Sequence[str] = ("",)
    ) -> None:
        """`namespaces` are those that may be read; "" is all of them."""
        self._contexts = dict(contexts)
        self._namespaces = frozenset(namespaces)
        self._connections: dict[str, Connection] = {}
        self._argocd_namespace = argocd_namespace
        self._answered: set[str] = set()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._contexts)

    @property
    def calls(self) -> int:
        """Requests sent since the start."""
        return sum(connection.calls for connection in self._connections.values())

    @property
    def has_answered(self) -> bool:
        """Whether one authenticated request to each cluster has succeeded."""
        return self._answered >= self._contexts.keys()

    async def close(self) -> None:
        for connection in self._connections.values():
            await connection.close()

    async def check(self, cluster: str) -> bool:
        """Ask a cluster who we are; this also opens a connection before one is needed."""
        connection = self._connect(cluster)
        if connection is not None and await connection.may_ask(CHECK_SECONDS):
            self._answered.add(cluster)
            await connection.warm(WARM, CHECK_SECONDS)
        return cluster in self._answered

    async def allows(self, cluster: str, attributes: Mapping[str, str]) -> bool | None:
        """Whether our account may do what the attributes of an access review name; None where nobody says."""
        connection = self._connect(cluster)
        return None if connection is None else await connection.allows(attributes, CHECK_SECONDS)

    async def keep_fresh(self) -> None:
        """Renew what tokens need renewing, and keep connections for logs open, until cancelled."""
        await asyncio.gather(*(context.keep_fresh() for context in self._contexts.values()), self._keep_warm())

    async def _keep_warm(self) -> None:
        while True:
            await asyncio.sleep(WARM_EVERY_SECONDS)
            await asyncio.gather(*(one.warm(WARM, CHECK_SECONDS) for one in self._connections.values()))

    async def find(self, cluster: str, namespace: str, rollout: str) -> Objects:
        connection = self._connect(cluster)
        if connection is None:
            return _unknown(cluster)
        return await _one(connection, "rollout", path_of("rollout", namespace, rollout))

    async def read(self, cluster: str, kind: Kind, namespace: str, name: str) -> Objects:
        connection = self._connect(cluster)
        return _unknown(cluster) if connection is None else await _one(connection, kind, path_of(kind, namespace, name))

    async def objects(self, target: Target, kind: Kind) -> Objects:
        connection = self._connect(target.cluster)
        if connection is None:
            return _unknown(target.cluster)
        foreign = self._forbidden(target)
        asked = queries(target if not foreign else _without(target, foreign), kind, self._argocd_namespace)
        answers = await asyncio.gather(*(_answer(connection, kind, query) for query in asked))
        if kind == "job":
            answers += [Objects(status="denied", reason=f"SELFHEAL_NAMESPACES lacks {name}") for name in foreign]
        return _joined(kind, answers, target)

    async def log(self, target: Target, source: LogSource) -> LogText:
        connection = self._connect(target.cluster)
        if connection is None:
            return LogText(status="denied", reason=_unknown(target.cluster).reason)
        return await read_log(connection, source.namespace or target.namespace, source)

    async def list_all(
        self, cluster: str, kind: Kind, namespace: str, selector: str
    ) -> tuple[tuple[dict[str, Any], ...], str]:
        """Every object of a kind in a namespace, or in all where it is empty, and the version to watch from.

        `Refused` says why where there is no answer, or only a part of one.
        """
        connection = self._connect(cluster)
        if connection is None:
            raise Refused(str(_unknown(cluster).reason))
        listed, version = await _list(connection, kind, Query(path_of(kind, namespace), selector))
        if listed.status not in {"ok", "empty"}:
            raise Refused(f"{RESOURCES[kind][1]} cannot be listed: {listed.status}: {listed.reason}")
        self._answered.add(cluster)
        return listed.objects, version

    async def watch(
        self, cluster: str, kind: Kind, namespace: str, selector: str, version: str
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Changes after a version, as (`ADDED`, `MODIFIED`, `DELETED` or `BOOKMARK`, object), until the server ends it.

        `Expired` where the version is too old, `Refused` where the watch is not opened.
        """
        connection = self._connect(cluster)
        if connection is None:
            raise Refused(str(_unknown(cluster).reason))
        params: Params = [
            ("watch", "true"),
            ("resourceVersion", version),
            ("allowWatchBookmarks", "true"),
            ("timeoutSeconds", str(WATCH_SECONDS)),
            *([("labelSelector", selector)] if selector else []),
        ]
        async with aclosing(connection.lines(path_of(kind, namespace), params, WATCH_SECONDS + 30)) as lines:
            async for line in lines:
                change, thing = _change(line)
                if change == "ERROR":
                    if thing.get("code") == 410:
                        raise Expired(str(thing.get("message")))
                    raise Refused(str(thing.get("message") or "the watch failed"))
                if change:
                    yield change, thing if change == "BOOKMARK" else _trimmed(thing, kind)

    async def follow_log(
        self, cluster: str, namespace: str, source: LogSource, tail_lines: int
    ) -> AsyncGenerator[str, None]:
        """The lines of a container's log as they are written, each with its time. `Refused` where there is none."""
        connection = self._connect(cluster)
        if connection is None:
            raise Refused(str(_unknown(cluster).reason))
        params: Params = [
            ("container", source.container),
            ("timestamps", "true"),
            ("follow", "true"),
            ("tailLines", str(tail_lines)),
        ]
        path = f"{path_of('pod', namespace, source.pod)}/log"
        async with aclosing(connection.lines(path, params, None)) as lines:
            async for line in lines:
                yield line.decode("utf-8", "replace")

    def _forbidden(self, target: Target) -> tuple[str, ...]:
        """Namespaces of the analysis' Jobs that we are not to look into."""
        if target.related is None or "" in self._namespaces:
            return ()
        return tuple(name for name in target.related.job_namespaces if name not in self._namespaces)

    def _connect(self, cluster: str) -> Connection | None:
        if cluster not in self._connections and cluster in self._contexts:
            self._connections[cluster] = Connection(self._contexts[cluster].configuration)
        return self._connections.get(cluster)


def _without(target: Target, namespaces: Sequence[str]) -> Target:
    related = target.related
    if related is None:
        return target
    left = tuple(name for name in related.job_namespaces if name not in namespaces)
    return target.model_copy(update={"related": related.model_copy(update={"job_namespaces": left})})


def _unknown(cluster: str) -> Objects:
    return Objects(status="denied", reason=f"no connection to a cluster {cluster} is configured")


async def _answer(connection: Connection, kind: Kind, query: Query) -> Objects:
    if query.is_list:
        return (await _list(connection, kind, query))[0]
    return await _one(connection, kind, query.path)


async def _one(connection: Connection, kind: Kind, path: str) -> Objects:
    reply = await connection.get(path, (), OBJECT_SECONDS)
    if reply.status != "ok":
        return Objects(status="failed" if reply.status == "truncated" else reply.status, reason=reply.reason)
    thing = _parsed(reply.body)
    if thing is None:
        return Objects(status="failed", reason="the answer is not a JSON object")
    return Objects(status="ok", objects=(_trimmed(thing, kind),))


async def _list(connection: Connection, kind: Kind, query: Query) -> tuple[Objects, str]:
    """All pages of a list within the deadline, and its resource version; what came before a page that failed stays."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + OBJECT_SECONDS
    found: list[dict[str, Any]] = []
    version, further = "", ""
    for _ in range(MOST_PAGES):
        params = [("limit", str(PAGE))]
        params += [("labelSelector", query.selector)] if query.selector else []
        params += [("continue", further)] if further else []
        reply = await connection.get(query.path, params, max(0.1, deadline - loop.time()))
        page = _parsed(reply.body) if reply.status == "ok" else None
        if page is None:
            reason = reply.reason or "the answer is not a JSON object"
            status: Status = "failed" if reply.status in {"ok", "truncated"} else reply.status
            return Objects(status="truncated" if found else status, reason=reason, objects=tuple(found)), version
        items = page.get("items")
        found += [_trimmed(one, kind) for one in items or [] if isinstance(one, dict)]
        metadata = page.get("metadata") or {}
        version, further = str(metadata.get("resourceVersion") or ""), str(metadata.get("continue") or "")
        if not further:
            return Objects(status="ok" if found else "empty", objects=tuple(found)), version
    reason = f"only the first {MOST_PAGES * PAGE} were read"
    return Objects(status="truncated", reason=reason, objects=tuple(found)), version


def _joined(kind: Kind, answers: list[Objects], target: Target) -> Objects:
    """One answer from several; a part that is missing is named. What is not the rollout's is left out."""
    objects = [thing for answer in answers for thing in answer.objects if belongs(thing, kind, target)]
    objects.sort(key=lambda thing: str((thing.get("metadata") or {}).get("creationTimestamp")))
    bad = [answer for answer in answers if answer.status in BAD]
    reason = next((answer.reason for answer in (*bad, *answers) if answer.reason), None)
    if objects:
        is_partial = bool(bad) or any(answer.status == "truncated" for answer in answers)
        return Objects(status="truncated" if is_partial else "ok", reason=reason, objects=tuple(objects))
    return Objects(status=bad[0].status if bad else "empty", reason=reason)


def _trimmed(thing: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """As the API returns it, with the kind that items of a list lack, without the copies of itself that it carries."""
    api = RESOURCES[kind][0]
    metadata = {key: value for key, value in (thing.get("metadata") or {}).items() if key != "managedFields"}
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict):
        metadata["annotations"] = {key: value for key, value in annotations.items() if key not in NOISE}
    named = {"apiVersion": GROUPS.get(api, api.removeprefix("/apis/")), "kind": KIND_NAMES[kind]}
    return {**named, **{key: value for key, value in thing.items() if value is not None}, "metadata": metadata}


KIND_NAMES: dict[Kind, str] = {
    "rollout": "Rollout",
    "replicaset": "ReplicaSet",
    "pod": "Pod",
    "analysisrun": "AnalysisRun",
    "event": "Event",
    "configmap": "ConfigMap",
    "application": "Application",
    "experiment": "Experiment",
    "deployment": "Deployment",
    "service": "Service",
    "ingress": "Ingress",
    "horizontalpodautoscaler": "HorizontalPodAutoscaler",
    "job": "Job",
    "analysistemplate": "AnalysisTemplate",
    "clusteranalysistemplate": "ClusterAnalysisTemplate",
}


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _change(line: bytes) -> tuple[str, dict[str, Any]]:
    document = _parsed(line) or {}
    thing = document.get("object")
    return str(document.get("type") or ""), thing if isinstance(thing, dict) else {}
