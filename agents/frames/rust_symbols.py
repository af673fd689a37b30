"""Rust's symbols and places as frames: names as in the source, and whose code they are."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from agents.frames.nouns import Frame

RUNTIME_PATH = re.compile(
    r"^/rustc/|/rustlib/src/rust/library/|^\./(?:csu|nptl|misc|stdlib)/|^library/(?:std|core|alloc)/src/"
)
DEPENDENCY_PATH = re.compile(r"(?:^|/)(?:\.?cargo/)?(?:registry/src|git/checkouts)/|(?:^|/)vendor/")
RUNTIME_CRATES = frozenset(("std", "core", "alloc", "__rustc", "rust_panic", "rust_begin_unwind", "backtrace", "test"))
PACKAGES = re.compile(
    r"^(?:actix_\w+|anyhow|async_std|axum(?:_core)?|clap|crossbeam_\w+|diesel|(?:color_)?eyre|futures(?:_\w+)?|h2|"
    r"hyper(?:_util)?|mio|openssl|pin_project_lite|rayon(?:_core)?|reqwest|rocket|rustls|serde(?:_json)?|smol|"
    r"sqlx(?:_core)?|tokio(?:_\w+)?|tonic|tower(?:_\w+)?|tracing(?:_\w+)?|warp)$"
)
"""Crates that everybody uses: a backtrace without files does not say which frames are the program's own."""
HASH = re.compile(r"::h[0-9a-f]{16}$")
CRATE_HASH = re.compile(r"\[[0-9a-f]{8,20}\]")
MADE_UP = re.compile(r"^\{+[\w#:. -]{1,60}\}+$")


class Call(NamedTuple):
    """A frame as printed: the symbol, and its place where the build kept it."""

    name: str
    path: str
    line: int


def classed(calls: Sequence[Call]) -> list[Frame]:
    """The frames. Of those without a file the program's own are told by the crate of `main`, or by not being known."""
    own = next((call.name.partition("::")[0] for call in calls if re.match(r"\w+::main(?:::|$)", call.name)), None)
    has_files = any(call.path and _kind(call, None, has_files=True) == "application" for call in calls)
    return [_frame(call, _kind(call, own, has_files=has_files)) for call in calls]


def _kind(call: Call, own: str | None, *, has_files: bool) -> Literal["application", "dependency", "runtime"]:
    if call.path:
        if RUNTIME_PATH.search(call.path):
            return "runtime"
        return "dependency" if DEPENDENCY_PATH.search(call.path) else "application"
    crate = re.sub(r"^[<&*( ]*(?:dyn |mut |impl )?", "", CRATE_HASH.sub("", call.name[:300])).partition("::")[0]
    if crate in RUNTIME_CRATES or "::" not in call.name:
        return "runtime"
    if crate == own:
        return "application"
    return "dependency" if PACKAGES.match(crate) or own or has_files else "application"


def _frame(call: Call, kind: Literal["application", "dependency", "runtime"]) -> Frame:
    module, function = _names(call.name)
    return Frame(path=call.path, line=call.line, function=function, code=None, kind=kind, module=module)


def placed(frames: Sequence[Frame], path: str, line: int) -> list[Frame]:
    """The frames with the place that a panic names: it is one of theirs, or that of the first that tells no file."""
    path = path.replace("\\", "/")
    bare = path.removeprefix("./")
    if any(frame.line == line and frame.path.endswith(bare) for frame in frames):
        return list(frames)
    own = next((at for at, frame in enumerate(frames) if frame.kind == "application"), None)
    if own is not None and not frames[own].path:
        there = frames[own].model_copy(update={"path": path, "line": line})
        return [*frames[:own], there, *frames[own + 1 :]]
    return [_frame(Call("", path, line), _kind(Call("", path, line), None, has_files=True)), *frames]


def _names(symbol: str) -> tuple[str | None, str | None]:
    """Module or type, and function of a symbol: `<store::Cart as store::Total>::total::{{closure}}` is `total`."""
    parts = _parts(CRATE_HASH.sub("", HASH.sub("", symbol)))
    while parts and (MADE_UP.match(parts[-1]) or (parts[-1].startswith("<") and len(parts) > 1)):
        parts.pop()
    if not parts:
        return None, None
    function = parts.pop().partition("<")[0]
    if parts and parts[0].startswith("<"):
        parts[0] = parts[0][1:].partition(" as ")[0].rstrip(">").lstrip("&*").partition("<")[0]
    owner = "::".join(part for part in parts if not part.startswith(("<", "{")))
    return owner or None, function or None


def _parts(symbol: str) -> list[str]:
    """A symbol at its `::`, but for those within `<...>`; the `>` of an arrow closes nothing."""
    parts, depth, before = [""], 0, ""
    for sign in symbol:
        if sign == "<":
            depth += 1
        elif sign == ">" and before != "-":
            depth -= 1
        if sign == ":" and before == ":" and depth <= 0:
            parts[-1] = parts[-1][:-1]
            parts.append("")
        else:
            parts[-1] += sign
        before = sign
    return [part for part in parts if part]
