"""Go: panics, fatal errors of the run time, dumps of goroutines, data races, and stacks that errors and loggers print.

`exception` is what two failures are compared by, and Go seldom prints a type. It is `runtime error` for what the run
time itself panics with, `fatal error` for what cannot be recovered from, the signal's name for one that ends the
program, `DATA RACE`, the value's type where it is printed (`panic: main.Broken{...}`), `panic` for every other
value, and `error` for a stack that an error or a logger carries without panic.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from agents.frames.gostacks import opens_frame, panics_in, read_stack
from agents.frames.nouns import Frame, Reader, Trace

GOROUTINE = re.compile(
    r"(?P<before>^|.*?\s)goroutine \d+ (?:gp=\S+ m=\S+ (?:mp=\S+ )?)?\[(?P<state>[^\]\n]{1,200})\]:\s*$"
)
SYSTEM_STACK = re.compile(r"^runtime stack:\s*$")
PANIC = re.compile(
    r"^.*?\b(?:http2?: panic serving \S+?: |(?P<fatal>fatal error: )|panic: |panic recovered: ?)(?P<value>.*)$"
)
SIGNAL = re.compile(r"^(?P<name>SIG[A-Z]{2,8}): (?P<value>.*)$")
RECOVERED = re.compile(r"\s*\[recovered(?:, repanicked)?\]\s*$")
OF_RUNTIME = re.compile(
    r"(?:runtime error: (?P<said>.*)|(?P<plain>assignment to entry in nil map|interface conversion: .*"
    r"|(?:close|send) (?:of|on) (?:closed|nil) channel))$"
)
"""The second are errors of the run time too, which it words without saying so."""
TYPED = re.compile(
    r"^(?:&?(?:[\w./-]+\.)?(?P<literal>[A-Za-z_]\w*)\{.*\}"
    r"|\(\*?(?:[\w./-]+\.)?(?P<other>[A-Za-z_]\w*)(?:\[[^\]]*\])?\) .*"
    r"|[\w./-]+\.(?P<basic>[A-Za-z_]\w*)\((?P<inner>.*)\))$"
)
RACE = re.compile(r"^\s*WARNING: DATA RACE\s*$")
ACCESS = re.compile(r"^\s*(?:Previous )?(?:atomic )?(?:[Rr]ead|[Ww]rite) (?:at|of size \d+ at) .*:\s*$")
WAITS = "sync.WaitGroup.Wait"
WAITING = ("sync", "Wait")
RULER = re.compile(r"^=+\s*$")
MOST_BEFORE = 50
"""Rows between a panic's first line and its stack: the rest of its value, signals, the panics that followed it."""
LONGEST = 10_000
"""Characters of a row that are looked at for what was panicked with."""
MOST_REQUEST = 60
"""Rows of the request that gin prints between its heading and the stack."""
MOST_CAUSES = 100
"""Errors kept of one chain."""
MOST_GOROUTINES = 1000
"""Of a dump, that are looked at for the one that explains it."""


class Heading(NamedTuple):
    """What stands above a stack: where it begins, and the panics it names, the first one first."""

    first: int
    panics: tuple[tuple[str, str], ...]
    """(exception, message)."""
    is_panic: bool


class Goroutine(NamedTuple):
    """One goroutine of a dump."""

    state: str
    frames: list[Frame]


def find(lines: Sequence[str]) -> tuple[Trace, ...]:
    """The failures of these rows. Each needs a frame; a dump is one trace."""
    found: list[Trace] = []
    at = floor = 0
    while at < len(lines):
        after, trace = _read(lines, at, floor)
        if trace is not None:
            found.append(trace)
            if len(found) > 1 and _is_wrapped(found[-2], trace):
                found[-2:] = [_wrapping(found[-2], trace)]
        if after > at:
            floor = after
        at = max(after, at + 1)
    return tuple(found)


def _read(lines: Sequence[str], at: int, floor: int) -> tuple[int, Trace | None]:
    """What begins at this row: the index after it, which is the row's own where nothing does."""
    line = lines[at]
    if "goroutine " in line or line.startswith("runtime stack"):
        header = GOROUTINE.match(line) if "]:" in line else None
        if header is not None or SYSTEM_STACK.match(line):
            return _read_dump(lines, at, floor, header["before"] if header else "")
    if "DATA RACE" in line and RACE.match(line):
        return _read_race(lines, at)
    if not opens_frame(lines, at):
        return at, None
    stack = read_stack(lines, at)
    heading = _heading(lines, at, floor, "")
    return stack.after, _trace(heading, stack.after, stack.frames)


def _read_dump(lines: Sequence[str], at: int, floor: int, before: str) -> tuple[int, Trace | None]:
    """The goroutines from here on, as one trace of the one that explains the failure."""
    heading = _heading(lines, at, floor, before)
    goroutines: list[Goroutine] = []
    last = at + 1
    while at < len(lines):
        header = GOROUTINE.match(lines[at])
        if header is None and not SYSTEM_STACK.match(lines[at]):
            break
        if header is not None and goroutines and header["before"].strip():
            break
        stack = read_stack(lines, at + 1)
        if stack.frames and len(goroutines) < MOST_GOROUTINES:
            goroutines.append(Goroutine(header["state"] if header else "system", stack.frames))
        last = max(last, stack.after)
        at = stack.after
        while at < len(lines) and at < stack.after + 2 and not lines[at].strip():
            at += 1
        if not _continues(lines, at, stack.after):
            break
    chosen = _explaining(goroutines, heading)
    return last, _trace(heading, last, chosen) if chosen else None


def _continues(lines: Sequence[str], at: int, after: int) -> bool:
    """Whether another goroutine of the same dump follows: an empty row stands between them."""
    return after < at < len(lines) and GOROUTINE.match(lines[at]) is not None


def _explaining(goroutines: Sequence[Goroutine], heading: Heading) -> list[Frame]:
    """The frames of the goroutine that panicked; of a dump without a panic, of one that is in the application's code.

    The one that runs comes before those that wait, and one that waits for others to end comes last.
    """
    if not goroutines:
        return []
    if heading.is_panic and goroutines[0].state.startswith("running"):
        return goroutines[0].frames

    def rank(one: Goroutine) -> int:
        if not any(frame.kind == "application" for frame in one.frames):
            return 3
        if one.state.startswith("running"):
            return 0
        return 2 if _waits_for_others(one) else 1

    return min(goroutines, key=rank).frames


def _waits_for_others(one: Goroutine) -> bool:
    inner = [frame for frame in one.frames[:6] if frame.kind == "runtime"]
    return one.state.startswith(WAITS) or any(
        frame.module == WAITING[0] and frame.function == WAITING[1] for frame in inner
    )


def _heading(lines: Sequence[str], at: int, floor: int, before: str) -> Heading:
    """What the rows above a stack, or the text before it in its own row, say of the failure."""
    if before.strip():
        return _plain(at, before)
    above = at - 1
    while above >= floor and not lines[above].strip():
        above -= 1
    lowest = max(floor, above - MOST_BEFORE)
    rest: list[str] = []
    values: list[tuple[str, str]] = []
    for here in range(above, lowest - 1, -1):
        line = lines[here][:LONGEST]
        match = PANIC.match(line) if "panic" in line or "fatal error" in line else SIGNAL.match(line)
        if match is None:
            rest.append(line)
            continue
        if line[:1] == "\t" and here > lowest:
            values.append(_named(match, rest))
            rest = []
            continue
        if match.re is PANIC and match["value"].strip() == "":
            return _of_gin(lines, here, at)
        if above + 1 == at and here < above and not line.startswith(("panic: ", "fatal error: ")):
            break  # an older line of the log: a stack that the program prints itself has its heading right above it
        values.append(_named(match, rest))
        return Heading(here, tuple(reversed(values)), is_panic=match.re is PANIC and not match["fatal"])
    if above < floor:
        return Heading(at, (), is_panic=False)
    return _plain(above, lines[above]) if above + 1 == at else Heading(at, (), is_panic=False)


def _plain(first: int, text: str) -> Heading:
    """A log line above a stack that the program printed by itself."""
    match = PANIC.match(text) or OF_RUNTIME.search(text.rstrip())
    if match is not None:
        is_panic = match.re is PANIC
        named = _named(match, []) if is_panic else _value(match.group(0))
        return Heading(first, (named,), is_panic=True)
    return Heading(first, (("error", text.strip()),), is_panic=False)


def _of_gin(lines: Sequence[str], first: int, at: int) -> Heading:
    """Gin's heading, the request, and the value in the last row before the stack."""
    if at - first > MOST_REQUEST:
        return Heading(at, (), is_panic=True)
    return Heading(first, (_value(lines[at - 1].strip()),), is_panic=True)


def _named(match: re.Match[str], rest: Sequence[str]) -> tuple[str, str]:
    """Exception and message of a heading; `rest` are the rows after it, the last one first."""
    if match.re is SIGNAL:
        return match["name"], match["value"].strip()
    more = []
    for line in reversed(rest):
        if not line.strip() or line.startswith(("[signal ", "runtime: ", "PC=", "[originating ")):
            break
        more.append(line.strip())
    value = "\n".join((match["value"], *more)).strip()
    return ("fatal error", value) if match["fatal"] else _value(value)


def _value(text: str) -> tuple[str, str]:
    """What a panic was called with: the type if Go prints it, and the text."""
    text = RECOVERED.sub("", text)
    of_runtime = OF_RUNTIME.match(text)
    if of_runtime is not None:
        return "runtime error", of_runtime["said"] or of_runtime["plain"] or ""
    typed = TYPED.match(text)
    if typed is not None:
        return typed["literal"] or typed["other"] or typed["basic"], (typed["inner"] or text).strip('"')
    return "panic", text


def _trace(heading: Heading, after: int, frames: list[Frame]) -> Trace:
    """The last panic with the frames below it; those before it, whose defers it came from, are its causes.

    Frames above the first `panic(` are of the function that recovered or reported it, unless that one panicked again.
    """
    starts = panics_in(frames)
    named = heading.panics or ((("panic" if starts else "error"), ""),)
    offsets = [0, *starts][-len(named) :] if len(named) > 1 else [starts[-1] if starts else 0]
    offsets = [offsets[0]] * (len(named) - len(offsets)) + offsets
    if heading.is_panic is False and not starts:
        offsets = [0] * len(named)

    def one(at: int, causes: tuple[Trace, ...]) -> Trace:
        exception, message = named[at]
        below = tuple(frames[offsets[len(named) - 1 - at] :]) or tuple(frames)
        if starts and exception == "error":
            exception = "panic"
        return Trace(
            item="",
            language="go",
            first_line=heading.first + 1,
            last_line=after,
            exception=exception,
            message=message,
            frames=below,
            causes=causes,
        )

    return one(len(named) - 1, tuple(one(at, ()) for at in range(len(named) - 1)))


def _is_wrapped(cause: Trace, trace: Trace) -> bool:
    """Whether the second stack was taken further out on the way of the first: `errors.Wrap` prints the inner first."""
    if trace.exception != "error" or cause.exception != "error" or trace.first_line - cause.last_line > 1:
        return False
    inner, outer = _calls(cause), _calls(trace)
    ends = cause.frames[-1].function == "goexit"  # the loggers leave that one out
    return ends and 0 < len(outer) < len(inner) and outer == inner[-len(outer) :]


def _calls(trace: Trace) -> list[tuple[str, str | None]]:
    return [(frame.path, frame.function) for frame in trace.frames if frame.function != "goexit"]


def _wrapping(cause: Trace, trace: Trace) -> Trace:
    causes = cause.causes
    if len(causes) < MOST_CAUSES:
        causes = (*causes, cause.model_copy(update={"causes": ()}))
    return trace.model_copy(update={"first_line": cause.first_line, "causes": causes})


def _read_race(lines: Sequence[str], first: int) -> tuple[int, Trace | None]:
    """A report of the race detector: the access it noticed, and the earlier one as its cause."""
    accesses: list[Trace] = []
    at = last = first + 1
    while at < len(lines) and not RULER.match(lines[at]) and at < last + 3:
        if not opens_frame(lines, at):
            at += 1
            continue
        stack = read_stack(lines, at)
        title = lines[at - 1]
        if ACCESS.match(title):
            heading = Heading(first, (("DATA RACE", title.strip().removesuffix(":")),), is_panic=False)
            accesses.append(_trace(heading, stack.after, stack.frames))
        at = last = stack.after
    if not accesses:
        return first, None
    whole = accesses[0].model_copy(update={"last_line": last, "causes": tuple(accesses[1:2])})
    return last, whole


READER = Reader("go", (".go:",), find)
