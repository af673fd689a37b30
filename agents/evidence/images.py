"""Container images: what a reference names, which digests of them ran, and what their builders wrote on them.

Owns the `Registry` port. What a registry answers becomes an item of the bundle like any other piece of evidence, so
that a bundle can be diagnosed again where that registry cannot be reached.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict

from agents.evidence.cluster import Status
from agents.evidence.nouns import Bundle, Item
from agents.evidence.origin import dig, label, mappings

SOURCE, REVISION = "org.opencontainers.image.source", "org.opencontainers.image.revision"
TOLD = (SOURCE, REVISION, "org.opencontainers.image.version")
"""The labels and annotations that are kept: anything else on an image is its builder's business."""
WORD = re.compile(r"[\w.:/@+-]{1,300}", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REPOSITORY = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?")
TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
DOCKER_HUB = "docker.io"
Side = Literal["stable", "canary"]


class ImageReference(BaseModel):
    """`registry/repository[:tag][@digest]`, with the defaults of Docker Hub filled in."""

    model_config = ConfigDict(frozen=True)

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.registry}/{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


class ImageLabels(BaseModel):
    """The answer of a registry: the labels of the image's configuration, and the annotations of its manifests."""

    model_config = ConfigDict(frozen=True)

    status: Status
    reason: str | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}


class Registry(Protocol):
    """Reads what was written on an image when it was built."""

    async def labels(self, image: ImageReference) -> ImageLabels:
        """By digest only: a tag may name another image by now. Never raises; the status says what was in the way."""
        ...


class RunningImage(BaseModel):
    """One container of a version: the image that its pod template names, and the digest that its pods ran."""

    model_config = ConfigDict(frozen=True)

    container: str
    named: ImageReference
    ran: ImageReference | None
    """With a digest, in the repository that the kubelet pulled it from; None where no pod tells, or two disagree."""


def parse_image(text: str) -> ImageReference | None:
    """The reference that a pod template or a kubelet writes, None where it is none."""
    rest = text.strip().removeprefix("docker-pullable://")
    rest, _, digest = rest.partition("@")
    if DIGEST.fullmatch(rest):
        return None  # the id of an image that came from no registry
    if digest and not DIGEST.fullmatch(digest):
        return None
    host, slash, path = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, path = DOCKER_HUB, rest
    path, colon, tag = path.partition(":")
    host = DOCKER_HUB if host == "index.docker.io" else host.lower()
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    if not REPOSITORY.fullmatch(path) or not HOST.fullmatch(host) or (colon and not TAG.fullmatch(tag)):
        return None
    return ImageReference(registry=host, repository=path, tag=tag or None, digest=digest or None)


def running_images(bundle: Bundle, side: Side) -> tuple[RunningImage, ...]:
    """The images of one version. Where the versions name different ones, only those: they are what changed."""
    own, other = _template_images(bundle, side), _template_images(bundle, "canary" if side == "stable" else "stable")
    changed = [container for container in own if own[container] != other.get(container)]
    found = []
    for container in changed or own:
        named = parse_image(own[container])
        if named is not None:
            found.append(RunningImage(container=container, named=named, ran=_ran(bundle, side, container, named)))
    return tuple(found)


def _template_images(bundle: Bundle, side: Side) -> dict[str, str]:
    """Container -> image of a version's ReplicaSet, else of its pods."""
    hash_ = getattr(bundle.manifest, side).hash
    templates = [dig(one, "spec", "template", "spec") for one in bundle.objects("replicaset") if label(one) == hash_]
    pods = [dig(one, "spec") for one in bundle.objects("pod") if label(one) == hash_]
    for spec in (*templates, *pods):
        images = {str(one.get("name")): str(one.get("image")) for one in mappings(spec.get("containers"))}
        if images:
            return images
    return {}


def _ran(bundle: Bundle, side: Side, container: str, named: ImageReference) -> ImageReference | None:
    """What the pods report, else what the template pins. Several digests of one version tell nothing."""
    hash_ = getattr(bundle.manifest, side).hash
    found: set[ImageReference] = set()
    for pod in bundle.objects("pod"):
        if label(pod) != hash_:
            continue
        for status in mappings(dig(pod, "status").get("containerStatuses")):
            image = parse_image(str(status.get("imageID") or "")) if status.get("name") == container else None
            if image is not None and image.digest is not None:
                found.add(image.model_copy(update={"tag": None}))
    if found:
        return found.pop() if len(found) == 1 else None
    return named if named.digest else None


async def with_labels(bundle: Bundle, registry: Registry) -> Bundle:
    """The bundle with an item for each image that ran and has none yet, gaps included."""
    wanted: dict[str, ImageReference] = {}
    known = {item.id for item in bundle.manifest.items}
    sides: tuple[Side, ...] = ("canary", "stable")
    for side in sides:
        for image in running_images(bundle, side):
            if image.ran is not None and (item_id := _item_id(image.ran)) not in known:
                wanted.setdefault(item_id, image.ran)
    items, contents = list(bundle.manifest.items), dict(bundle.contents)
    for item_id, reference in wanted.items():
        answer = await registry.labels(reference)
        item = Item(
            id=item_id,
            kind="object",
            side="none",
            path=f"{item_id}.json",
            status=answer.status,
            reason=answer.reason,
        )
        if answer.status in {"ok", "empty"}:
            contents[item_id] = _document(reference, answer)
            item = item.model_copy(update={"bytes": len(contents[item_id]), "lines": contents[item_id].count("\n") + 1})
        items.append(item)
    manifest = bundle.manifest.model_copy(update={"items": tuple(items)})
    return bundle.model_copy(update={"manifest": manifest, "contents": contents})


def labels_of(bundle: Bundle, image: RunningImage) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(where it is written, the labels) of an image that ran, as far as the bundle holds them."""
    text = bundle.contents.get(_item_id(image.ran)) if image.ran else None
    if text is None:
        return
    document = json.loads(text)
    for place in ("labels", "annotations"):
        yield place.removesuffix("s"), dig(document, place)


def kept_labels(raw: Any) -> dict[str, str]:
    """The labels that tell where an image comes from, if they look like it: who built it may write anything."""
    if not isinstance(raw, Mapping):
        return {}
    return {key: raw[key] for key in TOLD if isinstance(raw.get(key), str) and WORD.fullmatch(raw[key])}


def _item_id(image: ImageReference) -> str:
    return f"objects/image/{str(image.digest).removeprefix('sha256:')[:32]}"


def _document(image: ImageReference, answer: ImageLabels) -> str:
    document = {
        "image": str(image),
        "labels": _plain(answer.labels),
        "annotations": _plain(answer.annotations),
    }
    return json.dumps(document, indent=1)


def _plain(labels: Mapping[str, str]) -> dict[str, str]:
    """Without the name and password that a source URL may carry."""
    return {key: re.sub(r"//[^/]*@", "//", value) for key, value in kept_labels(labels).items()}


def distinct_tags(images: Sequence[RunningImage]) -> tuple[str, ...]:
    """The tags that the pod template names, in order, each once."""
    return tuple(dict.fromkeys(image.named.tag for image in images if image.named.tag))
