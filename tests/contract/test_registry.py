"""The `Registry` port: what both the fake and the real one answer."""

from collections.abc import Iterator

import pytest

from agents.evidence import ImageReference, Registry
from agents.evidence.images import REVISION, SOURCE
from app.adapters.registry import HttpRegistry
from app.named_registries import parse_registries
from tests.fakes import FakeRegistry
from tests.registry_server import RegistryServer

LABELS = {SOURCE: "https://git.example/acme/shop", REVISION: "0123456789abcdef"}
UNKNOWN = "sha256:" + "0" * 64


@pytest.fixture(params=["fake", "http"])
def labelled(request: pytest.FixtureRequest) -> Iterator[tuple[Registry, ImageReference]]:
    """A registry, and an image in it that carries LABELS."""
    server = RegistryServer()
    digest = server.push(LABELS | {"maintainer": "Ana"})
    if request.param == "fake":
        image = ImageReference(registry="registry.example", repository="acme/shop", digest=digest)
        yield FakeRegistry({digest: LABELS}, hosts=("registry.example",)), image
        return
    with server.running():
        image = ImageReference(registry=server.host, repository="acme/shop", digest=digest)
        yield HttpRegistry(parse_registries(f"{server.host} http")), image


async def test_an_images_labels_are_read_by_its_digest(labelled: tuple[Registry, ImageReference]) -> None:
    registry, image = labelled
    answer = await registry.labels(image)
    assert (answer.status, answer.labels, answer.annotations) == ("ok", LABELS, {})


async def test_what_cannot_be_had_is_a_status_with_a_reason(labelled: tuple[Registry, ImageReference]) -> None:
    registry, image = labelled
    gone = await registry.labels(image.model_copy(update={"digest": UNKNOWN}))
    by_tag = await registry.labels(image.model_copy(update={"digest": None, "tag": "latest"}))
    elsewhere = await registry.labels(image.model_copy(update={"registry": "other.example"}))
    assert [one.status for one in (gone, by_tag, elsewhere)] == ["gone", "gone", "denied"]
    assert all(one.reason and not one.labels for one in (gone, by_tag, elsewhere))
