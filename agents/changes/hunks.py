"""The places that a commit changed, read from its diff, and what in them is only formatting."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from agents.syntax import code_of

ESCAPED = re.compile(r'\\(["\\abfnrtv]|[0-7]{3})')
ESCAPES = {'"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
PLACE = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
TRAILING_COMMA = re.compile(r",(?=[)\]}])")
NOWHERE = "/dev/null"
SPLIT = "diff --git "
INDENTED = (".py", ".pyi", ".yaml", ".yml", ".coffee", ".haml", ".pug", ".sass")
"""Files in which the indentation is syntax."""


class Line(NamedTuple):
    """A line of a hunk; `old` and `new` count from 1, None where the line is not on that side."""

    old: int | None
    new: int | None
    text: str


class Hunk(BaseModel):
    """One place of one file that a commit changed, with the lines it took out and put in."""

    model_config = ConfigDict(frozen=True)

    file: str
    """The path after the commit; before it for a deleted file."""
    old_file: str | None
    new_start: int
    new_end: int
    removed: tuple[Line, ...]
    added: tuple[Line, ...]
    above: tuple[str, ...] = ()
    """The nearest line that stays before each changed place: where lines were taken away, it says from where."""
    body: tuple[str, ...] = ()
    """All lines of the place with the marks of a diff, as they follow each other."""

    @cached_property
    def is_formatting(self) -> bool:
        """Whether only white space, line breaks, quotes or comments differ, in a way that means the same."""
        if self._essence(self.removed) != self._essence(self.added) or self._moves_lines():
            return False
        old, new = (
            [text for line in side if (text := code_of(self.file, line.text)).strip()]
            for side in (self.removed, self.added)
        )
        if [text.strip() for text in old] != [text.strip() for text in new]:
            return True  # the same symbols in lines of another length
        if not self.file.endswith(INDENTED):
            return True
        return _same_nesting([_indent(text) for text in old], [_indent(text) for text in new])

    def _moves_lines(self) -> bool:
        """Whether the same lines stand in another order among those that stay."""
        old, new = (
            "".join(essence(line[1:], self.file) for line in self.body if line[0] in marks) for marks in (" -", " +")
        )
        return TRAILING_COMMA.sub("", old) != TRAILING_COMMA.sub("", new)

    def _essence(self, lines: Sequence[Line]) -> str:
        return TRAILING_COMMA.sub("", "".join(essence(line.text, self.file) for line in lines))


class _File(NamedTuple):
    """The part of a diff that is about one file."""

    old: str
    new: str
    is_rename: bool
    places: list[tuple[int, int, list[str]]]
    """First lines of both sides and the lines of each place, with their marks."""


def hunks_of(diff: str) -> tuple[Hunk, ...]:
    """The hunks of a unified diff; binary files and pure renames have none. What is no diff is passed over."""
    found: list[Hunk] = []
    for changed in _files_of(diff):
        path = changed.old if changed.new == NOWHERE else changed.new
        old_file = None if changed.old == NOWHERE else changed.old
        for old, new, lines in changed.places:
            removed, added, above, end = _sides(old, new, lines)
            found.append(
                Hunk(
                    file=path,
                    old_file=old_file,
                    new_start=new,
                    new_end=end,
                    removed=removed,
                    added=added,
                    above=above,
                    body=tuple(lines),
                )
            )
    return tuple(found)


def renames_of(diff: str) -> dict[str, str]:
    """The files that a diff renames: old path -> new path."""
    return {file.old: file.new for file in _files_of(diff) if file.is_rename}


def essence(line: str, path: str = "") -> str:
    """A line of source without comment, white space and the choice of quotes: what formatters leave alone."""
    return "".join(code_of(path, line).split()).replace("'", '"')


def _files_of(diff: str) -> Iterator[_File]:
    """Each file by itself, so that one which cannot be read does not hide the others."""
    lines = diff.split("\n")
    starts = [at for at, line in enumerate(lines) if line.startswith(SPLIT)]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        yield _file(lines[start:end])


def _file(lines: Sequence[str]) -> _File:
    old = new = ""
    is_rename = False
    at = 1
    while at < len(lines) and not lines[at].startswith("@@ "):
        name, _, value = lines[at].partition(" ")
        if name == "---":
            old = _path(value.rstrip("\t"), "a/")
        elif name == "+++":
            new = _path(value.rstrip("\t"), "b/")
        elif lines[at].startswith("rename from "):
            old, is_rename = _path(lines[at].removeprefix("rename from ")), True
        elif lines[at].startswith("rename to "):
            new = _path(lines[at].removeprefix("rename to "))
        at += 1
    places: list[tuple[int, int, list[str]]] = []
    while at < len(lines) and old and new:
        place = PLACE.match(lines[at])
        if place is None:
            break
        body, at, is_whole = _body(lines, at + 1, int(place[2] or 1), int(place[4] or 1))
        if is_whole:
            places.append((int(place[1]), int(place[3]), body))
    return _File(old, new, is_rename, places)


def _body(lines: Sequence[str], at: int, old: int, new: int) -> tuple[list[str], int, bool]:
    """The lines of one place, the index after them, and whether they are as many as its head says."""
    body: list[str] = []
    while at < len(lines) and (old > 0 or new > 0 or lines[at].startswith("\\")):
        line = lines[at]
        mark = line[:1]
        if mark not in {" ", "+", "-", "\\"}:
            break
        old -= mark in {" ", "-"}
        new -= mark in {" ", "+"}
        if mark != "\\":
            body.append(line)
        at += 1
    return body, at, old == new == 0


def _sides(old: int, new: int, lines: Sequence[str]) -> tuple[tuple[Line, ...], tuple[Line, ...], tuple[str, ...], int]:
    removed: list[Line] = []
    added: list[Line] = []
    above: list[str] = []
    last: str | None = None
    for line in lines:
        mark, text = line[0], line[1:]
        if mark == " ":
            last = text if text.strip() else last
            old, new = old + 1, new + 1
            continue
        if last is not None:
            above.append(last)
            last = None
        if mark == "-":
            removed.append(Line(old, None, text))
            old += 1
        else:
            added.append(Line(None, new, text))
            new += 1
    return tuple(removed), tuple(added), tuple(above), max(new - 1, 0)


def _path(name: str, prefix: str = "") -> str:
    """A path from a header of git: quoted as in C where it holds odd characters."""
    if name.startswith('"') and name.endswith('"'):
        name = ESCAPED.sub(lambda match: ESCAPES.get(match[1]) or chr(int(match[1], 8)), name[1:-1])
    return name if name == NOWHERE else name.removeprefix(prefix)


def _indent(line: str) -> int:
    expanded = line.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())


def _same_nesting(old: Sequence[int], new: Sequence[int]) -> bool:
    """Whether the lines are nested as they were: not moved at all, or all levels wider or narrower by one factor.

    Where indentation is syntax, lines that all move by the same amount are in another block.
    """
    pairs = {(before, after) for before, after in zip(old, new, strict=True) if before or after}
    if all(before == after for before, after in pairs):
        return True
    return len(pairs) > 1 and len({after * 100 // before if before else -1 for before, after in pairs}) == 1
