"""What a function is told and what its source says of types: parameters, and code without its annotations.

Read from the text alone, like `words`: a few lines cut out of a file have no syntax tree of their own.
"""

import re

SIGNATURE = re.compile(
    r"\b(?:def|fun|func|function|fn)\b[^(]*\((?:self,\s*)?([^{]*)"
    r"|^\s*(?:\w+\s+){1,4}\w+\s*\(([^;{]*)\)\s*(?:\{|throws|=>|:)"
)
PARAMETER = re.compile(r"(?:^|,)\s*(?:[\w<>\[\].?@*&]+\s+)?[*&$]*([A-Za-z_]\w*)(?=\s*(?:[:?=,)]|$))")
ALONE = re.compile(r"^\s*[$*&]*([A-Za-z_]\w*)\s*(?::\s*[^=,()]+)?(?:=[^=,()]+)?,\s*$")
LONGEST = 1000
"""Characters of a line that are read."""

_INSIDE = r"\[(?:[^\[\]\n]|\[(?:[^\[\]\n]|\[(?:[^\[\]\n]|\[[^\[\]\n]*\])*\])*\])*\]"
_TYPE = (
    r"[\"']?(?:(?:[A-Za-z_]\w*\.)*(?:[A-Z]\w*|int|str|bool|float|bytes|bytearray|dict|list|tuple|set|frozenset|object"
    rf"|type|complex|memoryview)|None)(?:{_INSIDE})?[\"']?"
)
_TYPES = rf"(?:[\w.]{{1,100}}\s*\|\s*)*{_TYPE}(?:\s*\|\s*{_TYPE})*"
ANNOTATED = re.compile(rf"(?<![\w.\"'])(?<!lambda )((?:self\.)?[A-Za-z_]\w*)\s*:\s*{_TYPES}(?=\s*(?:=(?!=)|[,)\n]|$))")
RETURNED = re.compile(r"\)\s*->\s*[^\n:]{1,300}(?=:\s*(?:\n|$))")
BARE = re.compile(r"(?m)^[ \t]*(?:self\.)?[A-Za-z_]\w*[ \t]*$\n?")
CONTINUED = re.compile(rf"(?m)^[ \t]*\|[ \t]*{_TYPE}(?:[ \t]*\|[ \t]*{_TYPE})*[ \t]*(?=,?$)")
"""A line that goes on with a union of types."""
OF_TYPES = re.compile(
    r"(?m)^[ \t]*(?:from (?:__future__|typing|typing_extensions|collections\.abc) import [^\n]*|import typing\b[^\n]*)$"
)
NO_NAME = frozenset({"else", "try", "finally", "except", "lambda"})
PYTHON = (".py", ".pyi")


def parameters(line: str) -> set[str]:
    """The parameters that a line with a signature names, and a parameter that stands on a line of its own."""
    found = SIGNATURE.search(line[:LONGEST])
    if found is None:
        alone = ALONE.match(line[:LONGEST])
        return {alone[1]} if alone else set()
    return {match[1] for match in PARAMETER.finditer(found[1] or found[2] or "")}


def untyped(path: str, code: str) -> str:
    """Lines of Python without their annotations and the imports these need; of another language, as they are.

    A name that only has an annotation, and no value, is left out with it.
    """
    if not path.endswith(PYTHON):
        return code
    plain = ANNOTATED.sub(lambda found: found[0] if found[1] in NO_NAME else found[1], code)
    plain = OF_TYPES.sub("", CONTINUED.sub("", RETURNED.sub(")", plain)))
    return BARE.sub(lambda found: found[0] if found[0] in code else "", plain)
