"""Rows: a log's physical lines without their prefixes, and the lines that structured logging folded into one string."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from agents.logs.lines import strip_prefix


class Row(NamedTuple):
    """A line as the program wrote it, and the number (from 1) of the log's line that holds it."""

    line: int
    text: str


def rows_of(text: str) -> list[Row]:
    """The rows of a log, in order. A JSON line that folds several lines into a string gives a row for each of them."""
    found: list[Row] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = strip_prefix(raw)
        folded = list(_folded(line)) if line.startswith("{") and "\\n" in line else []
        found += [Row(number, part) for part in folded] or [Row(number, line)]
    return found


def _folded(line: str) -> Iterator[str]:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return
    for value in _strings(document):
        if "\n" in value:
            yield from value.split("\n")


def _strings(node: Any) -> Iterator[str]:
    stack = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, str):
            yield here
        elif isinstance(here, dict | list):
            stack += reversed(list(here.values() if isinstance(here, dict) else here))
