"""What the trees of each language call a constant, a table or a field: what keeps a value outside of any function."""

from collections.abc import Mapping

_SCRIPT = tuple(
    f"(program {before}({kind} (variable_declarator name: (identifier) @name value: ({value}))){after} @constant)"
    for kind in ("lexical_declaration", "variable_declaration")
    for before, after in (("", ""), ("(export_statement ", ")"))
    for value in ("object", "array", "call_expression", "new_expression")
)
_TYPED = tuple(
    f"(program {before}(lexical_declaration (variable_declarator name: (identifier) @name value: ({value}"
    f" ({inner})))){after} @constant)"
    for before, after in (("", ""), ("(export_statement ", ")"))
    for value in ("as_expression", "satisfies_expression")
    for inner in ("object", "array")
)
CONSTANTS: Mapping[str, tuple[str, ...]] = {
    "python": (
        "(module (expression_statement (assignment left: (identifier) @name)) @constant)",
        "(class_definition body: (block (expression_statement (assignment left: (identifier) @name)) @constant))",
    ),
    "go": (
        "(source_file (var_declaration (var_spec name: (identifier) @name) @constant))",
        "(source_file (var_declaration (var_spec_list (var_spec name: (identifier) @name) @constant)))",
        "(source_file (const_declaration (const_spec name: (identifier) @name) @constant))",
    ),
    "java": ("(field_declaration declarator: (variable_declarator name: (identifier) @name)) @constant",),
    "javascript": _SCRIPT,
    "typescript": (*_SCRIPT, *_TYPED),
    "tsx": (*_SCRIPT, *_TYPED),
    "c-sharp": ("(field_declaration (variable_declaration (variable_declarator name: (_) @name))) @constant",),
    "ruby": ("(assignment left: (constant) @name) @constant",),
    "php": ("(const_declaration (const_element (name) @name)) @constant",),
    "rust": ("(const_item name: (_) @name) @constant", "(static_item name: (_) @name) @constant"),
}
"""Patterns of tree-sitter queries by language, whose names are captured as @name."""
