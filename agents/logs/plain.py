"""Lines of plain text: the time, level, logger and message that log libraries write one after the other.

The libraries' default layouts are alike: a time, in some order a level, a process, a thread and a logger, then the
message. So the head is read as such a sequence, and only layouts that break the rule are told apart.
"""

import re
from typing import NamedTuple

from agents.logs.levels import NAMED, WORDS, Level, level_named, level_of

CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
ZONE = r"(?: ?(?:Z|[+-]\d\d:?\d\d|UTC|GMT)\b)?"
DATE_TIME = (
    rf"\d{{4}}[-/.]\d\d[-/.]\d\d[T ]{CLOCK}{ZONE}"
    rf"|\d\d[-/][A-Z][a-z]{{2}}[-/]\d{{4}}[: ]{CLOCK}(?: [+-]\d{{4}}| [A-Z]{{3,4}})?"
    rf"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?[A-Z][a-z]{{2}} [ \d]\d {CLOCK}(?: \d{{4}})?"
    rf"|{CLOCK}{ZONE}|\d{{1,2}}:\d\d[AP]M"
)
TIME = re.compile(rf"\[?(?P<time>{DATE_TIME})(?P<close>\])?[ \t]*(?:[|-][ \t]+)?")
GROUP = r"\[[^\]\[]{0,120}\]|\([^)(]{0,120}\)"
AFTER_TIME = re.compile(
    rf"(?P<before>(?:(?:{GROUP}|\d{{1,10}}+|[|-])[ \t]*+){{0,5}}?"
    r"(?:[A-Za-z_][\w.$/-]{0,100}[ \t]++(?:[-|][ \t]++)?)?)"
    rf"(?:(?P<bare>{NAMED})\b|\[(?:[\w-]+:)?(?P<group>(?i:{NAMED})) *\]|(?P<dotted>[a-z]+\.)(?P<channel>{NAMED})\b"
    rf"|(?P<low>(?:debug|info|warn|warning|error|fatal|critical)\b)(?=[:\t]| *\|))\]?:?[ \t]*"
)
"""From after the time to after the level. At most one bare word stands between: a host, a logger, a database."""
LEVEL_FIRST = re.compile(
    rf"(?:\[(?P<box>(?i:{NAMED})) *\]|(?P<bare>{NAMED})(?=[ \t:\[|]|$)(?:\[\d{{1,10}}\])?"
    r"|(?P<low>debug|info|warn|warning|error|fatal|critical|fail|crit|dbug|trce)(?=:))(?P<colon>:)?[ \t]*"
)
KLOG = re.compile(
    r"(?P<level>[IWEF])(?P<time>\d{4} \d\d:\d\d:\d\d\.\d{1,9})[ \t]+\d{1,10} (?P<logger>[\w.-]{1,100}):\d{1,7}\] ?"
)
BASIC = re.compile(rf"(?P<level>{NAMED}):(?P<logger>[A-Za-z_][\w.]{{0,120}}):(?=\S)")
"""Python's `logging` where nobody has set it up."""
RUBY = re.compile(
    r"[DIWEFAU], \[(?P<time>[^\]#]{1,40}?) ?#\d{1,10}\][ \t]+(?P<level>[A-Z]{3,7}) -- (?P<logger>[^:\n]{0,80}): ?"
)
AFTER_LEVEL = re.compile(
    rf"(?:(?!\[\d{{4}}[-/])(?:{GROUP}|\d{{1,10}}(?=[ \t#])(?:#\d+)?|---|[|:-](?=[ \t]))[ \t]*+){{0,5}}+"
    r":?[ \t]*(?:\*\d+ )?"
)
LOGGER = re.compile(
    r"(?P<logger>[A-Za-z_][\w.$@/<>-]{0,120}(?:::\w+)*(?:\[\d+\]|:[\w<>]+){0,2})"
    r"(?:[ \t]*(?: (?::|--?) | \| |: {2,}| \[[\w.$-]{1,80}:\d{1,6}\] )|(?P<close>: ?|\t|\] ?))"
)
IN_MODULE = re.compile(r"in (?P<logger>\w{1,80}): ")
CATEGORY = re.compile(r"[A-Za-z_][\w.]{0,200}\[\d{1,10}\]")
"""What .NET's console writes in the line before the message."""
PHP = re.compile(r"PHP (?P<word>Fatal error|Parse error|Warning|Notice|Deprecated|Recoverable fatal error): {1,2}")
FAILURE = re.compile(
    r"\s*(?:panic: |fatal error: |Unhandled|Uncaught |Segmentation fault|thread '[^'\n]{0,100}'(?: \(\d+\))? panicked"
    r"|Exception in thread |(?:Caused by: )?(?:[A-Za-z_$][\w$]*+(?:\.|::|\\|/))*+"
    r"[A-Z][\w$]*(?:Error|Exception|Exit|Interrupt)\b(?::| \(|$)"
    r"|Traceback \(most recent|npm ERR!|error: |fatal: )"
)
"""How a line begins that tells of a failure without naming a level."""
ROW = re.compile(
    r"(?:[ \t]+\S|Traceback \(most recent call last\):|Caused by: |Suppressed: |\.\.\. \d+ |goroutine \d+ \["
    r"|created by |#\d+ |> File |-{3,} End of |--->|[|+] |stack backtrace:"
    r"|The above exception was |During handling of the above|[}\])]+[,;]?$|exit status \d+$|\[signal SIG"
    r"|Stack trace:$|\[stacktrace\])"
)
"""A line that continues what the lines before it began: a row of a trace, an indented line, the end of a structure."""

GO_NAME = re.compile(r"[\w.*/()\[\]@-]+\.[\w*()\[\]-]++")
GO_CALL = re.compile(r"[\w/*@-]+\.(?:[\w./)*@\[\]-]*+\()++.{0,200}\)$")


class Head(NamedTuple):
    """What the beginning of a line told."""

    time: str | None
    level: Level | None
    logger: str | None
    message: str


def read_plain(text: str) -> Head:
    """Read a line of text; what cannot be told stays None, and the message is what is left."""
    if match := KLOG.match(text):
        return Head(match["time"], WORDS[match["level"].lower()], match["logger"], text[match.end() :])
    if match := BASIC.match(text):
        return Head(None, level_named(match["level"]), match["logger"], text[match.end() :])
    if match := RUBY.match(text):
        return Head(match["time"], level_named(match["level"]), match["logger"].strip() or None, text[match.end() :])
    time = TIME.match(text)
    rest = text[time.end() :] if time else text
    found = AFTER_TIME.match(rest) if time else None
    head = found if found and _word(found) is not None else LEVEL_FIRST.match(rest)
    level = _word(head) if head else None
    if head is None or level is None:
        return _without_level(time["time"] if time else None, rest)
    after = AFTER_LEVEL.match(rest, head.end())
    at = after.end() if after else head.end()
    again = TIME.match(rest, at) if time is None else None
    logger, message = _logger(rest[again.end() if again else at :], _before(head), is_spring="---" in rest[:120])
    told = time or again
    return Head(told["time"] if told else None, level, logger, message)


def is_row(text: str, below: str = "") -> bool:
    """Whether a line continues the message or trace before it; a call in a Go trace is known by the line below."""
    if below.startswith("\t/") and GO_NAME.fullmatch(text):
        return True
    return ROW.match(text) is not None or (text.endswith(")") and GO_CALL.match(text) is not None)


def _word(match: re.Match[str]) -> Level | None:
    return next((level for word in match.groups() if word and (level := WORDS.get(word.lower()))), None)


def _before(head: re.Match[str]) -> str | None:
    """The logger where it stands before the level: the only bare word there."""
    before = head.groupdict().get("before") or ""
    words = re.findall(r"(?:^|[\s\])-])([A-Za-z_][\w.$/-]*)[ \t]+(?:[-|][ \t]+)?$", before)
    return words[0] if words else None


def _logger(text: str, before: str | None, *, is_spring: bool) -> tuple[str | None, str]:
    if before is not None:
        return before, text.removeprefix("- ").lstrip()
    if CATEGORY.fullmatch(text):
        return text, ""
    match = IN_MODULE.match(text) or LOGGER.match(text)
    if match is None:
        return None, text
    name = match["logger"]
    is_name = "close" not in match.groupdict() or match["close"] is None or "." in name or "::" in name or is_spring
    return (name, text[match.end() :]) if is_name and not FAILURE.match(text) else (None, text)


def _without_level(time: str | None, text: str) -> Head:
    if match := PHP.match(text):
        word = match["word"].lower()
        level: Level = "error" if "error" in word else "warning" if word == "warning" else "info"
        return Head(time, level, "PHP", text[match.end() :])
    return Head(time, "error" if FAILURE.match(text) else level_of(text), None, text)
