"""The values of manifests that differ between two versions."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from agents.changes.embedded import embedded
from agents.changes.fields import FieldChange, Scalar, scalars
from agents.changes.kustomize import ParsedFile, generated, is_kustomization, patched
from agents.changes.repository import Commit, at_the_canary

Identity = tuple[str, str, str, int]
"""Kind, name, namespace, and a count that tells objects of one name apart, as a base and its patch are."""
READ_AS_OBJECTS = ("/configMapGenerator/", "/secretGenerator/", "/patches/", "/patchesJson6902/")
"""Parts of a kustomization that stand for objects, and are compared as those."""


class ValueChange(FieldChange):
    """A value of a manifest that differs between the two versions; None where it is not there on that side."""

    kind: str
    name: str
    """The object's, with its kind."""
    file: str
    """The file that holds it now, or held it."""
    line: int | None
    """Of the value in the new file; where it was removed, of what stands before its place."""
    commit: str | None = None
    """The newest commit that gave it the new value; None where that was not looked for, or is not in the range."""

    @property
    def is_config(self) -> bool:
        """Whether it is what the program itself reads: a key of a ConfigMap, or an env entry."""
        return (
            self.kind == "ConfigMap" and self.pointer.startswith(("/data/", "/binaryData/"))
        ) or "/env/" in self.pointer


def manifest_changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[ValueChange, ...]:
    """The values that differ between two sets of YAML files (path -> text); objects are matched by kind and name."""
    before, after = _objects(old), _objects(new)
    changes: list[ValueChange] = []
    for identity in sorted(before.keys() | after.keys()):
        changes += _differences(identity, before.get(identity), after.get(identity))
    return tuple(changes)


Held = tuple[str, list[Scalar]]
"""The file that an object stands in, and its values; each may name another file that it comes from."""


def _differences(identity: Identity, was: Held | None, now: Held | None) -> list[ValueChange]:
    old_values = {one.pointer: one for one in was[1]} if was else {}
    new_values = {one.pointer: one for one in now[1]} if now else {}
    file = now[0] if now else was[0] if was else ""
    changes: list[ValueChange] = []
    for pointer in [*new_values, *(pointer for pointer in old_values if pointer not in new_values)]:
        old, new = old_values.get(pointer), new_values.get(pointer)
        if (old.text if old else None) == (new.text if new else None):
            continue
        held = new or old
        changes.append(
            ValueChange(
                kind=identity[0],
                name=identity[1],
                pointer=pointer,
                old=old.text if old else None,
                new=new.text if new else None,
                file=(held.file if held else None) or file,
                line=new.line if new and new.line else _sibling_line(pointer, old_values, new_values),
            )
        )
    return changes


def value_at(files: Mapping[str, str], change: ValueChange, path: str) -> str | None:
    """The text that the field of a change has in one of the files; None where that does not have it."""
    for identity, (file, values) in _objects(files).items():
        if identity[:2] == (change.kind, change.name):
            for one in values:
                if one.pointer == change.pointer and (one.file or file) == path:
                    return one.text
    return None


def _objects(files: Mapping[str, str]) -> dict[Identity, Held]:
    """Kubernetes objects with their values by identity; what is none is left out.

    What the generators and the inline patches of a kustomization would give counts as objects, too.
    """
    found: dict[Identity, Held] = {}

    def add(kind: str, name: str, namespace: str, held: Held) -> None:
        count = next(number for number in itertools.count() if (kind, name, namespace, number) not in found)
        found[kind, name, namespace, count] = held

    for path, text in files.items():
        for document in documents(text):
            if not isinstance(document, CommentedMap):
                continue
            metadata = document.get("metadata")
            if is_kustomization(path):
                parsed = ParsedFile(path=path, document=document, files=files)
                for kind, name, values in (*generated(parsed), *patched(parsed)):
                    add(kind, name, "", (path, values))
                own = [one for one in scalars(document) if not one.pointer.startswith(READ_AS_OBJECTS)]
                add("Kustomization", path.rpartition("/")[0], "", (path, own))
            elif isinstance(metadata, CommentedMap):
                who = (str(document.get("kind")), str(metadata.get("name")), str(metadata.get("namespace") or ""))
                add(*who, (path, _values(who[0], document)))
    return found


def _values(kind: str, document: CommentedMap) -> list[Scalar]:
    values = scalars(document)
    if kind != "ConfigMap":
        return values
    return [part for one in values for part in embedded(one, one.line if one.is_block else None)]


def documents(text: str) -> list[Any]:
    """The YAML documents of a file; none where it is no YAML, as a template is not."""
    try:
        return list(YAML(typ="rt", pure=True).load_all(text))
    except (YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []  # the library lets errors of its constructors through for odd scalars and tags


def _sibling_line(pointer: str, old: Mapping[str, Scalar], new: Mapping[str, Scalar]) -> int | None:
    """The line before the place where a value stood that was removed: its elder sibling's, or the one of its parent."""
    parent = pointer
    while parent:
        parent = parent.rpartition("/")[0]
        around = {other: one.line for other, one in new.items() if other.startswith(f"{parent}/") and one.line}
        if around:
            before = itertools.takewhile(lambda other: other != pointer, old)
            elder = [line for other in before if (line := around.get(other)) is not None]
            return max(elder) if elder else max(min(around.values()) - 1, 1)
    return None


def blame_value(change: ValueChange, commits: Sequence[Commit]) -> Commit | None:
    """The newest commit of the GitOps repository that took the old value away or put the new one in."""
    key = re.compile(rf"(?<![\w.-]){re.escape(change.key)}(?![\w.-])")
    for commit, hunks in at_the_canary(commits):
        for hunk in hunks:
            if change.file not in {hunk.file, hunk.old_file}:
                continue
            before, after = ([line.text for line in side] for side in (hunk.removed, hunk.added))
            if [text for text in before if key.search(text)] != [text for text in after if key.search(text)]:
                return commit
            if change.is_config and (_gives(before, change.old) or _gives(after, change.new)):
                return commit
    return None


def _gives(lines: Sequence[str], value: str | None) -> bool:
    """Whether one of the lines is `value: ...` of an env entry; its name stands on a line of its own."""
    return value is not None and any(
        line.strip().removeprefix("- ").partition(":")[0] == "value" and line.partition(":")[2].strip(" \"'") == value
        for line in lines
    )
