"""Lines of the logs that say one of some things, found without looking at every line."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agents.evidence import Bundle, Citation, cite_lines
from agents.logs import strip_prefix
from agents.podstates.scene import Scene

MOST_HITS = 50
"""Lines of one log that are looked at for one phrase; more say the same."""
LONGEST_LINE = 2000


class Said(NamedTuple):
    """A line that holds a phrase; `text` is as the program wrote it, cut where it is long."""

    item: str
    line: int
    text: str
    container: str
    phrase: str

    def cite(self, bundle: Bundle) -> Citation:
        return cite_lines(bundle, self.item, self.line, self.line)


def lines_saying(scene: Scene, phrases: Sequence[str]) -> Iterator[Said]:
    """The first lines of each log that hold one of the phrases (in lower case), in whatever case they stand there."""
    for item, text in scene.logs():
        lowered = text.lower()
        if len(lowered) != len(text):
            lowered = text  # a few letters change their length: then only lower case is found
        container = item.id.rpartition("/")[2].removesuffix(".previous")
        numbers = _LineNumbers(text)
        for phrase in phrases:
            for at in _places(lowered, phrase):
                first = text.rfind("\n", 0, at) + 1
                last = text.find("\n", at)
                last = len(text) if last < 0 else last
                # of a very long line, what stands around the phrase
                shown = text[first:last] if last - first <= LONGEST_LINE else text[max(first, at - 500) : at + 500]
                yield Said(item.id, numbers.of(first), strip_prefix(shown), container, phrase)


def _places(text: str, phrase: str) -> Iterator[int]:
    """Where a phrase stands as whole words, once in each line."""
    at, hits = text.find(phrase), 0
    while at >= 0 and hits < MOST_HITS:
        after = at + len(phrase)
        inside = (phrase[0].isalnum() and text[at - 1 : at].isalnum()) or (
            phrase[-1].isalnum() and text[after : after + 1].isalnum()
        )
        if inside:
            at = text.find(phrase, after)
            continue
        yield at
        hits += 1
        line_end = text.find("\n", at)
        at = text.find(phrase, line_end) if line_end >= 0 else -1


class _LineNumbers:
    """The numbers of lines by where they begin; asked for in any order, counted in one pass where it is ascending."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known = (0, 1)

    def of(self, position: int) -> int:
        start, number = self._known if self._known[0] <= position else (0, 1)
        number += self._text.count("\n", start, position)
        self._known = position, number
        return number


def first_group(expression: re.Pattern[str], text: str) -> str:
    """The first group of an expression that matched, empty where none did."""
    match = expression.search(text)
    return next((one for one in match.groups() if one), "") if match else ""
