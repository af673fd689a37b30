"""Which functions a request reaches: from the string that names its route, by the names that each function uses.

A static guess on Python sources, by name alone and bounded in depth: enough to order changes by how near they are to a
slow route, never a proof. A name that many functions share leads nowhere.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import tree_sitter
import tree_sitter_python
from pydantic import BaseModel, ConfigDict

DEEPEST = 5
MOST_NAMESAKES = 3
WILD = re.compile(r"^(?:<[^>]*>|\{[^}]*\}|:\w+|\*)$")


class Reached(BaseModel):
    """A function that the request may run, and how many calls lie between it and the route's handler."""

    model_config = ConfigDict(frozen=True)

    file: str
    function: str
    depth: int


class _Definition(BaseModel):
    model_config = ConfigDict(frozen=True)

    file: str
    name: str
    uses: frozenset[str]


def reached_by(path: str, texts: Mapping[str, str]) -> tuple[Reached, ...]:
    """The functions behind a request path, nearest first; `texts` are the Python files of the repository."""
    definitions: dict[str, list[_Definition]] = defaultdict(list)
    handlers: dict[str, int] = {}
    for file, text in texts.items():
        root = _parse(text)
        for definition in _definitions(file, root):
            definitions[definition.name].append(definition)
        for name, agreement in _handlers(path, root):
            handlers[name] = max(agreement, handlers.get(name, 0))
    best = max(handlers.values(), default=0)
    wanted = {name for name, agreement in handlers.items() if agreement == best}
    found: dict[tuple[str, str], Reached] = {}
    for depth in range(DEEPEST + 1):
        following: set[str] = set()
        for name in sorted(wanted):
            namesakes = definitions.get(name, [])
            if len(namesakes) > MOST_NAMESAKES:
                continue
            for definition in namesakes:
                if (definition.file, name) not in found:
                    found[definition.file, name] = Reached(file=definition.file, function=name, depth=depth)
                    following |= definition.uses
        wanted = following
    return tuple(found.values())


def _parse(text: str) -> tree_sitter.Node:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    return parser.parse(text.encode()).root_node


def _walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(reversed(here.children))


def _text(node: tree_sitter.Node | None) -> str:
    return node.text.decode() if node is not None and node.text is not None else ""


def _identifiers(node: tree_sitter.Node | None) -> Iterator[str]:
    return (_text(inner) for inner in (_walk(node) if node is not None else ()) if inner.type == "identifier")


def _definitions(file: str, root: tree_sitter.Node) -> Iterator[_Definition]:
    for node in _walk(root):
        if node.type == "function_definition":
            name = _text(node.child_by_field_name("name"))
            yield _Definition(file=file, name=name, uses=frozenset(_identifiers(node)) - {name})


def _handlers(path: str, root: tree_sitter.Node) -> Iterator[tuple[str, int]]:
    """The names that stand beside a string which is the route of `path`, with how many segments agree."""
    for node in _walk(root):
        if node.type != "string":
            continue
        agreement = _agreement(path, _text(node).strip("rbuf").strip("\"'"))
        if agreement:
            for name in _beside(node):
                yield name, agreement


def _agreement(path: str, route: str) -> int:
    """How many segments of a route stand at the beginning of a path; 0 where one does not."""
    if not route.startswith("/"):
        return 0
    wanted = [part for part in route.split("/") if part]
    given = [part for part in path.partition("?")[0].split("/") if part]
    if not wanted or len(wanted) > len(given):
        return 0
    agrees = all(one == other or WILD.match(one) for one, other in zip(wanted, given, strict=False))
    return len(wanted) if agrees and not WILD.match(wanted[0]) else 0


def _beside(node: tree_sitter.Node) -> Iterator[str]:
    """The decorated function, or the names in the pair, call or tuple that the string stands in."""
    around = node.parent
    while around is not None and around.type not in {"block", "module", "function_definition", "dictionary"}:
        if around.type == "decorated_definition":
            yield _text((around.child_by_field_name("definition") or around).child_by_field_name("name"))
            return
        if around.type in {"pair", "tuple", "list", "argument_list", "comparison_operator"}:
            yield from _identifiers(around)
        if around.type == "if_statement":
            yield from _identifiers(around.child_by_field_name("consequence"))
        if around.type in {"pair", "if_statement"}:
            return
        around = around.parent
