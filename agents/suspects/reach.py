"""What one call of the trace and its function use: read from the source at the canary, as changes are compared with it.

By names, line by line: which names the failing line says, which lines give them their values, and on which conditions
the line is come to.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from agents.frames import Frame, simple_name
from agents.suspects.clues import RAISES, Call
from agents.suspects.nouns import EVERYWHERE
from agents.suspects.sources import CONSTRUCTORS, Sources, uses
from agents.syntax import Function, calls, names, parameters, strings, unquoted

BRANCHES = re.compile(
    r"^[\s})]*(?:if|elif|elsif|else|unless|while|until|for|case|when|match|switch|except|catch|rescue)\b"
)
MOST_ABOVE = 60
"""Lines above a line that throws in which its conditions are looked for."""
WRAPS, LONGEST_CLOSURE = 0.6, 80
"""A function around others that spans this share of its file, and more lines than this, is no closure."""
LOOPS = re.compile(r"^[\s})]*(?:async\s+)?(?:for|while|until|loop|do)\b|.*\bdo\b\s*(?:\|.*)?$|.*(?:=>|->)\s*\{\s*$")
LONGEST_STATEMENT = 20
"""Lines of one statement that are read."""
ROUNDS = 3
"""Assignments behind each other that are followed from a value to what it is made of."""
GIVES = re.compile(r"^([^=(\n]{1,300}?)(?<![=!<>~])(?:[-+*/%&|^]|//|:|\|\||&&|\?\?)?=(?![=>~])(.*)$", re.DOTALL)
"""`left = right`, whatever operator stands before the sign."""
BINDS = re.compile(
    r"\b(?:for|foreach)\s*\(?\s*(?:const|let|var|final)?\s*([\w\s,().<>$*]{1,200}?)\s+(?:in|of)\b"
    r"|\bas\s+\$?([A-Za-z_]\w*)|\b(?:except|catch|rescue)\s*\((?:[\w.|\s\\]{1,200}\s)?\$?([A-Za-z_]\w*)\)"
)
TARGET = re.compile(r"\s*(?:[\w<>\[\].?*&]+\s+)*[$*]*([A-Za-z_]\w*)\s*")
FIELD = re.compile(r"(?<![\w.])(?:self\.|this\.|this->|\$this->|@{1,2})([A-Za-z_]\w*)(?!\w|\s*\()")
HANDLER = re.compile(r"^[\s})]*(?:except|catch|rescue)\b")
ASKED = re.compile(r"([A-Za-z_]\w*)(?:\(\))?(?:[?!]?\.|->|::)([A-Za-z_]\w*)")
MEMBER = re.compile(r"[.>:]\s*([A-Za-z_]\w*)")


class Reach:
    """What one call and its function use, read from the source at the canary."""

    def __init__(self, call: Call, sources: Sources) -> None:
        frame = call.frame
        self.call = call
        self.file = str(frame.file)
        self.line = frame.line
        self.code = frame.code or sources.line(self.file, frame.line)
        self.functions = self._functions(frame, sources)
        self.function = self.functions[0] if self.functions else None
        own = {frame.function or "", simple_name(frame.function) or ""} | EVERYWHERE
        self.guards = tuple(self._guards(sources))
        """Where the failing line throws, the conditions that it stands under."""
        self.statement = _statement(self.code, sources.lines(self.file), self.line)
        self.said = "\n".join((self.code, *self.guards))
        body = sources.body(self.file, self.function, _end(call, self.function)) if self.function else []
        self.bound = _bound(body)
        """Names that only the function itself knows: its parameters and what it assigns."""
        self.named = frozenset(names(unquoted(self.said)) - own)
        stated = names(unquoted("\n".join((self.statement, *self.guards))))
        self.values = frozenset(_values(body, frozenset(stated)))
        """The names that the failing line has its values from, those it says among them."""
        code = unquoted("\n".join((self.said, *body)))
        self.fields = frozenset(FIELD.findall(code)) - set(names(FIELD.sub("", code)))
        """What is only read of the object itself."""
        self.is_handler = self._handles(sources)
        self.is_in_loop = self._loops(sources)
        self.parameters = frozenset(_parameters(body))
        self._body = body
        self.asked = frozenset(ASKED.findall("\n".join((unquoted(self.said), *_giving(body, self.named)))))
        """An object's name and that of the method or field which is asked of it."""
        self.in_line = frozenset(self._shared([self.said]) - own)
        self.behind = frozenset(self._shared(_giving(body, self.named)) - own - self.in_line)
        """What the lines that make the values of the failing line use."""
        self.in_body = frozenset(self._shared(body) - own - self.in_line - self.behind)
        self.imported = sources.imported(self.file)

    def _shared(self, lines: Iterable[str]) -> set[str]:
        """What lines use that is not of their function alone: a variable of it is, a field of that name is not."""
        found: set[str] = set()
        for line in lines:
            known = {*MEMBER.findall(unquoted(line)), *strings(line)}
            found |= {name for name in uses(line) if name not in self.bound or name in known}
        return found

    def _functions(self, frame: Frame, sources: Sources) -> list[Function]:
        """The functions around the line, innermost first; one that spans most of its file only wraps it."""
        most = max(len(sources.lines(self.file)) * WRAPS, LONGEST_CLOSURE)
        around = [one for one in sources.functions(self.file) if one.first_line <= frame.line <= one.last_line]
        around.sort(key=lambda one: (-one.first_line, one.last_line))
        return [one for at, one in enumerate(around) if at == 0 or one.last_line - one.first_line < most]

    def _guards(self, sources: Sources) -> list[str]:
        """The lines of the function that decide whether the failing line is come to, if all it does is to throw."""
        if self.function is None or not RAISES.match(self.code):
            return []
        found: list[str] = []
        within = _indent(sources.line(self.file, self.line))
        for number in range(self.line - 1, max(self.function.first_line, self.line - MOST_ABOVE), -1):
            text = sources.line(self.file, number)
            if text.strip() and _indent(text) < within:
                within = _indent(text)
                found += [text.strip()] if BRANCHES.match(text) else []
        return found

    def _handles(self, sources: Sources) -> bool:
        """Whether the line stands in what handles an error: what failed is not told by it."""
        within = _indent(sources.line(self.file, self.line))
        first = self.function.first_line if self.function else self.line
        for number in range(self.line - 1, first, -1):
            text = sources.line(self.file, number)
            if text.strip() and _indent(text) < within:
                return HANDLER.match(text) is not None
        return False

    def _loops(self, sources: Sources) -> bool:
        """Whether a loop of the function is around the line."""
        within = _indent(sources.line(self.file, self.line))
        first = self.function.first_line if self.function else self.line
        for number in range(self.line - 1, first, -1):
            text = sources.line(self.file, number)
            if text.strip() and _indent(text) < within:
                within = _indent(text)
                if LOOPS.match(text):
                    return True
        return False

    def sees(self, used: frozenset[str], file: str) -> frozenset[str]:
        """Those of the names that may be defined in `file`: what is called, imported, or named after the file.

        Its own fields an object has from its own file, or from a base: `assignments` looks for those.
        """
        if file == self.file:
            return used
        is_near = file.rpartition("/")[0] == self.file.rpartition("/")[0]
        called = calls(self.code) if used is self.in_line else set()
        stem = file.rpartition("/")[2].partition(".")[0]
        return frozenset(
            name
            for name in used - self.fields
            if name in self.imported
            or name in called
            or name == stem
            or is_near
            or name[:1].isupper()
            or used is not self.in_line
        )

    def decided_by(self, lines: Sequence[str], values: frozenset[str]) -> Literal["condition", "value"] | None:
        """What some lines of the function are to this one: a condition, or what gives one of the names a value."""
        for line in lines:
            if self.guards and BRANCHES.match(line) and names(unquoted(line)) & self.values:
                return "condition"
            given = GIVES.match(line)
            if given and names(unquoted(given[1])) & values:
                return "value"
        return None

    def hands(self, inner: "Reach", wanted: frozenset[str]) -> frozenset[str]:
        """The names that have what this line hands to the parameters `wanted` of the function inside; none, if none."""
        asked, function = wanted & inner.parameters, inner.function
        if function is None or not asked:
            return frozenset()
        said = names(unquoted(self.statement))
        if function.name not in said and not (function.name in CONSTRUCTORS and calls(self.statement)):
            return frozenset()
        return frozenset(_values(self._body, frozenset(said & asked or said)))

    def is_past(self, lines: Sequence[int]) -> bool:
        """Whether lines of the function stand behind the failing one, and no loop comes back to it."""
        if self.function is None or self.is_in_loop:
            return False
        own = [line for line in lines if self.function.first_line <= line <= self.function.last_line]
        return bool(own) and min(own) > self.line + self.statement.count("\n")


def _statement(code: str, lines: Sequence[str], number: int) -> str:
    """The code from a line on to where the brackets that it opens are closed."""
    found, depth = [code], _opens(code)
    for line in lines[number : number + LONGEST_STATEMENT] if depth > 0 else ():
        found.append(line.strip())
        depth += _opens(line)
        if depth <= 0:
            return "\n".join(found)
    return code


def _opens(line: str) -> int:
    plain = unquoted(line)
    return sum(plain.count(sign) for sign in "([{") - sum(plain.count(sign) for sign in ")]}")


def _indent(line: str) -> int:
    return len(line.expandtabs(8)) - len(line.expandtabs(8).lstrip())


def _end(call: Call, function: Function) -> int | None:
    """The last line of a function that had run; None, for all, where it failed itself or only its name is known."""
    return None if call.depth == 0 or call.frame.line <= function.first_line else call.frame.line


def _parameters(body: Sequence[str]) -> set[str]:
    """The parameters of a function, from its first lines on to where the brackets of its signature are closed."""
    found: set[str] = set()
    depth = 0
    for line in body[:LONGEST_STATEMENT]:
        found |= parameters(line)
        depth += _opens(line)
        if found and depth <= 0:
            break
    return found


def _bound(body: Sequence[str]) -> frozenset[str]:
    found: set[str] = set()
    for line in body:
        found |= parameters(line)
        given = GIVES.match(line)
        if given:
            left = re.sub(r"[{}]", " ", given[1].partition(":")[0])
            found.update(target[1] for piece in left.split(",") if (target := TARGET.fullmatch(piece)))
        for groups in BINDS.findall(line):
            found.update(name for group in groups for name in names(group))
    return frozenset(found)


def _giving(body: Sequence[str], wanted: frozenset[str]) -> list[str]:
    """The right-hand sides of a function's lines that give these names a value."""
    given = (GIVES.match(line) for line in body)
    return [one[2] for one in given if one and names(one[1]) & wanted]


def _values(body: Sequence[str], named: frozenset[str]) -> set[str]:
    found = set(named)
    for _ in range(ROUNDS):
        more = {name for right in _giving(body, frozenset(found)) for name in names(unquoted(right))}
        if more <= found:
            break
        found |= more
    return found
