"""Functions that only raise on behalf of whoever called them, by what they do."""

import re
from collections.abc import Sequence

from agents.frames import Frame
from agents.syntax import code_of, function_at, unquoted

THROWS = re.compile(
    r"^\s*(?:if\b.{0,300}?[:{)]\s*)?(?:raise|throw|panic|abort|die|exit|assert|fail|bail!|panic!|return\s+Promise\.reject)(?!\w)"
)
DOES = re.compile(r"(?<![=!<>:])=(?![=>])|:=|\+\+|--|\b(?:for|while|loop|until|await|yield)\b|(?<!\w)\.each\b")
"""What a function has that does more than to look at what it was given."""
LONGEST_CHECK = 12
"""Lines of a function that only checks."""


def only_checks(frame: Frame, lines: Sequence[str]) -> bool:
    """Whether all that the function of a frame does is to look at what it was given."""
    path = str(frame.file)
    if not 1 <= frame.line <= len(lines) or THROWS.match(lines[frame.line - 1]) is None:
        return False
    function = function_at(path, "\n".join(lines), frame.line)
    if function is None or function.last_line - function.first_line > LONGEST_CHECK:
        return False
    body = [unquoted(code_of(path, line)) for line in lines[function.first_line : function.last_line]]
    return not any(DOES.search(line) for line in body)
