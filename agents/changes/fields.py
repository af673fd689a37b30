"""The fields of Kubernetes objects as flat values, and those that differ between two objects.

A field is told by a pointer that follows RFC 6901, but for entries of lists that Kubernetes merges by a key: they are
told by it, as `[name=app]`, so that an inserted entry does not shift the rest.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import LiteralScalarString

MOST_VALUES = 20_000
MERGE_KEYS: Mapping[str, tuple[str, ...]] = {"volumeMounts": ("mountPath",), "tolerations": ("key",)}
"""What tells the entries of a list apart, by the list's name, where it is not `name`."""
SETS = frozenset({"resources", "verbs", "apiGroups", "resourceNames", "add", "drop", "accessModes"})
"""Lists of words in which the order means nothing: their entries are told by themselves."""
KEYED = re.compile(r"\[(?P<key>\w+)=(?P<value>.*)\]", re.DOTALL)
QUANTITY = re.compile(r"(?P<number>[0-9]{1,18}(?:\.[0-9]{1,9})?)(?P<unit>m|k|Ki|M|Mi|G|Gi|T|Ti|)")
UNITS = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} | {
    f"{unit}i": 1024.0**power for power, unit in enumerate("KMGT", 1)
}
"""Suffixes of Kubernetes quantities (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity)."""


class Scalar(NamedTuple):
    """A value of a document; `line` counts from 1 where the document knows its lines."""

    pointer: str
    text: str
    line: int | None
    file: str | None = None
    """Where it comes from another file than the object's."""
    is_block: bool = False
    """Whether it is a literal block, whose first line is the one after `line`."""


class FieldChange(BaseModel):
    """A field that differs between the two versions; None where it is not there on that side."""

    model_config = ConfigDict(frozen=True)

    pointer: str
    old: str | None
    new: str | None

    @property
    def key(self) -> str:
        """What the program knows the value by: the key of a ConfigMap, the name of an env entry."""
        parts = self.pointer.split("/")
        entry = KEYED.fullmatch(parts[-2]) if len(parts) > 2 else None
        last = entry["value"] if entry and entry["key"] == "name" and parts[-1] in {"name", "value"} else parts[-1]
        return unescape(last)


def field_changes(old: Any, new: Any) -> tuple[FieldChange, ...]:
    """The scalars in which two parsed documents differ, in the order of the new one, then those that are gone."""
    before = {one.pointer: one.text for one in scalars(old)}
    after = {one.pointer: one.text for one in scalars(new)}
    return tuple(
        FieldChange(pointer=pointer, old=before.get(pointer), new=after.get(pointer))
        for pointer in [*after, *(pointer for pointer in before if pointer not in after)]
        if before.get(pointer) != after.get(pointer)
    )


def scalars(document: Any) -> list[Scalar]:
    """The scalars of a document, at most `MOST_VALUES`: a few aliases can stand for billions."""
    try:
        return list(itertools.islice(_walk(document, "", ""), MOST_VALUES))
    except RecursionError:
        return []


def _walk(node: Any, pointer: str, name: str) -> Iterator[Scalar]:
    """Below a mapping or a list; `name` is the key that it stands under. Anything else has nothing below."""
    entries: list[tuple[Any, str, Any]] = []
    if isinstance(node, Mapping):
        entries = [(key, str(key), value) for key, value in node.items()]
    elif isinstance(node, list):
        entries = [(at, _entry_name(value, at, name), value) for at, value in enumerate(node)]
    lines = (node.lc.data or {}) if isinstance(node, CommentedMap | CommentedSeq) else {}
    for key, said, value in entries:
        below = f"{pointer}/{escape(said)}"
        if isinstance(value, Mapping | list) and value:
            yield from _walk(value, below, said)
        else:
            line = lines[key][0] + 1 if key in lines else None
            yield Scalar(below, text_of(value), line, is_block=isinstance(value, LiteralScalarString))


def _entry_name(value: Any, at: int, name: str) -> str:
    if isinstance(value, Mapping):
        for key in MERGE_KEYS.get(name, ("name",)):
            if value.get(key) is not None:
                return f"[{key}={value[key]}]"
    return value if isinstance(value, str) and value and name in SETS else str(at)


def text_of(value: Any) -> str:
    """A scalar as manifests write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def escape(token: str) -> str:
    """A key as a token of a pointer."""
    return token.replace("~", "~0").replace("/", "~1")


def unescape(token: str) -> str:
    """A token of a pointer as the key that it stands for."""
    return token.replace("~1", "/").replace("~0", "~")


def json_pointer(document: Any, pointer: str) -> str | None:
    """The RFC 6901 pointer of a field in this document; None where it does not have it."""
    here, raw = document, ""
    for token in pointer.split("/")[1:]:
        name = unescape(token)
        if isinstance(here, Mapping) and name in here:
            here, raw = here[name], f"{raw}/{token}"
            continue
        keyed = KEYED.fullmatch(name)
        at = _position(here, name, keyed) if isinstance(here, list) else None
        if at is None:
            return None
        here, raw = here[at], f"{raw}/{at}"
    return raw


def _position(entries: list[Any], name: str, keyed: re.Match[str] | None) -> int | None:
    if name in entries:
        return entries.index(name)
    if keyed is None:
        return int(name) if name.isdecimal() and len(name) < 9 and int(name) < len(entries) else None
    for at, entry in enumerate(entries):
        if isinstance(entry, Mapping) and str(entry.get(keyed["key"])) == keyed["value"]:
            return at
    return None


def quantity(text: str | None) -> float | None:
    """A Kubernetes quantity or a plain number; None for anything else."""
    match = QUANTITY.fullmatch(text) if text is not None else None
    return float(match["number"]) * UNITS[match["unit"]] if match else None
