"""The places that a commit changed, read from its diff, and what in them is only formatting."""

import re
from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict
from unidiff.errors import UnidiffParseError
from unidiff.patch import Line as DiffLine
from unidiff.patch import PatchedFile, PatchSet

FILE_HEADER = re.compile(r"(?m)^(?=diff --git )")
ESCAPED = re.compile(r'\\(["\\abfnrtv]|[0-7]{3})')
ESCAPES = {'"': '"', "\\": "\\", "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
CODE_PART = re.compile(r"(?:[^#\"']|\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|[\"'])*+")
TRAILING_COMMA = re.compile(r",(?=[)\]}])")


class Line(BaseModel):
    """A line of a hunk; `old` and `new` count from 1, None where the line is not on that side."""

    model_config = ConfigDict(frozen=True)

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

    @property
    def is_formatting(self) -> bool:
        """Whether only white space, line breaks, quotes or comments differ, in a way that means the same."""
        if _essence(self.removed) != _essence(self.added):
            return False
        old, new = (
            [text for line in side if (text := _uncommented(line.text)).strip()] for side in (self.removed, self.added)
        )
        if [text.strip() for text in old] != [text.strip() for text in new]:
            return True  # the same symbols in lines of another length
        return _same_nesting([_indent(text) for text in old], [_indent(text) for text in new])


def hunks_of(diff: str) -> tuple[Hunk, ...]:
    """The hunks of a unified diff; binary files and pure renames have none. What is no diff is passed over."""
    found: list[Hunk] = []
    for changed in _files_of(diff):
        path = _path(changed.source_file if changed.is_removed_file else changed.target_file)
        old_file = None if changed.is_added_file else _path(changed.source_file)
        for hunk in changed:
            lines = [line for line in hunk if line.line_type in {" ", "+", "-"}]
            found.append(
                Hunk(
                    file=path,
                    old_file=old_file,
                    new_start=hunk.target_start,
                    new_end=hunk.target_start + max(hunk.target_length, 1) - 1,
                    removed=_lines(lines, "-"),
                    added=_lines(lines, "+"),
                    above=_above(lines),
                )
            )
    return tuple(found)


def renames_of(diff: str) -> dict[str, str]:
    """The files that a diff renames: old path -> new path."""
    return {_path(file.source_file): _path(file.target_file) for file in _files_of(diff) if file.is_rename}


def _files_of(diff: str) -> Iterator[PatchedFile]:
    """Each file by itself, so that one which cannot be read does not hide the others."""
    for part in FILE_HEADER.split(diff):
        try:
            yield from PatchSet(part)
        except UnidiffParseError:
            continue


def _path(name: str) -> str:
    """A path from a header of git: it has a prefix, and is quoted as in C where it holds odd characters."""
    if name.startswith('"') and name.endswith('"'):
        name = ESCAPED.sub(lambda match: ESCAPES.get(match[1]) or chr(int(match[1], 8)), name[1:-1])
    return name[2:] if name[:2] in {"a/", "b/"} else name


def _lines(lines: Sequence[DiffLine], kind: str) -> tuple[Line, ...]:
    return tuple(
        Line(old=line.source_line_no, new=line.target_line_no, text=line.value.rstrip("\n"))
        for line in lines
        if line.line_type == kind
    )


def _above(lines: Sequence[DiffLine]) -> tuple[str, ...]:
    found: list[str] = []
    last: str | None = None
    for line in lines:
        if line.line_type == " ":
            last = line.value.rstrip("\n") if line.value.strip() else last
        elif last is not None:
            found.append(last)
            last = None
    return tuple(found)


def essence(line: str) -> str:
    """A line of source without comment, white space and the choice of quotes: what formatters leave alone."""
    return "".join(_uncommented(line).split()).replace("'", '"')


def _essence(lines: Sequence[Line]) -> str:
    return TRAILING_COMMA.sub("", "".join(essence(line.text) for line in lines))


def _uncommented(line: str) -> str:
    """The line up to a `#` that stands outside quotes."""
    match = CODE_PART.match(line)
    return match.group() if match else line


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
