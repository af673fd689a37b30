"""Renders the manifests of k8s/ as kustomize does, as far as they use it; what it does not know it refuses.

Order as in kustomize: resources, then components, then the folder's own patches (JSON patches on a target, and
`$patch: delete`).
"""

import copy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

K8S = Path(__file__).resolve().parents[1] / "k8s"
KNOWN = {"apiVersion", "kind", "resources", "components", "patches"}
Object = dict[str, Any]


def load_all(path: Path) -> list[Object]:
    """Every document of a YAML file."""
    return [dict(one) for one in YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8")) if one]


def render(folder: Path, *more_components: Path) -> list[Object]:
    """The objects of a kustomization; `more_components` are what a user's own overlay may add to it."""
    objects = _apply(folder, [])
    for component in more_components:
        objects = _apply(component, objects)
    names = [identity(one) for one in objects]
    if len(set(names)) != len(names):
        raise ValueError(f"{folder}: an object is there twice: {names}")
    return objects


def identity(thing: Object) -> tuple[str, str, str]:
    return thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def _apply(folder: Path, objects: list[Object]) -> list[Object]:
    (kustomization,) = load_all(folder / "kustomization.yaml")
    unknown = kustomization.keys() - KNOWN
    if unknown:
        raise ValueError(f"{folder}: this renderer does not know {unknown}")
    objects = copy.deepcopy(objects)
    for name in kustomization.get("resources", ()):
        place = (folder / name).resolve()
        objects += _apply(place, []) if place.is_dir() else load_all(place)
    for name in kustomization.get("components", ()):
        objects = _apply((folder / name).resolve(), objects)
    for patch in kustomization.get("patches", ()):
        text = (folder / patch["path"]).read_text(encoding="utf-8") if "path" in patch else patch["patch"]
        content = YAML(typ="safe", pure=True).load(text)
        if isinstance(content, list):
            _patch_one(objects, patch["target"], content)
        elif content.pop("$patch", None) == "delete":
            _delete(objects, content)
        else:
            raise ValueError(f"{folder}: this renderer knows JSON patches and `$patch: delete` alone")
    return objects


def _patch_one(objects: list[Object], target: Object, operations: list[Object]) -> None:
    matching = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (target["kind"], target["name"])]
    if len(matching) != 1:
        raise ValueError(f"the patch's target {target} names {len(matching)} objects")
    for operation in operations:
        *way, last = (token.replace("~1", "/").replace("~0", "~") for token in operation["path"].split("/")[1:])
        here: Any = matching[0]
        for token in way:
            here = here[int(token)] if isinstance(here, list) else here[token]
        if operation["op"] != "add":
            raise ValueError(f"this renderer does not know the operation {operation['op']}")
        if isinstance(here, list):
            here.insert(len(here) if last == "-" else int(last), operation["value"])
        else:
            here[last] = operation["value"]


def _delete(objects: list[Object], named: Object) -> None:
    doomed = [one for one in objects if identity(one) == identity(named)]
    if len(doomed) != 1:
        raise ValueError(f"there are {len(doomed)} objects {identity(named)} to delete")
    objects.remove(doomed[0])
