"""Whether a patched file still parses: the cheapest way to refute a patch."""

import tree_sitter
import tree_sitter_python
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents.patch import Patch


def syntax_error(patch: Patch) -> str | None:
    """Where a patched file does not parse any more though it did before; Python and YAML are looked at.

    A new YAML file may be a template, which is none until it is filled in.
    """
    for change in patch.changes:
        if change.after is None:
            continue
        parses = _PARSERS.get(change.path.rpartition(".")[2])
        if parses is None or parses(change.after):
            continue
        did_before = parses is _parses_python if change.before is None else parses(change.before)
        if did_before:
            return f"{change.path} does not parse after the patch"
    return None


def _parses_python(text: str) -> bool:
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
    return not parser.parse(text.encode()).root_node.has_error


def _parses_yaml(text: str) -> bool:
    try:
        list(YAML(typ="safe", pure=True).load_all(text))
    except (YAMLError, ValueError, RecursionError):  # ValueError: a date that is none
        return False
    return True


_PARSERS = {"py": _parses_python, "yaml": _parses_yaml, "yml": _parses_yaml}
