"""Volumes that cannot be had: claims that are missing or unbound, disks held elsewhere, mounts that fail."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agents.evidence import Citation
from agents.evidence.origin import dig
from agents.podstates.nouns import NEVER_RAN, State, StateCategory, Wanted
from agents.podstates.references import ITEM_MISSING, OBJECT_MISSING
from agents.podstates.scene import Scene, text_in

CLAIM_MISSING = re.compile(r"persistentvolumeclaim \"([\w.-]{1,253})\" (?:not found|is being deleted)", re.IGNORECASE)
SUBPATH = re.compile(r"subpath", re.IGNORECASE)
VOLUME = re.compile(r"(?:for volume|unmounted volumes=\[|attach volume) ?\"?([\w.-]{1,253})", re.IGNORECASE)


class Trouble(NamedTuple):
    """A phrase, what it means, and whose matter it is."""

    phrase: str
    says: str
    category: StateCategory
    fields: tuple[str, ...]


CLAIMS = ("volumes/*/persistentVolumeClaim/claimName",)
TROUBLES = (
    Trouble("multi-attach error", "it is attached to another node", "infrastructure", ()),
    Trouble("unbound immediate", "its claim is not bound to any volume", "infrastructure", CLAIMS),
    Trouble(
        "volume node affinity", "it is bound to nodes that the pod cannot use", "infrastructure", ("nodeSelector/**",)
    ),
    Trouble("max volume count", "the nodes hold as many volumes as they can", "infrastructure", ()),
    Trouble("hostpath type check failed", "the path is not on the node", "config", ("volumes/*/hostPath/**",)),
    Trouble("attachvolume.attach failed", "it cannot be attached", "infrastructure", CLAIMS),
    Trouble("failedattachvolume", "it cannot be attached", "infrastructure", CLAIMS),
    Trouble("mountvolume.setup failed", "it cannot be mounted", "infrastructure", ("volumes/**",)),
    Trouble("unable to attach or mount volumes", "it cannot be mounted", "infrastructure", ("volumes/**",)),
    Trouble("mount failed", "it cannot be mounted", "infrastructure", ("volumes/**",)),
)
REASONS = frozenset({"FailedMount", "FailedAttachVolume", "FailedScheduling", "FailedMapVolume", "ProvisioningFailed"})


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each volume and trouble of pods that wait for them."""
    seen: set[str] = set()
    for message, citation in _told(scene):
        if OBJECT_MISSING.search(message) or ITEM_MISSING.search(message):
            continue  # told by `agents.podstates.references`
        state = _trouble(message, citation)
        if state is not None and state.subject not in seen:
            seen.add(state.subject)
            yield state


def _told(scene: Scene) -> Iterator[tuple[str, Citation]]:
    """What is said of pods that have not begun; most telling first, since time-outs follow from the rest."""
    waiting = {
        pod.name
        for pod in scene.pods
        if dig(pod.object, "status").get("phase") == "Pending" or not dig(pod.object, "status").get("startTime")
    }
    told = [
        (one.message, one.citation)
        for one in scene.events
        if one.reason in REASONS and (one.name in waiting or not scene.pods)
    ]
    for pod in scene.pods:
        conditions = dig(pod.object, "status").get("conditions")
        for at, condition in enumerate(conditions if isinstance(conditions, list) else []):
            if isinstance(condition, dict) and condition.get("status") == "False" and text_in(condition, "message"):
                message = text_in(condition, "message")
                told.append((message, Citation(ref=f"{pod.item}#/status/conditions/{at}/message", quote=message)))
    for container in scene.containers:
        message = text_in(container.waiting, "message")
        if SUBPATH.search(message):
            told.append((message, container.cite(f"{container.pointer}/state/waiting/message", message)))
    yield from sorted(told, key=lambda one: "timed out waiting" in one[0].lower())


def _trouble(message: str, citation: Citation) -> State | None:
    text = message.lower()
    claim = CLAIM_MISSING.search(message)
    if claim is not None:
        claimed = (
            Wanted(kind="PersistentVolumeClaim", name=claim[1], field="metadata/name", sense="gone"),
            Wanted(field="volumes/*/persistentVolumeClaim/claimName", value=claim[1]),
        )
        return _state("its PersistentVolumeClaim is not there", claim[1], citation, "config", claimed)
    if "failed to prepare subpath" in text or ("subpath" in text and "not a directory" in text):
        fields = (Wanted(field="containers/*/volumeMounts/**"), Wanted(field="volumes/**"))
        return _state("its subPath cannot be prepared", "subPath", citation, "config", fields)
    trouble = next((one for one in TROUBLES if one.phrase in text), None)
    if trouble is None:
        return None
    volume = VOLUME.search(message)
    wanted = tuple(Wanted(field=field) for field in trouble.fields)
    if trouble.phrase in {"unbound immediate", "mountvolume.setup failed"}:
        wanted += (Wanted(kind="PersistentVolumeClaim", field="spec/**"),)
    return _state(trouble.says, volume[1] if volume else trouble.phrase, citation, trouble.category, wanted)


def _state(says: str, volume: str, citation: Citation, category: StateCategory, wanted: tuple[Wanted, ...]) -> State:
    return State(
        kind="volume",
        category=category,
        sentence=f"the pod waits for the volume {volume}: {says}",
        evidence=(citation,),
        weight=NEVER_RAN,
        subject=volume,
        wanted=wanted,
    )
