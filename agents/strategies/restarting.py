"""What merging a change of manifests sets off: a new canary, the end of the failed one, or nothing until it is retried.

Argo Rollouts starts a canary for a new pod template (or new canary steps) and for nothing else; one that is the stable
version's again ends the rollout without a canary. A ConfigMap is part of the pod template only by its name.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from agents.changes import ValueChange
from agents.changes.kustomize import is_kustomization
from agents.changes.marked import marked_documents, text_at
from agents.evidence import Bundle
from agents.evidence.origin import HASH_LABEL, dig, mappings
from agents.patch import Patch
from agents.strategies.pin import template_of

Effect = Literal["canary", "stable", "nothing"]
"""A new canary; the stable version's pod template again; no change of what the rollout watches."""
TEMPLATE = "/spec/template"
STEPS = "/spec/strategy/canary/steps"
CONFIGURATION = {"configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap", "configMap": "ConfigMap"} | {
    "secretRef": "Secret",
    "secretKeyRef": "Secret",
    "secret": "Secret",
}
"""Fields of a pod template that name configuration, and its kind."""
HASHED = re.compile(r"-[0-9a-z]{10}")
HASH_WIDTH = 11
RELOADER = re.compile(r"(?:[\w-]+\.)?reloader\.stakater\.com/")
CHECKSUM = re.compile(r"(?:^|/)(?:checksum|sha\d*|hash)\b|checksum", re.IGNORECASE)


class Watched(BaseModel):
    """What the pods of the failed canary were told of their configuration."""

    model_config = ConfigDict(frozen=True)

    rollout: str
    namespace: str
    workload: str = ""
    """The Deployment that has the pod template, where the Rollout only refers to it."""
    references: tuple[str, ...] = ()
    """The names of ConfigMaps and Secrets that the pod template mentions."""
    checksums: tuple[str, ...] = ()
    """The values of annotations by which the pod template follows its configuration."""
    reloads: bool = False
    """Whether Reloader restarts it when its configuration changes."""


def watched(bundle: Bundle) -> Watched:
    """Read from the canary's ReplicaSet and from the Rollout."""
    target = bundle.target
    rollout = next((one for one in bundle.objects("rollout") if dig(one, "metadata").get("name") == target.rollout), {})
    template = template_of(bundle, target.canary_hash)
    annotations = dig(template, "metadata", "annotations")
    return Watched(
        rollout=target.rollout,
        namespace=target.namespace,
        workload=str(dig(rollout, "spec", "workloadRef").get("name") or ""),
        references=tuple(dict.fromkeys(_references(template))),
        checksums=tuple(str(value) for key, value in annotations.items() if CHECKSUM.search(str(key))),
        reloads=any(
            RELOADER.match(str(key)) for key in (*annotations, *dig(rollout, "metadata", "annotations")) if key
        ),
    )


def _references(thing: Any) -> Iterator[str]:
    if isinstance(thing, Mapping):
        for key, value in thing.items():
            if key in CONFIGURATION and isinstance(value, Mapping):
                yield from (str(value[name]) for name in ("name", "secretName") if value.get(name))
            yield from _references(value)
    elif isinstance(thing, list):
        for one in thing:
            yield from _references(one)


def effect_of(
    changed: Sequence[ValueChange], left: Sequence[ValueChange], files: Mapping[str, str], seen: Watched
) -> Effect:
    """What a change sets off. `changed`: what it changes; `left`: what differs from the stable version after it.

    `files` are the manifests after it.
    """
    names = _Names(files)
    if not any(_restarts(one, names, files, seen) for one in changed):
        return "nothing"
    return "canary" if any(_restarts(one, names, files, seen) for one in left) else "stable"


class _Names:
    """What kustomizations may make of a name: the prefixes and suffixes that these files give."""

    def __init__(self, files: Mapping[str, str]) -> None:
        texts = [text for path, text in files.items() if is_kustomization(path)]
        found = [document for text in texts for document in marked_documents(text)]
        self._prefixes = {"", *(text_at(one, "namePrefix") for one in found)}
        self._suffixes = {"", *(text_at(one, "nameSuffix") for one in found)}

    def may_be(self, name: str, known: str) -> bool:
        """Whether the object that is called `name` in its file may be called `known` in the cluster."""
        return any(f"{prefix}{name}{suffix}" == known for prefix in self._prefixes for suffix in self._suffixes)


def _restarts(change: ValueChange, names: _Names, files: Mapping[str, str], seen: Watched) -> bool:
    """Whether a changed value is a part of the pod template, or gives its configuration another name."""
    match change.kind:
        case "Rollout":
            return change.pointer.startswith((f"{TEMPLATE}/", STEPS)) and names.may_be(change.name, seen.rollout)
        case "Deployment":
            return (
                bool(seen.workload)
                and change.pointer.startswith(f"{TEMPLATE}/")
                and names.may_be(change.name, seen.workload)
            )
        case "ConfigMap" | "Secret":
            return seen.reloads or _is_followed(change.name, names, seen) or _has_computed_checksum(files, seen)
        case "Kustomization":
            return change.pointer.startswith(("/images/", "/commonLabels/", "/labels/", "/commonAnnotations/"))
        case _:
            return False


def _is_followed(name: str, names: _Names, seen: Watched) -> bool:
    """Whether the pod template names the configuration with a hash of its content, as generators call it."""
    return any(
        HASHED.fullmatch(reference[-HASH_WIDTH:]) is not None and names.may_be(name, reference[:-HASH_WIDTH])
        for reference in seen.references
    )


def _has_computed_checksum(files: Mapping[str, str], seen: Watched) -> bool:
    """Whether a checksum on the pod template is made when the manifests are: one that stands in Git stays as it is."""
    return any(all(value not in text for text in files.values()) for value in seen.checksums)


def effect_of_pin(bundle: Bundle, stable: Mapping[str, str]) -> Effect:
    """What the stable version's images (container -> image) set off in the canary's pod template."""
    templates = [template_of(bundle, version.hash) for version in (bundle.manifest.stable, bundle.manifest.canary)]
    good, bad = (_comparable(template, stable) for template in templates)
    return "stable" if good == bad else "canary"


def _comparable(template: Mapping[str, Any], images: Mapping[str, str]) -> dict[str, Any]:
    """A pod template with these images, without the label by which a ReplicaSet knows its own."""
    labels = {key: value for key, value in dig(template, "metadata", "labels").items() if key != HASH_LABEL}
    annotations, spec = dict(dig(template, "metadata", "annotations")), dict(dig(template, "spec"))
    for key in ("containers", "initContainers"):
        spec[key] = [
            {**one, "image": images.get(str(one.get("name")), one.get("image"))} for one in mappings(spec.get(key))
        ]
    return {"labels": labels, "annotations": annotations, "spec": spec}


def retry_command(seen: Watched) -> str:
    """What starts the canary again as it is."""
    return f"kubectl argo rollouts retry rollout {seen.rollout} -n {seen.namespace}"


def is_of_manifests(patch: Patch, files: Mapping[str, str]) -> bool:
    """Whether a patch changes files that the rollout's objects are made of, and nothing else."""
    return bool(patch.changes) and all(change.path in files for change in patch.changes)
