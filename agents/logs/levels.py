"""How much a message matters: the words and numbers that log libraries write for it, as one of five levels."""

import re
from collections.abc import Mapping
from typing import Any, Literal

Level = Literal["debug", "info", "warning", "error", "critical"]
RANK: Mapping[str | None, int] = {None: 1, "debug": 0, "info": 1, "warning": 2, "error": 3, "critical": 4}
"""A message without a level counts as information."""

_SPELLINGS: Mapping[Level, str] = {
    "debug": "trace debug verbose finest finer fine trc dbg vrb debu trac dbug trce d v",
    "info": "info information informational notice config log inf not i n",
    "warning": "warn warning wrn w",
    "error": "error err severe erro fail eror e",
    "critical": "critical fatal crit ftl fata panic dpanic pani alert emergency emerg f c",
}
WORDS: Mapping[str, Level] = {word: level for level, words in _SPELLINGS.items() for word in words.split()}
NAMED = (
    "TRACE|DEBUG|VERBOSE|FINEST|FINER|FINE|INFORMATION|INFO|NOTICE|WARNING|WARN|ERROR|SEVERE|CRITICAL|CRIT|FATAL|PANIC"
    "|ALERT|EMERG(?:ENCY)?|TRC|DBG|VRB|INF|WRN|ERR|FTL|EROR|ERRO|FATA|DEBU|DPANIC"
)
"""The level words that stand for themselves in a line of text, to be matched in capitals or where their place tells."""
ANYWHERE = re.compile(
    r"\b(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b|(?i:\"level\"\s{0,4}:\s{0,4}\"(\w{1,20})\"|\[(\w{4,8})\])"
)
FAILED = re.compile(
    r"(?i)(?<!no )(?<!0 )(?<!without )\b(?:errors?|fail(?:ed|ure)|exception|fatal|cannot|can't|could not|unable to"
    r"|refused|denied|panic(?:ked)?|aborted|crash(?:ed)?)\b(?! ?[=:]? ?(?:0|none|null|false)\b)"
)
"""Words that make an error of a line that names no level."""
_TENS: tuple[Level, ...] = ("debug", "debug", "info", "warning", "error", "critical")
"""pino and bunyan: 10 trace, 20 debug, 30 info, 40 warning, 50 error, 60 fatal."""
_SYSLOG: tuple[Level, ...] = ("critical", "critical", "critical", "error", "warning", "info", "info", "debug")
"""RFC 5424, section 6.2.1: 0 emergency to 7 debug."""


def level_named(value: Any) -> Level | None:
    """The level that a field's value stands for: a word in any case, or the number of pino, bunyan or syslog."""
    if isinstance(value, str):
        word = value.strip().lower()
        return level_numbered(int(word)) if word.isascii() and word.isdigit() and len(word) < 4 else WORDS.get(word)
    return level_numbered(value) if isinstance(value, int) and not isinstance(value, bool) else None


def level_numbered(number: int) -> Level | None:
    """Below 8 as syslog counts, from 10 to 69 as pino does."""
    if 0 <= number < len(_SYSLOG):
        return _SYSLOG[number]
    return _TENS[number // 10 - 1] if 10 <= number < 70 else None


def level_of(line: str) -> Level | None:
    """The level that a line of unknown form names near its start."""
    for match in ANYWHERE.finditer(line[:200]):
        if level := WORDS.get((match[1] or match[2] or match[3]).lower()):
            return level
    return "error" if FAILED.search(line[:200]) else None
