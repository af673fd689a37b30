"""Source files as tree-sitter reads them: which functions a file has, and where they begin and end."""

from agents.syntax.functions import Function, function_at, functions

__all__ = ["Function", "function_at", "functions"]
