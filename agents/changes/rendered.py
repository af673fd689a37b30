"""The images that a set of manifests gives its objects, as kustomize would render them, and who wrote each last.

Only images are rendered: files and folders taken in, components, patches, prefixes, namespaces, and `images`, in the
order of https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/. What could change an image in a way that
is not known here makes it an `Unrendered`.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from agents.changes.kustomize import NAMES
from agents.changes.marked import (
    NOTHING,
    Fields,
    Mark,
    Marked,
    at,
    entries_at,
    marked_documents,
    text_at,
)
from agents.errors import SelfhealError

CONTAINERS = ("containers", "initContainers")
"""The lists in which kustomize looks for images, wherever they stand in an object."""
OWN_TRANSFORMERS = ("transformers", "imageTags")
SPLIT = re.compile(r"(?P<name>[^@]*?)(?::(?P<tag>[\w.{}-]*))?(?:@(?P<digest>sha256:[\w.{}-]*))?", re.ASCII)


class Unrendered(SelfhealError):
    """The image of an object cannot be told from the manifests."""


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


def render_images(files: Mapping[str, str], root: str | None) -> list[Workload]:
    """The objects of the kustomization `root`, or of all files where there is none."""
    if root is not None:
        return _render(root, files, [], ())
    return [one for path in files for one in _objects(path, files[path])]


def root_of(folder: str, files: Mapping[str, str]) -> str | None:
    """The kustomization of a folder, None where it has none."""
    return next((path for name in NAMES if (path := posixpath.join(folder, name)) in files), None)


def split_image(image: str) -> tuple[str, str, str]:
    """Name, tag and digest, each empty where it is not there. A colon before a slash is a port."""
    head, slash, last = image.rpartition("/")
    match = SPLIT.fullmatch(last)
    if match is None:
        return image, "", ""
    return f"{head}{slash}{match['name']}", match["tag"] or "", match["digest"] or ""


def join_image(name: str, tag: str, digest: str) -> str:
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def _render(path: str, files: Mapping[str, str], taken: list[Workload], above: tuple[str, ...]) -> list[Workload]:
    """The objects of a kustomization; a component changes those that are `taken` before it."""
    if path in above:
        raise Unrendered(f"{path} takes itself in")
    documents = marked_documents(files.get(path, ""))
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise Unrendered(f"{path} is not one YAML document")
    kustomization = documents[0]
    _refuse_unknown(path, kustomization, files)
    objects = list(taken)
    for key in ("resources", "bases"):
        for named in _paths(path, kustomization, key):
            objects += _taken_in(named, files, (*above, path))
    for named in _paths(path, kustomization, "components"):
        inner = root_of(named, files)
        if inner is not None:
            objects = _render(inner, files, objects, (*above, path))
    _patch(path, kustomization, objects, files)
    prefix, suffix = text_at(kustomization, "namePrefix"), text_at(kustomization, "nameSuffix")
    namespace = text_at(kustomization, "namespace")
    for one in objects:
        if prefix or suffix:
            one.names = (f"{prefix}{one.name}{suffix}", *one.names)
        one.namespace = namespace or one.namespace
        for entry in entries_at(kustomization, "images"):
            if isinstance(entry, dict):
                one.slots = [_transformed(slot, entry, path) for slot in one.slots]
    return objects


def _refuse_unknown(path: str, kustomization: Fields, files: Mapping[str, str]) -> None:
    for key in OWN_TRANSFORMERS:
        if key in kustomization:
            raise Unrendered(f"{path} has `{key}`, which are not rendered here")
    beside = [files.get(one, "") for one in _paths(path, kustomization, "replacements", "path")]
    said = "\n".join([*_scalars(at(kustomization, "replacements")), *beside])
    if re.search(r"\bimage\b", said):
        raise Unrendered(f"{path} has `replacements` of images, which are not rendered here")


def _scalars(marked: Marked) -> Iterator[str]:
    waiting, seen = [marked], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mark):
            yield one.text
        elif id(one) not in seen:
            seen.add(id(one))
            waiting += [field.value for field in one.values()] if isinstance(one, dict) else one


def _paths(path: str, kustomization: Marked, key: str, inner: str | None = None) -> list[str]:
    """The paths, from the root of the repository, that a list of a kustomization names."""
    folder = posixpath.dirname(path)
    named = [text_at(one, *([inner] if inner else [])) for one in entries_at(kustomization, key)]
    return [posixpath.normpath(posixpath.join(folder, one)) for one in named if one and "://" not in one]


def _taken_in(named: str, files: Mapping[str, str], above: tuple[str, ...]) -> list[Workload]:
    if named in files:
        return _objects(named, files[named])
    inner = root_of(named, files)
    return _render(inner, files, [], above) if inner is not None else []


def _objects(path: str, text: str) -> list[Workload]:
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
                    slots=list(_slots(document, path)),
                )
            )
    return found


def _slots(document: Marked, path: str) -> Iterator[Slot]:
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


def _transformed(slot: Slot, entry: Fields, path: str) -> Slot:
    """What an entry of `images` makes of an image: a tag or digest that it gives replaces both."""
    image = apply_entry(slot.image, entry)
    if image is None:
        return slot
    return replace(slot, image=image, writer=Writer(path, entry=entry, before=slot.image))


def apply_entry(image: str, entry: Fields) -> str | None:
    """The image after an entry of `images`; None where it is about another, or changes nothing of it."""
    name, tag, digest = split_image(image)
    if not image or name != text_at(entry, "name"):
        return None
    new_tag, new_digest, suffix = (text_at(entry, key) for key in ("newTag", "digest", "tagSuffix"))
    new_name = text_at(entry, "newName")
    if new_tag or new_digest:
        tag, digest = new_tag, new_digest
    elif suffix:
        tag, digest = tag + suffix, ""
    elif not new_name:
        return None
    return join_image(new_name or name, tag, digest)


def _patch(path: str, kustomization: Fields, objects: list[Workload], files: Mapping[str, str]) -> None:
    """Apply what the patches of a kustomization say of images."""
    folder = posixpath.dirname(path)
    for entry in entries_at(kustomization, "patchesStrategicMerge"):
        named = posixpath.normpath(posixpath.join(folder, text_at(entry)))
        inline = named not in files
        text = text_at(entry) if inline else files[named]
        for document in marked_documents(text):
            _merge(document, None, objects, path if inline else named, exact=not inline)
    for key in ("patches", "patchesJson6902"):
        for entry in entries_at(kustomization, key):
            named = posixpath.normpath(posixpath.join(folder, text_at(entry, "path")))
            inline = named not in files
            text = text_at(entry, "patch") if inline else files[named]
            target = at(entry, "target")
            for document in marked_documents(text):
                where = path if inline else named
                if isinstance(document, list):
                    _operate(document, target, objects, where, exact=not inline)
                else:
                    _merge(document, target if isinstance(target, dict) else None, objects, where, exact=not inline)


def _targets(target: Marked | None, document: Marked, objects: list[Workload]) -> Iterator[Workload]:
    """The objects that a patch is for: by its target, patterns of the whole kind and name, else by its own name."""
    for one in objects:
        if target is None:
            own = text_at(document, "metadata", "name")
            if text_at(document, "kind") == one.kind and own in one.names:
                yield one
        elif all(
            _matches(wanted, known)
            for wanted, known in ((text_at(target, "kind"), (one.kind,)), (text_at(target, "name"), one.names))
        ):
            if text_at(target, "labelSelector") or text_at(target, "annotationSelector"):
                one.doubt = "a patch selects its targets by label"
            yield one


def _matches(pattern: str, known: tuple[str, ...]) -> bool:
    if not pattern or pattern in known:
        return True
    literal = re.escape(pattern).replace(r"\.\*", ".*")  # nothing but `.*` is taken for a pattern
    return any(re.fullmatch(literal, name) for name in known)


def _merge(document: Marked, target: Marked | None, objects: list[Workload], file: str, *, exact: bool) -> None:
    """A strategic merge patch: the images that it names."""
    given = {(one.pointer, one.container): one for one in _slots(document, file) if one.image}
    for one in _targets(target, document, objects) if given else ():
        known = {(slot.pointer, slot.container) for slot in one.slots}
        one.slots = [_given(slot, given.get((slot.pointer, slot.container)), exact=exact) for slot in one.slots]
        one.slots += [_given(slot, slot, exact=exact) for key, slot in given.items() if key not in known]


def _given(slot: Slot, new: Slot | None, *, exact: bool) -> Slot:
    if new is None:
        return slot
    writer = new.writer if exact else Writer(new.writer.file)
    return replace(slot, image=new.image, writer=writer)


def _operate(operations: list[Marked], target: Marked, objects: list[Workload], file: str, *, exact: bool) -> None:
    """A JSON patch (RFC 6902): replaced images are known, anything else that it does to containers is not."""
    for one in _targets(target, NOTHING, objects):
        for operation in operations:
            pointer = text_at(operation, "path")
            for number, slot in enumerate(one.slots):
                at_image = f"{slot.pointer}/{_index(one, number)}/image"
                if pointer == at_image and text_at(operation, "op") in {"add", "replace"}:
                    value = at(operation, "value")
                    mark = value if isinstance(value, Mark) and exact else NOTHING
                    one.slots[number] = replace(slot, image=text_at(value), writer=Writer(file, mark))
                elif at_image.startswith(f"{pointer}/") or pointer == f"{slot.pointer}/-":
                    one.doubt = f"{file} patches the list of its containers"


def _index(workload: Workload, number: int) -> int:
    """Where in its list a container stands."""
    here = workload.slots[number].pointer
    return sum(1 for slot in workload.slots[:number] if slot.pointer == here)
