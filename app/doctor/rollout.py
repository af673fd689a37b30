"""What would be known of one Rollout if its canary failed now: captured and identified by the service's own code."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from agents.errors import Transient
from agents.evidence import Bundle, Cluster, ManifestSource, Version, locate_manifests
from agents.evidence.origin import dig
from agents.graph import Ports
from agents.incident import Incident
from agents.policy import Policy
from agents.provenance import identify
from app import notification
from app.capture import capture
from app.clock import utc_now
from app.doctor.finding import Finding, fail, ok, warn

SUBSCRIBE = "notifications.argoproj.io/subscribe."
LIST = "notifications.argoproj.io/subscriptions"
LEAST_DELAY_SECONDS = 120


async def check_rollout(cluster: Cluster, ports: Ports, where: tuple[str, str, str]) -> AsyncIterator[Finding]:
    """`where` is cluster, namespace and name."""
    name, namespace, rollout = where
    found = await cluster.find(name, namespace, rollout)
    if not found.objects:
        yield fail("rollout", f"{namespace}/{rollout} on {name}: {found.status}: {found.reason}", "check the names")
        return
    thing = found.objects[0]
    for finding in check_subscription(thing, namespace, rollout):
        yield finding
    for finding in check_window(thing):
        yield finding
    incident, text = _incident(thing, where)
    yield ok("rollout", text)
    bundle = await capture(cluster, incident, 1, None, utc_now)
    for gap in bundle.gaps():
        yield warn("evidence", f"{gap.id}: {gap.status}: {gap.reason}", "see the rights above")
    async for finding in _identity(bundle, ports):
        yield finding


def check_subscription(rollout: Mapping[str, Any], namespace: str, name: str) -> Iterator[Finding]:
    """Whether the Rollout asks to be told about; a `subscriptions` list in the ConfigMap would do as well."""
    annotations = dig(rollout, "metadata", "annotations")
    if annotations.get(notification.ENABLED) == "false":
        yield warn("subscription", f'{notification.ENABLED} is "false": every notification is ignored', "remove it")
    ours = [key for key in annotations if key.startswith(SUBSCRIBE) and key.endswith("selfheal")]
    if ours or "selfheal" in str(annotations.get(LIST) or ""):
        yield ok("subscription", f"subscribed by {', '.join(ours) or LIST}")
        return
    todo = f'kubectl -n {namespace} annotate rollout {name} {SUBSCRIBE}selfheal=""'
    yield warn("subscription", "no annotation subscribes this Rollout; only a failure that is watched is seen", todo)


def check_window(rollout: Mapping[str, Any]) -> Iterator[Finding]:
    """How long the evidence will be there (argo-contract 2.2)."""
    spec = dig(rollout, "spec")
    if spec.get("progressDeadlineAbort") is not True:
        text = "progressDeadlineAbort is not set: a canary that never becomes ready is not aborted"
        yield warn("window", text, "set spec.progressDeadlineAbort: true")
    strategy = dig(spec, "strategy", "blueGreen") or dig(spec, "strategy", "canary")
    delayed = "blueGreen" in dig(spec, "strategy") or "trafficRouting" in strategy
    delay = strategy.get("abortScaleDownDelaySeconds", 30)
    if delayed and isinstance(delay, int) and 0 < delay < LEAST_DELAY_SECONDS:
        text = f"the canary's pods are kept for {delay} s after an abort"
        yield warn("window", text, "set abortScaleDownDelaySeconds: 300")


def _incident(thing: Mapping[str, Any], where: tuple[str, str, str]) -> tuple[Incident, str]:
    """The canary that the Rollout is at; where there is none, the stable version is looked at in its place."""
    name, namespace, rollout = where
    known = notification.identify(thing, name)
    if isinstance(known, Incident):
        return known, f"{namespace}/{rollout}: canary {known.canary_hash}, stable {known.stable_hash}"
    status = dig(thing, "status")
    hash_ = str(status.get("currentPodHash") or status.get("stableRS") or "")
    uid = str(dig(thing, "metadata").get("uid") or "")
    healthy = Incident(
        cluster=name,
        namespace=namespace,
        rollout=rollout,
        uid=uid,
        canary_hash=hash_,
        revision="",
        stable_hash=hash_,
    )
    return healthy, f"{namespace}/{rollout}: no canary now; what runs is {hash_ or 'not known'}"


async def _identity(bundle: Bundle, ports: Ports) -> AsyncIterator[Finding]:
    try:
        found = await identify(
            bundle, ports.repositories, ports.policy.listed, registry=ports.registry, images=ports.policy.images
        )
    except Transient as error:
        yield fail("source", str(error), "try again; the service would")
        return
    manifest = found.bundle.manifest
    for side, version in (("canary", manifest.canary), ("stable", manifest.stable)):
        yield _source(side, version, ports.policy)
    for note in found.notes:
        yield warn("source", note, "this answer was passed over")
    located = locate_manifests(found.bundle)
    if not isinstance(located, ManifestSource):
        todo = "without it, a cause in the configuration is named but not fixed"
        yield warn("manifests", located.reason, todo)
    elif ports.policy.listed(located.repo) is None:
        yield warn("manifests", f"{located.repo} has no entry in the policy", "list it to let configuration be fixed")
    else:
        yield ok("manifests", f"{located.repo}, folder {located.path or '.'}: {located.stable} and {located.canary}")


def _source(side: str, version: Version, policy: Policy) -> Finding:
    if version.repo is not None and policy.listed(version.repo) is None:
        text = f"the {side} version is said to be of {version.repo}, which has no entry in the policy"
        return warn("source", text, "list it, or correct what names it")
    if version.commit is not None and version.confidence is not None:
        how = f"by {version.found_by}, confidence {version.confidence}"
        return ok("source", f"the {side} version is {version.commit[:12]} of {version.repo} ({how})")
    todo = (
        "annotate the Rollout with selfheal.io/source-repo and selfheal.io/source-revision (a commit or a tag) in the "
        "change that sets the image, or label images and name their registry in SELFHEAL_REGISTRIES"
    )
    known = f"; its repository is {version.repo}" if version.repo else ""
    return warn("source", f"the commit of the {side} version is not known{known}", todo)
