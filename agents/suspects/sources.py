"""Files at the canary's commit: what they define and where their lines stand, each read once."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence

from agents.changes import Hunk, essence
from agents.syntax import (
    Function,
    Outline,
    calls,
    code_of,
    defines,
    imports,
    innermost,
    names,
    outline,
    strings,
    unquoted,
    untyped,
)

MOST_PLACES = 20
"""Places of one line that are looked at; what stands more often tells nothing."""
DRIFT = 60
"""Lines that later commits may have moved one by which cannot be told by its text."""
MOST_BODY = 400
"""Lines of one function that are read for what it uses."""
SAYS_LITTLE = frozenset(
    {"return None", "continue", "finally:", "return null;", "return nil", "return err", "else {", "} else {"}
)
DOCSTRING = re.compile(r"(\"\"\"(?s:.*?)(?:\"\"\"|$(?!\n)))")
CONSTRUCTORS = frozenset(
    {"__init__", "__new__", "__post_init__", "constructor", "initialize", "__construct", "new", "init"}
)
OPENS = re.compile(r"^\s*[rbuRBU]?(\"\"\"|''')")
WORD = re.compile(r"[A-Za-z_]\w*")
PYTHON = (".py", ".pyi")
ANNOTATED = re.compile(r"^\s*\*{0,2}[A-Za-z_]\w*\s*:")
TOLD = re.compile(r"^\s*(?:>>> |:\w+(?: [\w*]+)?:|\.\. \w+)")
"""What stands in docstrings only: an example, a field, a directive."""
ATTRIBUTE = re.compile(r"^\s*(?:self\.|this\.|\$this->|@{1,2})")


class Sources:
    """Texts by path, and what is read out of them as it is asked for."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}
        self._places: dict[str, dict[str, list[int]]] = {}
        self._functions: dict[str, list[str]] = {}
        self._words: dict[str, frozenset[str]] = {}
        self._imported: dict[str, frozenset[str]] = {}
        self._prose: dict[str, frozenset[int]] = {}

    def __contains__(self, path: str) -> bool:
        return path in self._texts

    def lines(self, path: str) -> list[str]:
        if path not in self._lines:
            self._lines[path] = self._texts.get(path, "").split("\n")
        return self._lines[path]

    def line(self, path: str, number: int) -> str:
        lines = self.lines(path)
        return lines[number - 1] if 1 <= number <= len(lines) else ""

    def outline(self, path: str) -> Outline:
        return outline(path, self._texts[path]) if path in self._texts else Outline()

    def functions(self, path: str) -> tuple[Function, ...]:
        return self.outline(path).functions

    def function_at(self, path: str, line: int) -> Function | None:
        """The innermost function that holds a line."""
        return innermost(self.functions(path), line)

    def imported(self, path: str) -> frozenset[str]:
        """The names that a file brings into sight from elsewhere."""
        if path not in self._imported:
            lines = imports(path, self._texts.get(path, ""))
            self._imported[path] = frozenset(word for line in lines for word in re.findall(r"[A-Za-z_]\w+", line))
        return self._imported[path]

    def defining(self, name: str) -> list[str]:
        """The files that have a function of this name."""
        if not self._functions:
            for path in self._texts:
                for one in self.functions(path):
                    self._functions.setdefault(one.name, []).append(path)
        return self._functions.get(name, [])

    def words(self, path: str) -> frozenset[str]:
        """Every name that a file says."""
        if path not in self._words:
            self._words[path] = frozenset(WORD.findall(self._texts.get(path, "")))
        return self._words[path]

    def body(self, path: str, function: Function, last: int | None = None) -> list[str]:
        """The code of a function's lines, up to line `last`, without comments."""
        end = min(function.last_line, last or function.last_line, function.first_line + MOST_BODY)
        code = [code_of(path, line) for line in self.lines(path)[function.first_line - 1 : end]]
        return "\n".join(DOCSTRING.split("\n".join(code))[::2]).split("\n")

    def places(self, path: str, line: str) -> list[int]:
        """The numbers of the lines that say the same as `line`; none where it says too little to be told by."""
        if path not in self._places:
            self._places[path] = {}
            for number, text in enumerate(self.lines(path), 1):
                said = essence(text, path)
                if telling(said) and len(same := self._places[path].setdefault(said, [])) < MOST_PLACES:
                    same.append(number)
        said = essence(line, path)
        return self._places[path].get(said, []) if telling(said) else []

    def prose(self, path: str) -> frozenset[int]:
        """The numbers of the lines of docstrings."""
        if path not in self._prose:
            self._prose[path] = frozenset(_prose(self.lines(path))) if path.endswith(PYTHON) else frozenset()
        return self._prose[path]

    def prose_of(self, path: str, lines: Sequence[str]) -> frozenset[int]:
        """Which of some lines of a hunk, by their index, are of docstrings."""
        if not path.endswith(PYTHON):
            return frozenset()
        standing = self.prose(path)
        opened = {number - 1 for number in _prose(lines)} if sum(map(_quotes, lines)) % 2 == 0 else set()
        told = {at for at, line in enumerate(lines) if TOLD.match(line)}
        known = {at for at, line in enumerate(lines) if (places := self.places(path, line)) and standing >= {*places}}
        return frozenset(opened | told | known)

    def touched(self, hunk: Hunk) -> list[int]:
        """Where a hunk's lines stand now, in order; if it left none, where it took some away."""
        prose = self.prose(hunk.file)
        standing = [number for line in hunk.added for number in self.places(hunk.file, line.text)] or self._nearby(hunk)
        written = [number for number in standing if number not in prose]
        if standing and not written:
            return []
        if written or not hunk.removed:
            return sorted(written)
        return sorted(number for line in hunk.above for number in self.places(hunk.file, line))

    def _nearby(self, hunk: Hunk) -> list[int]:
        """Where lines that say too little to be told stand: where the diff put them, or near that."""
        lines = self.lines(hunk.file)
        found = []
        for added in hunk.added:
            at = added.new or 0
            near = [
                one
                for one in range(max(1, at - DRIFT), min(len(lines), at + DRIFT) + 1)
                if lines[one - 1] == added.text
            ]
            if added.text.strip() and near:
                found.append(min(near, key=lambda one: abs(one - at)))
        return found

    def defined(self, hunk: Hunk, touched: Sequence[int]) -> frozenset[str]:
        """The functions, types, constants, fields and keys that a hunk defines or changes the inside of.

        What a line inside a function assigns is the function's own affair, unless it is an attribute or a key.
        """
        path = hunk.file
        changed = [one for one in self.functions(path) if holds(one, touched)]
        found = {one.name for one in changed}
        found |= {one.name for one in self.outline(path).constants if holds(one, touched)}
        inside_types = [one for one in self.outline(path).types if holds(one, touched)]
        if any(innermost(self.functions(path), line) is None for line in touched):
            found |= {one.name for one in inside_types[-1:]}
        found |= {one.within.rpartition(".")[2] for one in changed if one.name in CONSTRUCTORS} - {""}
        for line in (*hunk.added, *hunk.removed):
            code = code_of(path, line.text)
            here = self.function_at(path, line.new) if line.new is not None and path in self else None
            is_local = code[:1].isspace() and (here is not None or line.new is None) and not ATTRIBUTE.match(code)
            found |= _lasting(code, path) if is_local else defines(code)
            if not is_local and inside_types and here is None and code[:1].isspace():
                found |= names(untyped(path, code))
        return frozenset(found)


def _prose(lines: Sequence[str]) -> Iterator[int]:
    """The numbers of the lines of Python's docstrings: texts in three quotes that begin a line."""
    quotes = ""
    for number, line in enumerate(lines, 1):
        if quotes:
            yield number
            quotes = "" if quotes in line else quotes
        elif opening := OPENS.match(line):
            yield number
            quotes = "" if opening[1] in line[opening.end() :] else opening[1]


def _quotes(line: str) -> int:
    return line.count('"""') + line.count("'''")


def _lasting(code: str, path: str) -> set[str]:
    """What a line in a function defines for others: an inner function, a key of what it builds; no parameter."""
    if path.endswith(PYTHON) and ANNOTATED.match(code):
        return set()
    plain = re.match(r"^\s*(?:const|let|var|val|final)?\s*[\w<>\[\].]*\s*\w+\s*(?::[^=;\"']+)?=(?!>)", code)
    return set() if plain else defines(code)


def holds(function: Function | None, lines: Sequence[int]) -> bool:
    """Whether one of the lines, which are in order, is the function's."""
    if function is None:
        return False
    return bisect_left(lines, function.first_line) < bisect_right(lines, function.last_line)


def telling(line: str) -> bool:
    """Whether a line says enough to be told from others."""
    return len(re.findall(r"\w", line)) >= 6 and line.strip() not in SAYS_LITTLE


def uses(code: str) -> set[str]:
    """What a line of code uses: what it calls, what it names, the keys that it asks for."""
    keys = {text for text in strings(code) if re.fullmatch(r"[A-Za-z_][\w.-]{2,60}", text)}
    return calls(unquoted(code)) | names(unquoted(code)) | keys
