"""Templates of messages, and those that only the canary's logs have.

A template is a message with its variable parts masked. Comparing templates, not lines, leaves the noise that
both versions share unsaid.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from agents.logs.lines import level_of, strip_prefix

LONGEST = 2000
"""Characters of a line that take part in its template."""

MASK = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|(?P<uuid>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b)"
    r"|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b)"
    r"|(?P<hex>\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b|\b0x[0-9a-fA-F]+\b)"
    r"|(?P<number>(?<![A-Za-z_])[+-]?\d+(?:\.\d+)?(?:ms|s|us|ns|KB|MB|%)?)"
)
STATUS_BEFORE = re.compile(
    r"(?:HTTP/[\d.]+\"?|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s+/\S*|status[\"']?\s*[=:])\s*[\"']?$"
)


class Template(BaseModel):
    """A kind of message, and where it was first seen."""

    model_config = ConfigDict(frozen=True)

    text: str
    count: int
    item: str
    line: int
    """Of the first one in its item, from 1."""
    level: str | None


def mask(message: str) -> str:
    """The message with times, ids, addresses and numbers masked; an HTTP status stays, for 200 is not 500."""

    def replace(match: re.Match[str]) -> str:
        if match.lastgroup == "number" and re.fullmatch(r"[1-5]\d\d", match.group()):
            before = message[max(0, match.start() - 200) : match.start()]
            if STATUS_BEFORE.search(before):
                return match.group()
        return f"<{match.lastgroup}>"

    return MASK.sub(replace, message[:LONGEST])


def only_in_canary(
    canary: Iterable[tuple[str, Sequence[str]]], stable: Iterable[tuple[str, Sequence[str]]]
) -> tuple[Template, ...]:
    """The canary's templates that no stable line has, most frequent first. Items come as (id, lines)."""
    known = {mask(strip_prefix(line)) for _, lines in stable for line in lines}
    counts: Counter[str] = Counter()
    first: dict[str, tuple[str, int, str]] = {}
    for item, lines in canary:
        for number, line in enumerate(lines, 1):
            message = strip_prefix(line)
            template = mask(message)
            if template in known or not template.strip():
                continue
            counts[template] += 1
            first.setdefault(template, (item, number, message))
    return tuple(
        Template(text=text, count=count, item=first[text][0], line=first[text][1], level=level_of(first[text][2]))
        for text, count in counts.most_common()
    )
