"""Secrets that can be known by the name they are given, and what tells their value from prose and source code."""

import re
from collections.abc import Callable
from typing import NamedTuple

from agents.redaction.shapes import TIME

KEYS = ("api", "access", "secret", "private", "signing", "encryption", "account", "auth", "master")
_WORD = (
    r"(?:password|passwd|passphrase|passcode|secrets?|tokens?|credentials?|(?<![a-z])(?:pass|pwd|cookie)|session_?-?id"
    rf"|authorization|(?:{'|'.join(KEYS)})[_.-]?keys?)"
    r"(?:[_.-]?(?:v?\d{1,3}|base|hash|value|b64|base64|prod|dev|staging|live|test|old|new|primary|secondary))?"
    r"(?!:\d{1,9}\])"  # the inside of a placeholder
)
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
EQUALS = re.compile(rf"(?i:{_WORD}){_QUOTE}[ \t]{{0,8}}(?::?=(?![=~])>?)[ \t]{{0,8}}{_VALUE}")
COLON = re.compile(rf"(?i:{_WORD})(?P<quote>{_QUOTE})[ \t]{{0,3}}:(?![:/])[ \t]{{0,8}}{_VALUE}")
FLAG = re.compile(rf"(?i:{_WORD})[ \t]{{1,3}}(?!-){_VALUE}")
ELEMENT = re.compile(rf"(?i:{_WORD})>(?P<plain>[^<\n]{{1,4000}}+)(?=</)")
ENTRY = re.compile(rf"(?i:{_WORD}){_QUOTE}\s{{0,2}}[,;\n]\s{{0,40}}{_QUOTE}value{_QUOTE}\s{{0,2}}[:=]\s{{0,2}}{_VALUE}")
"""An env entry as text: `"name": "DB_PASSWORD", "value": "..."`, or the same in YAML."""
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


Rule = Callable[[re.Match[str], Found], bool]
"""Whether what was found is a value, rather than prose or source code."""


def named_value(match: re.Match[str]) -> Found:
    """Take a match of `NAMED` apart. The pattern starts at the name's last word; what leads up to it is read here."""
    group = next(name for name in ("double", "single", "escaped", "plain") if match.groupdict().get(name) is not None)
    value = _without_closers(match[group]) if group == "plain" else match[group]
    before = match.string[max(0, match.start() - 200) : match.start()]
    lead = re.search(r"[\w.-]{0,80}\Z", before)
    first = lead.start() if lead else len(before)
    name = before[first:] + re.split(r"[\"'\\ \t:=>,;\n]", match.group(), maxsplit=1)[0]
    return Found(before=before[:first], name=name, value=value, start=match.start(group))


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


NAMED: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (ENTRY, _of_entry),
    (EQUALS, _after_equals),
    (COLON, _after_colon),
    (FLAG, _after_flag),
    (ELEMENT, _in_element),
)


def names_secret(name: str) -> bool:
    """Whether a variable, key or header of this name holds a secret."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return SECRET_NAME.search(words) is not None and COUNT_NAME.search(words) is None


def _without_closers(value: str) -> str:
    """The value without the brackets that were opened before it: `connect(password=x)`."""
    for opening, closing in ("()", "[]", "{}"):
        while value.endswith(closing) and value.count(opening) < value.count(closing):
            value = value[:-1]
    return value
