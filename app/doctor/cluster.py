"""What can be checked of a cluster: who we are there, what we may do verb by verb, and what Argo Rollouts sends."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents.evidence import Objects
from agents.evidence.origin import dig, mappings
from app.adapters.cluster import LiveCluster
from app.doctor.finding import Finding, Level, fail, ok, warn
from app.notification import FAILURES, SIGNALS
from app.settings import Settings

WEBHOOK = "/webhooks/argo-rollouts"
CONFIG, CONTROLLER = "argo-rollouts-notification-configmap", "argo-rollouts"


class Right(NamedTuple):
    """What evidence is read from, with which verbs, and what is lost without."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    without: str
    level: Level = "warn"


RIGHTS = (
    Right("argoproj.io", "rollouts", ("get", "list", "watch"), "no incident is found or understood", "fail"),
    Right("apps", "replicasets", ("get", "list"), "neither version is known", "fail"),
    Right("", "pods", ("get", "list", "watch"), "no pod and no log is found", "fail"),
    Right("", "pods/log", ("get",), "there are no logs", "fail"),
    Right("argoproj.io", "analysisruns", ("get", "list", "watch"), "why the analysis failed is not known"),
    Right("argoproj.io", "experiments", ("get", "list", "watch"), "experiment steps are not seen"),
    Right("argoproj.io", "analysistemplates", ("get", "list", "watch"), "templates are not in the evidence"),
    Right("apps", "deployments", ("get", "list"), "a workloadRef is not followed"),
    Right("", "events", ("get", "list"), "events are not in the evidence"),
    Right("", "services", ("get", "list"), "Services are not in the evidence"),
    Right("batch", "jobs", ("get", "list"), "job metrics are not in the evidence"),
    Right("", "configmaps", ("get",), "changed configuration is not seen (components/no-config?)"),
    Right("networking.k8s.io", "ingresses", ("get",), "Ingresses are not in the evidence"),
    Right("autoscaling", "horizontalpodautoscalers", ("get", "list"), "the HPA is not in the evidence"),
)
IN_ARGOCD = (Right("argoproj.io", "applications", ("get", "list"), "the GitOps repository is not known"),)
TOO_MUCH = (
    Right("", "secrets", ("get", "list"), ""),
    Right("", "pods/exec", ("create",), ""),
    Right("argoproj.io", "rollouts", ("patch", "delete"), ""),
)


async def check_cluster(live: LiveCluster, name: str, settings: Settings, only: str | None) -> AsyncIterator[Finding]:
    """One cluster: the sign-in, the rights in each watched namespace (or `only` in that one), the notifications."""
    if not await live.check(name):
        todo = "check the kubeconfig, its context, and that the network lets this machine through"
        yield fail("cluster", f"{name} does not answer, or does not know us", todo)
        return
    yield ok("cluster", f"{name} answers and knows us")
    for namespace in (only,) if only is not None else settings.watched_namespaces:
        async for finding in _rights(live, name, namespace, RIGHTS):
            yield finding
        async for finding in _excess(live, name, namespace):
            yield finding
    async for finding in _rights(live, name, settings.argocd_namespace, IN_ARGOCD):
        yield finding
    for finding in read_notifications(await live.read(name, "configmap", CONTROLLER, CONFIG)):
        yield finding


async def _rights(live: LiveCluster, name: str, namespace: str, rights: tuple[Right, ...]) -> AsyncIterator[Finding]:
    """One line a resource that lacks a verb; one for all that lack none."""
    where = f"namespace {namespace} of {name}" if namespace else f"all namespaces of {name}"
    complete = 0
    for right in rights:
        missing = [verb for verb, allowed in await _ask(live, name, namespace, right) if not allowed]
        if not missing:
            complete += 1
            continue
        text = f"{where}: may not {', '.join(missing)} {_plural(right)}: {right.without}"
        bind = f"kubectl -n {namespace} apply -k k8s/watched-namespace" if namespace else "name SELFHEAL_NAMESPACES"
        todo = "add k8s/components/argocd" if right in IN_ARGOCD else bind
        yield Finding(check="rights", level=right.level, text=text, todo=todo)
    if complete == len(rights):
        yield ok("rights", f"{where}: every verb on {', '.join(_plural(right) for right in rights)}")


async def _excess(live: LiveCluster, name: str, namespace: str) -> AsyncIterator[Finding]:
    where = f"namespace {namespace}" if namespace else "all namespaces"
    for right in TOO_MUCH:
        allowed = [verb for verb, may in await _ask(live, name, namespace, right) if may]
        if allowed:
            text = f"{where} of {name}: may {', '.join(allowed)} {_plural(right)}, which it never needs"
            yield warn("rights", text, "bind k8s/base's roles and no others")


async def _ask(live: LiveCluster, name: str, namespace: str, right: Right) -> list[tuple[str, bool | None]]:
    resource, _, sub = right.resource.partition("/")
    attributes = {"group": right.group, "resource": resource, "subresource": sub, "namespace": namespace}
    answers = await asyncio.gather(*(live.allows(name, attributes | {"verb": verb}) for verb in right.verbs))
    return list(zip(right.verbs, answers, strict=True))


def _plural(right: Right) -> str:
    return f"{right.resource}.{right.group}" if right.group else right.resource


def read_notifications(found: Objects) -> Iterator[Finding]:
    """Whether Argo Rollouts is told to call us. The Secret is never read, so its mistakes can only be explained."""
    if found.status not in {"ok", "empty"}:
        text = f"the ConfigMap {CONTROLLER}/{CONFIG} cannot be read ({found.status}: {found.reason})"
        todo = (
            "nothing to do if notifications come; else apply k8s/components/argo, see that the Secret "
            "argo-rollouts-notification-secret has the key selfheal-token (without it the header is the literal "
            "`Bearer $selfheal-token`, refused with 401), and look for `Failed to get api` in the controller's log"
        )
        yield warn("notifications", text, todo)
        return
    data = dig(found.objects[0], "data") if found.objects else {}
    wrong = list(_mistakes({str(key): str(value) for key, value in data.items()}))
    for text in wrong:
        yield warn("notifications", text, "compare with k8s/components/argo/notifications.yaml")
    if not wrong:
        yield ok("notifications", f"{CONTROLLER}/{CONFIG} sends {len(FAILURES | SIGNALS)} triggers to this service")


def _mistakes(data: dict[str, str]) -> Iterator[str]:
    try:
        yaml = {key: YAML(typ="safe", pure=True).load(value) for key, value in data.items()}
    except YAMLError as error:
        yield f"a key is not YAML, which silences every notification: {' '.join(str(error).split())[:200]}"
        return
    service = yaml.get("service.webhook.selfheal")
    if not isinstance(service, dict) or not service.get("url"):
        yield "it has no service.webhook.selfheal with a url"
        return
    headers = {str(one.get("name")): str(one.get("value")) for one in mappings(service.get("headers"))}
    if "Authorization" not in headers and not service.get("basicAuth"):
        yield "service.webhook.selfheal sends no Authorization header"
    for key in ("retryWaitMin", "retryWaitMax"):
        if isinstance(service.get(key), str):
            yield f"{key} is text: it must be whole nanoseconds, or every notification is silenced"
    defaults = yaml.get("defaultTriggers.selfheal")
    lacking = sorted(FAILURES - set(defaults if isinstance(defaults, list) else ()))
    if lacking:
        yield f"defaultTriggers.selfheal lacks {', '.join(lacking)}"
    for trigger in sorted(FAILURES - set(lacking)):
        if f"trigger.{trigger}" not in data:
            yield f"there is no trigger.{trigger}"
    paths = [f"path: {WEBHOOK}" in value for key, value in data.items() if key.startswith("template.selfheal-")]
    if not paths or not all(paths):
        yield f"a template of this service does not post to {WEBHOOK}"
