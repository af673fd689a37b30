"""One physical line: what stands before the message (the kubelet's time, colours), and the level it names."""

import re

KUBELET_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ?")
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
LEVEL = re.compile(r"\b(DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b|\"level\"\s*:\s*\"(\w+)\"", re.IGNORECASE)


def strip_prefix(line: str) -> str:
    """The line as the program wrote it: without the kubelet's timestamp, colours and line end."""
    line = line.rstrip("\r\n")
    line = KUBELET_TIME.sub("", line, count=1)
    return ANSI.sub("", line) if "\x1b" in line else line


def level_of(line: str) -> str | None:
    """The level a line names, as `debug`, `info`, `warning`, `error` or `critical`."""
    match = LEVEL.search(line[:200])
    if match is None:
        return None
    word = (match.group(1) or match.group(2)).lower()
    return {"warn": "warning", "fatal": "critical"}.get(word, word)
