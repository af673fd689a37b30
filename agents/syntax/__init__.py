"""Source files as tree-sitter reads them: what a file defines and where, and what one line of source says."""

from agents.syntax.functions import Function, Outline, function_at, functions, innermost, outline
from agents.syntax.languages import language_of
from agents.syntax.signatures import parameters, untyped
from agents.syntax.words import calls, code_of, defines, imports, members, names, strings, unquoted

__all__ = [
    "Function",
    "Outline",
    "calls",
    "code_of",
    "defines",
    "function_at",
    "functions",
    "imports",
    "innermost",
    "language_of",
    "members",
    "names",
    "outline",
    "parameters",
    "strings",
    "unquoted",
    "untyped",
]
