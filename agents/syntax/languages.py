"""The languages whose source can be read: their files, their grammars and what their trees call a definition.

A grammar is imported when the first file of its language is parsed: each costs memory and start-up time.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import tree_sitter

from agents.syntax.constants import CONSTANTS


class Language(NamedTuple):
    """One language. `functions` and `types` are patterns of a tree-sitter query, whose names are captured as @name."""

    name: str
    extensions: tuple[str, ...]
    load: Callable[[], object]
    functions: tuple[str, ...]
    types: tuple[str, ...]
    comment: re.Pattern[str]
    """A comment, or a string that has to be passed over to find one; group `comment` is set for the former."""
    imports: re.Pattern[str]
    """A line that brings names of elsewhere into sight."""


_STRING = r"\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'"
HASH = re.compile(rf"{_STRING}|(?P<comment>#[^\n]*)")
SLASHES = re.compile(rf"{_STRING}|`(?:[^`\\]|\\.)*+`|(?P<comment>//[^\n]*|/\*(?s:.*?)\*/)")
BOTH = re.compile(rf"{_STRING}|(?P<comment>//[^\n]*|#(?!\[)[^\n]*|/\*(?s:.*?)\*/)")
IMPORT = re.compile(r"\s*(?:import|from|using|use|require(?:_relative|_once)?|include|export\b.*\bfrom|pub use)\b")
IMPORT_JS = re.compile(r"\s*(?:import\b|export\b.*\bfrom\b|(?:const|let|var)\b.*\brequire\s*\()")
IMPORT_GO = re.compile(r"\s*(?:import\b|(?:[\w.]+\s+)?\"[\w./-]+\"\s*$)")


def _python() -> object:
    import tree_sitter_python  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_python.language()


def _go() -> object:
    import tree_sitter_go  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_go.language()


def _java() -> object:
    import tree_sitter_java  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_java.language()


def _kotlin() -> object:
    import tree_sitter_kotlin  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_kotlin.language()


def _javascript() -> object:
    import tree_sitter_javascript  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_javascript.language()


def _typescript() -> object:
    import tree_sitter_typescript  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_typescript.language_typescript()


def _tsx() -> object:
    import tree_sitter_typescript  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_typescript.language_tsx()


def _c_sharp() -> object:
    import tree_sitter_c_sharp  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_c_sharp.language()


def _ruby() -> object:
    import tree_sitter_ruby  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_ruby.language()


def _php() -> object:
    import tree_sitter_php  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_php.language_php()


def _rust() -> object:
    import tree_sitter_rust  # noqa: PLC0415 - see the module's docstring

    return tree_sitter_rust.language()


_NAMED = "({} name: (_) @name) @function"
_SCRIPT_FUNCTIONS = (
    *(_NAMED.format(kind) for kind in ("function_declaration", "generator_function_declaration", "method_definition")),
    "(function_expression name: (_) @name) @function",
    *(
        f"(variable_declarator name: (identifier) @name value: ({kind})) @function"
        for kind in ("arrow_function", "function_expression")
    ),
    *(
        f"(assignment_expression left: (member_expression property: (_) @name) right: ({kind})) @function"
        for kind in ("arrow_function", "function_expression")
    ),
    *(f"(pair key: (_) @name value: ({kind})) @function" for kind in ("arrow_function", "function_expression")),
)
_TYPED_FUNCTIONS = (
    *_SCRIPT_FUNCTIONS,
    *(
        f"(public_field_definition name: (_) @name value: ({kind})) @function"
        for kind in ("arrow_function", "function_expression")
    ),
)
_TYPED_TYPES = tuple(
    _NAMED.format(kind).replace("@function", "@type")
    for kind in ("class_declaration", "abstract_class_declaration", "interface_declaration", "enum_declaration")
)


def _types(*kinds: str) -> tuple[str, ...]:
    return tuple(f"({kind} name: (_) @name) @type" for kind in kinds)


LANGUAGES: tuple[Language, ...] = (
    Language(
        "python",
        (".py", ".pyi"),
        _python,
        (_NAMED.format("function_definition"),),
        _types("class_definition"),
        HASH,
        re.compile(r"\s*(?:from\s+\S+\s+)?import\s"),
    ),
    Language(
        "go",
        (".go",),
        _go,
        (
            _NAMED.format("function_declaration"),
            "(method_declaration receiver: (_) @receiver name: (_) @name) @function",
        ),
        _types("type_spec"),
        SLASHES,
        IMPORT_GO,
    ),
    Language(
        "java",
        (".java",),
        _java,
        tuple(
            _NAMED.format(kind)
            for kind in ("method_declaration", "constructor_declaration", "compact_constructor_declaration")
        ),
        _types("class_declaration", "interface_declaration", "enum_declaration", "record_declaration"),
        SLASHES,
        IMPORT,
    ),
    Language(
        "kotlin",
        (".kt", ".kts"),
        _kotlin,
        (_NAMED.format("function_declaration"),),
        _types("class_declaration", "object_declaration"),
        SLASHES,
        IMPORT,
    ),
    Language(
        "javascript",
        (".js", ".jsx", ".mjs", ".cjs"),
        _javascript,
        (
            *_SCRIPT_FUNCTIONS,
            *(
                f"(field_definition property: (_) @name value: ({kind})) @function"
                for kind in ("arrow_function", "function_expression")
            ),
        ),
        _types("class_declaration"),
        SLASHES,
        IMPORT_JS,
    ),
    Language("typescript", (".ts", ".mts", ".cts"), _typescript, _TYPED_FUNCTIONS, _TYPED_TYPES, SLASHES, IMPORT_JS),
    Language("tsx", (".tsx",), _tsx, _TYPED_FUNCTIONS, _TYPED_TYPES, SLASHES, IMPORT_JS),
    Language(
        "c-sharp",
        (".cs",),
        _c_sharp,
        tuple(
            _NAMED.format(kind)
            for kind in (
                "method_declaration",
                "constructor_declaration",
                "local_function_statement",
                "property_declaration",
            )
        ),
        _types("class_declaration", "struct_declaration", "record_declaration", "interface_declaration"),
        SLASHES,
        IMPORT,
    ),
    Language(
        "ruby",
        (".rb", ".rake", ".ru"),
        _ruby,
        tuple(_NAMED.format(kind) for kind in ("method", "singleton_method")),
        _types("class", "module"),
        HASH,
        IMPORT,
    ),
    Language(
        "php",
        (".php", ".phtml"),
        _php,
        tuple(_NAMED.format(kind) for kind in ("function_definition", "method_declaration")),
        _types("class_declaration", "interface_declaration", "trait_declaration", "enum_declaration"),
        BOTH,
        IMPORT,
    ),
    Language(
        "rust",
        (".rs",),
        _rust,
        (_NAMED.format("function_item"),),
        (
            *_types("struct_item", "enum_item", "trait_item", "mod_item"),
            "(impl_item type: (_) @name) @type",
        ),
        SLASHES,
        IMPORT,
    ),
)
_BY_EXTENSION = {extension: language for language in LANGUAGES for extension in language.extensions}


def language_of(path: str) -> Language | None:
    """The language of a source file by its name; None where it is none that can be read."""
    name = path.rpartition("/")[2]
    return _BY_EXTENSION.get(f".{name.rpartition('.')[2].lower()}") if "." in name else None


@cache
def grammar(name: str) -> tree_sitter.Language:
    return tree_sitter.Language(next(one for one in LANGUAGES if one.name == name).load())


@cache
def query(name: str) -> tree_sitter.Query:
    """What a language's trees call functions, types and constants."""
    language = next(one for one in LANGUAGES if one.name == name)
    return tree_sitter.Query(grammar(name), "\n".join((*language.functions, *language.types, *CONSTANTS.get(name, ()))))
