"""The functions of a source file, from its syntax tree."""

import tree_sitter
import tree_sitter_python
from pydantic import BaseModel, ConfigDict

BLOCKS = frozenset(
    {"module", "block", "class_definition", "decorated_definition", "function_definition", "if_statement"}
    | {"elif_clause", "else_clause", "for_statement", "while_statement", "with_statement", "try_statement"}
    | {"except_clause", "except_group_clause", "finally_clause", "match_statement", "case_clause", "ERROR"}
)
"""Nodes of the syntax tree that a function can stand in; expressions, most of a file, are not walked."""


class Function(BaseModel):
    """A function's name and its lines in a file, decorators included."""

    model_config = ConfigDict(frozen=True)

    name: str
    first_line: int
    last_line: int


def functions(text: str) -> tuple[Function, ...]:
    """Every function of a Python file, outer ones before inner ones."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    found: list[Function] = []
    stack = [parser.parse(text.encode("utf-8", "replace")).root_node]
    while stack:
        node = stack.pop()
        if node.type == "function_definition":
            name = node.child_by_field_name("name")
            whole = node.parent if node.parent and node.parent.type == "decorated_definition" else node
            if name is not None and name.text is not None:
                first, last = whole.start_point.row + 1, node.end_point.row + 1
                found.append(Function(name=name.text.decode("utf-8", "replace"), first_line=first, last_line=last))
        stack.extend(child for child in reversed(node.children) if child.type in BLOCKS)
    return tuple(found)


def function_at(text: str, line: int) -> Function | None:
    """The innermost function that holds a line."""
    around = [one for one in functions(text) if one.first_line <= line <= one.last_line]
    return max(around, key=lambda one: one.first_line, default=None)
