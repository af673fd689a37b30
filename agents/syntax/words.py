"""What a line of source says: the names in it, what it calls, its strings, and the code without its comments.

Read from the text alone, in any language: a line cut out of a file has no syntax tree of its own.
"""

import re
from collections.abc import Iterator

from agents.syntax.languages import HASH, SLASHES, language_of

NAME = re.compile(r"[A-Za-z_$][\w$]*")
CALLED = re.compile(r"([A-Za-z_$][\w$]*[!?]?)\s*(?:<[\w\s,.?]*>)?\(|\.\s*([A-Za-z_]\w*)")
STRING = re.compile(r"\"((?:[^\"\\\n]|\\.)*+)\"|'((?:[^'\\\n]|\\.)*+)'|`((?:[^`\\]|\\.)*+)`")
EXPRESSION = re.compile(r"(?<=\{)[^{}]{1,200}(?=\})")
DEFINITION = re.compile(
    r"""\b(?:def|class|func|fun|fn|function|interface|struct|enum|trait|module|object|type|record|const|let|var|val|static)
        \s+(?:\([^)]*\)\s*)?(?:self\.)?\*?([A-Za-z_$][\w$]*[!?]?)""",
    re.VERBOSE,
)
METHOD = re.compile(r"^\s*(?:[\w<>\[\],.?@*&]+\s+)+([A-Za-z_]\w*)\s*\([^;]*$")
ASSIGNED = re.compile(
    r"^\s*(?:[\w<>\[\],.?]+\s+)*(?:self\.|this\.|@{1,2}|\$this->|\$)?([A-Za-z_]\w*)\s*(?::[^=;]+)?=(?![=>])"
)
MEMBER = re.compile(r"^(?:[A-Za-z_$][\w$]*\.){1,3}([A-Za-z_$][\w$]*)\s*=(?![=>~])")
"""What a file gives to an object where it is loaded: `exports.find = ...`, `Cart.prototype.total = ...`."""
LASTING = re.compile(
    r"\b(?:def|class|func|fun|fn|function|interface|struct|enum|trait)\s+(?:\([^)]*\)\s*)?(?:self\.)?([A-Za-z_]\w*[!?]?)"
    r"|(?<![\w.])(?:self\.|this\.|\$this->|@{1,2})([A-Za-z_]\w*)\s*(?::[^=\n]{1,200})?=(?![=>~])"
)
SHORTHAND = re.compile(
    r"^\s+(?:(?:public|private|protected|static|async|override|readonly|get|set)\s+|\*\s*)*#?([A-Za-z_$][\w$]*)"
    r"\s*(?:<[\w\s,.]{1,100}>)?\([^;{}]{0,300}\)\s*(?::[^={};]{1,100})?\{"
)
"""A method of a class or of an object as JavaScript writes it."""
KEY = re.compile(r"^\s*(?:-\s+)?[\"']?(?!self\.|this\.)([A-Za-z_][\w.-]*)[\"']?\s*(?::|=>|=(?!=))")
NO_METHOD = frozenset({"return", "new", "throw", "raise", "else", "await", "yield", "in", "not", "and", "or", "case"})
CONTROL = frozenset(
    {"if", "for", "foreach", "while", "switch", "catch", "function", "return", "with", "else", "do", "try"}
)
"""What stands before a bracket and is no name; `get` and `set` can be one."""
_KEYWORDS = """
abstract and any args as assert async await bool boolean break byte case catch char class const continue data
def default defer delete del do double elif else elsif end ensure enum err error except export extends extern
false final finally float fn for foreach from fun func function get global go if impl implements import in
include instanceof int interface is it kwargs lambda len let list loop map match mod module mut namespace new
next nil none not null number object ok or package pass private protected pub public raise range readonly ref
require rescue result return self set static str string struct super switch synchronized then this throw throws
trait true try type typeof undefined unless until use using val value var void volatile when where while with
yield
"""
KEYWORDS = frozenset(_KEYWORDS.split()) | {"None", "True", "False", "NULL", "Self", "String", "Boolean", "Object"}
"""Words of the languages, and names that say as little."""


def names(line: str) -> set[str]:
    """The names in a line of source, keywords and shorter ones than three letters left out."""
    return {name.strip("$") for name in NAME.findall(line) if len(name) > 2 and name.strip("$") not in KEYWORDS}


def unquoted(line: str) -> str:
    """A line of source without its string literals, but for the expressions inside of them."""
    return STRING.sub(lambda found: " ".join(EXPRESSION.findall(found[0])) or '""', line)


def calls(line: str) -> set[str]:
    """What a line calls, or reads of an object."""
    return {name for found in CALLED.findall(line) for name in found if name and name not in KEYWORDS}


def strings(line: str) -> tuple[str, ...]:
    """The string literals of a line, without their quotes."""
    return tuple(text for found in STRING.findall(line) for text in found if text)


def defines(line: str) -> set[str]:
    """The names that a line defines: functions, types, constants, fields, keys."""
    found = set(DEFINITION.findall(line))
    for pattern in (ASSIGNED, KEY):
        match = pattern.match(line)
        if match:
            found.add(match[1])
    method = METHOD.match(line)
    if method and line.split(None, 1)[0] not in NO_METHOD:
        found.add(method[1])
    return {name for name in found if name not in KEYWORDS} | _members(line)


def members(line: str) -> set[str]:
    """The functions, types and fields of objects that a line defines: what other code can ask for by its name."""
    found = {name for one in LASTING.findall(line) for name in one}
    return (found - KEYWORDS - {""}) | _members(line)


def _members(line: str) -> set[str]:
    found = {match[1] for pattern in (MEMBER, SHORTHAND) if (match := pattern.match(line))}
    return found - CONTROL


def code_of(path: str, line: str) -> str:
    """A line of source without its comment."""
    language = language_of(path)
    comment = language.comment if language else SLASHES if path.endswith((".scala", ".gradle", ".c", ".cc")) else HASH
    stripped = line.lstrip()
    if (comment is not HASH and stripped.startswith(("* ", "*/", "/**"))) or stripped == "*":
        return ""
    return comment.sub(lambda match: "" if match["comment"] else match[0], line)


def imports(path: str, text: str) -> Iterator[str]:
    """The lines that bring names of elsewhere into sight."""
    language = language_of(path)
    if language is not None:
        yield from (line for line in text.split("\n") if len(line) < 500 and language.imports.match(line))
