"""What the patches of a kustomization say of images: strategic merges and JSON patches, in files and inline."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from agents.changes.image_slots import Slot, Workload, Writer, slots_of
from agents.changes.marked import NOTHING, Fields, Mark, Marked, at, entries_at, marked_documents, text_at


def patch_images(path: str, kustomization: Fields, objects: list[Workload], files: Mapping[str, str]) -> None:
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
    given = {(one.pointer, one.container): one for one in slots_of(document, file) if one.image}
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
