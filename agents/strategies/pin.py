"""Set the manifests of a rollout back to the images of the stable version, and leave everything else as it is.

The image is changed where it was written last: in the `images` of a kustomization, or in the manifest itself. Where
other deployments read that file too, or the change would move another object, the kustomization of this one gets
an entry of its own; where that would not do, nothing is changed and the reason told. Every edit is rendered before it
is offered.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agents.changes.image_slots import Slot, Workload, Writer
from agents.changes.marked import NOTHING, replaced, written
from agents.changes.reading import is_template
from agents.changes.rendered import Unrendered, render_images
from agents.errors import SelfhealError
from agents.evidence import Bundle
from agents.evidence.origin import dig, label, mappings
from agents.patch import Edit, lines_of
from agents.strategies.image_entries import Span, entry_spans, new_entry
from agents.strategies.reversal import NotReversible, replace_lines

GENERATED = re.compile(r"@generated|\bDO NOT (?:EDIT|MODIFY)\b|\bgenerated\b.{0,80}\bdo not edit\b", re.IGNORECASE)
HEAD_LINES = 20
"""Lines at the head of a file in which it says that it is generated."""
IMAGE_AUTOMATION = '"$imagepolicy"'
"""The comment by which Flux marks a value that it writes itself."""


class NotPinned(SelfhealError):
    """The manifests cannot be set back by a plain edit; the text says why."""


class PinnedAlready(NotPinned):
    """Somebody has set them back since."""


class Swap(NamedTuple):
    """One container, and its image in the two versions."""

    container: str
    canary: str
    stable: str


class Deployed(NamedTuple):
    """The manifests of one rollout as they are in Git now."""

    files: Mapping[str, str]
    """The files that make its objects, by path."""
    root: str | None
    """The kustomization that makes them; None for plain manifests."""
    elsewhere: Mapping[str, tuple[str, ...]]
    """A file -> the kustomizations outside of these files that take it in, too."""
    rollout: str
    namespace: str
    workload: str
    """The Deployment that the Rollout's `workloadRef` names, empty where it has a pod template of its own."""


def swaps(bundle: Bundle) -> tuple[Swap, ...]:
    """The containers whose images differ between the pod templates of the two versions; `NotPinned` where none does."""
    stable, canary = (images(template_of(bundle, getattr(bundle.manifest, side).hash)) for side in ("stable", "canary"))
    if not stable or not canary:
        raise NotPinned("the pod template of the stable or the canary version was not captured")
    found = tuple(Swap(name, canary[name], image) for name, image in stable.items() if canary.get(name, image) != image)
    if not found:
        raise NotPinned("the two versions run the same images, so there is no image to set back")
    if any("[REDACTED" in text for swap in found for text in swap):
        raise NotPinned("the name of an image looked like a secret and was redacted")
    return found


def template_of(bundle: Bundle, pod_hash: str) -> Mapping[str, Any]:
    """The pod template of a version, from its ReplicaSet; empty where that was not captured."""
    found = (dig(one, "spec", "template") for one in bundle.objects("replicaset") if label(one) == pod_hash)
    return next(found, {})


def images(template: Mapping[str, Any]) -> dict[str, str]:
    """Container -> image, init containers included."""
    spec = dig(template, "spec")
    listed = [*mappings(spec.get("containers")), *mappings(spec.get("initContainers"))]
    return {str(one.get("name")): str(one["image"]) for one in listed if one.get("image")}


def is_pinned(deployed: Deployed, wanted: Sequence[Swap]) -> bool:
    """Whether the manifests give every container the stable version's image."""
    found = _slots(deployed, deployed.files, wanted)
    return all(slot.image == swap.stable for swap, slot in zip(wanted, found, strict=True))


def pin(deployed: Deployed, wanted: Sequence[Swap]) -> tuple[Edit, ...]:
    """The edits that give the rollout the stable version's images; `NotPinned` says why there are none."""
    try:
        _refuse_what_is_not_the_canary(deployed, wanted)
        files = dict(deployed.files)
        for swap in wanted:
            (slot,) = _slots(deployed, files, [swap])
            if slot.image != swap.stable:  # an entry that an earlier swap changed may serve this one
                files = _set_back(deployed, files, slot, swap, wanted)
        return tuple(edit for path, text in files.items() for edit in _edits(path, deployed.files[path], text))
    except (Unrendered, NotReversible) as error:
        raise NotPinned(str(error)) from error


def _refuse_what_is_not_the_canary(deployed: Deployed, wanted: Sequence[Swap]) -> None:
    """Somebody may have rolled back, or gone on, since the canary was deployed."""
    found = _slots(deployed, deployed.files, wanted)
    if all(slot.image == swap.stable for swap, slot in zip(wanted, found, strict=True)):
        raise PinnedAlready("Git names the stable version's image again already")
    for swap, slot in zip(wanted, found, strict=True):
        if slot.image not in {swap.canary, swap.stable}:
            raise NotPinned(f"Git names {slot.image} for {swap.container} now, which is neither version's")


def _slots(deployed: Deployed, files: Mapping[str, str], wanted: Sequence[Swap]) -> list[Slot]:
    """The containers to set back, as these files give them."""
    workload = _workload(deployed, render_images(files, deployed.root))
    if workload.doubt:
        raise NotPinned(f"the images of {workload.label} cannot be told: {workload.doubt}")
    found = []
    for swap in wanted:
        slots = [slot for slot in workload.slots if slot.container == swap.container]
        if len(slots) != 1 or not slots[0].image:
            raise NotPinned(f"{workload.label} names no image for its container {swap.container}")
        found.append(slots[0])
    return found


def _workload(deployed: Deployed, objects: Sequence[Workload]) -> Workload:
    """The object whose pod template the rollout runs: its own, or the Deployment's that it refers to."""
    here = [one for one in objects if one.namespace in {"", deployed.namespace}]
    rollouts = [one for one in here if one.kind == "Rollout" and one.name == deployed.rollout]
    if len(rollouts) != 1:
        if any(is_template(path, text) for path, text in deployed.files.items()):
            raise NotPinned("the manifests are a Helm chart or templates, which are not rendered here")
        many = f"the Rollout stands {len(rollouts)} times" if rollouts else "the Rollout is not"
        raise NotPinned(f"{many} in the manifests as they are in Git")
    if not deployed.workload:
        return rollouts[0]
    named = [
        one for one in here if one.kind == "Deployment" and {deployed.workload, rollouts[0].reference} & {*one.names}
    ]
    if len(named) != 1:
        raise NotPinned(f"the Deployment {deployed.workload}, which the Rollout refers to, is not in the manifests")
    return named[0]


def _set_back(
    deployed: Deployed, files: dict[str, str], slot: Slot, swap: Swap, wanted: Sequence[Swap]
) -> dict[str, str]:
    """The files with one container's image set back where that moves nothing else."""
    why = "it is not known where the image is written"
    for path, spans in _ways(deployed, files, slot, swap.stable):
        if isinstance(spans, str):
            why = spans
            continue
        changed = {**files, path: replaced(files[path], spans)}
        refusal = _refuse(path, files[path], changed[path]) or _moved(deployed, files, changed, swap, wanted)
        if refusal is None:
            return changed
        why = refusal
    raise NotPinned(why)


def _ways(
    deployed: Deployed, files: Mapping[str, str], slot: Slot, image: str
) -> Iterator[tuple[str, list[Span] | str]]:
    """The files that could be changed, each with how, or why not: where the image was written last, then the root."""
    path = slot.writer.file
    others = deployed.elsewhere.get(path, ()) if path != deployed.root else ()
    if others:
        yield path, f"{path} is taken in by {', '.join(others[:3])}, too, which must not move"
    else:
        spans = _at_writer(files[path], slot.writer, image)
        yield (
            path,
            spans if spans is not None else f"the image is written in {path} in a way that no plain edit changes",
        )
    if deployed.root is not None and (path != deployed.root or slot.writer.entry is None):
        spans = new_entry(files[deployed.root], slot.image, image)
        yield deployed.root, spans if spans is not None else f"{deployed.root} cannot take another entry of `images`"


def _at_writer(text: str, writer: Writer, image: str) -> list[Span] | None:
    if writer.entry is not None:
        return entry_spans(text, writer.entry, writer.before, image)
    mark = writer.mark
    if mark is NOTHING or mark.is_block:
        return None
    return [(mark.start, mark.end, written(mark, text, image))]


def _refuse(path: str, before: str, after: str) -> str | None:
    """Why a file is not a person's to change, or would be written over."""
    if GENERATED.search("\n".join(before.split("\n")[:HEAD_LINES])):
        return f"{path} says that it is generated"
    kept = set(lines_of(after))
    if any(IMAGE_AUTOMATION in line for line in lines_of(before) if line not in kept):
        return f"an image automation writes this value of {path}, and would write the newer one back"
    return None


def _moved(
    deployed: Deployed, files: Mapping[str, str], changed: Mapping[str, str], swap: Swap, wanted: Sequence[Swap]
) -> str | None:
    """Whether a change does what it should, and what else it would move."""
    before, after = (render_images(some, deployed.root) for some in (files, changed))
    own, stable = _workload(deployed, after), {one.container: one.stable for one in wanted}
    if len(before) != len(after) or [len(one.slots) for one in before] != [len(one.slots) for one in after]:
        return "the change would add or remove objects"
    for old, new in zip(before, after, strict=True):
        for was, now in zip(old.slots, new.slots, strict=True):
            if new is own and now.container == swap.container and now.image != swap.stable:
                return f"the edited manifests would give {now.container} {now.image}"
            is_ours = new is own and now.image == stable.get(now.container)
            if was.image != now.image and not is_ours:
                return f"the same place gives {old.label} its image, which must not move"
    return None


def _edits(path: str, before: str, after: str) -> Iterator[Edit]:
    """The changed places of a file, the last one first, so that each is found in the text that the others left."""
    old, new = lines_of(before), lines_of(after)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    text = before
    for tag, first, last, start, end in reversed(matcher.get_opcodes()):
        if tag != "equal":
            edit = replace_lines(path, text, first + 1, last - first, new[start:end])
            text = text.replace(str(edit.search), str(edit.replace))
            yield edit
