"""Lines whose fields have names: JSON and logfmt, and which of the names say time, level, message and error."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agents.logs.levels import Level, level_named

LONGEST_DOCUMENT = 1_000_000
"""Characters of a line that is read as JSON."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TIME = _names("time timestamp @timestamp ts @t asctime datetime eventtime date t")
LEVEL = _names(
    "level record.level severity levelname log.level @l lvl loglevel log_level level_name severity_text severitytext s"
)
MESSAGE = _names(
    "record.message message msg @mt @m event short_message messagetemplate renderedmessage fields.message body text log"
)
LOGGER = _names("logger logger_name loggername log.logger sourcecontext category target channel")
ERROR = _names(
    "error err error.message err.message exception.message exception exc cause reason @x exc_info error.type"
    " exception.type thrown.message full_message detail errormessage"
)
TRACE = _names(
    "stack stack_trace stacktrace traceback backtrace errorverbose error.stack err.stack error.stack_trace"
    " exception.stacktrace errorstack"
)
METHOD = _names(
    "method http.method http.request.method req.method request.method request_method httprequest.requestmethod"
    " http_method"
)
PATH = _names(
    "path uri url url.path http.target req.url request.uri request_uri httprequest.requesturl http.path route"
    " requestpath"
)
STATUS = _names(
    "status status_code statuscode http.status_code http.response.status_code res.statuscode response.status"
    " httprequest.status response_code http_status"
)
"""The names, in lower case, in the order in which they are asked for."""
NESTED = frozenset(_names("record log error err exception fields http req res request response thrown httprequest url"))
"""Objects whose fields count as the line's own."""
PAIR = re.compile(r"([\w.@/-]{1,100})=")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"')
OPENED = re.compile(r'"(?P<inside>(?:[^"\\]|\\.)*+)(?P<close>"?)')
"""A quoted string, closed or not: where many are looked for, one that is not closed must end the search."""
TAIL = re.compile(r"\s(?:\{(?=\")|(?=[\w.-]{1,100}=[^\s=]))")
"""Where fields may begin after a message."""
LOGFMT = re.compile(r"(?:^|\s)(?:level|lvl|severity|msg|message|ts|time|err|error)=")
FRAME = ("filename", "lineno", "name")
"""Keys of a frame as structlog's dictionaries of tracebacks have them."""
CAUSED = "The above exception was the direct cause of the following exception:"
DURING = "During handling of the above exception, another exception occurred:"
FOLDS = re.compile(r'\\n|"exc_type"|(?:stack|trace)"\s?:\s?\[')
"""What a JSON line has in it that holds several lines, or a list of frames."""
MOST_ROWS = 5000


class Named(NamedTuple):
    """What the names of a line's fields told."""

    time: str | None
    level: Level | None
    logger: str | None
    message: str
    error: str | None
    """What went wrong in one line, where a field of its own says it."""
    trace: tuple[str, ...]
    request: str | None
    """Method, path and status of an answered request."""
    fields: Mapping[str, Any]
    """All of them, those of nested objects by a dotted path."""


def read_json(text: str) -> Named | None:
    """The line as JSON; None where it is none, or no object."""
    if len(text) > LONGEST_DOCUMENT:
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _named(_flat(document), _trace_rows(document)) if isinstance(document, dict) and document else None


def read_logfmt(text: str) -> Named | None:
    """The line as `key=value key="value"`; None where it does not begin so or says neither level nor message."""
    if PAIR.match(text) is None or LOGFMT.search(text[:2000]) is None:
        return None
    fields, _ = _pairs(text, 0)
    return _named(fields, [row for value in fields.values() for row in _several(value)])


def read_tail(message: str) -> tuple[str, Named | None]:
    """A message and the fields that a console format writes after it, as pairs or as JSON, if it does."""
    message = message.removesuffix(" []")
    said = QUOTED.match(message)
    start = TAIL.search(message, said.end() if said else 0)
    if start is None:
        return message, None
    if message.endswith("}") and start.group().endswith("{"):
        named = read_json(message[start.end() - 1 :])
    else:
        fields, end = _pairs(message, start.start() + 1)
        named = _named(fields, [row for value in fields.values() for row in _several(value)])
        named = named if end >= len(message) else None
    if named is None:
        return message, None
    return unescaped(said[1]) if said else message[: start.start()].rstrip(), named


def _pairs(text: str, at: int) -> tuple[dict[str, Any], int]:
    """The pairs from `at` on, and where they end."""
    fields: dict[str, Any] = {}
    quotes_close = True
    while match := PAIR.match(text, at):
        at = match.end()
        quoted = QUOTED.match(text, at) if quotes_close else None
        if quoted is not None:
            value, at = unescaped(quoted[1]), quoted.end()
        else:
            quotes_close = quotes_close and not text.startswith('"', at)
            end = text.find(" ", at)
            value, at = text[at : end if end >= 0 else len(text)], end if end >= 0 else len(text)
        fields.setdefault(match[1].lower(), value)
        while text.startswith(" ", at):
            at += 1
    return fields, at


def unescaped(text: str) -> str:
    """The text of a quoted string, its escapes taken back."""
    if "\\" not in text:
        return text
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"')


def folded(text: str) -> tuple[str, ...]:
    """The rows of every string of a JSON line that holds several lines, and of traces written as lists; else none."""
    if FOLDS.search(text) is None:
        return ()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(document, dict):
        return ()
    rows = _trace_rows(document)
    if not rows:
        return ()
    named = _named(_flat(document), rows)
    said = [part for part in (named.message, named.error or "") if part and "\n" not in part]
    known = "\n".join(rows)
    return (*(part for part in dict.fromkeys(said) if part not in known), *rows)


def _named(fields: Mapping[str, Any], trace: Sequence[str]) -> Named:
    lower = {key.lower(): value for key, value in fields.items()}
    status = _text(lower, STATUS)
    request = [part for part in (_text(lower, METHOD), _text(lower, PATH)) if part]
    return Named(
        time=_text(lower, TIME),
        level=next((level for key in LEVEL if (level := level_named(lower.get(key))) is not None), None),
        logger=_text(lower, LOGGER),
        message=(_text(lower, MESSAGE) or "").partition("\n")[0],
        error=_error(lower),
        trace=tuple(trace),
        request=" ".join([*request, f"status={status}"]) if status else None,
        fields=fields,
    )


def _error(fields: Mapping[str, Any]) -> str | None:
    """What went wrong, in one row: of a trace the row that names the exception, which Python has at its end."""
    told = _text(fields, ERROR) or _text(fields, TRACE)
    if told is None:
        chains = [value for key in ERROR if isinstance(value := fields.get(key), list)]
        rows = [row for chain in chains for row in _trace_rows({"": chain})]
    else:
        rows = told.split("\n")
    if not rows:
        return None
    return rows[-1] if rows[0].startswith(("Traceback ", "  + Exception Group")) else rows[0]


def _text(fields: Mapping[str, Any], names: Sequence[str]) -> str | None:
    """The first of the fields that is there, with a text or a number in it."""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return None


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields, with those of the objects that loggers nest by `outer.inner`."""
    fields: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict) and key.lower() in NESTED:
            fields.update({f"{key}.{inner}": here for inner, here in value.items()})
            if isinstance(value.get("level"), dict):
                fields[f"{key}.level"] = value["level"].get("name")
        else:
            fields[key] = value
    return fields


def _several(text: str) -> list[str]:
    return text.split("\n") if "\n" in text else []


def _trace_rows(document: Mapping[str, Any]) -> list[str]:
    rows: list[str] = []
    stack: list[tuple[str, Any]] = [("", document)]
    while stack and len(rows) < MOST_ROWS:
        key, here = stack.pop()
        if isinstance(here, str):
            rows += _several(here)
        elif isinstance(here, dict):
            stack += ((key.lower(), value) for key, value in reversed(here.items()))
        elif isinstance(here, list) and here:
            if all(isinstance(one, dict) and "exc_type" in one for one in here):
                rows += _written_python(here)
            elif key in TRACE and all(isinstance(one, str) for one in here):
                rows += [row for one in here for row in one.split("\n")]
            else:
                stack += ((key, value) for value in reversed(here))
    return rows


def _written_python(chain: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Tracebacks that structlog wrote as dictionaries, the last one first, in the interpreter's words and order."""
    for at, link in enumerate(reversed(chain)):
        if at:
            cause = chain[len(chain) - at].get("is_cause")
            yield from ("", CAUSED if cause else DURING, "")
        yield "Traceback (most recent call last):"
        for frame in link.get("frames") or ():
            if isinstance(frame, dict) and frame.keys() >= set(FRAME):
                yield f'  File "{frame["filename"]}", line {frame["lineno"]}, in {frame["name"]}'
                if isinstance(frame.get("line"), str) and frame["line"]:
                    yield f"    {frame['line']}"
        yield f"{link['exc_type']}: {link.get('exc_value', '')}"
