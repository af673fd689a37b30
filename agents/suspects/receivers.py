"""What is not there: the expression of the failing line that something was asked of, and what gives it its value."""

import re
from collections.abc import Iterator, Sequence

from agents.syntax import names, strings, unquoted

ASKED = re.compile(
    r"(?:reading|setting) '(\w+)'|propert(?:y|ies) '(\w+)' of (?:undefined|null)"
    r"|'NoneType' object has no attribute '(\w+)'"
    r"|undefined method [`'](\w+[?!=]?)' for nil|member function (\w+)\(\) on null|property \"(\w+)\" on null"
    r"|Cannot (?:invoke|read field|assign field) \"(?:[\w$]+\.)*(\w+)"
)
"""The member that was asked of nothing, as the run times that tell it say so."""
TYPE = re.compile(r"Cannot invoke \"(?:[\w$]+[.$])*(\w+)\.\w+\(")
ACCESS = re.compile(r"(?:\?\.|!\.|&\.|->|\.)\s*([A-Za-z_]\w*)|(?<=[\w)\]])\[")
OPENING = {")": "(", "]": "["}
ARROW = re.compile(
    r"\(?([\w\s,{}]{1,100}?)\)?\s*=>|\blambda\s+([\w\s,]{1,100}):|[{(]\s*\|([\w\s,]{1,100})\||(\w+)\s*->"
)
"""The parameters of a closure."""
CHAIN = re.compile(r"[\w.$@?!>\[\]()'\"-]*$")
NAMED_LAST = re.compile(r"[A-Za-z_]\w*$")
ASSIGNS = r"(?:(?<![=!<>])=(?![=>])|\bin\b|\bof\b)"
ITSELF = frozenset({"this", "self", "super", "await", "return"})
LONGEST_LINE = 1000
MOST_STEPS = 400
"""Characters that are gone back over to find what a member was asked of."""


def asked_of_nothing(message: str) -> frozenset[str]:
    """The names of the members that a message says were asked of a value that is not there."""
    return frozenset(name for found in ASKED.findall(message) for name in found if name)


def types_missing(message: str) -> frozenset[str]:
    """The types of the values that a message says are not there."""
    return frozenset(TYPE.findall(message))


def accesses(line: str, asked: frozenset[str]) -> list[str]:
    """What a line asks of something that may be missing, each with what it is asked of: `order.items.reduce`."""
    found = []
    for match in ACCESS.finditer(line[:LONGEST_LINE]):
        if not asked or match[1] in asked:
            chain = CHAIN.search(line[: match.start()][-MOST_STEPS:])
            found.append((chain[0] if chain else "") + match[0])
    return found


def missing_in(line: str, asked: frozenset[str], body: Sequence[str]) -> frozenset[str]:
    """The names in a failing line that stand for the missing value, and those that give it to them.

    `asked`: the members that were asked for; none where the message does not tell, then any receiver may be missing.
    `body`: the lines of the function so far, in which a local variable has its value from.
    """
    text = unquoted(line[:LONGEST_LINE])
    found = {
        name
        for match in ACCESS.finditer(text)
        if not asked or match[1] in asked
        for name in _receiver(text, match.start())
    }
    return frozenset(found | {name for one in found for name in _given(one, text, body)})


def _receiver(text: str, end: int) -> Iterator[str]:
    """The last name of the expression that ends before `end`: `items` of `order.items`, `find` of `find(key)`."""
    at = end
    for _ in range(MOST_STEPS):
        before = text[:at].rstrip()
        at = len(before)
        if before.endswith(("!", "?")):
            at -= 1
        elif before[-1:] in OPENING:
            at = _opened(before)
        else:
            break
    last = NAMED_LAST.search(text[:at])
    if last is not None and last[0] not in ITSELF:
        yield last[0]


def _opened(text: str) -> int:
    """Where the bracket that closes at the end of a text opens; 0 where it does not."""
    depth = 0
    closing, opening = text[-1], OPENING[text[-1]]
    for at in range(len(text) - 1, max(-1, len(text) - MOST_STEPS), -1):
        depth += (text[at] == closing) - (text[at] == opening)
        if depth == 0:
            return at
    return 0


def _said(code: str) -> set[str]:
    """The names in some code, and the keys that it asks for."""
    return names(unquoted(code)) | {text for text in strings(code) if text.isidentifier()}


def _given(name: str, text: str, body: Sequence[str]) -> set[str]:
    """What a local variable has its value from: the right sides of its assignments, or what a closure goes over."""
    around = {
        one
        for match in ARROW.finditer(text)
        if name in re.findall(r"\w+", " ".join(part for part in match.groups() if part))
        for one in names(text[: match.start()])
    }
    found = set(around)
    for local in (name, *around):
        assigned = re.compile(rf"(?<![\w.]){re.escape(local)}\b[^=;\n]{{0,100}}?{ASSIGNS}(.*)")
        lines = (line[:LONGEST_LINE] for line in body if local in line)
        found |= {one for line in lines if (match := assigned.search(line)) for one in _said(match[1])}
    return found - {name}
