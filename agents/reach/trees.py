"""Syntax trees of any language: what strings, names, calls and definitions are called in them."""

from collections.abc import Iterator

import tree_sitter

from agents.syntax import language_of
from agents.syntax.functions import MOST_BYTES
from agents.syntax.languages import grammar

Node = tree_sitter.Node
STRINGS = frozenset({"string", "encapsed_string", "template_string"})
NAMES = frozenset({"name", "constant", "simple_identifier"})
ANNOTATIONS = frozenset({"decorator", "annotation", "marker_annotation", "attribute", "attribute_item"})
ARGUMENTS = frozenset(
    {"arguments", "argument_list", "value_arguments", "annotation_argument_list", "attribute_argument_list"}
)
INLINE = ("lambda", "closure", "arrow_function", "func_literal", "anonymous_function", "function_expression", "block")
"""How the types of functions without a name are called, or begin."""


def parse(file: str, text: str) -> Node | None:
    """The tree of a source file; None for a language that is not read, and for what is too large to be written."""
    language, content = language_of(file), text.encode("utf-8", "replace")
    if language is None or len(content) > MOST_BYTES:
        return None
    return tree_sitter.Parser(grammar(language.name)).parse(content).root_node


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in order."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(reversed(here.children))


def text_of(node: Node | None) -> str:
    """The source of a node."""
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def is_string(node: Node) -> bool:
    return node.type in STRINGS or node.type.endswith("string_literal")


def content_of(string: Node) -> str:
    """What is in a string, without quotes and prefixes."""
    return text_of(string).lstrip("rbufRBUF@$#").strip("\"'`#")


def is_name(node: Node) -> bool:
    """Whether a node is one word that names something."""
    return node.child_count == 0 and (node.type.endswith("identifier") or node.type in NAMES)


def names_in(node: Node) -> Iterator[Node]:
    """The names in a node, but for those in functions that are written there."""
    stack = [node]
    while stack:
        here = stack.pop()
        if here is not node and is_inline(here):
            continue
        if is_name(here):
            yield here
        stack.extend(reversed(here.children))


def is_inline(node: Node) -> bool:
    """Whether a node is a function that is written where it is used."""
    return node.is_named and (node.type.startswith(INLINE) or node.type in {"do_block", "annotated_lambda", "function"})


def is_call(node: Node) -> bool:
    """Whether a node calls something."""
    return "call" in node.type or node.type in {"invocation_expression", "method_invocation", "constructor_invocation"}


def is_function(node: Node) -> bool:
    """Whether a node defines a function that has a name."""
    return node.type in {"method", "singleton_method", "function_item"} or node.type.endswith(
        ("function_definition", "function_declaration", "method_definition", "method_declaration")
    )


def is_type(node: Node) -> bool:
    """Whether a node defines a class or the like."""
    return node.type.endswith(("class_declaration", "class_definition", "interface_declaration", "object_declaration"))


def lines_of(node: Node) -> tuple[int, int]:
    """The first and the last line of a node, from 1."""
    return node.start_point.row + 1, node.end_point.row + 1
