"""PHP traces: uncaught exceptions, what `(string) $exception` and `error_log` print, Monolog's, and Symfony's console.

PHP names a frame by what was *called* there, so each place takes its function from the line below it. It prints the
first exception first (`Next` ones came from it); Monolog the last one first (`[previous exception]`).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from agents.frames.nouns import Frame, Reader, Trace
from agents.frames.php_calls import frame_at, frames_of

TYPE = r"(?P<type>\\?[A-Za-z_]\w{0,100}+(?:\\{1,2}\w{1,100}+){0,20}(?:@anonymous)?)"
MARKED = re.compile(r"(?P<lead>Uncaught|Next) (?:exception ')?" + TYPE + r"'?(?:: | in |$)")
"""The first line of an exception that nothing caught. `Next` is one that came from the exception before it."""
NAMED = re.compile(r"(?<![\w\\])(?P<lead>)" + TYPE + r"(?:(?<=Exception)|(?<=Error)|(?<=@anonymous))(?:: | in |$)")
QUALIFIED = re.compile(r"(?:^|[\s\"])(?P<lead>)(?P<type>\\?\w{1,100}+(?:\\{1,2}\w{1,100}+){1,20})(?:: | in )")
"""The same where an exception was made into text: by its usual ending, or by its namespace."""
ENDS_AT = re.compile(r"^(?P<path>[^:\n]{1,500}):(?P<line>\d{1,9})$")
"""What follows the last ` in ` of an exception's first lines."""
STACK = re.compile(r"^\s*Stack trace:\s*$")
CALL = re.compile(
    r"^\s*#\d{1,5}\s+(?:(?P<main>\{main\})|(?:(?P<inner>\[internal function\])|"
    r"(?P<path>[^\n]{1,500}?)\((?P<line>\d{1,9})\)(?: : [\w()' -]{1,60})?): (?P<call>.+))"
)
FATAL = re.compile(r"(?:^|PHP )(?P<severity>Fatal|Parse|Compile|Core|Recoverable fatal) error: {1,2}(?P<message>.*)$")
UNCAUGHT = re.compile(r"^Uncaught " + TYPE + r"(?:: |$)")
ON_LINE = re.compile(r"^(?P<path>[^\n\"]{1,500}?) on line (?P<line>\d{1,9})(?:\"|$)")
MONOLOG = re.compile(
    r"(?P<previous>\[previous exception\] )?\[object\] \(" + TYPE + r"\(code: [^)]{0,40}\): (?P<message>.*?)"
    r"(?: at (?P<path>[^\s:\"]{1,500}):(?P<line>\d{1,9})\)|$)"
)
MONOLOG_END = re.compile(r"^(?P<message>.*) at (?P<path>[^\s:\"]{1,500}):(?P<line>\d{1,9})\)")
STACKTRACE = re.compile(r"^\s*\[stacktrace\]\s*$")
CONSOLE = re.compile(r"^\s*In (?P<path>[^\s:]{1,200}) line (?P<line>\d{1,9}):\s*$")
CONSOLE_TYPE = re.compile(r"^\s*\[" + TYPE + r"(?: \([^)]{0,40}\))?\]\s*$")
CONSOLE_FRAME = re.compile(
    r"^\s{1,4}(?P<call>[^\s()]{1,300}\(\))?\s{0,2}at (?P<path>[^\s:]{1,500}):(?P<line>\d{1,9})\s*$"
)
SAID = re.compile(r"^.{0,100}?child \d+ said into std(?:err|out): \"(?P<text>.*?)\"?(?:, pipe is closed)?$")
"""How PHP-FPM passes on a worker's line."""
JSON_EXCEPTION = ('"exception":{"class":', '"exception": {"class":')
"""How Monolog's JSON formatter writes an exception: its class, message, `file:line` and the places of its trace."""
JSON_PLACE = re.compile(r"^(?P<path>.{1,500}):(?P<line>\d{1,9})$")
FOLDED = "\\nStack trace:\\n"
"""How Apache's error log writes an uncaught exception: on one line."""
LONGEST_LINE = 20_000
LONGEST_TRACE = 2000
LONGEST_MESSAGE = 50


class Line(NamedTuple):
    """A line of a trace, and the row (from 0) that holds it."""

    row: int
    text: str


class Thrown(NamedTuple):
    """One exception as read, with the indices of its first line and of the one after its last."""

    trace: Trace
    begin: int
    after: int
    form: Literal["stack", "monolog", "json", "console", "fatal"]
    chained: bool
    """Whether it says that it belongs to the exception printed before it, if that has the same form."""


def find(rows: Sequence[str]) -> tuple[Trace, ...]:
    """The traces of these rows; chained exceptions are one trace, whichever end of the chain was printed first."""
    lines = _unfolded(rows)
    found: list[Trace] = []
    chain: list[Thrown] = []
    at = free = 0
    while at < len(lines):
        thrown = _read(lines, at, free)
        if thrown is None:
            free = at + 1 if STACK.match(lines[at].text) else free  # no line is looked at by two stacks
            at += 1
            continue
        if chain and not (
            thrown.chained and thrown.form == chain[-1].form and _only_blank(lines, chain[-1].after, thrown.begin)
        ):
            found.append(_joined(chain))
            chain = []
        chain.append(thrown)
        at = free = thrown.after
    return (*found, _joined(chain)) if chain else tuple(found)


def _unfolded(rows: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    for number, row in enumerate(rows):
        said = SAID.match(row[:LONGEST_LINE]) if "said into std" in row[:200] else None
        text = said["text"] if said else row
        parts = text.split("\\n") if FOLDED in text else [text]
        lines += [Line(number, part if part.startswith("{") else part[:LONGEST_LINE]) for part in parts]
    return lines


def _read(lines: Sequence[Line], at: int, free: int) -> Thrown | None:
    """The exception whose decisive line is this one; its message may have begun before it, after `free`."""
    text = lines[at].text
    if STACK.match(text):
        return _read_thrown(lines, at, free)
    if "[object] (" in text and (match := MONOLOG.search(text)):
        return _read_monolog(lines, at, match)
    if any(opening in text for opening in JSON_EXCEPTION):
        return _read_json(lines, at)
    if " error: " in text and (fatal := FATAL.search(text)):
        return _read_fatal(lines, at, fatal)
    console = CONSOLE.match(text)
    return _read_console(lines, at, console) if console else None


def _read_thrown(lines: Sequence[Line], at: int, free: int) -> Thrown | None:
    """What stands above `Stack trace:`: a message of one line or several, that ends in the place of the throw."""
    for begin in range(at - 1, max(free, at - LONGEST_MESSAGE) - 1, -1):
        text = lines[begin].text
        match = MARKED.search(text) or NAMED.search(text) or QUALIFIED.search(text)
        if match is None:
            continue
        said = "\n".join([lines[begin].text[match.start("type") :], *(line.text for line in lines[begin + 1 : at])])
        head, separator, place = said.rpartition(" in ")
        ending = ENDS_AT.match(place.rstrip())
        if not separator or ending is None:
            return None
        calls, after = _calls(lines, at + 1)
        if not calls and after == at + 1:
            return None
        if after < len(lines) and "thrown in " in lines[after].text[:20]:
            after += 1
        message = head[len(match["type"]) :].removeprefix(":").strip().removesuffix("'")
        first = _trace(lines, begin, after, match["type"], message)
        frames = frames_of(ending["path"], int(ending["line"]), calls)
        chained = match["lead"] == "Next"
        return Thrown(first.model_copy(update={"frames": frames}), begin, after, "stack", chained=chained)
    return None


def _read_monolog(lines: Sequence[Line], at: int, match: re.Match[str]) -> Thrown | None:
    message, place, end = match["message"], match, at
    if match["path"] is None:
        for end in range(at + 1, min(at + LONGEST_MESSAGE, len(lines))):
            closing = MONOLOG_END.match(lines[end].text)
            if closing is not None:
                message, place = f"{message}\n{closing['message']}", closing
                break
            if MONOLOG.search(lines[end].text):
                return None
            message = f"{message}\n{lines[end].text}"
        else:
            return None
    calls: list[re.Match[str]] = []
    after = end + 1
    if after < len(lines) and STACKTRACE.match(lines[after].text):
        calls, after = _calls(lines, after + 1)
        if after < len(lines) and lines[after].text.startswith('"}'):
            after += 1
    frames = frames_of(place["path"], int(place["line"]), calls)
    trace = _trace(lines, at, after, match["type"], message).model_copy(update={"frames": frames})
    return Thrown(trace, at, after, "monolog", chained=match["previous"] is not None)


def _read_fatal(lines: Sequence[Line], at: int, match: re.Match[str]) -> Thrown | None:
    """An error that is no exception (no memory, no syntax): it has one place, and since PHP 8.5 a stack."""
    message, separator, place = match["message"].rpartition(" in ")
    ending = ON_LINE.match(place)
    if not separator or ending is None:
        return None
    calls: list[re.Match[str]] = []
    after = at + 1
    if after < len(lines) and STACK.match(lines[after].text):
        calls, after = _calls(lines, after + 1)
    uncaught = UNCAUGHT.match(message)
    kind = "ParseError" if match["severity"] == "Parse" else uncaught["type"] if uncaught else "FatalError"
    trace = _trace(lines, at, after, kind, message[uncaught.end() :] if uncaught else message)
    frames = frames_of(ending["path"], int(ending["line"]), calls)
    return Thrown(trace.model_copy(update={"frames": frames}), at, after, "fatal", chained=False)


def _read_json(lines: Sequence[Line], at: int) -> Thrown | None:
    """Monolog's JSON: the exception with its previous ones inside, innermost place first, without functions."""
    try:
        record = json.loads(lines[at].text)
    except (ValueError, RecursionError):
        return None
    context = record.get("context") if isinstance(record, dict) else None
    told = next((one["exception"] for one in (context, record) if isinstance(one, dict) and "exception" in one), None)
    chain: list[Trace] = []
    while isinstance(told, dict) and len(chain) < LONGEST_MESSAGE:
        frames = tuple(_json_frames(told))
        trace = _trace(lines, at, at + 1, str(told.get("class")), str(told.get("message", "")))
        chain += [trace.model_copy(update={"frames": frames})] if frames else []
        told = told.get("previous")
    if not chain:
        return None
    whole = chain[0].model_copy(update={"causes": tuple(reversed(chain[1:]))})
    return Thrown(whole, at, at + 1, "json", chained=False)


def _json_frames(told: Mapping[str, Any]) -> list[Frame]:
    trace = told.get("trace")
    places = [told.get("file"), *(trace if isinstance(trace, list) else [])]
    matches = [JSON_PLACE.match(place) for place in places[:LONGEST_TRACE] if isinstance(place, str)]
    return [frame_at(match["path"], int(match["line"]), None) for match in matches if match]


def _read_console(lines: Sequence[Line], at: int, match: re.Match[str]) -> Thrown:
    """Symfony's console: a place, the message in a block, and with `-v` the type and the calls, innermost first."""
    kind, said = None, []
    frames = [frame_at(match["path"], int(match["line"]), None)]
    after = at + 1
    for end in range(at + 1, min(at + LONGEST_MESSAGE, len(lines))):
        text = lines[end].text
        if text.strip() and not text.startswith("  "):
            break
        named = CONSOLE_TYPE.match(text)
        kind = named["type"] if named and kind is None else kind
        said += [] if named or not text.strip() else [text.strip()]
        after = end + 1
    if after < len(lines) and lines[after].text.strip() == "Exception trace:":
        calls: list[re.Match[str]] = []
        after += 1
        while after < len(lines) and len(calls) < LONGEST_TRACE and (call := CONSOLE_FRAME.match(lines[after].text)):
            calls.append(call)
            after += 1
        named_by = [call["call"] for call in calls[1:]] + [None]
        full = [frame_at(call["path"], int(call["line"]), name) for call, name in zip(calls, named_by, strict=False)]
        frames = full or frames
    trace = _trace(lines, at, after, kind, " ".join(said)).model_copy(update={"frames": tuple(frames)})
    return Thrown(trace, at, after, "console", chained=True)


def _calls(lines: Sequence[Line], at: int) -> tuple[list[re.Match[str]], int]:
    """The numbered lines of a stack, and the index after them and after `{main}`."""
    calls: list[re.Match[str]] = []
    while at < len(lines) and len(calls) < LONGEST_TRACE:
        call = CALL.match(lines[at].text)
        if call is None:
            break
        at += 1
        if call["main"]:
            break
        calls.append(call)
    return calls, at


def _trace(lines: Sequence[Line], begin: int, after: int, kind: str | None, message: str) -> Trace:
    name = kind.replace("\\\\", "\\").rpartition("\\")[2] if kind else None
    first, last = lines[begin].row + 1, lines[after - 1].row + 1
    return Trace(
        item="", language="php", first_line=first, last_line=last, exception=name, message=message.strip(), frames=()
    )


def _only_blank(lines: Sequence[Line], begin: int, end: int) -> bool:
    """Whether nothing stands between two exceptions of a chain but blank lines."""
    return begin <= end <= begin + 3 and not any(line.text.strip() for line in lines[begin:end])


def _joined(chain: Sequence[Thrown]) -> Trace:
    """A chain as one trace: the exception that was let through, with those it came from, the first of them first."""
    traces = [thrown.trace for thrown in chain]
    first, last = traces[0].first_line, traces[-1].last_line
    if chain[-1].form != "stack":
        traces.reverse()
    causes = (*traces[:-1], *traces[-1].causes)
    return traces[-1].model_copy(update={"first_line": first, "last_line": last, "causes": causes})


READER = Reader(
    "php", ("Stack trace:", "[object] (", "PHP ", "Fatal error", "Parse error", ".php line ", *JSON_EXCEPTION), find
)
