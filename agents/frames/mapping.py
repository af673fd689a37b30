"""Frames to files: which file of a commit a frame's path names.

A frame belongs to the repository only if the longest common suffix of its path names one file there, and the line or
the function agrees. Of several files that fit as well, the one that agrees is taken; where more than one does, none is,
and the doubt is told.
"""

import re
from collections.abc import Mapping, Sequence

from agents.frames.layout import VENDORED, Layout
from agents.frames.names import simple_name
from agents.frames.nouns import Frame, Trace
from agents.frames.paths import clean, guesses, is_built, is_compiled, own_guesses
from agents.syntax import Function, functions

PLACEHOLDER = re.compile(r"\[REDACTED:[a-z-]+:\d+\]")
MOST_PLACEHOLDERS = 5
MOST_CANDIDATES = 12
PACKAGE = re.compile(r"(?m)^\s*package\s+([\w.]+)")
MOST_DOUBTS = 5


class Mapper:
    """Maps the frames of traces to the files of one commit; each path is looked up once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._found: dict[tuple[str, str, str | None], tuple[str, ...]] = {}
        self._lines: dict[str, list[str]] = {}
        self._texts: Mapping[str, str] | None = None
        self._doubts: dict[str, tuple[str, ...]] = {}

    def candidates(self, frame: Frame) -> tuple[str, ...]:
        """The files that a frame may be in, all as good as each other by their paths."""
        key = (frame.path, frame.kind, frame.module)
        if key not in self._found:
            self._found[key] = self._look_up(frame)
        return self._found[key]

    def wanted(self, traces: Sequence[Trace]) -> list[str]:
        """The files to read before `mapped` can tell."""
        found = (file for trace in _all(traces) for frame in trace.frames for file in self.candidates(frame))
        return list(dict.fromkeys(found))

    def mapped(self, traces: Sequence[Trace], texts: Mapping[str, str] | None) -> tuple[Trace, ...]:
        """The traces with `file` set on every frame that is code of the repository.

        A path that shares only a name with its file (`COPY src/ /app/`) has to agree with its text. None: nothing has
        been read yet.
        """
        self._texts = texts
        return tuple(self._follow(trace) for trace in traces)

    def doubts(self) -> list[str]:
        """A sentence for each path that could be several files."""
        return [
            f"{path} of a trace could be any of {', '.join(files)}"
            for path, files in list(self._doubts.items())[:MOST_DOUBTS]
        ]

    def _follow(self, trace: Trace) -> Trace:
        frames = tuple(self._placed(frame) for frame in trace.frames)
        return trace.model_copy(update={"frames": frames, "causes": tuple(self._follow(one) for one in trace.causes)})

    def _placed(self, frame: Frame) -> Frame:
        found = self.candidates(frame)
        if not found:
            return frame
        fitting = [placed for file in found if (placed := self._at(frame, file)) is not None]
        most = max((sureness for sureness, _ in fitting), default=0)
        best = [placed for sureness, placed in fitting if sureness == most]
        if len(best) == 1:
            return best[0]
        if best and frame.kind == "application":
            self._doubts.setdefault(frame.path, tuple(str(placed.file) for placed in best))
        return frame

    def _at(self, frame: Frame, file: str) -> tuple[int, Frame] | None:
        """The frame in a file, at the line that agrees, and how surely it is there; None where nothing agrees."""
        found = frame.model_copy(update={"file": file, "kind": "application"})
        if self._texts is None:
            return 1, found
        if file not in self._texts:
            return None if _is_by_name(found) else (1, found)
        text = self._texts[file]
        if file not in self._lines:
            self._lines[file] = text.split("\n")
        is_of_package = _is_of_package(found, text)
        if not is_of_package or is_compiled(frame.path, file):
            return self._translated(found, text) if is_of_package else None
        if _is_by_name(found):
            is_there = agrees(found, self._lines[file]) or (frame.code is None and _runs(found, text) == 3)
            return (2, found) if is_there else None
        defined = self._defined(found, text)
        if not agrees(found, self._lines[file]):
            return (1, defined) if defined is not None else None
        sureness = _runs(found, text)
        return sureness, found if sureness > 1 else defined or found

    def _defined(self, frame: Frame, text: str) -> Frame | None:
        """The frame at its function's definition: what is left where the line is another one, as in what was built."""
        named = _named(frame, text)
        is_class = not frame.line and not frame.function
        line = named[0].first_line if len(named) == 1 else _declared(frame, text) if is_class else None
        return frame.model_copy(update={"line": line, "code": None}) if line else None

    def _translated(self, frame: Frame, text: str) -> tuple[int, Frame] | None:
        """The frame of compiled code in its source, whose lines are others: at the one line that the log quotes.

        Else at its function's definition, else nowhere in the file, which then has to be what a build is made of.
        """
        named = _named(frame, text)
        quoted = frame.code.split("\n")[0].strip() if frame.code else ""
        same = [at for at, line in enumerate(self._lines[str(frame.file)], 1) if quoted and line.strip() == quoted]
        inside = [at for at in same if any(one.first_line <= at <= one.last_line for one in named)]
        if len(inside or same) == 1:
            return 3, frame.model_copy(update={"line": (inside or same)[0]})
        if len(named) == 1:
            return 2, frame.model_copy(update={"line": named[0].first_line, "code": None})
        unplaced = frame.model_copy(update={"line": 0, "code": None})
        return (1, unplaced) if named or is_built(frame.path) or not _is_by_name(frame) else None

    def _look_up(self, frame: Frame) -> tuple[str, ...]:
        path = clean(frame.path)
        own = own_guesses(path, frame.module, self._layout)
        if frame.kind == "application" or (frame.kind == "dependency" and frame.module and "/" not in path):
            best: Sequence[str] = ()
            for guess in (*own, *guesses(path, frame.module)):
                best = _best(guess, self._layout, is_packaged=frame.kind == "dependency")
                if best:
                    break
        elif frame.kind == "dependency":
            best = next((found for guess in own if (found := _whole(guess, self._layout))), ())
        else:
            best = ()
        return tuple(best[:MOST_CANDIDATES])


def mapped(traces: Sequence[Trace], files: Sequence[str], texts: Mapping[str, str] | None = None) -> tuple[Trace, ...]:
    """The traces with `file` set on every frame that is code of the repository; see `Mapper.mapped`."""
    return Mapper(Layout(files=tuple(files))).mapped(traces, texts)


def map_path(path: str, files: Sequence[str]) -> str | None:
    """The one file with the longest common path suffix; None where two are as good.

    A file at the repository's root wins over deeper ones that share no more than its name.
    """
    best = _best(path, Layout(files=tuple(files)))
    return best[0] if len(best) == 1 else None


def _best(path: str, layout: Layout, *, is_packaged: bool = False) -> Sequence[str]:
    """The files with the longest common path suffix; those of the program's own folder before others."""
    parts = [part for part in path.split("/") if part not in {"", ".", ".."}]
    best: list[str] = []
    longest = 0
    for file in layout.by_name.get(parts[-1], ()) if parts else ():
        if VENDORED.search(file) and not VENDORED.search(path):
            continue
        shared = shared_suffix(parts, file.split("/"))
        if shared > longest:
            best, longest = [file], shared
        elif shared == longest and shared:
            best.append(file)
    if is_packaged and longest < min(3, len(parts)):
        return ()  # a class of another package that has a file of the same name
    whole = [file for file in best if file.count("/") + 1 == longest]
    inside = [file for file in best if layout.prefix and file.startswith(layout.prefix)]
    if len(whole) == 1 and (not layout.prefix or not inside):
        return whole
    return inside or best


def _whole(path: str, layout: Layout) -> Sequence[str]:
    """The file of exactly this path."""
    return [file for file in layout.by_name.get(path.rpartition("/")[2], ()) if file == path]


def shared_suffix(left: Sequence[str], right: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(left), reversed(right), strict=False):
        if one != other:
            break
        count += 1
    return count


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


def _runs(frame: Frame, text: str) -> int:
    """How surely the frame's line is in the function it names: 3 it is, 2 nothing tells, 1 it is in another one."""
    if frame.code is not None:
        return 3
    named = _named(frame, text)
    if not named:
        return 2
    return 3 if any(one.first_line <= frame.line <= one.last_line for one in named) else 1


def _named(frame: Frame, text: str) -> list[Function]:
    """The functions of the frame's file that have the name it tells, those of its class where some are."""
    name = simple_name(frame.function)
    named = [one for one in functions(str(frame.file), text) if one.name == name] if name else []
    owned = [one for one in named if one.within and str(frame.function).endswith(one.qualified)]
    return owned or named


def _declared(frame: Frame, text: str) -> int | None:
    """The line of the class that a frame only names, as the report of a framework does."""
    name = frame.path.rpartition("/")[2].partition(".")[0]
    header = re.compile(rf"(?m)^[^\n/*]{{0,200}}\b(?:class|interface|record|enum|object)\s+{re.escape(name)}\b")
    found = header.search(text)
    return text.count("\n", 0, found.end()) + 1 if found else None


def _is_of_package(frame: Frame, text: str) -> bool:
    """Whether a Java or Kotlin file is of the package that the frame's class is in."""
    declared = PACKAGE.search(text) if str(frame.file).endswith((".java", ".kt", ".scala")) else None
    return declared is None or frame.module is None or frame.module.startswith(declared[1])


def _is_by_name(frame: Frame) -> bool:
    """Whether a frame's path shares no folder with the file that it was mapped to, and nothing else tells of one."""
    file = frame.file or ""
    if "/" not in file or (frame.module and "/" not in frame.path) or not frame.path:
        return False
    return shared_suffix(clean(frame.path).split("/"), file.split("/")) < 2


def _all(traces: Sequence[Trace]) -> list[Trace]:
    return [one for trace in traces for one in (*trace.causes, trace)]
