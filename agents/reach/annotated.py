"""Routes that stand above their handler: decorators, annotations and attributes, also of the class around it."""

import re
from collections.abc import Iterator

from agents.reach.routes import Handler, Route, joined
from agents.reach.trees import (
    ANNOTATIONS,
    ARGUMENTS,
    Node,
    content_of,
    is_function,
    is_name,
    is_string,
    is_type,
    lines_of,
    names_in,
    text_of,
    walk,
)

REGISTERS = re.compile(
    r"(?i)(?:http)?(?:get|post|put|patch|delete|head|options|all|any|match|api_?route|route|path|controller|websocket)"
    r"(?:_?mapping|_?route|attribute)?|request_?mapping|url"
)
"""The last word of an annotation that says what a function answers."""
KEY = re.compile(r"\s*[\"']?(?P<key>\w+)[\"']?\s*(?:=>|[=:](?![=:]))")
PLACES = frozenset({"value", "path", "pattern", "route", "url", "rule", "template"})
"""Names of the arguments that hold a route."""
CONTROLLER = re.compile(r"(?i)\[controller\]")


def annotated(root: Node) -> Iterator[Route]:
    """The routes of a file that are told above functions, with those of the classes they are in."""
    prefixes: dict[int, list[str]] = {}
    found: list[tuple[Node, Node, list[str]]] = []
    for node in walk(root):
        if node.type not in ANNOTATIONS or not _registers(node):
            continue
        target = _target(node)
        if target is None:
            continue
        if is_type(target):
            prefixes.setdefault(target.id, []).extend(_paths(node))
        else:
            found.append((node, target, _paths(node)))
    for _, target, paths in found:
        around = _type_around(target)
        before = prefixes.get(around.id, []) if around is not None else []
        name = text_of(target.child_by_field_name("name"))
        owner = text_of(around.child_by_field_name("name")) if around is not None else ""
        handler = Handler(name=name, owner=owner, lines=lines_of(target))
        for path in paths or ([""] if before else []):
            for whole in [path] if path.startswith("~") else joined(before, path):
                yield Route(CONTROLLER.sub(owner.removesuffix("Controller"), whole.removeprefix("~")), handler)


def _registers(annotation: Node) -> bool:
    """Whether an annotation's name says that it is about a route: the last name before its arguments."""
    last = ""
    for node in names_in(annotation):
        if any(parent.type in ARGUMENTS or parent.type == "token_tree" for parent in _between(node, annotation)):
            break
        last = text_of(node)
    return REGISTERS.fullmatch(last) is not None


def _between(node: Node, above: Node) -> Iterator[Node]:
    while node.parent is not None and node.id != above.id:
        node = node.parent
        yield node


def _target(annotation: Node) -> Node | None:
    """The function or the class that an annotation stands above; None where it is at a parameter or the like."""
    after = annotation.next_named_sibling
    while after is not None and (after.type == annotation.type or "comment" in after.type):
        after = after.next_named_sibling
    if after is not None and (is_function(after) or is_type(after)):
        return after
    for around in _above(annotation):
        defined = around.child_by_field_name("definition") if around.type == "decorated_definition" else around
        if defined is None or not (is_function(defined) or is_type(defined)):
            continue
        name = defined.child_by_field_name("name")
        return defined if name is not None and name.start_byte >= annotation.end_byte else None
    return None


def _above(node: Node) -> Iterator[Node]:
    while node.parent is not None:
        node = node.parent
        yield node


def _type_around(function: Node) -> Node | None:
    return next((node for node in _above(function) if is_type(node)), None)


def _paths(annotation: Node) -> list[str]:
    """The strings that are routes: those without the name of another argument before them."""
    found = []
    for node in walk(annotation):
        if not is_string(node) or any(is_string(parent) for parent in _between(node, annotation)):
            continue
        argument = node
        while argument.parent is not None and argument.parent.type not in {*ARGUMENTS, "token_tree"}:
            argument = argument.parent
        key = KEY.match(text_of(argument)) if argument.id != node.id else None
        if argument.parent is not None and argument.parent.type == "token_tree":
            key = None if _is_first(argument) else KEY.match("other=")
        if key is None or key["key"] in PLACES:
            found.append(content_of(node))
    return found


def _is_first(argument: Node) -> bool:
    before = argument.prev_named_sibling
    return before is None or not (is_name(before) or is_string(before))
