"""Pods that no node takes. The scheduler's message counts the nodes for each reason that it has."""

import re
from collections.abc import Iterator

from agents.evidence import Citation
from agents.evidence.origin import dig, mappings
from agents.podstates.nouns import NEVER_RAN, State, Wanted
from agents.podstates.scene import Scene, Thing, text_in

INSUFFICIENT = re.compile(r"insufficient ([a-z0-9./_-]{1,100})", re.IGNORECASE)
ANYWHERE = ("containers/*", "initContainers/*")
REASONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("untolerated taint", "their taints are not tolerated", ("tolerations/**", "nodeSelector/**", "affinity/**")),
    ("had taint", "their taints are not tolerated", ("tolerations/**", "nodeSelector/**", "affinity/**")),
    ("node affinity/selector", "they do not match its node selector", ("nodeSelector/**", "affinity/**")),
    ("node selector", "they do not match its node selector", ("nodeSelector/**", "affinity/**")),
    ("topology spread", "its topology spread does not allow them", ("topologySpreadConstraints/**",)),
    ("pod affinity", "its pod affinity does not allow them", ("affinity/**",)),
    ("anti-affinity", "its pod anti-affinity does not allow them", ("affinity/**",)),
    ("free ports", "its host port is taken", ("containers/*/ports/**", "hostNetwork")),
    ("scheduling gate", "it waits behind a scheduling gate", ("schedulingGates/**",)),
)
VOLUMES = ("persistentvolumeclaim", "unbound immediate", "volume node affinity", "storageclass", "max volume count")
"""Said by the scheduler, but about volumes: `agents.podstates.volumes` tells them."""


def analyze(scene: Scene) -> Iterator[State]:
    """One state for all pods that wait for the same reason."""
    seen: set[str] = set()
    for pod in scene.pods:
        told = _told(scene, pod)
        if told is not None and told[0] not in seen:
            seen.add(told[0])
            yield from _waiting(scene, *told)


def _told(scene: Scene, pod: Thing) -> tuple[str, Citation] | None:
    """Why a pod has no node, from its condition, else from an event."""
    if text_in(dig(pod.object, "spec"), "nodeName"):
        return None
    conditions = dig(pod.object, "status").get("conditions")
    for at, condition in enumerate(conditions if isinstance(conditions, list) else []):
        if not isinstance(condition, dict) or condition.get("type") != "PodScheduled":
            continue
        message = text_in(condition, "message")
        if condition.get("status") == "False" and message:
            return message, Citation(ref=f"{pod.item}#/status/conditions/{at}/message", quote=message)
    events = [one for one in scene.events if one.name == pod.name and one.reason == "FailedScheduling"]
    return (events[-1].message, events[-1].citation) if events else None


def _asked(scene: Scene, resource: str) -> list[Wanted]:
    """The fields that say how much of a resource the pod asks for: where a container has no request, its limit does."""
    name = resource.replace("/", "~1")
    wanted = [Wanted(field=f"{place}/resources/requests/{name}", sense="higher") for place in ANYWHERE]
    for place, group in (("containers/*", "containers"), ("initContainers/*", "initContainers")):
        for one in mappings(scene.spec.get(group)):
            asks, limits = (dig(one, "resources", what) for what in ("requests", "limits"))
            if resource in limits and resource not in asks:
                wanted.append(Wanted(field=f"{place}/resources/limits/{name}", sense="higher"))
    return wanted


def _waiting(scene: Scene, message: str, citation: Citation) -> Iterator[State]:
    text = message.lower()
    if any(phrase in text for phrase in VOLUMES):
        return
    wanted: list[Wanted] = []
    says: list[str] = []
    for resource in dict.fromkeys(INSUFFICIENT.findall(message)):
        says.append(f"too little {resource.rstrip('.')} is free")
        wanted += _asked(scene, resource.rstrip("."))
    for phrase, words, fields in REASONS:
        if phrase in text and words not in says:
            says.append(words)
            wanted += [Wanted(field=field) for field in fields]
    if "too many pods" in text:
        says.append("they hold as many pods as they may")
    yield State(
        kind="unschedulable",
        category="infrastructure",
        sentence=f"no node takes the pod: {' and '.join(says) or message.strip()[:200]}",
        evidence=(citation,),
        weight=NEVER_RAN,
        subject=",".join(says),
        wanted=tuple(dict.fromkeys(wanted)),
    )
