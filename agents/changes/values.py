"""The values of manifests that differ between two versions."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from agents.changes.repository import Commit, at_the_canary

MOST_VALUES = 20_000
ENTRY_NAME = re.compile(r"\[name=(?P<name>.*)\]")


class ValueChange(BaseModel):
    """A value of a manifest that differs between the two versions; None where it is not there on that side."""

    model_config = ConfigDict(frozen=True)

    kind: str
    name: str
    """The object's, with its kind."""
    pointer: str
    """RFC 6901 JSON pointer into the object."""
    old: str | None
    new: str | None
    file: str
    """The file that holds it now, or held it."""
    line: int | None
    """Of the value in the new file; where it was removed, of the place where it stood, by the nearest sibling."""

    @property
    def key(self) -> str:
        """What the program knows the value by: the key of a ConfigMap, the name of an env entry."""
        parts = self.pointer.split("/")
        entry = ENTRY_NAME.fullmatch(parts[-2]) if len(parts) > 2 else None
        last = entry["name"] if entry and parts[-1] in {"name", "value"} else parts[-1]
        return last.replace("~1", "/").replace("~0", "~")

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
        was, now = before.get(identity), after.get(identity)
        old_values = {pointer: value for pointer, value, _ in _scalars(was[1])} if was else {}
        new_values = {pointer: (value, line) for pointer, value, line in _scalars(now[1])} if now else {}
        file = now[0] if now else was[0] if was else ""
        for pointer in [*new_values, *(pointer for pointer in old_values if pointer not in new_values)]:
            value, line = new_values.get(pointer, (None, None))
            if old_values.get(pointer) == value:
                continue
            if line is None:
                line = _sibling_line(pointer, new_values)
            changes.append(
                ValueChange(
                    kind=identity[0],
                    name=identity[1],
                    pointer=pointer,
                    old=old_values.get(pointer),
                    new=value,
                    file=file,
                    line=line,
                )
            )
    return tuple(changes)


def _objects(files: Mapping[str, str]) -> dict[tuple[str, str, str, int], tuple[str, Any]]:
    """Kubernetes objects by kind, name, namespace and count, with the file they stand in; the rest is left out.

    The count tells objects of one name apart, as a base and the patch of an overlay are.
    """
    found: dict[tuple[str, str, str, int], tuple[str, Any]] = {}
    for path, text in files.items():
        for document in _documents(text):
            metadata = document.get("metadata") if isinstance(document, CommentedMap) else None
            if not isinstance(metadata, CommentedMap):
                continue
            who = (str(document.get("kind")), str(metadata.get("name")), str(metadata.get("namespace") or ""))
            count = next(number for number in itertools.count() if (*who, number) not in found)
            found[*who, count] = (path, document)
    return found


def _documents(text: str) -> list[Any]:
    """The YAML documents of a file; none where it is no YAML, as a template is not."""
    try:
        return list(YAML(typ="rt", pure=True).load_all(text))
    except (YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []  # the library lets errors of its constructors through for odd scalars and tags


def _scalars(document: Any) -> list[tuple[str, str, int | None]]:
    """The scalars of a document, at most `MOST_VALUES`: a few aliases can stand for billions."""
    try:
        return list(itertools.islice(_values(document), MOST_VALUES))
    except RecursionError:
        return []


def _values(node: Any, pointer: str = "") -> Iterator[tuple[str, str, int | None]]:
    """Every scalar of a document as (pointer, text, line from 1)."""
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            below = f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}"
            if isinstance(value, CommentedMap | CommentedSeq):
                yield from _values(value, below)
            else:
                yield below, _scalar(value), node.lc.data[key][0] + 1 if key in node.lc.data else None
    elif isinstance(node, CommentedSeq):
        for at, value in enumerate(node):
            below = f"{pointer}/{_name_of(value, at)}"
            if isinstance(value, CommentedMap | CommentedSeq):
                yield from _values(value, below)
            else:
                yield below, _scalar(value), node.lc.data[at][0] + 1 if at in node.lc.data else None


def _name_of(value: Any, at: int) -> str:
    """List entries with a name are matched by it, so that an inserted one does not shift the rest."""
    named = value.get("name") if isinstance(value, CommentedMap) else None
    return f"[name={named}]" if named is not None else str(at)


def _scalar(value: Any) -> str:
    return "null" if value is None else str(value)


def _sibling_line(pointer: str, values: Mapping[str, tuple[str | None, int | None]]) -> int | None:
    """The first line of what still stands around the place of a value that was removed."""
    parent = pointer
    while parent:
        parent = parent.rpartition("/")[0]
        lines = [line for other, (_, line) in values.items() if other.startswith(f"{parent}/") and line]
        if lines:
            return min(lines)
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
