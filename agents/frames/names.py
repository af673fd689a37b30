"""Names in a frame: what a function is called in its source, and which package a frame's code came from."""

import re

from agents.frames.nouns import Frame

COMPILED = re.compile(
    r"<(?P<csharp>\w+)>[a-z]__|lambda\$(?P<java>\w+)\$\d+|<lambda(?P<python>)>|\{\{?closure\}?\}(?P<rust>)"
)
"""Names that a compiler makes of a function's: of its state machine, its local functions, its lambdas."""
ARGUMENTS = re.compile(r"\((?!\*)[^()]*\)(?: \[as [^\]]+\])?$")
ALIAS = re.compile(r" \[as (?P<name>[\w$]+)\]$")
BLOCK = re.compile(r"^(?:block|rescue|ensure)(?: \(\d+ levels\))? in |^(?:async|new|get|set|static) ")
CLOSURE = re.compile(r"(?:\.func\d+|\.gowrap\d+|\.\d+|-fm|-range\d+)+$")
GENERIC = re.compile(r"\[[^\[\]]*\]|<[^<>]*>(?=[.(]|$)|::h[0-9a-f]{16}$|::\{\{closure\}\}|::\{closure[^}]*\}|`\d+")
LAST_NAME = re.compile(r"([A-Za-z_$][\w$]*[!?=]?)\W*$")
NAMELESS = (
    "<init>",
    "<clinit>",
    "<module>",
    "<anonymous>",
    "<lambda>",
    "(anonymous)",
    "{closure}",
    "MoveNext",
    "{main}",
)
INSTALLED = re.compile(
    r"(?:site|dist)-packages/(?P<python>[^/]+)"
    r"|.*node_modules/(?P<node>@[^/]+/[^/]+|[^/@][^/]*)"
    r"|(?:^|/)pkg/mod/(?P<go>.+?)@v?[^/]+/"
    r"|(?:^|/)gems/(?P<ruby>[^/]+?)-\d[^/]*/"
    r"|(?:^|/)vendor/(?P<php>[^/]+/[^/]+)/"
    r"|(?:^|/)registry/src/[^/]+/(?P<rust>[^/]+?)-\d[^/]*/"
)


def simple_name(function: str | None) -> str | None:
    """A function's own name, as its definition has it: `total` of `store/cart.(*Cart).total.func1`.

    None where it has none that stands in the source: an anonymous one, a module, a constructor's internal name.
    """
    if function is None or len(function) > 1000:
        return None
    alias = ALIAS.search(function)
    if alias:
        return alias["name"]
    compiled = COMPILED.search(function)
    if compiled:
        named = compiled["csharp"] or compiled["java"]
        if named:
            return named
    name = function.strip()
    if name.removesuffix("()").endswith(NAMELESS):
        return None
    name = GENERIC.sub("", CLOSURE.sub("", ARGUMENTS.sub("", BLOCK.sub("", name))))
    found = LAST_NAME.search(name)
    return found[1] if found else None


def package_of(frame: Frame) -> str | None:
    """The installed package that a frame's code belongs to, as its path or its module tells; None for none."""
    path = frame.path.replace("\\", "/")
    found = INSTALLED.search(path)
    if found is not None:
        return next(name for name in found.groups() if name)
    return frame.module if frame.kind == "dependency" else None
