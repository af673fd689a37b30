"""PHP's stack lines as frames: every place with the function that it lies in, and whose code it is."""

import re
from collections.abc import Sequence
from typing import Literal

from agents.frames.nouns import Frame

DEPENDENCY = re.compile(r"(?:^|/)vendor/|^phar://|^/usr/(?:local/)?(?:share|lib)/php/")
CLOSURE = re.compile(r"\{closure(?::(?P<inside>[^{}]{1,300}?)(?:\(\))?:\d+)?\}")
INTERNAL = "[internal function]"


def frames_of(path: str, line: int, calls: Sequence[re.Match[str]]) -> tuple[Frame, ...]:
    """Every place with the function that it lies in, which is what the next line says was called."""
    frames: list[Frame] = []
    here: tuple[str, int] = (path, line)
    for at, call in enumerate(calls):
        there = (INTERNAL, 0) if call["inner"] else (call["path"], int(call["line"]))
        if at == 0 and there == here:  # thrown by a function of PHP itself, which has no place of its own
            here = (INTERNAL, 0)
        frames.append(frame_at(*here, call["call"]))
        here = there
    return (*frames, frame_at(*here, None))


def frame_at(path: str, line: int, call: str | None) -> Frame:
    path = path.replace("\\", "/")
    module, function = _named(call) if call else (None, None)
    kind: Literal["application", "dependency", "runtime"] = "application"
    if path == INTERNAL:
        kind = "runtime"
    elif DEPENDENCY.search(path):
        kind = "dependency"
    return Frame(path=path, line=line, function=function, code=None, kind=kind, module=module)


def _named(call: str) -> tuple[str | None, str | None]:
    """Class or namespace, and function, of a call like `Cart->total(Array)`; a closure is told by what it stands in."""
    call = call[:1000].replace("\\\\", "\\")
    closure = CLOSURE.search(call)
    if closure is not None:
        inside = closure["inside"]
        if inside:
            return _named(f"{inside}(")
        owner = re.split(r"->|::", call[: closure.start()])[0].rstrip("\\")
        return (owner or None), None
    name = call.partition("(")[0].strip()
    if name in {"include", "include_once", "require", "require_once", "eval"}:
        return None, None
    for mark in ("->", "::"):
        owner, found, method = name.rpartition(mark)
        if found:
            return owner, method
    owner, _, function = name.rpartition("\\")
    return (owner or None), (function or None)
