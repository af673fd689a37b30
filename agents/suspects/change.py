"""One hunk of the range as it is weighed: what it says, defines and touches, each worked out when it is asked for."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from agents.changes import Commit, Hunk, Line, names_packages
from agents.suspects.nouns import PROSE, TEST_PATH
from agents.suspects.sources import Sources
from agents.syntax import code_of, defines, innermost, language_of, members, names, parameters, strings, untyped

IDENTIFIER = re.compile(r"[A-Za-z_][\w$-]*[\w$?!]|[A-Za-z_]")


class Change:
    """A hunk with the commit it belongs to; `age` counts commits from the canary's back."""

    def __init__(self, commit: Commit, hunk: Hunk, age: int, sources: Sources) -> None:
        self.commit = commit
        self.hunk = hunk
        self.age = age
        self._sources = sources

    @property
    def file(self) -> str:
        return self.hunk.file

    @property
    def is_test(self) -> bool:
        return TEST_PATH.search(self.file) is not None

    @property
    def is_prose(self) -> bool:
        return PROSE.search(self.file) is not None and not names_packages(self.file)

    @property
    def is_source(self) -> bool:
        return language_of(self.file) is not None

    @cached_property
    def touched(self) -> list[int]:
        """Where its lines stand at the canary."""
        return self._sources.touched(self.hunk)

    @cached_property
    def defined(self) -> frozenset[str]:
        return self._sources.defined(self.hunk, self.touched)

    @cached_property
    def added(self) -> str:
        return self._code(self.hunk.added)

    @cached_property
    def removed(self) -> str:
        return self._code(self.hunk.removed)

    @cached_property
    def words(self) -> frozenset[str]:
        """The names in its lines."""
        return frozenset(names(self.added) | names(self.removed))

    @cached_property
    def added_words(self) -> frozenset[str]:
        """Every word that the added lines hold, and every dotted or dashed one."""
        return frozenset(IDENTIFIER.findall(self.added))

    @cached_property
    def removed_words(self) -> frozenset[str]:
        return frozenset(IDENTIFIER.findall(self.removed))

    @cached_property
    def defined_before(self) -> frozenset[str]:
        """What the lines that it took away defined and the lines that it put in do not."""
        old, new = (
            {name for line in side for name in defines(code_of(self.file, line.text)) | parameters(line.text)}
            for side in (self.hunk.removed, self.hunk.added)
        )
        return frozenset(old - new)

    @cached_property
    def undefined(self) -> frozenset[str]:
        """The functions, types and fields of objects that it took away or gave another name."""
        old, new = (
            {name for line in side for name in members(code_of(self.file, line.text))}
            for side in (self.hunk.removed, self.hunk.added)
        )
        return frozenset(old - new)

    def leaves(self, name: str) -> bool:
        """Whether a function of that name is still in the type that it changed: it was only moved."""
        outline = self._sources.outline(self.file)
        line = self.touched[0] if self.touched else self.hunk.new_start
        here = innermost(outline.types, line)
        return any(one.name == name and one.within == (here.qualified if here else "") for one in outline.functions)

    @cached_property
    def defined_anew(self) -> frozenset[str]:
        """What the lines that it put in define and the lines that it took away did not."""
        old, new = (
            {name for line in side for name in defines(code_of(self.file, line.text)) | parameters(line.text)}
            for side in (self.hunk.removed, self.hunk.added)
        )
        return frozenset(new - old)

    @cached_property
    def literals(self) -> frozenset[str]:
        """The string literals of the lines that it put in."""
        return frozenset(text for line in self.added.split("\n") for text in strings(line) if len(text) < 400)

    @cached_property
    def is_restyled(self) -> bool:
        """Whether its lines say nothing that those it took away did not, and what they leave out decides nothing."""
        old, new = (Counter(_tokens(text)) for text in (self.removed, self.added))
        gone = old - new
        if not self._keeps_order():
            return False
        return bool(new) and not new - old and not any(DECIDES.fullmatch(token) or old[token] < 2 for token in gone)

    @cached_property
    def is_retyped(self) -> bool:
        """Whether it only says otherwise of which types things are."""
        old, new = (_bare(untyped(self.file, text)) for text in (self.removed, self.added))
        return old == new and self.removed != self.added

    @cached_property
    def is_reworded(self) -> bool:
        """Whether it only gives texts that people read other words: what is no key, query or pattern."""
        old, new = (QUOTED.sub("", text) for text in (self.removed, self.added))
        if not self.removed.strip() or "".join(old.split()) != "".join(new.split()):
            return False
        texts = [Counter(QUOTED.findall(text)) for text in (self.removed, self.added)]
        differing = [*(texts[0] - texts[1]), *(texts[1] - texts[0])]
        if sorted(PLACE.findall(self.removed)) != sorted(PLACE.findall(self.added)):
            return False
        return bool(differing) and all(_is_prose(text) for text in differing)

    def _keeps_order(self) -> bool:
        """Whether what it says stands in the order that it had before, or whole lines have only moved."""
        left = iter(_tokens(self.removed))
        if all(token in left for token in _tokens(self.added)):
            return True
        old, new = (Counter(tuple(_tokens(line)) for line in text.split("\n")) for text in (self.removed, self.added))
        return not new - old

    def _code(self, lines: Sequence[Line]) -> str:
        prose = self._sources.prose_of(self.file, [line.text for line in lines])
        return "\n".join(code_of(self.file, line.text) for at, line in enumerate(lines) if at not in prose)


TOKEN = re.compile(r"[A-Za-z_$][\w$]*|\d[\w.]*|\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'|[-+*/%<>=!&|?^~]+|\[")
TRAILING_COMMA = re.compile(r",(?=[)\]}])")
QUOTED = re.compile(r"\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'|`(?:[^`\\]|\\.)*+`")
PLACE = re.compile(r"[$#]\{[^{}\n]*\}")
"""Where a text takes a value in."""
PROSE_TEXT = re.compile(r"[A-Za-z]{2,}[ ,:.;]+[A-Za-z]{2,}")
QUERY = re.compile(r"\b(?:SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|JOIN|TABLE|INDEX)\b|[\\^$*]")
AROUND_PLACES = re.compile(r"[\w ,:;!?.()'`\"-]*[A-Za-z]{2} [\w ,:;!?.()'`\"-]*|[`\"'] [\w ]+[`\"']|[`\"']: [`\"']")
"""What a text for people says around a single value: `for : `, ` prices`."""
SAYS_NOTHING = frozenset(
    {"return", "const", "let", "var", "val", "final", "=", "=>", "->", ":=", "then", "end", "begin", "do"}
)
DECIDES = re.compile(
    r"\W+|\d.*|[\"'].*|if|else|elif|elsif|unless|not|and|or|try|except|catch|rescue|raise|throw|await|yield|break|continue|is|in"
)
"""Tokens without which code does something else: operators, values, what branches."""


def _is_prose(text: str) -> bool:
    """Whether a text is for people: words, or a value between a few."""
    said = PLACE.sub("", text)
    is_around = said != text and AROUND_PLACES.fullmatch(said) is not None
    return (PROSE_TEXT.search(said) is not None or is_around) and QUERY.search(said) is None


def _tokens(code: str) -> list[str]:
    return [token for token in TOKEN.findall(code) if token not in SAYS_NOTHING]


def _bare(code: str) -> str:
    """Code without what line breaks and trailing commas make of it."""
    return TRAILING_COMMA.sub("", "".join(code.split()))
