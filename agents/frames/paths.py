"""What a frame's path may be called in the repository: without what bundlers and compilers put before it."""

import re
from collections.abc import Iterator

from agents.frames.layout import Layout

SCHEME = re.compile(r"^(?:webpack(?:-internal)?|file|app|https?|node|turbopack|rsc|vite|ng|dart|package):/*")
HOST = re.compile(r"^https?://[^/]*/")
BUNDLED = re.compile(r"^(?:\([\w-]+\)/|\[project\]/|_N_E/|\./|~/|[A-Za-z]:/)+")
QUERY = re.compile(r"(?:\?[^/]*|#[^/]*| \[[^\]]*\])$")
VERSION = re.compile(r"@v?[^/@]+(?=/)")
BUILT = re.compile(
    r"(?:^|/)(?:dist|build|lib|out|target/classes|\.next/server|\.output/server|output|compiled|es|cjs|esm)/"
)
SCRIPT = re.compile(r"\.(?:m|c)?jsx?$")
SOURCES = (".ts", ".tsx", ".mts", ".cts", ".jsx", ".js", ".mjs", ".vue", ".svelte")
CLASSES = (".cs", ".java", ".kt", ".php", ".vb")
SITE = re.compile(r"(?:^|/)(?:site-packages|dist-packages)/")
NODE = re.compile(r"^.*(?:^|/)node_modules/((?:@[^/]+/)?[^/]+)/(.*)$")
GEM = re.compile(r"(?:^|/)gems/([^/]+?)-\d[^/]*/(.*)$")
NESTED = re.compile(r"[$+/`]|Kt$")


def clean(path: str) -> str:
    """A path with plain slashes, without scheme, host, query and what a bundler marks its modules with."""
    path = path.replace("\\", "/")
    path = HOST.sub("", path)
    path = QUERY.sub("", SCHEME.sub("", path))
    return BUNDLED.sub("", path.removeprefix("//"))


def is_compiled(path: str, file: str) -> bool:
    """Whether a frame's path is of what a file was compiled to: neither its lines nor their text need be the file's."""
    return clean(path).rpartition(".")[2] != file.rpartition(".")[2]


def is_built(path: str) -> bool:
    """Whether a path is of a script in a folder that a build writes."""
    return SCRIPT.search(path) is not None and BUILT.search(clean(path)) is not None


def guesses(path: str, module: str | None) -> Iterator[str]:
    """The path as the repository may have it, likeliest first; by its class where the trace tells no path."""
    if module and not path:
        parts = re.split(r"[.+$\\\\]|::", module.partition("<")[0].partition("`")[0])
        for end in range(len(parts), max(len(parts) - 2, 0), -1):
            yield from ("/".join(parts[:end]) + extension for extension in CLASSES)
        return
    if module and "/" not in path:
        yield from _of_class(path, module)
    yield path
    if SCRIPT.search(path):
        yield from _sources_of(path)


def own_guesses(path: str, module: str | None, layout: Layout) -> list[str]:
    """Whole paths in the repository of what was installed or compiled from it: its own packages and modules."""
    found: list[str] = []
    site = SITE.split(path)
    if len(site) > 1 and "/" in site[-1]:
        found += [f"{root}{site[-1]}" for root in _python_roots(site[-1], layout)]
    node = NODE.match(path)
    if node is not None and node[1] in layout.modules:
        inside = f"{layout.modules[node[1]]}{node[2]}"
        found += [inside, *_sources_of(inside)]
    gem = GEM.search(path)
    if gem is not None and gem[1] in layout.gems:
        found.append(f"{layout.gems[gem[1]]}{gem[2]}")
    plain = VERSION.sub("", path.partition("/pkg/mod/")[2] or path)
    for name in sorted(layout.modules, key=len, reverse=True):
        if plain.startswith(f"{name}/"):
            found.append(layout.modules[name] + plain.removeprefix(f"{name}/"))
        elif module and "/" not in path and (module == name or module.startswith(f"{name}/")):
            inside = module.removeprefix(name).lstrip("/")
            found.append(f"{layout.modules[name]}{inside}/{path}" if inside else layout.modules[name] + path)
    return found


def _python_roots(inside: str, layout: Layout) -> list[str]:
    """The folders that hold a package of this name, those nearest to the root first."""
    package = inside.partition("/")[0]
    name = inside.rpartition("/")[2]
    roots = {
        file.removesuffix(inside)
        for file in layout.by_name.get(name, ())
        if file.endswith(f"/{inside}") or file == inside
    }
    return sorted(
        (root for root in roots if package), key=lambda root: (root not in {"", "src/"}, root.count("/"), root)
    )


def _of_class(path: str, module: str) -> Iterator[str]:
    """The path of a class by its package: `org/example/Order.java` for `org.example.Order$Line`."""
    parts = module.replace("::", ".").split(".")
    if "/" not in module and len(parts) > 1:
        folder = [part for part in parts[:-1] if part[:1].islower() or "$" not in part]
        yield "/".join((*folder, path))


def _sources_of(path: str) -> Iterator[str]:
    """What a script was compiled from: in `src/` where it is in a folder for output, or beside it."""
    bare = SCRIPT.sub("", path)
    places: list[str] = []
    built = BUILT.search(path)
    if built is not None:
        before, after = path[: built.start()], SCRIPT.sub("", path[built.end() :])
        head = f"{before}/" if before else ""
        inside = [f"{head}{after}", f"{head}src/{after}"]
        places = inside if after.startswith("src/") else inside[::-1]
    for place in dict.fromkeys((*places, bare)):
        for extension in SOURCES:
            if f"{place}{extension}" != path:
                yield f"{place}{extension}"
