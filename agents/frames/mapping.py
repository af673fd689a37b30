"""Frames to files: which file of a commit a frame's path names.

A frame belongs to the repository only if the longest common suffix of its path names one file there, and the line
agrees.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from agents.frames.nouns import Frame, Trace

DEPENDENCY = re.compile(r"(?:^|/)(?:site-packages|dist-packages)/")
PLACEHOLDER = re.compile(r"\[REDACTED:[a-z-]+:\d+\]")
MOST_PLACEHOLDERS = 5


def mapped(traces: Sequence[Trace], files: Sequence[str], texts: Mapping[str, str] | None = None) -> tuple[Trace, ...]:
    """The traces with `file` set on every frame that is code of the repository.

    A frame is, if its path names exactly one file, and its line agrees with that file's text where `texts` has it.
    A path that shares only a name with its file (`COPY src/ /app/`) has to agree. None: nothing has been read yet.
    """
    by_name: dict[str, list[str]] = {}
    for file in files:
        by_name.setdefault(file.rpartition("/")[2], []).append(file)
    lines = {file: text.split("\n") for file, text in (texts or {}).items()}

    @cache
    def place(path: str, kind: str) -> str | None:
        near = by_name.get(path.rpartition("/")[2], [])
        if kind == "application":
            return map_path(path, near)
        return _own_file(path, near) if kind == "dependency" else None

    def placed(frame: Frame) -> Frame:
        file = place(frame.path, frame.kind)
        found = frame.model_copy(update={"file": file, "kind": "application" if file else frame.kind})
        if file is None or texts is None:
            return found
        is_sure = agrees(found, lines[file]) if file in lines else not _is_by_name(found)
        return found if is_sure else frame.model_copy(update={"file": None})

    def follow(trace: Trace) -> Trace:
        frames = tuple(placed(frame) for frame in trace.frames)
        return trace.model_copy(update={"frames": frames, "causes": tuple(follow(cause) for cause in trace.causes)})

    return tuple(follow(trace) for trace in traces)


def map_path(path: str, files: Sequence[str]) -> str | None:
    """The one file with the longest common path suffix; None where two are as good.

    A file at the repository's root wins over deeper ones that share no more than its name.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    best: list[str] = []
    longest = 0
    for file in files:
        shared = _shared_suffix(parts, file.split("/"))
        if shared > longest:
            best, longest = [file], shared
        elif shared == longest and shared:
            best.append(file)
    whole = [file for file in best if file.count("/") + 1 == longest]
    if len(whole) == 1:
        return whole[0]
    return best[0] if len(best) == 1 else None


def _shared_suffix(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(left), reversed(right), strict=False):
        if one != other:
            break
        count += 1
    return count


def _own_file(path: str, files: Sequence[str]) -> str | None:
    """The repository's file that was installed as a package: its path below site-packages exists here, src/ or not."""
    inside = DEPENDENCY.split(path)[-1]
    return next((file for file in files if "/" in inside and file in {inside, f"src/{inside}"}), None)


def agrees(frame: Frame, lines: Sequence[str]) -> bool:
    """Whether a file's lines hold the frame: the line exists, and is the quoted one where the log quotes it."""
    if not 1 <= frame.line <= len(lines):
        return False
    if frame.code is None:
        return not _is_by_name(frame)
    quoted, present = frame.code.split("\n")[0].strip(), lines[frame.line - 1].strip()
    if PLACEHOLDER.search(quoted) is None:
        return quoted == present
    parts = [re.escape(part) for part in PLACEHOLDER.split(quoted, maxsplit=MOST_PLACEHOLDERS)]
    return re.fullmatch(".+?".join(parts), present) is not None


def _is_by_name(frame: Frame) -> bool:
    """Whether a frame's path shares no folder with the file that it was mapped to."""
    file = frame.file or ""
    return "/" in file and _shared_suffix(frame.path.split("/"), file.split("/")) < 2
