"""Prefixes below which the routes of a file are mounted, in the file itself or in another that names it."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from agents.reach.trees import ARGUMENTS, Node, content_of, is_call, is_string, names_in, text_of, walk

MOUNTS = re.compile(
    r"(?i)(?:use|mount|map_?group|group|prefix|nest|scope|namespace|include_router|register(?:_blueprint)?|api_?router"
    r"|blueprint|router|path|re_?path)"
)
"""The names of calls that put several routes below a prefix."""
PREFIX = re.compile(r"[\"']?(?:url_)?prefix[\"']?\s*[=:]")
IMPORT = re.compile(r"^(?:[^\n]*\brequire\b|[ \t]*(?:pub[ \t]+)?(?:import|from|use|mod)\b)[^\n]*$", re.MULTILINE)
"""A line that says where a name comes from."""
WORD = re.compile(r"\w+")
CONTAINERS = frozenset({"index", "mod", "__init__", "main"})
"""Files that stand for the folder they are in."""


def mounts(files: Mapping[str, tuple[str, Node]]) -> Mapping[str, tuple[str, ...]]:
    """By file, given as text and tree: the prefixes that its routes may be below."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for file, (text, root) in files.items():
        imports = [frozenset(WORD.findall(line)) for line in IMPORT.findall(text)]
        for prefix, words in _prefixes(root):
            targets = [other for other in files if other != file and _stem(other) in words]
            if not targets:  # then it may be named by what it was imported as
                named = frozenset[str]().union(*(line for line in imports if line & words))
                targets = [other for other in files if other != file and _stem(other) in named]
            for target in targets or [file]:
                found[target][prefix] = None
    return {file: tuple(prefixes) for file, prefixes in found.items()}


def _prefixes(root: Node) -> Iterator[tuple[str, frozenset[str]]]:
    """Each prefix, and the words of the call that mounts something below it."""
    for node in walk(root):
        if not is_string(node):
            continue
        call, argument = node.parent, node
        while call is not None and not is_call(call) and not call.type.endswith(("_statement", "body", "block")):
            argument = call if call.type not in ARGUMENTS else argument
            call = call.parent
        if call is None or not is_call(call):
            continue
        names = [text_of(name) for name in names_in(call)]
        if PREFIX.match(text_of(argument)) or (content_of(node) and MOUNTS.fullmatch(_callee(call))):
            others = [
                word
                for one in walk(call)
                if is_string(one) and one.id != node.id
                for word in WORD.findall(text_of(one))
            ]
            yield content_of(node), frozenset([*names, *others])


def _callee(call: Node) -> str:
    before = next((at for at, child in enumerate(call.children) if child.type in ARGUMENTS), len(call.children))
    names = [text_of(name) for child in call.children[:before] for name in names_in(child)]
    return names[-1] if names else ""


def _stem(file: str) -> str:
    folder, _, name = file.rpartition("/")
    stem = name.partition(".")[0]
    return folder.rpartition("/")[2] if stem in CONTAINERS else stem
