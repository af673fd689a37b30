"""What a bundle shows of one version, read once and in a form that no odd object can break.

Objects come from people and from many versions of Kubernetes: a field that is missing, null or of another type is
simply not there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from agents.changes.fields import json_pointer
from agents.evidence import Bundle, Citation, Side, cite_lines
from agents.evidence.nouns import Item
from agents.evidence.origin import dig, label, mappings

STATUSES = (("initContainerStatuses", "initContainers"), ("containerStatuses", "containers"))
LONGEST_QUOTE = 600
LONGEST_TEXT = 4000
"""Characters of a message that are read: the kubelet and the API server cut theirs at 1024 or so."""


class Thing(NamedTuple):
    """An object of the bundle with the id of its item."""

    item: str
    object: Mapping[str, Any]

    @property
    def name(self) -> str:
        return text_in(dig(self.object, "metadata"), "name")


class Event(NamedTuple):
    """A Kubernetes Event, and where in the bundle it stands."""

    at: int
    reason: str
    message: str
    kind: str
    """Of the object that it is about."""
    name: str
    container: str | None

    @property
    def citation(self) -> Citation:
        return Citation(ref=f"events#/{self.at}/message", quote=self.message[:LONGEST_QUOTE])


class Container(NamedTuple):
    """The status of a container, and where in its pod it stands."""

    pod: Thing
    name: str
    pointer: str
    """Of the status, in the pod."""
    status: Mapping[str, Any]
    is_init: bool

    @property
    def restarts(self) -> int:
        return int_in(self.status, "restartCount") or 0

    @property
    def is_ready(self) -> bool:
        return self.status.get("ready") is True

    @property
    def waiting(self) -> Mapping[str, Any]:
        return dig(self.status, "state", "waiting")

    @property
    def terminations(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """How it ended: now, and before its last restart; each with its pointer."""
        found = [(state, dig(self.status, state, "terminated")) for state in ("state", "lastState")]
        return tuple((f"{self.pointer}/{state}/terminated", ended) for state, ended in found if ended)

    @property
    def what(self) -> str:
        return f"{'init container' if self.is_init else 'container'} {self.name}"

    @property
    def field(self) -> str:
        """Its path below the pod's spec."""
        return f"{'initContainers' if self.is_init else 'containers'}/[name={self.name}]"

    def cite(self, pointer: str, quote: object) -> Citation:
        return Citation(ref=f"{self.pod.item}#{pointer}", quote=str(quote)[:LONGEST_QUOTE])


class Scene:
    """One version's pods, ReplicaSets and events. `side` is `canary`, `stable`, or `none` for pods of job metrics."""

    def __init__(self, bundle: Bundle, side: Side) -> None:
        self.bundle = bundle
        self.side: Side = side
        target = bundle.target
        self.hash = target.canary_hash if side == "canary" else target.stable_hash

    @cached_property
    def pods(self) -> tuple[Thing, ...]:
        """The version's pods; one that its own name or label gives another version is none of them."""
        return tuple(one for one in things(self.bundle, "pod") if self._is_ours(one))

    def _is_ours(self, pod: Thing) -> bool:
        item = next((one for one in self.bundle.manifest.items if one.id == pod.item), None)
        if item is not None and item.side != "none":
            return item.side == self.side
        return self.side != "none" and label(pod.object) == self.hash

    @cached_property
    def containers(self) -> tuple[Container, ...]:
        """The statuses of all containers of the pods."""
        return tuple(one for pod in self.pods for one in containers_of(pod))

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Events about the version's pods and ReplicaSet, as they came."""
        names = {pod.name for pod in self.pods}
        prefix = f"{self.bundle.target.rollout}-{self.hash}"
        return tuple(one for one in events_of(self.bundle) if one.name in names or one.name.startswith(prefix))

    @cached_property
    def replica_set(self) -> Thing | None:
        """The version's ReplicaSet."""
        return next((one for one in things(self.bundle, "replicaset") if label(one.object) == self.hash), None)

    @cached_property
    def template(self) -> Thing | None:
        """What the version's pods are made from: the ReplicaSet, else the Rollout (canary only), else a pod."""
        if self.replica_set is not None and dig(self.replica_set.object, "spec", "template", "spec"):
            return self.replica_set
        if self.side == "canary":
            for rollout in things(self.bundle, "rollout"):
                ours = dig(rollout.object, "status").get("currentPodHash", self.hash) == self.hash
                if ours and dig(rollout.object, "spec", "template", "spec"):
                    return rollout
        return next(iter(self.pods), None)

    @property
    def spec(self) -> Mapping[str, Any]:
        """The pod's spec of `template`."""
        if self.template is None:
            return {}
        return dig(self.template.object, "spec", "template", "spec") or dig(self.template.object, "spec")

    def container_spec(self, name: str | None) -> Mapping[str, Any]:
        """A container of the spec."""
        groups = ("initContainers", "containers")
        return next((one for group in groups for one in mappings(self.spec.get(group)) if one.get("name") == name), {})

    def cite_spec(self, field: str, quote: str) -> tuple[Citation, ...]:
        """A field below the pod's spec, by its path; nothing where it is not there."""
        if self.template is None:
            return ()
        inside = bool(dig(self.template.object, "spec", "template", "spec"))
        start = "/spec/template/spec" if inside else "/spec"
        path = "/".join(segments(field))
        pointer = json_pointer(self.template.object, f"{start}/{path}")
        return (Citation(ref=f"{self.template.item}#{pointer}", quote=quote),) if pointer else ()

    def logs(self) -> Iterator[tuple[Item, str]]:
        """The logs of the version that have text."""
        for item in self.bundle.logs(self.side):
            yield item, self.bundle.contents[item.id]

    def last_lines(self, container: Container, count: int) -> Citation | None:
        """The last lines that a container wrote before it ended: of its previous run, else of this one."""
        base = f"logs/{self.side}/{container.pod.name}/{container.name}"
        for item in (f"{base}.previous", base):
            text = self.bundle.contents.get(item, "").rstrip()
            if text:
                last = text.count("\n") + 1
                return cite_lines(self.bundle, item, max(1, last - count + 1), last)
        return None


def containers_of(pod: Thing) -> Iterator[Container]:
    """The containers of one pod, as its status tells them."""
    for group, specs in STATUSES:
        listed = dig(pod.object, "status").get(group)
        for at, status in enumerate(listed if isinstance(listed, list) else []):
            name = text_in(status, "name") if isinstance(status, Mapping) else ""
            if name:
                yield Container(pod, name, f"/status/{group}/{at}", status, specs == "initContainers")


def things(bundle: Bundle, kind: str) -> tuple[Thing, ...]:
    """The objects of one kind with their ids, in the order of the bundle."""
    return tuple(
        Thing(item.id, held)
        for item in bundle.manifest.items
        if item.id.startswith(f"objects/{kind}/") and isinstance(held := parsed(bundle, item.id), Mapping)
    )


def parsed(bundle: Bundle, item: str) -> Any:
    """The JSON of an item; None where there is none."""
    try:
        return json.loads(bundle.contents.get(item, "null"))
    except (ValueError, RecursionError):
        return None


def events_of(bundle: Bundle) -> list[Event]:
    """The events of the bundle."""
    listed = parsed(bundle, "events")
    found = []
    for at, event in enumerate(listed if isinstance(listed, list) else []):
        about = dig(event, "involvedObject") or dig(event, "regarding")
        message = text_in(event, "message") if isinstance(event, Mapping) else ""
        if message:
            path = text_in(about, "fieldPath")
            container = path.partition("{")[2].rstrip("}") or None
            found.append(
                Event(at, text_in(event, "reason"), message, text_in(about, "kind"), text_in(about, "name"), container)
            )
    return found


def segments(field: str) -> list[str]:
    """The segments of a path below a pod's spec; a slash inside `[name=...]` does not part."""
    found: list[str] = []
    for part in field.split("/"):
        if found and found[-1].startswith("[") and not found[-1].endswith("]"):
            found[-1] += f"~1{part}"
        else:
            found.append(part)
    return found


def text_in(thing: Mapping[str, Any], key: str) -> str:
    """A text field, cut where it is very long; empty where it is missing or something else."""
    value = thing.get(key)
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def int_in(thing: Mapping[str, Any], key: str) -> int | None:
    """A whole number, None where it is missing or something else."""
    value = thing.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def list_in(thing: Mapping[str, Any], key: str) -> Sequence[Any]:
    """A list, empty where it is missing or something else."""
    value = thing.get(key)
    return value if isinstance(value, list) else ()
