"""Templates: a message without its variable parts, and the cheap keys by which equal lines are found before that."""

import re

LONGEST = 2000
"""Characters of a message that take part in its template."""

KEY = re.compile(r"[0-9][0-9a-fA-F]*+(?:[.:-][0-9][0-9a-fA-F]*+|-[0-9a-f]{4}(?=-)|-[0-9a-f]{12}\b)*+")
"""Numbers, times, addresses, ids: from the first digit on as far as hexadecimal digits go, with what joins them."""
LETTERED_ID = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9A-Za-z]{6})(?:[a-fA-F]++[0-9][0-9a-fA-F]*+(?![0-9A-Za-z])"
    r"|[a-f]{8,}+(?![0-9A-Za-z])|[A-Za-z]++[0-9]++[A-Za-z]++[0-9][0-9A-Za-z]*+)"
)
"""An id that begins with letters."""
EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
QUOTED = re.compile(
    r'(?P<kept>"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[^"\n]{0,2000}"|"[\w.@-]{1,60}" ?:)'
    r'|"[^"\n]{0,300}"|`[^`\n]{1,200}`'
    r"|(?<![A-Za-z0-9])'[^'\n]{1,200}'(?![A-Za-z0-9])"
)
CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""A quoted name that is no value: an environment variable, a constant."""
OWNER = re.compile(
    r"(?<![\w.-])(?P<key>[A-Za-z_.]{0,40}(?:user|name|host|node|pod|tenant|customer|session|token|email|id|ID|Id|ip|addr|address|key|sha"
    r"|version|owner|peer|client|trace|span))(?P<is>=|: ?(?=[^\s,]{1,200}+(?:,|$)))(?P<value>[^\s,;\"'\])}]+)"
)
"""A name and the value that it has here: `user=alice`."""
ORDINAL = re.compile(r"\b(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)\b(?!s)")
UNIT = r"(?:[mun]s|µs|μs|s|m|h|d)"
VARIABLE = re.compile(
    r"(?P<time>\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?Z| ?[+-]\d\d:?\d\d)?)?"
    r"|\d\d:\d\d:\d\d(?:[.,]\d+)?)"
    r"|(?P<uuid>(?<![0-9A-Za-z])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z]))"
    r"|(?P<ip>(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+|/\d{1,2})?(?![\w.])"
    r"|\[?(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{0,4}\]?(?::\d+)?)"
    rf"|(?P<duration>(?<![\w.])\d+(?:\.\d+)?{UNIT}(?:\d+(?:\.\d+)?{UNIT})*(?!\w))"
    r"|(?P<id>0x[0-9a-fA-F]+"
    r"|(?<![0-9A-Za-z])(?=[a-fA-F]*[0-9])(?=[0-9]*[a-fA-F])[0-9a-fA-F]{6,}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])[a-f]{8,}(?![0-9A-Za-z])"
    r"|(?<![0-9A-Za-z])(?=[0-9A-Za-z]{5})[A-Za-z]*+[0-9]++[A-Za-z]++[0-9][0-9A-Za-z]*+)"
    r"|(?P<number>(?<![\w.])[+-]?v?\d+(?:[.,]\d+)*"
    r"(?: ?(?:[mun]s|secs?|seconds?|mins?|minutes?|hours?|millis(?:econds)?|[KMGT]i?B|kB|B|bytes)(?!\w)|%"
    r"|-(?:rc|alpha|beta|SNAPSHOT|RELEASE)[\w.]*|(?:st|nd|rd|th)\b)?|\d+)"
)
NAMED = {"duration": "number", "uuid": "id"}
"""What is masked alike, since the same value is written now this way, now that."""
STATUS_BEFORE = re.compile(
    r"(?:HTTP/[\d.]{1,5}\"?\s*|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)\s+/\S*\s+|(?:[sS]tatus|[cC]ode)[\"']?\s*[=:]\s*)"
    r"[\"']?$"
)
STATUS = re.compile(
    r"(?:HTTP/[\d.]{1,5}\"?[ \t]{0,4}|(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[^\s\"]{0,2000}+\"?[ \t]{1,4}"
    r"|(?:[sS]tatus|[cC]ode)[\"']?[ \t]{0,4}[=:][ \t]{0,4})"
    r"[\"']?(?P<status>[1-5]\d\d)(?![\w.-])"
)
JOINED = re.compile(r"[^0-9a-fA-F.:-][^0-9]*$")


def coarse(text: str) -> str:
    """Lines with every number and every id that begins with a digit replaced by one; ends of lines stay.

    It tells fewer lines apart than their templates would (an HTTP status is a number, too), but costs 2 us a line where
    a template costs 30: see `StatusPlace` for the difference.
    """
    return KEY.sub("0", text)


def finer(line: str) -> str:
    """A coarse key in which ids that begin with letters are replaced as well."""
    return KEY.sub("0", LETTERED_ID.sub("0", line))


def mask(message: str) -> str:
    """The message with times, ids, addresses, numbers, quoted and owned values masked.

    An HTTP status stays, for 200 is not 500, and so does a quoted name of a setting.
    """
    text = message[:LONGEST]
    if "@" in text:
        text = EMAIL.sub("<email>", text)
    if '"' in text or "'" in text or "`" in text:
        text = QUOTED.sub(_quoted, text)
    if "=" in text or ": " in text:
        text = OWNER.sub(_owned, text)
    return VARIABLE.sub(_variable, ORDINAL.sub("<ordinal>", text))


def _quoted(match: re.Match[str]) -> str:
    inside = match.group()[1:-1]
    return match.group() if not inside or match["kept"] or CONSTANT.fullmatch(inside) else "<text>"


def _owned(match: re.Match[str]) -> str:
    return match.group() if CONSTANT.fullmatch(match["value"]) else f"{match['key']}{match['is']}<value>"


def _variable(match: re.Match[str]) -> str:
    written = match.group()
    if match.lastgroup == "number" and len(written) == 3 and written.isdigit() and "1" <= written[0] <= "5":
        before = match.string[max(0, match.start() - 200) : match.start()]
        if STATUS_BEFORE.search(before):
            return written
    name = str(match.lastgroup)
    return f"<{NAMED.get(name, name)}>"


class StatusPlace:
    """Where the lines of one coarse key have their HTTP status.

    A text without digits, whose first character is in no number or id, stands as often before the status in every line
    of the key, so that it can be found without looking at the rest.
    """

    __slots__ = ("_mark", "_times")

    def __init__(self, mark: str, times: int) -> None:
        self._mark = mark
        self._times = times
        """How often the mark stands before the status, the one that ends there included."""

    @classmethod
    def of(cls, line: str) -> "StatusPlace | None":
        """Of a key that this line has; None where it names no status."""
        found = STATUS.search(line[: 2 * LONGEST])
        if found is None:
            return None
        before = line[: found.start("status")]
        mark = JOINED.search(before[-40:])
        return cls(mark.group(), before.count(mark.group())) if mark else None

    def read(self, line: str) -> str:
        """The status of a line of the key, empty where it is none."""
        parts = line.split(self._mark, self._times)
        return parts[-1][:3] if len(parts) > self._times else ""
