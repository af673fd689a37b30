"""The containers of manifests, and the images that they name: where each is written, and how its text is made up."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.changes.marked import NOTHING, Fields, Mark, Marked, at, marked_documents, text_at

CONTAINERS = ("containers", "initContainers")
"""The lists in which kustomize looks for images, wherever they stand in an object."""
SPLIT = re.compile(r"(?P<name>[^@]*?)(?::(?P<tag>[\w.{}-]*))?(?:@(?P<digest>sha256:[\w.{}-]*))?", re.ASCII)


@dataclass(frozen=True)
class Writer:
    """What gave an image last: the scalar itself, or an entry of the `images` of a kustomization."""

    file: str
    mark: Mark = NOTHING
    entry: Fields | None = None
    before: str = ""
    """The image that the entry was applied to."""


@dataclass(frozen=True)
class Slot:
    """The image of one container."""

    pointer: str
    """Of the list that the container stands in."""
    container: str
    image: str
    writer: Writer


@dataclass
class Workload:
    """An object that has containers, or names the one that has them."""

    kind: str
    names: tuple[str, ...]
    """The name as it stands now, then those that it had before prefixes and suffixes."""
    namespace: str
    file: str
    reference: str
    """The Deployment that a Rollout's `workloadRef` names."""
    slots: list[Slot] = field(default_factory=list)
    doubt: str = ""
    """Why its images cannot be told."""

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def label(self) -> str:
        return f"{self.kind} {self.name}"


def workloads_of(path: str, text: str) -> list[Workload]:
    found = []
    for document in marked_documents(text):
        kind, name = text_at(document, "kind"), text_at(document, "metadata", "name")
        if kind and name:
            found.append(
                Workload(
                    kind=kind,
                    names=(name,),
                    namespace=text_at(document, "metadata", "namespace"),
                    file=path,
                    reference=text_at(document, "spec", "workloadRef", "name") if kind == "Rollout" else "",
                    slots=list(slots_of(document, path)),
                )
            )
    return found


def slots_of(document: Marked, path: str) -> Iterator[Slot]:
    """The containers of an object, in the lists where kustomize looks for them."""
    waiting, seen = [("", document)], set()
    while waiting:
        pointer, here = waiting.pop()
        if isinstance(here, Mark) or id(here) in seen:
            continue
        seen.add(id(here))
        if isinstance(here, list):
            waiting += [(f"{pointer}/{n}", one) for n, one in enumerate(here)]
            continue
        for key, (_, value) in here.items():
            waiting.append((f"{pointer}/{key}", value))
            if key in CONTAINERS and isinstance(value, list):
                for container in value:
                    image = at(container, "image")
                    mark = image if isinstance(image, Mark) else NOTHING
                    writer = Writer(path, mark)
                    yield Slot(f"{pointer}/{key}", text_at(container, "name"), mark.text, writer)


def split_image(image: str) -> tuple[str, str, str]:
    """Name, tag and digest, each empty where it is not there. A colon before a slash is a port."""
    head, slash, last = image.rpartition("/")
    match = SPLIT.fullmatch(last)
    if match is None:
        return image, "", ""
    return f"{head}{slash}{match['name']}", match["tag"] or "", match["digest"] or ""


def join_image(name: str, tag: str, digest: str) -> str:
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")
