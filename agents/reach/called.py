"""Routes that stand beside their handler: in a call, a table, or a comparison with the path."""

import re
from collections.abc import Iterator

from agents.reach.routes import Handler, Route
from agents.reach.trees import (
    ANNOTATIONS,
    Node,
    content_of,
    is_call,
    is_inline,
    is_name,
    is_string,
    lines_of,
    names_in,
    text_of,
    walk,
)

ACTION = re.compile(r"(?P<owner>[\w/\\]+)(?:#|@|::)(?P<name>\w+)")
"""A handler in a string: `users#show`, `UserController@show`."""
REGISTERS = re.compile(
    r"(?i)(?:map)?(?:get|post|put|patch|delete|head|options|all|any|match|route|path|re_?path|url|handle(?:func)?|resource)"
)
"""The name of a call that takes a route which need not begin with a slash."""
BRANCHES = ("if_", "elif", "if", "when", "case", "switch_case", "expression_case", "match_arm")
ENDS = ("_statement", "body", "block", "module", "program")
"""How the types of nodes end beyond which nothing belongs to a call."""
RESTFUL = {
    "index": "",
    "create": "",
    "new": "/new",
    "show": "/:id",
    "update": "/:id",
    "destroy": "/:id",
    "edit": "/:id/edit",
}
"""What Rails answers for `resources`, and below which path."""


def called(root: Node) -> Iterator[Route]:
    """The routes of a file that are told together with their handlers."""
    for node in walk(root):
        if is_string(node) and not _is_annotation(node):
            path = content_of(node)
            if path.removeprefix("^").startswith("/") or " /" in path[:9] or _is_registered(node):
                for handler in _beside(node):
                    yield Route(path, handler)
        elif node.type == "simple_symbol":
            yield from _resources(node)


def _is_annotation(node: Node) -> bool:
    around = node.parent
    while around is not None and not around.type.endswith(("_statement", "block", "body")):
        if around.type in ANNOTATIONS and around.type != "attribute":
            return True
        around = around.parent
    return False


def _is_registered(string: Node) -> bool:
    """Whether it is the first argument of a call that takes routes, and one that could be of several segments."""
    call = _call_of(string)
    return call is not None and REGISTERS.fullmatch(_callee(call)) is not None and "://" not in text_of(string)


def _call_of(argument: Node) -> Node | None:
    """The call whose first argument a node is."""
    around, here = argument.parent, argument
    while around is not None and not is_call(around):
        if here.prev_named_sibling is not None or around.type.endswith(("_statement", "body")):
            return None
        here, around = around, around.parent
    return around


def _callee(call: Node) -> str:
    named = next(
        (found for field in ("method", "name", "function") if (found := call.child_by_field_name(field))), None
    )
    names = [text_of(node) for node in names_in(named or (call.children[0] if call.children else call))]
    return names[-1] if names else ""


def _beside(string: Node) -> Iterator[Handler]:
    """The handlers in the pair, the table's row, the call or the branch that a route stands in."""
    here, around = string, string.parent
    while around is not None:
        if around.type in {"pair", "array_element_initializer"}:
            if here.id == around.children[0].id:
                yield from _handlers_after(here)
                return
            if around.type == "pair" and around.parent is not None and around.parent.type in {"object", "hash"}:
                yield from (
                    one for row in around.parent.named_children if row.id != around.id for one in _handlers(row)
                )
                return
        elif is_call(around):
            yield from _of_call(around, string)
            return
        elif around.type in {"tuple", "list", "array"} and here.next_named_sibling is not None:
            yield from _handlers_after(here)
            return
        elif around.type.startswith(BRANCHES):
            yield from _of_branch(around, string)
            return
        elif is_inline(around) or around.type.endswith(("body", "_definition", "_declaration", "module", "program")):
            return
        here, around = around, around.parent


def _of_call(call: Node, argument: Node) -> Iterator[Handler]:
    """The handlers among a call's arguments, or behind it: a block, or another call that goes on from its result.

    A comparison by a call (`path.startswith("/x")`) is a branch.
    """
    found = [one for child in _arguments(call, argument) for one in _handlers(child)]
    behind = call.next_named_sibling if call.parent is not None and is_call(call.parent) else None
    block = call.child_by_field_name("block") or behind
    if block is not None and is_inline(block):
        found.append(Handler(lines=lines_of(block)))
    yield from found or _behind(call)


def _behind(call: Node) -> Iterator[Handler]:
    """The handlers of the calls that go on from a call's result, and of the branch whose condition it is."""
    here, around = call, call.parent
    while around is not None and not around.type.startswith(BRANCHES) and not around.type.endswith(ENDS):
        if is_call(around) and here.id != around.children[-1].id:
            yield from (one for child in around.children[1:] for one in _handlers(child))
        here, around = around, around.parent
    if around is not None and around.type.startswith(BRANCHES):
        yield from _of_branch(around, call)


def _arguments(call: Node, argument: Node) -> Iterator[Node]:
    """What stands behind the route in its call."""
    here: Node | None = argument
    while here is not None and here.id != call.id:
        after = here.next_named_sibling
        while after is not None and here.parent is not None and here.parent.id != call.id:
            yield after
            after = after.next_named_sibling
        here = here.parent


def _of_branch(branch: Node, condition: Node) -> Iterator[Handler]:
    """What is used where the path is this one."""
    chosen = branch.child_by_field_name("consequence")
    for child in [chosen] if chosen is not None else branch.named_children:
        if child.start_byte >= condition.end_byte and not child.type.startswith(("else", "elif")):
            yield from (Handler(name=text_of(name)) for name in walk(child) if is_name(name))


def _handlers_after(key: Node) -> Iterator[Handler]:
    after = key.next_named_sibling
    while after is not None:
        yield from _handlers(after)
        after = after.next_named_sibling


def _handlers(node: Node) -> Iterator[Handler]:
    """What an argument names or is: functions by their names, with what they belong to, and functions as such."""
    if is_inline(node):
        yield Handler(lines=lines_of(node))
        return
    names = [text_of(name) for name in names_in(node)]
    owner = names[-2] if len(names) > 1 else ""
    for at, name in enumerate(names):
        yield Handler(name=name, owner=names[at - 1] if at else "")
    for inner in walk(node):
        if inner.id != node.id and is_inline(inner):
            yield Handler(lines=lines_of(inner))
        if is_string(inner):
            action = ACTION.fullmatch(content_of(inner))
            if action is not None:
                yield Handler(name=action["name"], owner=_controller(action["owner"]))
            elif content_of(inner).isidentifier() and names:
                yield Handler(name=content_of(inner), owner=next((one for one in names if one[:1].isupper()), owner))


def _resources(symbol: Node) -> Iterator[Route]:
    """What `resources :orders` answers."""
    call = _call_of(symbol)
    if call is None or _callee(call) not in {"resources", "resource"}:
        return
    name = text_of(symbol).removeprefix(":")
    for action, below in RESTFUL.items():
        yield Route(f"/{name}{below}", Handler(name=action, owner=_controller(name)))


def _controller(name: str) -> str:
    """The class that a name in a table of routes stands for."""
    last = re.split(r"[/\\]", name)[-1]
    if last.endswith("Controller"):
        return last
    return "".join(word[:1].upper() + word[1:] for word in last.split("_")) + "Controller"
