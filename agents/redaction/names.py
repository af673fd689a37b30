"""Secrets that can be known by the name they are given, and what tells their value from prose and source code."""

import re
import string
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from agents.redaction.shapes import TIME

KEYS = ("api", "access", "secret", "private", "signing", "encryption", "account", "auth", "master")
_WORD = (
    rf"(?:(?:{'|'.join(KEYS)})[_.-]?keys?|password|passwd|passphrase|passcode|secrets?|tokens?|credentials?"
    r"|(?<![a-z])(?:pass|pwd|cookie)|session_?-?id|authorization)"
    r"(?:[_.-]?(?:v?\d{1,3}|base|hash|value|b64|base64|prod|dev|staging|live|test|old|new|primary|secondary))?"
    r"(?!:\d{1,9}\])"  # the inside of a placeholder
)
WORD = re.compile(_WORD)
"""Searched for in text in lower case: that is several times as fast as to ignore the case."""
SECRET_NAME = re.compile(rf"{_WORD}$", re.IGNORECASE)
"""A name whose last word says secret: `DB_PASSWORD`, `clientSecret`, `x-api-key`, `TOKEN_2`; not `token_count`."""
COUNT_NAME = re.compile(
    r"(?:^|[_.-])(?:max|min|num|n|total|prompt|completion|input|output|used|remaining)[_.-]?(?:new[_.-])?tokens?$",
    re.IGNORECASE,
)
_QUOTE = r"\\{0,3}[\"']?"
_VALUE = (
    r"(?:[fbruFBRU]{0,2}(?:\"(?P<double>(?:[^\"\\\n]|\\.)++)\"?|'(?P<single>(?:[^'\\\n]|\\.)++)'?)"
    r"|\\{1,3}[\"'](?P<escaped>[^\"'\\\n]++)"
    r"|(?P<plain>(?:[^\s\"',;&\\<>]|[,;&](?!\s|[\w.-]{1,40}[=:])[^\s\"'\\<>]|\\(?![nrt\"'\\]))++))"
)
EQUALS = re.compile(rf"{_QUOTE}[ \t]{{0,8}}(?::?=(?![=~])>?)[ \t]{{0,8}}{_VALUE}")
COLON = re.compile(rf"(?P<quote>{_QUOTE})[ \t]{{0,3}}:(?![:/])[ \t]{{0,8}}{_VALUE}")
FLAG = re.compile(rf"[ \t]{{1,3}}(?!-){_VALUE}")
ELEMENT = re.compile(r">(?P<plain>[^<\n]{1,4000}+)(?=</)")
ENTRY = re.compile(rf"{_QUOTE}\s{{0,2}}[,;\n]\s{{0,40}}{_QUOTE}value{_QUOTE}\s{{0,2}}[:=]\s{{0,2}}{_VALUE}")
"""An env entry as text: `"name": "DB_PASSWORD", "value": "..."`, or the same in YAML."""
FOLLOWS = frozenset("\"'\\=: \t>,;\n")
"""What can stand between a name and the rest of one of these."""
NAME_CHARACTERS = string.ascii_letters + string.digits + "_.-"
LONGEST_NAME = 80
LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
NAMED_BY = re.compile(r"(?i)\b(?:name|key)\\{0,3}[\"']?\s{0,2}[:=]\s{0,2}\\{0,3}[\"']?\Z")
LINE_START = re.compile(rf"(?:^|\n){TIME}[ \t-]*\Z")
PLURAL = re.compile(r"(?:tokens|secrets|keys|credentials)$", re.IGNORECASE)
HARMLESS = re.compile(
    r"(?i)true|false|yes|no|on|off|null|none|nil|undefined|empty|missing|required|invalid|expired|\*+|<[\w -]*>|\.{3}"
    r"|x{3,}|\$\{?\w+\}?|\$\(\w+\)|\{\{?[^{}]{0,100}\}\}?|%\(?\w+\)?s?|str|bytes|int|string|optional"
    r"|basic|bearer|token|digest|\[REDACTED:[a-z-]{2,30}:\d{1,9}\]"
)
CODE = re.compile(
    r"(?:self|cls|os|sys|app|settings|config|request|response|args|options|env|environ|ctx|context)(?:\.\w+)+"
    r"|[A-Za-z_][\w.]*[(\[](?:|.*[)\]].*)"
)
"""Source code in a traceback (`token = self.token`, `token = read(path)`), not a value."""


class Found(NamedTuple):
    """A name and what may be its value."""

    before: str
    """The text before the name, on its line and the one above."""
    name: str
    value: str
    start: int
    """Where the value starts in the text."""

    @property
    def end(self) -> int:
        return self.start + len(self.value)


Rule = Callable[[re.Match[str], Found], bool]
"""Whether what was found is a value, rather than prose or source code."""


def named_values(text: str) -> Iterator[Found]:
    """The values that are given to names which say secret, in order and apart from each other."""
    done = 0
    for word in WORD.finditer(text.lower() if text.isascii() else text.translate(LOWER)):
        if word.start() >= done and text[word.end() : word.end() + 1] in FOLLOWS:
            found = _named_value(text, word.start(), word.end())
            if found is not None:
                done = found.end
                yield found


def _named_value(text: str, start: int, end: int) -> Found | None:
    """The value of the name whose last word stands at `start` to `end`, None where prose or source code follows."""
    around = text[max(0, start - 200) : start]
    before = around.rstrip(NAME_CHARACTERS)
    name = around[len(before) :][-LONGEST_NAME:] + text[start:end]
    if not names_secret(name):
        return None
    for tail, is_value in TAILS:
        match = tail.match(text, end)
        if match is None:
            continue
        group = next(group for group, value in match.groupdict().items() if value is not None and group != "quote")
        value = _without_closers(match[group]) if group == "plain" else match[group]
        found = Found(before=before, name=name, value=value, start=match.start(group))
        if is_value(match, found):
            return found
    return None


def _after_equals(match: re.Match[str], found: Found) -> bool:
    if PLURAL.search(found.name) and found.value.isdigit():
        return False
    return match["plain"] is None or (found.value != found.name and not CODE.fullmatch(found.value))


def _after_colon(match: re.Match[str], found: Found) -> bool:
    """Quoted, alone on a line as in YAML, or not a word as people write them."""
    name, value = found.name, found.value
    if match["plain"] is None:
        return True
    if value == name or CODE.fullmatch(value) or (PLURAL.search(name) and value.isdigit()):
        return False
    rest = match.string[found.start + len(value) :][:2]
    if LINE_START.search(found.before) and rest.strip(" \t\r")[:1] in {"", "\n"} and len(value) >= 4:
        return value[0] not in "{[|>&*!"
    if match["quote"] and value.isdigit():
        return len(value) >= 4
    return len(value) >= 6 and re.search(r"\d", value) is not None and re.search(r"[^\W\d_]", value) is not None


def _after_flag(match: re.Match[str], found: Found) -> bool:
    del match
    return found.name.startswith("-")


def _in_element(match: re.Match[str], found: Found) -> bool:
    del match
    return found.before.endswith("<")


def _of_entry(match: re.Match[str], found: Found) -> bool:
    del match
    return NAMED_BY.search(found.before) is not None


TAILS: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (ENTRY, _of_entry),
    (EQUALS, _after_equals),
    (COLON, _after_colon),
    (FLAG, _after_flag),
    (ELEMENT, _in_element),
)


@lru_cache(maxsize=8192)
def names_secret(name: str) -> bool:
    """Whether a variable, key or header of this name holds a secret. Remembered: objects repeat their keys."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return SECRET_NAME.search(words) is not None and COUNT_NAME.search(words) is None


def _without_closers(value: str) -> str:
    """The value without the brackets that were opened before it: `connect(password=x)`."""
    for opening, closing in ("()", "[]", "{}"):
        while value.endswith(closing) and value.count(opening) < value.count(closing):
            value = value[:-1]
    return value
