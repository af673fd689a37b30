"""Whether the change of a field explains a state."""

from collections.abc import Iterable
from typing import TypeVar

from agents.changes.fields import FieldChange, quantity, unescape
from agents.changes.kustomize import GENERATED
from agents.changes.values import ValueChange
from agents.evidence import Bundle
from agents.podstates.nouns import State, Wanted
from agents.podstates.scene import segments

TEMPLATES = frozenset({"Rollout", "Deployment", "ReplicaSet"})
POD_SPEC = ("spec", "template", "spec")
IMAGE_FIELDS = frozenset({"newTag", "newName", "digest"})
Change = TypeVar("Change", bound=FieldChange)


def explanations(state: State, changes: Iterable[Change], rollout: str) -> list[Change]:
    """The changes that explain a state, likeliest first.

    Changes of manifests tell which object they are of; others are of the pod template's spec. `rollout` is the name of
    the one that failed: of others the templates do not count.
    """
    found = list(changes)
    ordered = [change for wanted in state.wanted for change in found if explains(wanted, change, rollout)]
    return list(dict.fromkeys(ordered))


def explains(wanted: Wanted, change: FieldChange, rollout: str) -> bool:
    """Whether a change is the one that is wanted."""
    path = _path(wanted, change, rollout)
    if path is None or not _fits(segments(wanted.field), path):
        return False
    now = change.new if change.new is not None else change.old
    return (wanted.value is None or wanted.value == now) and _makes_sense(wanted, change)


def _path(wanted: Wanted, change: FieldChange, rollout: str) -> list[str] | None:
    """The segments of the changed field, from where those of the wanted one begin; None where it is another object."""
    path = [unescape(token) for token in change.pointer.split("/")[1:]]
    if not isinstance(change, ValueChange):
        return path if wanted.kind is None else None
    if wanted.kind is not None:
        named = wanted.name is None or is_called(change.name, wanted.name)
        return path if change.kind == wanted.kind and named else None
    if change.kind == "Kustomization" and path[:1] == ["images"] and path[-1] in IMAGE_FIELDS:
        return ["containers", "*", "image"]
    if change.kind in TEMPLATES and tuple(path[:3]) == POD_SPEC and is_called(rollout, change.name):
        return path[3:]
    return None


def is_of_rollout(change: ValueChange, bundle: Bundle) -> bool:
    """Whether a changed value of the manifests is of the pod template of the rollout that failed."""
    return _path(Wanted(field="**"), change, bundle.manifest.rollout) is not None


def is_called(deployed: str, written: str) -> bool:
    """Whether two names can be of one object: kustomize puts prefixes, suffixes and hashes to the names in files."""
    shorter, longer = sorted((deployed, written), key=len)
    if shorter == longer:
        return True
    rest = longer.removeprefix(shorter)
    return bool(GENERATED.fullmatch(rest)) or longer.startswith(f"{shorter}-") or longer.endswith(f"-{shorter}")


def _fits(pattern: list[str], path: list[str]) -> bool:
    if pattern[-1:] == ["**"]:
        pattern = pattern[:-1]
        path = path[: len(pattern)]
    return len(pattern) == len(path) and all(
        unescape(wanted) in {"*", token} or token == "*" or (wanted.startswith("[") and token.isdecimal())  # noqa: S105 - a segment of a path
        for wanted, token in zip(pattern, path, strict=True)
    )


def _makes_sense(wanted: Wanted, change: FieldChange) -> bool:
    match wanted.sense:
        case "gone":
            return change.new is None
        case "added":
            return change.old is None
        case "registry":
            return _registry(change.old) != _registry(change.new)
        case "repository":
            return _repository(change.old) != _repository(change.new)
        case "lower" | "higher":
            return _moved(wanted.sense, change)
    return True


def _moved(sense: str, change: FieldChange) -> bool:
    """A limit that is new is lower than none, a request that is new higher; one that is gone leaves a default."""
    is_resource = "/resources/" in change.pointer
    if change.old is None:
        return is_resource or sense == "lower"
    if change.new is None:
        return not is_resource
    old, new = quantity(change.old), quantity(change.new)
    if old is None or new is None:
        return True
    return new < old if sense == "lower" else new > old


def _registry(image: str | None) -> str:
    first, slash, _ = (image or "").partition("/")
    return first if slash and ("." in first or ":" in first or first == "localhost") else "docker.io"


def _repository(image: str | None) -> str:
    name = (image or "").partition("@")[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name
