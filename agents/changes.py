"""What changed between the stable and the canary version: commits, hunks and manifest values.

Owns the `Repository` port, through which the core reads source and manifests and never writes.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from unidiff.patch import PatchSet


class Commit(BaseModel):
    """One commit of the range. `diff` is the unified diff against its first parent, three lines of context."""

    model_config = ConfigDict(frozen=True)

    sha: str
    parents: tuple[str, ...]
    author: str
    at: datetime
    subject: str
    diff: str


class FileText(BaseModel):
    """A file at a commit. `gone`: no such file there; `denied`: not text, a link, or too large to read."""

    model_config = ConfigDict(frozen=True)

    status: Literal["ok", "gone", "denied"]
    reason: str | None = None
    text: str = ""


class Repository(Protocol):
    """A repository that is only read. Every commit argument is 40 hex digits, but for `resolve`."""

    async def resolve(self, revision: str) -> str:
        """The commit that a sha, branch or tag names; `Denied` if there is none."""
        ...

    async def message(self, commit: str) -> str:
        """The whole message of a commit, its trailers included."""
        ...

    async def commits(self, old: str, new: str) -> tuple[Commit, ...]:
        """The commits of `old..new`, newest first. Empty when `new` is reachable from `old`."""
        ...

    async def compare(self, old: str, new: str, path: str = "") -> str:
        """The unified diff from `old` to `new` below `path`, without context lines."""
        ...

    async def files(self, commit: str) -> tuple[str, ...]:
        """Every path of the commit's tree, from the root."""
        ...

    async def read(self, commit: str, path: str) -> FileText:
        """The text of one file."""
        ...


class Repositories(Protocol):
    """Opens repositories by URL."""

    async def open(self, url: str) -> Repository:
        """Fetch what is there now and return it; `Denied` where the URL is not allowed or cannot be read."""
        ...


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
    section: str
    """The function or block that git names in the hunk's header."""
    removed: tuple[Line, ...]
    added: tuple[Line, ...]

    @property
    def is_formatting(self) -> bool:
        """Whether only white space, blank lines or comments differ."""
        return _essence(self.removed) == _essence(self.added)


def hunks_of(diff: str) -> tuple[Hunk, ...]:
    """The hunks of a unified diff; binary files and pure renames have none."""
    found: list[Hunk] = []
    for changed in PatchSet(diff):
        old_file = None if changed.is_added_file else changed.source_file.removeprefix("a/")
        for hunk in changed:
            lines = [
                (
                    line.line_type,
                    Line(old=line.source_line_no, new=line.target_line_no, text=line.value.rstrip("\n")),
                )
                for line in hunk
            ]
            found.append(
                Hunk(
                    file=changed.path,
                    old_file=old_file,
                    new_start=hunk.target_start,
                    new_end=hunk.target_start + max(hunk.target_length, 1) - 1,
                    section=hunk.section_header,
                    removed=tuple(line for kind, line in lines if kind == "-"),
                    added=tuple(line for kind, line in lines if kind == "+"),
                )
            )
    return tuple(found)


def _essence(lines: tuple[Line, ...]) -> str:
    kept = (line.text.partition("#")[0] for line in lines)
    return "".join("".join(text.split()) for text in kept)


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
        return self.pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def manifest_changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[ValueChange, ...]:
    """The values that differ between two sets of YAML files (path -> text); objects are matched by kind and name."""
    before, after = _objects(old), _objects(new)
    changes: list[ValueChange] = []
    for identity in sorted(before.keys() | after.keys()):
        was, now = before.get(identity), after.get(identity)
        old_values = {pointer: value for pointer, value, _ in _values(was[1])} if was else {}
        new_values = {pointer: (value, line) for pointer, value, line in _values(now[1])} if now else {}
        file = now[0] if now else was[0] if was else ""
        for pointer in [*new_values, *(pointer for pointer in old_values if pointer not in new_values)]:
            value, line = new_values.get(pointer, (None, None))
            if old_values.get(pointer) == value:
                continue
            if line is None:
                line = _sibling_line(pointer, new_values)
            kind, name = identity
            changes.append(
                ValueChange(
                    kind=kind,
                    name=name,
                    pointer=pointer,
                    old=old_values.get(pointer),
                    new=value,
                    file=file,
                    line=line,
                )
            )
    return tuple(changes)


def _objects(files: Mapping[str, str]) -> dict[tuple[str, str], tuple[str, Any]]:
    """Kubernetes objects by kind and name, with the file they stand in; what is no such object is left out."""
    found: dict[tuple[str, str], tuple[str, Any]] = {}
    for path, text in files.items():
        try:
            documents = list(YAML(typ="rt", pure=True).load_all(text))
        except YAMLError:
            continue
        for document in documents:
            if isinstance(document, CommentedMap) and isinstance(document.get("metadata"), CommentedMap):
                found[str(document.get("kind")), str(document["metadata"].get("name"))] = (path, document)
    return found


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
    parent = pointer.rpartition("/")[0]
    lines = [line for other, (_, line) in values.items() if other.rpartition("/")[0] == parent and line]
    return min(lines, default=None)
