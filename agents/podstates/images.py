"""Images that cannot be pulled, and what the registry or the kubelet says about it.

The texts are containerd's, CRI-O's and Docker's, wrapped by the kubelet; they are told apart by the phrases that the
registries' error codes have in common (https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes).
"""

from collections.abc import Iterator
from typing import NamedTuple

from agents.evidence import Citation
from agents.podstates.nouns import NEVER_RAN, Sense, State, StateCategory, Wanted
from agents.podstates.scene import Container, Scene, text_in

PULLING = frozenset(
    {
        "imagepullbackoff",
        "errimagepull",
        "invalidimagename",
        "errimageneverpull",
        "imageinspecterror",
        "registryunavailable",
        "signaturevalidationfailed",
    }
)


class Trouble(NamedTuple):
    """A way in which a pull fails: the phrases that tell it, and what in the pod template would explain it."""

    name: str
    phrases: tuple[str, ...]
    says: str
    category: StateCategory
    image: Sense
    """How the image has to have changed."""


TROUBLES = (
    Trouble("name", ("invalidimagename", "invalid reference format"), "its name is invalid", "config", "any"),
    Trouble("policy", ("pull policy of never",), "it is not on the node, and may not be pulled", "config", "any"),
    Trouble(
        "platform",
        ("no match for platform", "no matching manifest for"),
        "it is not built for the node's platform",
        "code",
        "repository",
    ),
    Trouble("disk", ("no space left on device",), "the node has no space left", "infrastructure", "repository"),
    Trouble(
        "limit", ("toomanyrequests", "429 too many"), "the registry's limit is reached", "infrastructure", "registry"
    ),
    Trouble(
        "unreachable",
        (
            "no such host",
            "i/o timeout",
            "dial tcp",
            "tls handshake",
            "x509:",
            "connection refused",
            "connection reset",
            "deadline exceeded",
            "network is unreachable",
            "server gave http response to https client",
            "500 internal server error",
            "502 bad gateway",
            "503 service unavailable",
            "504 gateway",
            "unexpected eof",
        ),
        "the registry cannot be reached",
        "infrastructure",
        "registry",
    ),
    Trouble(
        "access",
        (
            "unauthorized",
            "authentication required",
            "403 forbidden",
            "pull access denied",
            "insufficient_scope",
            "no basic auth credentials",
            "denied:",
        ),
        "the registry denies access",
        "infrastructure",
        "repository",
    ),
    Trouble("signature", ("signature",), "its signature is not accepted", "infrastructure", "any"),
    Trouble(
        "missing",
        ("not found", "manifest unknown", "name unknown", "name_unknown", "manifest_unknown", "does not exist"),
        "the registry has no such image",
        "config",
        "any",
    ),
)
OTHER = Trouble("unclear", (), "its pull failed", "infrastructure", "any")


def analyze(scene: Scene) -> Iterator[State]:
    """One state for each container whose image is not there."""
    for container in scene.containers:
        if text_in(container.waiting, "reason").lower() in PULLING:
            yield _waiting(scene, container)


def _waiting(scene: Scene, container: Container) -> State:
    reason, message = text_in(container.waiting, "reason"), text_in(container.waiting, "message")
    told = [(reason, container.cite(f"{container.pointer}/state/waiting/reason", reason))]
    if message:
        told.append((message, container.cite(f"{container.pointer}/state/waiting/message", message)))
    told += [
        (event.message, event.citation)
        for event in scene.events
        if event.name == container.pod.name
        and event.container in {container.name, None}
        and event.reason in {"Failed", "InspectFailed", "ErrImageNeverPull", "FailedToRetrieveImagePullSecret"}
    ]
    trouble, citation = _trouble(told)
    image = text_in(scene.container_spec(container.name), "image") or text_in(container.status, "image")
    wanted = [Wanted(field=f"{container.field}/image", sense=trouble.image)]
    if trouble.name == "access":
        wanted.append(Wanted(field="imagePullSecrets/**"))
        wanted.append(Wanted(field="serviceAccountName"))
    if trouble.name == "policy":
        wanted.insert(0, Wanted(field=f"{container.field}/imagePullPolicy"))
    if trouble.name == "platform":
        wanted = [Wanted(field="nodeSelector/**"), Wanted(field="affinity/**"), *wanted]
    named = scene.cite_spec(f"{container.field}/image", image) if image else ()
    return State(
        kind="image-pull",
        category=trouble.category,
        sentence=f"the image {image or '(not named)'} of {container.what} cannot be pulled: {trouble.says}",
        evidence=(citation, *named),
        weight=NEVER_RAN,
        container=container.name,
        subject=trouble.name,
        wanted=tuple(wanted),
    )


def _trouble(told: list[tuple[str, Citation]]) -> tuple[Trouble, Citation]:
    """The first trouble that any of the texts tells; the back-off's own text often tells nothing."""
    for trouble in TROUBLES:
        for text, citation in told:
            if any(phrase in text.lower() for phrase in trouble.phrases):
                return trouble, citation
    return OTHER, told[-1][1]
