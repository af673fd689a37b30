"""References to ConfigMaps, Secrets and their keys that lead nowhere, so that a container is not created.

The texts are the kubelet's (`CreateContainerConfigError`, `FailedMount`). Of Secrets nothing but names and keys is
known, and nothing else is needed.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from agents.evidence import Citation
from agents.evidence.origin import dig
from agents.podstates.nouns import NEVER_RAN, State, Wanted
from agents.podstates.scene import Scene, text_in

NAME = r"([A-Za-z0-9._-]{1,253})"
KEY_MISSING = re.compile(rf"couldn't find key {NAME} in (configmap|secret) (?:{NAME}/)?{NAME}", re.IGNORECASE)
OBJECT_MISSING = re.compile(rf"(configmap|secret)s? \"{NAME}\" not found", re.IGNORECASE)
ITEM_MISSING = re.compile(r"references non-existent (config|secret) key: ([A-Za-z0-9._-]{1,253})", re.IGNORECASE)
VOLUME = re.compile(rf"for volume \"{NAME}\"", re.IGNORECASE)


class Reference(NamedTuple):
    """What is referred to and is not there; `key` is empty where it is the whole object."""

    kind: str
    name: str
    key: str


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each thing that is missing."""
    seen: set[Reference] = set()
    for message, citation, container in _told(scene):
        reference = _reference(scene, message)
        if reference is not None and reference not in seen:
            seen.add(reference)
            yield _missing(scene, reference, citation, container)


def _told(scene: Scene) -> Iterator[tuple[str, Citation, str | None]]:
    """What the kubelet says about containers that it cannot create, and volumes that it cannot mount."""
    for container in scene.containers:
        if text_in(container.waiting, "reason").lower() == "createcontainerconfigerror":
            message = text_in(container.waiting, "message")
            yield message, container.cite(f"{container.pointer}/state/waiting/message", message), container.name
    waiting = {one.pod.name for one in scene.containers if one.waiting} | {
        pod.name for pod in scene.pods if dig(pod.object, "status").get("phase") == "Pending"
    }
    for event in scene.events:
        if event.reason in {"Failed", "FailedMount"} and (event.name in waiting or not scene.pods):
            yield event.message, event.citation, event.container


def _reference(scene: Scene, message: str) -> Reference | None:
    key = KEY_MISSING.search(message)
    if key is not None:
        return Reference(_kind(key[2]), key[4], key[1])
    missing = OBJECT_MISSING.search(message)
    if missing is not None:
        return Reference(_kind(missing[1]), missing[2], "")
    item = ITEM_MISSING.search(message)
    if item is not None:
        volume = VOLUME.search(message)
        kind = "ConfigMap" if item[1].lower() == "config" else "Secret"
        return Reference(kind, _held_by(scene, volume[1] if volume else "", kind), item[2])
    return None


def _kind(text: str) -> str:
    return "ConfigMap" if text.lower() == "configmap" else "Secret"


def _held_by(scene: Scene, volume: str, kind: str) -> str:
    """The ConfigMap or Secret that a volume shows; empty where that is not known."""
    volumes = scene.spec.get("volumes")
    for one in volumes if isinstance(volumes, list) else []:
        if isinstance(one, dict) and one.get("name") == volume:
            held = dig(one, "configMap").get("name") if kind == "ConfigMap" else dig(one, "secret").get("secretName")
            return str(held or "")
    return ""


def _missing(scene: Scene, reference: Reference, citation: Citation, container: str | None) -> State:
    kind, name, key = reference
    whole = f"{kind} {name}" if name else f"a {kind}"
    what = f"the key {key} of {whole}" if key else whole
    container_named = f" of container {container}" if container else ""
    evidence = [citation]
    if key and kind == "ConfigMap" and isinstance(scene.bundle.contents.get(f"config/{name}"), str):
        evidence += [Citation(ref=f"config/{name}#/metadata/name", quote=name)]
    return State(
        kind="config-reference",
        category="config",
        sentence=f"{what}, which the pod template{container_named} refers to, is not there",
        evidence=tuple(evidence),
        weight=NEVER_RAN,
        container=container,
        subject=f"{kind}/{name}/{key}",
        wanted=tuple(_wanted(reference)),
        names=(key or name,),
    )


def _wanted(reference: Reference) -> Iterator[Wanted]:
    """That it was taken away, then that it came to be referred to."""
    kind, name, key = reference
    is_map = kind == "ConfigMap"
    kinds = ("ConfigMap",) if is_map else ("Secret", "SealedSecret", "ExternalSecret")
    for one in kinds:
        if key:
            yield Wanted(kind=one, name=name or None, field=f"data/{key}", sense="gone")
            yield Wanted(kind=one, name=name or None, field=f"data/{key}/**", sense="gone")
            yield Wanted(kind=one, name=name or None, field=f"spec/encryptedData/{key}", sense="gone")
            yield Wanted(kind=one, name=name or None, field="spec/data/*/secretKey", value=key)
        else:
            yield Wanted(kind=one, name=name or None, field="metadata/name", sense="gone")
    ref, whole, volume = (
        ("configMapKeyRef", "configMapRef", "configMap") if is_map else ("secretKeyRef", "secretRef", "secret")
    )
    named = "name" if is_map else "secretName"
    for group in ("containers", "initContainers"):
        if key:
            yield Wanted(field=f"{group}/*/env/*/valueFrom/{ref}/key", value=key)
        if name:
            yield Wanted(field=f"{group}/*/env/*/valueFrom/{ref}/name", value=name)
            yield Wanted(field=f"{group}/*/envFrom/*/{whole}/name", value=name)
    if key:
        yield Wanted(field=f"volumes/*/{volume}/items/*/key", value=key)
        yield Wanted(field=f"volumes/*/projected/sources/*/{volume}/items/*/key", value=key)
    if name:
        yield Wanted(field=f"volumes/*/{volume}/{named}", value=name)
        yield Wanted(field=f"volumes/*/projected/sources/*/{volume}/name", value=name)
