"""Functions that only raise on behalf of whoever called them: by their names, or because they do nothing else."""

import re
from collections.abc import Sequence

from agents.frames import Frame, simple_name
from agents.syntax import code_of, function_at, unquoted

HELPER = re.compile(
    r"^_*(?:require|assert|ensure|check|validate|verify|must|expect|raise|throw|fail|abort|panic|error|invariant|die"
    r"|unwrap|handle_?(?:error|exception)|on_?error|new_?(?:error|exception)|wrap|guard|precondition|reject|bail)",
    re.IGNORECASE,
)
RAISES = re.compile(
    r"^\s*(?:if\b.{0,300}?[:{)]\s*)?(?:raise\b|throw\b|panic\(|abort\(|die\(|exit\(|assert\b|fail\(|bail!|panic!"
    r"|return\s+(?:Err\(|errors\.|fmt\.Errorf|Promise\.reject)|(?:log\.)?Fatal|.{0,60}\.(?:unwrap|expect|orElseThrow)\()"
)
DOES = re.compile(r"(?<![=!<>:])=(?![=>])|:=|\+\+|--|\b(?:for|while|loop|until|await|yield)\b|(?<!\w)\.each\b")
"""What a function has that does more than to look at what it was given."""
GIVES = re.compile(r"^\s*return\b\s*(?:\$?\w+)?\s*;?\s*$|^\s*(?:\$?\w+)?\s*$|^[\s(){};]*(?:else|end)?[\s(){};:]*$")
"""A line that gives back what came in, or nothing."""
LONGEST_CHECK = 12
"""Lines of a function that only checks."""


def is_helper(frame: Frame) -> bool:
    """Whether a frame only raises on behalf of whoever called it: a validator, an error's constructor."""
    name = simple_name(frame.function)
    return (
        name is not None
        and HELPER.match(name) is not None
        and (frame.code is None or RAISES.match(frame.code) is not None)
    )


def only_checks(frame: Frame, lines: Sequence[str]) -> bool:
    """Whether all that the function of a frame does is to look at its arguments and to raise."""
    path = str(frame.file)
    if not 1 <= frame.line <= len(lines) or RAISES.match(lines[frame.line - 1]) is None:
        return False
    function = function_at(path, "\n".join(lines), frame.line)
    if function is None or function.last_line - function.first_line > LONGEST_CHECK:
        return False
    body = [unquoted(code_of(path, line)) for line in lines[function.first_line : function.last_line]]
    return not any(DOES.search(line) for line in body) and any(GIVES.match(line) is None for line in body)
