"""YAML read with the place that each value has in the text, so that one value can be replaced and nothing else.

Anchors stand for what they name, `<<` for what it merges. A value that several aliases name has one place.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*\s+)+")
"""Anchor and tag before a scalar."""
PLAIN = re.compile(r"[A-Za-z0-9][\w./:@+-]*", re.ASCII)
MERGE = "<<"


class Mark(NamedTuple):
    """A scalar, and where it is written: offsets in the text, without its anchor and tag."""

    text: str
    start: int
    end: int
    is_block: bool
    """Whether it spans lines (`|` or `>`), so that its text is not what is written."""


class Field(NamedTuple):
    """A key of a mapping with its value."""

    key: Mark
    value: "Marked"


Fields = dict[str, Field]
Marked = Mark | Fields | list["Marked"]
NOTHING = Mark("", 0, 0, is_block=False)


def marked_documents(text: str) -> list[Marked]:
    """The documents of a file, none where it is no YAML, as a template is not."""
    try:
        nodes = list(YAML(typ="rt", pure=True).compose_all(text))
        return [_marked(node, text, {}) for node in nodes if node is not None]
    except (YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []  # the library lets odd errors through


def _marked(node: Node, text: str, known: dict[int, Marked]) -> Marked:
    """What a node is; one that several aliases name is read once, and one that holds itself is empty inside."""
    if id(node) in known:
        return known[id(node)]
    if isinstance(node, ScalarNode):
        start, end = node.start_mark.index, node.end_mark.index
        before = PROPERTIES.match(text, start, end)
        mark = Mark(str(node.value), before.end() if before else start, end, is_block=node.style in {"|", ">"})
        known[id(node)] = mark
        return mark
    if isinstance(node, SequenceNode):
        entries: list[Marked] = []
        known[id(node)] = entries
        entries += [_marked(child, text, known) for child in node.value]
        return entries
    fields: Fields = {}
    known[id(node)] = fields
    if isinstance(node, MappingNode):
        merged: Fields = {}
        for key, value in node.value:
            name = _marked(key, text, known)
            found = _marked(value, text, known)
            if isinstance(name, Mark) and name.text == MERGE:
                for one in found if isinstance(found, list) else [found]:
                    merged = (one if isinstance(one, dict) else {}) | merged
            elif isinstance(name, Mark):
                fields[name.text] = Field(name, found)
        for name_, field in merged.items():
            fields.setdefault(name_, field)
    return fields


def at(marked: Marked, *keys: str) -> Marked:
    """What stands below these keys; an empty scalar where there is none."""
    for key in keys:
        field = marked.get(key) if isinstance(marked, dict) else None
        if field is None:
            return NOTHING
        marked = field.value
    return marked


def text_at(marked: Marked, *keys: str) -> str:
    """The text of the scalar below these keys, empty where there is none."""
    found = at(marked, *keys)
    return found.text if isinstance(found, Mark) else ""


def entries_at(marked: Marked, *keys: str) -> list[Marked]:
    """The entries of the list below these keys."""
    found = at(marked, *keys)
    return found if isinstance(found, list) else []


def replaced(text: str, spans: Sequence[tuple[int, int, str]]) -> str:
    """The text with each span (start, end, what to put there) replaced; spans do not overlap."""
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def written(mark: Mark, text: str, value: str) -> str:
    """How `value` is written in the place of `mark`: in its quotes, and quoted where it would not be read as text."""
    was = text[mark.start : mark.end]
    if was[:1] in {'"', "'"} and not re.search(r"[\"'\\]", value):
        return f"{was[0]}{value}{was[0]}"
    return as_scalar(value)


def as_scalar(value: str) -> str:
    """A value as YAML that is read as text: `2.4` and `1e5` would be numbers."""
    if PLAIN.fullmatch(value) and isinstance(YAML(typ="safe", pure=True).load(value), str):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
