"""The places of Ruby's backtraces as frames: how they are written, names as in the source, and whose code they are."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from agents.frames.nouns import Frame

PATH = (
    r"(?:<internal:[^>\s]{1,200}>[^:\s]{0,100}|\(eval(?: at [^)\n]{1,300})?\)|-e|"
    r"[^\s:()<>'\"`\[\]#][^\s:'\"`\[\]]{0,400})"
)
PLACE = r"(?P<path>" + PATH + r"):(?P<line>\d{1,9}):in [`'](?P<label>[^`'\n]{1,300})'"
FRAME = re.compile(r"^(?:\[[^\]\n]{1,100}\] ){0,4}\s*(?:(?P<number>\d{1,6}): )?(?P<from>from )?" + PLACE + r"\s*$")
LEFT_OUT = re.compile(r"^\s*\.{3} ?\d{1,9} levels\.{3}\s*$")
RUNTIME = re.compile(r"^<internal:|(?:^|/)lib/ruby/(?:\d[\w.]{0,20}|vendor_ruby|site_ruby)/(?!gems/)")
DEPENDENCY = re.compile(
    r"(?:^|/)gems/[^/]{1,200}-\d[^/]{0,100}/|(?:^|/)bundler/gems/|^/usr/local/bundle/|(?:^|/)vendor/bundle/|^/usr/(?:local/)?bin/"
)
LABEL = re.compile(r"^(?:(?:block(?: \(\d{1,3} levels\))?|rescue|ensure|eval) in ){0,6}(?P<name>.*)$")
PLACEHOLDER = re.compile(r"^<(?P<what>\w{1,20})(?::(?P<owner>[\w:]{1,200}))?")
LONGEST_LINE = 4000
LONGEST_TRACE = 2000
Form = Literal["bare", "printed", "numbered"]
"""How the places of a backtrace are written: alone, after `from`, or after `3: from`."""


def frames_from(rows: Sequence[str], at: int, form: Form = "bare") -> tuple[list[Frame], int]:
    """The places from a row on, in the order printed, and the index after them."""
    frames: list[Frame] = []
    begin = at
    while at < len(rows) and at - begin < LONGEST_TRACE:
        row = rows[at][:LONGEST_LINE]
        match = FRAME.match(row)
        if match is not None and form in (_form(match), "bare"):
            frames.append(frame_of(match))
        elif not LEFT_OUT.match(row) or not frames:
            break
        at += 1
    return frames, at


def _form(match: re.Match[str]) -> Form:
    if match["from"] is None:
        return "bare"
    return "numbered" if match["number"] else "printed"


def frame_of(match: re.Match[str]) -> Frame:
    return frame_at(match["path"], int(match["line"]), match["label"])


def frame_at(path: str, line: int, label: str | None) -> Frame:
    kind: Literal["application", "dependency", "runtime"] = "application"
    if RUNTIME.search(path):
        kind = "runtime"
    elif DEPENDENCY.search(path):
        kind = "dependency"
    module, function = _names(label) if label else (None, None)
    return Frame(path=path, line=line, function=function, code=None, kind=kind, module=module)


def _names(label: str) -> tuple[str | None, str | None]:
    """Class and method of a label, without what part of the method it is: `block in Cart#total` is `total`."""
    found = LABEL.match(label)
    name = found["name"] if found else label
    placeholder = PLACEHOLDER.match(name)
    if placeholder is not None:
        return placeholder["owner"], None
    for mark in ("#", "."):
        owner, separator, method = name.rpartition(mark)
        if separator and (mark == "#" or owner[:1].isupper()):
            return owner, method
    return None, name


def without_c_places(frames: Sequence[Frame]) -> list[Frame]:
    """A method written in C is said to be where it was called: it is not the function that stands there."""
    found = list(frames)
    for at, (frame, caller) in enumerate(pairwise(frames)):
        same_place = (frame.path, frame.line) == (caller.path, caller.line)
        if same_place and frame.function != caller.function and frame.function and frame.kind == "application":
            found[at] = frame.model_copy(update={"kind": "runtime"})
    return found
