"""Settings inside one value of a ConfigMap: a properties, env, ini, YAML or JSON file that is mounted or read whole."""

import re
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents.changes.fields import Scalar, escape, scalars

SETTING = re.compile(r"[ \t]*(?P<key>[A-Za-z_][\w.\[\]-]{0,200})[ \t]*[=:][ \t]*(?P<value>.*)")
SECTION = re.compile(r"[ \t]*\[(?P<name>[\w.: -]{1,200})\][ \t]*")
WHOLE = "(a file)"
"""The text of a value whose settings are told one by one: that it is there at all."""
MOST_CHARACTERS = 200_000
AS_YAML = (".yaml", ".yml", ".json")


def embedded(value: Scalar, before: int | None) -> list[Scalar]:
    """A value of several lines and its settings, each with the line that it stands in; else the value itself.

    `before` is the line before the text's first one; None for a folded or quoted text, whose lines are not known.
    """
    if "\n" not in value.text.strip() or len(value.text) > MOST_CHARACTERS:
        return [value]
    name = value.pointer.rpartition("/")[2]
    found = _of_yaml(value) if name.lower().endswith(AS_YAML) else list(settings(value.text))
    if not found:
        return [value]
    return [
        Scalar(value.pointer, WHOLE, value.line, value.file),
        *_parts(value, found, before),
    ]


def _parts(value: Scalar, found: list[Scalar], before: int | None) -> list[Scalar]:
    return [
        Scalar(
            f"{value.pointer}{one.pointer}",
            one.text,
            before + one.line if before is not None and one.line else value.line,
            value.file,
        )
        for one in found
    ]


def _of_yaml(value: Scalar) -> list[Scalar]:
    try:
        return scalars(YAML(typ="rt", pure=True).load(value.text))
    except (YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []  # as in `documents`: constructors let odd errors through


def settings(text: str) -> Iterator[Scalar]:
    """`key = value` lines, with the section that they stand in; the last one of a name counts."""
    found: dict[str, Scalar] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), 1):
        heading = SECTION.fullmatch(line)
        if heading:
            section = f"/{escape(heading['name'])}"
            continue
        match = SETTING.match(line)
        if match:
            pointer = f"{section}/{escape(match['key'])}"
            found[pointer] = Scalar(pointer, match["value"].strip().strip("\"'"), number)
    yield from found.values()
