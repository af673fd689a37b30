"""One physical line: what the kubelet, Docker, kubectl, Compose or syslog put before the message."""

import json
import re
from typing import NamedTuple

KUBELET_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)(?: |$)")
PADDED = re.compile(r" {1,3}(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\b")
"""A level after a time that is the program's own: no indented line of a trace."""
CRI = re.compile(r"(?P<channel>stdout|stderr) (?P<tag>[FP])(?::\w+)*(?: |$)")
"""After the time, in the files of the container runtime: `F` ends a line, `P` is a part of one that was too long."""
ANSI = re.compile(r"\x1b(?:\[[0-9;:?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[()][0-9A-B])")
SAFE = "[bcdfghjklmnpqrstvwxz2456789]"
"""The letters of which Kubernetes makes the random end of a pod's name."""
STREAM = re.compile(
    r"\[(?P<kubectl>pod/[^\s/\]]{1,253}/[^\s/\]]{1,63})\] ?"
    r"|(?P<compose>[A-Za-z][\w.-]{0,253}[-_]\d{1,4}) {1,64}\| ?"
    rf"|(?P<stern>[a-z][a-z0-9-]{{0,246}}-{SAFE}{{5}} (?:\u203a )?[a-z0-9][a-z0-9-]{{0,62}}) (?=\S)"
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]{1,253} (?P<syslog>[\w./-]{1,64}\[\d{1,10}\]): ?"
)
DOCKER = '{"log":"'
GAP_HEAD = "~~~~ "
GAP = re.compile(r"^~~~~ (?:(?P<count>\d{1,15}) lines?|more lines) left out ~~~~$", re.MULTILINE)
LAYERS = 4
"""Prefixes that are taken off one line: `[pod/x/app] <kubelet's time> ...`, and Docker's JSON around it."""


class Line(NamedTuple):
    """A line as the program wrote it, and what its prefixes told."""

    text: str
    time: str | None = None
    stream: str = ""
    """Which of several programs wrote it, where their lines were put together."""
    channel: str = ""
    """`stdout` or `stderr`, where the prefix tells."""
    is_partial: bool = False
    """Whether the next line of the stream continues it."""


class Row(NamedTuple):
    """A line as the program wrote it, and the number (from 1) of the log's line that holds it."""

    line: int
    text: str


def strip_prefix(line: str) -> str:
    """The line as the program wrote it: without the prefixes, colours and its end."""
    return unwrap(line).text


def unwrap(line: str) -> Line:
    """Take off what stands before the message. Of several times the first one is told."""
    text = clean(line)
    time, stream, channel, is_partial = None, "", "", False
    for _ in range(LAYERS):
        first = text[:1]
        if first.isdigit() and (match := KUBELET_TIME.match(text)):
            if time is not None:
                break  # the program's own
            time, text = match.group().rstrip(), text[match.end() :]
            if PADDED.match(text):
                text = text.lstrip(" ")
            if tag := CRI.match(text):
                channel, is_partial, text = tag["channel"], tag["tag"] == "P", text[tag.end() :]
        elif text.startswith(DOCKER) and (docker := _docker(text)) is not None:
            text, time = clean(docker["log"]), time or docker.get("time")
            channel, is_partial = docker["stream"], not docker["log"].endswith("\n")
        elif (first == "[" or first.isalpha()) and not stream and (match := STREAM.match(text)):
            stream, text = next(name for name in match.groups() if name), text[match.end() :]
        else:
            break
    return Line(text, time, stream, channel, is_partial)


def gap_line(count: int | None = None) -> str:
    """What stands where lines were left out, for people to read and for nobody to take for a message."""
    told = "more lines" if count is None else f"{count} line{'s' if count > 1 else ''}"
    return f"{GAP_HEAD}{told} left out ~~~~"


def is_gap(line: str) -> bool:
    """Whether a line says only that others were left out."""
    return line.startswith(GAP_HEAD) and GAP.match(line.rstrip("\r\n")) is not None


def clean(line: str) -> str:
    """Without its end, colours, and characters that are nothing to read."""
    line = line.rstrip("\r\n")
    if "\x1b" in line:
        line = ANSI.sub("", line)
    if "\0" in line:
        line = line.replace("\0", "")
    return line.removeprefix("\ufeff")


def _docker(text: str) -> dict[str, str] | None:
    """A line of Docker's json-file: log, stream and time."""
    try:
        entry = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict) or not {"log", "stream"} <= entry.keys() or not isinstance(entry["log"], str):
        return None
    return {key: str(entry[key]) for key in ("log", "stream", "time") if key in entry}
