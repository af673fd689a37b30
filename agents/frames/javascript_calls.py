"""One line of a JavaScript stack: where it points to, what it calls, and whose code that is."""

import re
from typing import Literal
from urllib.parse import unquote

from agents.frames.nouns import Frame

PLACE = re.compile(r"^(?P<path>.*?[^:]):(?P<line>\d{1,9}):\d{1,9}$")
ALIAS = re.compile(r" \[as [^\]]*\]$")
SCHEME = re.compile(r"^(?:file|webpack-internal|webpack|turbopack|https?|bun|ext|rsc)://")
BUNDLE = re.compile(r"^(?:webpack|turbopack)://(?P<name>[^/]*)/")
LAYER = re.compile(
    r"^(?:\((?:rsc|ssr|action-browser|app-pages-browser|api|middleware|instrument|sc_server)\)/|\./|/(?=\./))+"
)
QUERY = re.compile(r"\?[^/?]*$")
DRIVE = re.compile(r"^/?(?P<drive>[A-Za-z]:)[\\/]")
OTHER_SOURCES = (
    ".rs",
    ".c",
    ".cc",
    ".cpp",
    ".h",
    ".s",
    ".go",
    ".py",
    ".rb",
    ".php",
    ".cs",
    ".java",
    ".kt",
    ".swift",
    ".ex",
)
"""Files of languages whose frames look the same: Rust's begin with `at` and end with line and column too."""
DEPENDENCY = re.compile(r"(?:^|/)(?:node_modules|\.yarn|\.pnpm|bower_components)/|^(?:npm|jsr):|/npm/registry\.")
REMOTE = re.compile(r"^https?://(?:deno\.land|esm\.sh|jsr\.io|cdn\.|unpkg\.com)")
RUNTIME = re.compile(
    r"^(?:node:|internal/|bun:|ext:|native:|<|\[|evalmachine\.|REPL\d|webpack/(?:bootstrap|runtime)|native\b|index \d)"
)
BUILTIN = re.compile(
    r"^(?:_?(?:http|tls|stream)_\w+|assert|buffer|child_process|cluster|dgram|dns|domain|events|fs|http|https|http2|module|net"
    r"|process|querystring|readline|stream|timers|tls|url|util|vm|zlib|bootstrap_node|async_hooks|worker_threads)\.js$"
)
"""The modules of Node.js as releases before 16 name them: without a folder or `node:`."""
NAMELESS = frozenset({"<anonymous>", "anonymous", "eval", "module code", "global code", "eval code", "(anonymous)"})
INTERPOSED = frozenset(
    {"__awaiter", "__generator", "__decorate", "__param", "__metadata", "_asyncToGenerator", "asyncGeneratorStep"}
    | {"_next", "_throw", "__webpack_require__", "__webpack_exec__", "__turbopack_require__", "__esm", "__commonJS"}
    | {"__require", "__init"}
)
"""Functions that compilers and bundlers add to the application's own files."""
LONGEST_PATH = 4096


def read_call(row: str) -> Frame | None:
    """The call that a line of a stack prints: `    at async Cart.total (file:///app/src/cart.ts:12:5) {`."""
    text = row.strip()
    if not text.startswith("at "):
        return None
    text = text[3:].rstrip(" {},]")
    inside = text.find(" (")
    if text.endswith(")") and inside > 0:
        return _frame(text[:inside], text[inside + 2 : -1])
    return _frame("", text.removeprefix("async "))


def clean_path(path: str) -> str:
    """A path with plain slashes, without the scheme, host, query and layer that loaders and bundlers put around it."""
    path = path[:LONGEST_PATH]
    scheme = SCHEME.match(path)
    if scheme is not None and not REMOTE.match(path):
        bundle = BUNDLE.match(path)
        path = path[bundle.end() if bundle else scheme.end() :]
        if scheme[0].startswith("http"):
            path = "/" + path.partition("/")[2]
        elif scheme[0].startswith("webpack-internal"):
            path = path.lstrip("/")
        path = unquote(QUERY.sub("", path))
    drive = DRIVE.match(path)
    if drive is not None:
        path = drive["drive"] + "/" + path[drive.end() :]
    path = LAYER.sub("", path.replace("\\", "/"))
    return QUERY.sub("", path)


def kind_of(path: str) -> Literal["application", "dependency", "runtime"]:
    """Whose code a cleaned path is."""
    if DEPENDENCY.search(path) or REMOTE.match(path):
        return "dependency"
    return "runtime" if RUNTIME.match(path) or BUILTIN.match(path) else "application"


def is_source(path: str) -> bool:
    """Whether a path can be a script's: a folder, a known ending or a scheme, and not another language's source."""
    lowered = path.lower()
    if lowered.endswith(OTHER_SOURCES):
        return False
    if RUNTIME.match(path) or SCHEME.match(path) or BUILTIN.match(path):
        return True
    return (
        "/" in path or "\\" in path or lowered.endswith((".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".jsx"))
    )


def _frame(call: str, where: str) -> Frame | None:
    name = _function(call)
    if where.startswith("eval at "):
        return _evaluated(name, where)
    place = PLACE.match(where[-LONGEST_PATH:])
    if place is not None:
        if not is_source(place["path"]) or (not call and " in " in place["path"]):
            return None
        path = clean_path(place["path"])
        kind = "runtime" if name in INTERPOSED else kind_of(path)
        return Frame(path=path, line=int(place["line"]), function=name, code=None, kind=kind)
    if call and (where in {"<anonymous>", "native", "unknown"} or where.startswith(("index ", "wasm://"))):
        return Frame(path=where[:LONGEST_PATH], line=0, function=name, code=None, kind="runtime")
    return None


def _evaluated(name: str | None, where: str) -> Frame:
    """Code that was evaluated, placed where that was called: `eval at run (/app/x.js:1:2), <anonymous>:1:1`."""
    called = where.rpartition("(")[2].partition(")")[0]
    place = PLACE.match(called[-LONGEST_PATH:])
    if place is None:
        return Frame(path="<anonymous>", line=0, function=name, code=None, kind="runtime")
    path = clean_path(place["path"])
    return Frame(path=path, line=int(place["line"]), function=name, code=None, kind=kind_of(path))


def _function(call: str) -> str | None:
    """The function's own name; `constructor` for `new Cart`, None for one without a name and a module's top level."""
    call = ALIAS.sub("", call[:LONGEST_PATH].strip()).removeprefix("async ")
    if call.startswith("new "):
        return "constructor"
    if call.endswith(tuple(NAMELESS)):
        return None
    name = call.rpartition(".")[2].rpartition(" ")[2]
    return name.rstrip("*") or None
