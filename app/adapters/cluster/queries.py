"""Which requests answer which question: paths and selectors of the Kubernetes API, nothing is sent here."""

from typing import NamedTuple

from agents.evidence import Kind, Related, Target
from agents.evidence.origin import HASH_LABEL
from agents.evidence.relations import ANALYSIS_UID

ARGO, APPS, BATCH = "/apis/argoproj.io/v1alpha1", "/apis/apps/v1", "/apis/batch/v1"
RESOURCES: dict[Kind, tuple[str, str]] = {
    "rollout": (ARGO, "rollouts"),
    "analysisrun": (ARGO, "analysisruns"),
    "experiment": (ARGO, "experiments"),
    "analysistemplate": (ARGO, "analysistemplates"),
    "clusteranalysistemplate": (ARGO, "clusteranalysistemplates"),
    "application": (ARGO, "applications"),
    "replicaset": (APPS, "replicasets"),
    "deployment": (APPS, "deployments"),
    "job": (BATCH, "jobs"),
    "pod": ("/api/v1", "pods"),
    "event": ("/api/v1", "events"),
    "service": ("/api/v1", "services"),
    "configmap": ("/api/v1", "configmaps"),
    "ingress": ("/apis/networking.k8s.io/v1", "ingresses"),
    "horizontalpodautoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
}
PAGE = 500
MOST_PAGES = 10
BY_NAME: frozenset[Kind] = frozenset(
    {"configmap", "deployment", "ingress", "application", "analysistemplate", "clusteranalysistemplate"}
)
"""Kinds that are read one by one: for these no right to list is asked for."""


class Query(NamedTuple):
    """One GET: an object, or a list of them."""

    path: str
    selector: str | None = None
    """Of a list; None where the path names one object."""

    @property
    def is_list(self) -> bool:
        return self.selector is not None


def path_of(kind: Kind, namespace: str, name: str | None = None) -> str:
    """The path of a kind in a namespace, or in all of them where it is empty."""
    api, plural = RESOURCES[kind]
    within = f"{api}/namespaces/{namespace}/{plural}" if namespace else f"{api}/{plural}"
    return f"{within}/{name}" if name else within


def queries(target: Target, kind: Kind, argocd_namespace: str) -> tuple[Query, ...]:
    """What to ask for one kind. Few requests, each selective: 200 rollouts can fail in the same namespace."""
    if kind == "rollout":
        return (Query(path_of(kind, target.namespace, target.rollout)),)
    related = target.related
    if related is None:
        return _first(target, kind)
    names = related.names.get(kind, ())
    if kind == "application":
        return tuple(_application(name, argocd_namespace) for name in names)
    namespace = "" if kind == "clusteranalysistemplate" else target.namespace
    named = tuple(Query(path_of(kind, namespace, name)) for name in names)
    if kind in BY_NAME:
        return named
    if kind == "analysisrun":
        return (*_first(target, kind), *named)
    selectors = _later(target, kind, related)
    elsewhere = related.job_namespaces if kind in {"job", "pod"} and related.analysis_uids else ()
    return (
        *(Query(path_of(kind, target.namespace), selector) for selector in selectors),
        *(Query(path_of(kind, namespace), _jobs(related)) for namespace in elsewhere),
    )


def _later(target: Target, kind: Kind, related: Related) -> list[str]:
    """The selectors of the lists that are asked for once the rollout's objects are known."""
    match kind:
        case "event" | "horizontalpodautoscaler":
            return [""]
        case "service" if related.pod_labels or related.names.get("service"):
            return [""]
        case "job" if related.analysis_uids:
            return [_jobs(related)]
        case "replicaset" if related.selector:
            return [f"{related.selector},{HASH_LABEL}"]
        case "pod":
            return _other_pods(target, related)
    return []


def _first(target: Target, kind: Kind) -> tuple[Query, ...]:
    both = ",".join(sorted({target.canary_hash, target.stable_hash} - {""}))
    selectors: dict[Kind, str] = {
        "pod": f"{HASH_LABEL} in ({both})",
        "replicaset": f"{HASH_LABEL} in ({both})",
        "analysisrun": f"{HASH_LABEL}={target.canary_hash}",
        "experiment": f"{HASH_LABEL}={target.canary_hash}",
    }
    return (Query(path_of(kind, target.namespace), selectors[kind]),) if kind in selectors else ()


def _jobs(related: Related) -> str:
    return f"{ANALYSIS_UID} in ({','.join(related.analysis_uids)})"


def _other_pods(target: Target, related: Related) -> list[str]:
    """Pods that carry neither hash: those of experiments, and of the Jobs of `job` metrics."""
    selectors = []
    if related.names.get("experiment") and related.selector:
        known = ",".join(sorted({target.canary_hash, target.stable_hash} - {""}))
        selectors.append(f"{related.selector},{HASH_LABEL},{HASH_LABEL} notin ({known})")
    if related.analysis_uids:
        selectors.append(_jobs(related))
    return selectors


def _application(name: str, argocd_namespace: str) -> Query:
    """`<namespace>_<name>` for Applications outside of Argo CD's own namespace (argo-contract 3.2)."""
    namespace, _, short = name.rpartition("_")
    return Query(path_of("application", namespace or argocd_namespace, short))
