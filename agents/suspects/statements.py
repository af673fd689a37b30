"""Evidence of a log statement: the change wrote the words that only the canary says.

A statement's text is a literal with places for values; what stands between them must stand in the message.
"""

import re
from collections.abc import Iterator, Sequence

from agents.frames import Frame
from agents.logs import Template
from agents.suspects.change import Change
from agents.suspects.clues import SERIOUS, Clues
from agents.suspects.nouns import WEIGHTS, Reason
from agents.syntax import code_of, language_of, strings

PLACE = re.compile(
    r"%[-+ #0]*\d*(?:\.\d+)?[a-zA-Z@]|%\([\w.]+\)[a-z]|\$\{[^}]*\}|#\{[^}]*\}|\{[^{}]*\}|\$[a-zA-Z_]\w*|\\[nt\"']"
)
STRING = re.compile(r"[rbuf$@]{0,2}\"(?:[^\"\\\n]|\\.)*+\"|[rbuf]?'(?:[^'\\\n]|\\.)*+'|`(?:[^`\\]|\\.)*+`")
PLACE_OF_VALUE = re.compile(r",\s*[\w.$]+(?=\s*[,)])")
MASKED = re.compile(r"<\w+>|\"[^\"]*\"|'[^']*'|\[[^\]]*\]|[{}=]|\d+")
PREFIX = re.compile(r"^.{0,120}?\b(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL|SEVERE)\b\W*", re.IGNORECASE)
SHORTEST = 10
"""Characters of a literal that tell of a statement."""
MOST_PHRASES = 24
QUIET = 0.25
"""What it weighs that only the canary says something which is no error."""


def phrases(text: str) -> list[str]:
    """The parts of a literal between the places for values, if they say enough to be told by."""
    parts = (" ".join(part.split()) for part in PLACE.split(text))
    return [part.strip(" :;,.-") for part in parts if len(part) >= SHORTEST and " " in part.strip(" :;,.-")]


class Statements:
    """What only the canary says."""

    def __init__(self, clues: Clues) -> None:
        self._errors = "\n".join(" ".join(text.split()) for text, is_error in clues.messages if is_error)
        self._quiet = "\n".join(" ".join(text.split()) for text, is_error in clues.messages if not is_error)

    def reasons(self, change: Change) -> Iterator[Reason]:
        if not change.is_source or change.is_test or not (self._errors or self._quiet) or _rewords(change):
            return
        for literal in change.literals:
            said = phrases(literal)
            if not said:
                continue
            longest = max(said, key=len)
            if all(part in self._errors for part in said):
                yield Reason(
                    "logged", WEIGHTS["logged"], f"it wrote {longest!r}, which only the canary says as an error"
                )
            elif all(part in self._quiet for part in said):
                yield Reason("logged", WEIGHTS["logged"] * QUIET, f"it wrote {longest!r}, which only the canary logs")


def _rewords(change: Change) -> bool:
    """Whether a change only gives statements that were there other words."""
    old, new = (STRING.sub("", PLACE_OF_VALUE.sub("", text)) for text in (change.removed, change.added))
    return bool(change.removed.strip()) and "".join(old.split()) == "".join(new.split())


def sought(templates: Sequence[Template]) -> list[str]:
    """Phrases to search the source for, so that the statement which logged an error is found; longest first."""
    found: dict[str, None] = {}
    for template in templates:
        if template.level not in SERIOUS:
            continue
        message = PREFIX.sub("", template.text, count=1)
        for part in MASKED.split(message):
            words = part.strip(" :;,.-()").split()
            for piece in (words, words[:5], words[-5:], words[:3]):
                phrase = " ".join(piece)
                if len(phrase) >= SHORTEST and len(piece) > 1:
                    found.setdefault(phrase)
    return sorted(found, key=lambda phrase: -len(phrase))[:MOST_PHRASES]


def statement_places(hits: Sequence[tuple[str, int, str]], templates: Sequence[Template]) -> tuple[Frame, ...]:
    """The statements among these lines (path, line, text) whose text is that of a message that only the canary has."""
    errors = "\n".join(" ".join(one.text.split()) for one in templates if one.level in SERIOUS)
    found: dict[tuple[str, int], Frame] = {}
    best = 0
    for path, number, text in hits:
        if language_of(path) is None:
            continue
        said = [part for literal in strings(code_of(path, text)) for part in phrases(literal)]
        length = sum(len(part) for part in said if part in errors)
        if not said or any(part not in errors for part in said) or length < best:
            continue
        if length > best:
            found, best = {}, length
        found[path, number] = Frame(
            path=path, line=number, function=None, code=text.strip(), kind="application", file=path
        )
    return tuple(found.values())
