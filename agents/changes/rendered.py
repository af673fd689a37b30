"""The images that a set of manifests gives its objects, as kustomize would render them, and who wrote each last.

Only images are rendered: files and folders taken in, components, patches, prefixes, namespaces, and `images`, in the
order of https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/. What could change an image in a way
that is not known here makes it an `Unrendered`.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from agents.changes.image_patches import patch_images
from agents.changes.image_slots import Slot, Workload, Writer, join_image, split_image, workloads_of
from agents.changes.kustomize import NAMES
from agents.changes.marked import Fields, Mark, Marked, at, entries_at, marked_documents, text_at
from agents.errors import SelfhealError

OWN_TRANSFORMERS = ("transformers", "imageTags")


class Unrendered(SelfhealError):
    """The image of an object cannot be told from the manifests."""


def render_images(files: Mapping[str, str], root: str | None) -> list[Workload]:
    """The objects of the kustomization `root`, or of all files where there is none."""
    if root is not None:
        return _render(root, files, [], ())
    return [one for path in files for one in workloads_of(path, files[path])]


def root_of(folder: str, files: Mapping[str, str]) -> str | None:
    """The kustomization of a folder, None where it has none."""
    return next((path for name in NAMES if (path := posixpath.join(folder, name)) in files), None)


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
    patch_images(path, kustomization, objects, files)
    _transform(path, kustomization, objects)
    return objects


def _transform(path: str, kustomization: Fields, objects: list[Workload]) -> None:
    """Prefix, suffix and namespace, then the images."""
    prefix, suffix = text_at(kustomization, "namePrefix"), text_at(kustomization, "nameSuffix")
    namespace = text_at(kustomization, "namespace")
    for one in objects:
        if prefix or suffix:
            one.names = (f"{prefix}{one.name}{suffix}", *one.names)
        one.namespace = namespace or one.namespace
        for entry in entries_at(kustomization, "images"):
            if isinstance(entry, dict):
                one.slots = [_transformed(slot, entry, path) for slot in one.slots]


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
        return workloads_of(named, files[named])
    inner = root_of(named, files)
    return _render(inner, files, [], above) if inner is not None else []


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
