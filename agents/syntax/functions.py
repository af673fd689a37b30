"""The functions and types of a source file, from its syntax tree."""

import re
from functools import lru_cache

import tree_sitter
from pydantic import BaseModel, ConfigDict

from agents.syntax.languages import grammar, language_of, query

MOST_BYTES = 1024 * 1024
"""A source file larger than this is generated, and no function of it is worth the time."""
RECEIVER = re.compile(r"(\w+)\s*(?:\[[^\]]*\]\s*)?\)\s*$")
MOST_REMEMBERED = 512


class Function(BaseModel):
    """A function's name and its lines in a file, decorators included."""

    model_config = ConfigDict(frozen=True)

    name: str
    first_line: int
    last_line: int
    within: str = ""
    """The types and functions that it stands in, outermost first, with dots: `Cart.Line`. Empty at the top."""

    @property
    def qualified(self) -> str:
        """The name with what it stands in: `Cart.Line.price`."""
        return f"{self.within}.{self.name}" if self.within else self.name


class Outline(BaseModel):
    """What a file defines; outer ones before inner ones."""

    model_config = ConfigDict(frozen=True)

    functions: tuple[Function, ...] = ()
    types: tuple[Function, ...] = ()
    """Classes, interfaces, structures and the like, with their lines."""
    constants: tuple[Function, ...] = ()
    """Constants, tables and fields outside of any function, with their lines."""


@lru_cache(maxsize=MOST_REMEMBERED)
def outline(path: str, text: str) -> Outline:
    """What a source file defines, by the language of its name. A broken file gives what can be told of it.

    Empty for a language that is not read, and for a file larger than `MOST_BYTES`.
    """
    language = language_of(path)
    content = text.encode("utf-8", "replace")
    if language is None or len(content) > MOST_BYTES:
        return Outline()
    root = tree_sitter.Parser(grammar(language.name)).parse(content).root_node
    found: dict[tuple[int, int, str], tuple[bool, str, tree_sitter.Node]] = {}
    constants: list[Function] = []
    for _, captures in tree_sitter.QueryCursor(query(language.name)).matches(root):
        if "constant" in captures:
            constants.append(_spanning(_text(captures["name"][0]), captures["constant"][0]))
            continue
        is_type = "type" in captures
        (node,), name = captures["type" if is_type else "function"], _text(captures["name"][0])
        if node.parent is not None and node.parent.type == "decorated_definition":
            node = node.parent
        owner = RECEIVER.search(_text(captures["receiver"][0])) if "receiver" in captures else None
        name = name.strip("\"'")
        if name:
            found[node.start_byte, -node.end_byte, name] = (is_type, owner[1] if owner else "", node)
    constants.sort(key=lambda one: one.first_line)
    return _nested(found).model_copy(update={"constants": tuple(constants)})


def functions(path: str, text: str) -> tuple[Function, ...]:
    """Every function of a source file, outer ones before inner ones."""
    return outline(path, text).functions


def function_at(path: str, text: str, line: int) -> Function | None:
    """The innermost function that holds a line."""
    return innermost(functions(path, text), line)


def innermost(among: tuple[Function, ...], line: int) -> Function | None:
    """The innermost of these that holds a line."""
    around = [one for one in among if one.first_line <= line <= one.last_line]
    return max(around, key=lambda one: (one.first_line, -one.last_line), default=None)


def _nested(found: dict[tuple[int, int, str], tuple[bool, str, tree_sitter.Node]]) -> Outline:
    functions: list[Function] = []
    types: list[Function] = []
    around: list[tuple[int, str]] = []
    for (start, end, name), (is_type, owner, node) in sorted(found.items(), key=lambda entry: entry[0]):
        while around and around[-1][0] <= start:
            around.pop()
        within = ".".join([*(outer for _, outer in around), *([owner] if owner else [])])
        one = Function(name=name, first_line=node.start_point.row + 1, last_line=node.end_point.row + 1, within=within)
        (types if is_type else functions).append(one)
        around.append((-end, name))
    return Outline(functions=tuple(functions), types=tuple(types))


def _spanning(name: str, node: tree_sitter.Node) -> Function:
    return Function(name=name, first_line=node.start_point.row + 1, last_line=node.end_point.row + 1)


def _text(node: tree_sitter.Node) -> str:
    return node.text.decode("utf-8", "replace") if node.text is not None else ""
