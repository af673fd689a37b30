"""What a kustomization says of the objects that it makes: files it takes in, generated ConfigMaps, inline patches.

Nothing is rendered. A patch is read as the part of an object that it is: enough to tell what changed, and where.
See https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import LiteralScalarString

from agents.changes.embedded import embedded, settings
from agents.changes.fields import Scalar, escape, scalars

NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
TAKES_IN = ("resources", "bases", "components", "patchesStrategicMerge", "crds")
GENERATED = re.compile(r"-[0-9a-z]{10}")
"""What kustomize appends to the name of a generated ConfigMap: a hash of its content."""


class ParsedFile(NamedTuple):
    """A kustomization and the files of its revision, by path."""

    path: str
    document: CommentedMap
    files: Mapping[str, str]


Made = tuple[str, str, list[Scalar]]
"""Kind, name and values of an object."""


def is_kustomization(path: str) -> bool:
    """Whether a path is that of a kustomization, by the name that kustomize looks for."""
    return path.rpartition("/")[2] in NAMES


def taken_in(path: str, document: Any) -> list[str]:
    """The paths, from the root, of files and folders that a kustomization names; URLs and what leads out are none."""
    if not isinstance(document, Mapping):
        return []
    named: list[Any] = [entry for key in TAKES_IN for entry in _list(document.get(key))]
    for key in ("patches", "patchesJson6902", "replacements"):
        named += [entry.get("path") for entry in _list(document.get(key)) if isinstance(entry, Mapping)]
    for generator in _list(document.get("configMapGenerator")):
        if isinstance(generator, Mapping):
            named += [str(one).partition("=")[2] or one for one in _list(generator.get("files"))]
            named += [*_list(generator.get("envs")), generator.get("env")]
    folder = posixpath.dirname(path)
    joined = [
        posixpath.normpath(posixpath.join(folder, one))
        for one in named
        if isinstance(one, str) and one and "\n" not in one and "://" not in one and not one.startswith("/")
    ]
    return [one for one in dict.fromkeys(joined) if not one.startswith("..")]


def generated(parsed: ParsedFile) -> Iterator[Made]:
    """The ConfigMaps of the generators, each value with the place that it comes from. Secrets are left alone."""
    for generator in _list(parsed.document.get("configMapGenerator")):
        if not isinstance(generator, CommentedMap) or not generator.get("name"):
            continue
        values = [*_literals(generator), *_from_files(generator, parsed)]
        yield "ConfigMap", str(generator["name"]), values


def _literals(generator: CommentedMap) -> Iterator[Scalar]:
    literals = generator.get("literals")
    for at, literal in enumerate(_list(literals)):
        key, equals, value = str(literal).partition("=")
        if equals:
            line = (
                literals.lc.data[at][0] + 1 if isinstance(literals, CommentedSeq) and at in literals.lc.data else None
            )
            yield Scalar(f"/data/{escape(key)}", value.strip("\"'"), line)


def _from_files(generator: CommentedMap, parsed: ParsedFile) -> Iterator[Scalar]:
    folder = posixpath.dirname(parsed.path)
    for entry in [*_list(generator.get("envs")), *_list([generator.get("env")])]:
        path = posixpath.normpath(posixpath.join(folder, str(entry)))
        for one in settings(parsed.files.get(path, "")):
            yield one._replace(pointer=f"/data{one.pointer}", file=path)
    for entry in _list(generator.get("files")):
        key, equals, named = str(entry).partition("=")
        path = posixpath.normpath(posixpath.join(folder, named if equals else key))
        if path in parsed.files:
            name = key if equals else posixpath.basename(path)
            yield from embedded(Scalar(f"/data/{escape(name)}", parsed.files[path], 1, path), 0)


def patched(parsed: ParsedFile) -> Iterator[Made]:
    """The objects that inline patches change, with the values that they give."""
    for key in ("patches", "patchesJson6902"):
        for patch in _list(parsed.document.get(key)):
            if not isinstance(patch, CommentedMap) or not isinstance(patch.get("patch"), str):
                continue
            text = patch["patch"]
            first = patch.lc.data["patch"][0] + 1 if isinstance(text, LiteralScalarString) else None
            target = patch.get("target") if isinstance(patch.get("target"), Mapping) else {}
            for document in _load(str(text)):
                yield from _part(document, dict(target), first)
    for at, entry in enumerate(_list(parsed.document.get("patchesStrategicMerge"))):
        if isinstance(entry, str) and "\n" in entry:
            block = parsed.document["patchesStrategicMerge"]
            first = block.lc.data[at][0] + 1 if isinstance(entry, LiteralScalarString) else None
            for document in _load(entry):
                yield from _part(document, {}, first)


def _part(document: Any, target: Mapping[str, Any], first: int | None) -> Iterator[Made]:
    """One document of a patch; `first` is the line before it."""
    if isinstance(document, CommentedMap):
        metadata = document.get("metadata")
        name = metadata.get("name") if isinstance(metadata, Mapping) else None
        values = scalars(document)
    elif isinstance(document, CommentedSeq):
        name, values = target.get("name"), [*_operations(document)]
    else:
        return
    kind = document.get("kind") if isinstance(document, CommentedMap) else target.get("kind")
    shifted = [one._replace(line=first + one.line if first is not None and one.line else first) for one in values]
    yield str(kind or target.get("kind")), str(name or target.get("name")), shifted


def _operations(operations: CommentedSeq) -> Iterator[Scalar]:
    """The values of a JSON patch (RFC 6902), each where it would stand in the object."""
    for at, operation in enumerate(operations):
        if not isinstance(operation, CommentedMap) or operation.get("op") not in {"add", "replace"}:
            continue
        path = str(operation.get("path") or "")
        line = operations.lc.data[at][0] + 1 if at in operations.lc.data else None
        for one in scalars({"value": operation.get("value")}):
            own = operation.lc.data["value"][0] + 1 if "value" in operation.lc.data else line
            yield Scalar(f"{path}{one.pointer.removeprefix('/value')}", one.text, one.line or own)


def _load(text: str) -> list[Any]:
    try:
        return list(YAML(typ="rt", pure=True).load_all(text))
    except (YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []  # as in `documents`: constructors let odd errors through


def _list(value: Any) -> list[Any]:
    return [one for one in value if one is not None] if isinstance(value, list) else []
