"""Foreign text in Markdown: shown as it is, able to mention nobody, link nowhere and end nothing.

What comes from logs, manifests, commits and file names is fenced, put in code spans, or written as prose whose
markup is defused. GitHub links mentions, references and addresses in the rendered page too, where a backslash
does not show any more; a zero-width space does.
"""

import re

QUOTE_LINES = 30
DIFF_LINES = 150
LINE_WIDTH = 240
ZERO_WIDTH = "\u200b"

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, marks of direction, invisible and half characters: what could make a page read otherwise than it is."""
MARKUP = re.compile(
    r"[&<>]|[\\`*_\[\]!|~$]|[@#]|\b(?:https?|ftp|mailto|xmpp|javascript|data):|\bwww\.|\bgh-(?=\d)|^(?:[-+=]|\d+[.)])",
    re.IGNORECASE,
)
PLAIN = re.compile(r"[@#\[]|\*\*\*|\b(?:https?|ftp|mailto):|\bwww\.|\bgh-(?=\d)", re.IGNORECASE)
"""`[skip ci]` and its like are words that forges obey, in any commit message."""


def visible(text: str) -> str:
    """The text with every character that cannot be seen written as an escape; colours are dropped."""
    return INVISIBLE.sub(lambda match: f"\\u{ord(match.group()):04x}", ANSI.sub("", text))


def fence(text: str, language: str = "", most: int = QUOTE_LINES) -> str:
    """A fenced block that its content cannot end; long lines and long texts are cut, and say so."""
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    if len(lines) > most:
        left_out = len(lines) - most
        lines = [
            *lines[: most // 2],
            f"[... {left_out} line{'s' if left_out > 1 else ''} ...]",
            *lines[-(most - most // 2) :],
        ]
    seen = [visible(line) for line in lines]
    body = "\n".join(line if len(line) <= LINE_WIDTH else f"{line[:LINE_WIDTH]} [... cut]" for line in seen)
    longest = max((len(run) for run in re.findall(r"`+", body)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{body}\n{ticks}"


def code(text: str) -> str:
    """A code span that its content cannot end."""
    flat = _one_line(text, LINE_WIDTH)
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}" if flat else "(empty)"


def prose(text: str) -> str:
    """One line in which markup, mentions, references and addresses are only characters."""
    return MARKUP.sub(_defuse, _one_line(text, 2 * LINE_WIDTH))


def line(text: str, most: int) -> str:
    """One line for where no Markdown is rendered, but mentions and references are: titles and commit messages."""
    return PLAIN.sub(lambda match: match.group() + ZERO_WIDTH, _one_line(text, most))


def _defuse(match: re.Match[str]) -> str:
    found = match.group()
    if found in {"&", "<", ">"}:
        return {"&": "&amp;", "<": "&lt;", ">": "&gt;"}[found]
    if found in {"@", "#"} or (found[-1] in ":-" and len(found) > 1):
        return f"{found}&#8203;"
    if found[-1] == "." and found[0] in "wW":
        return f"{found[:-1]}&#8203;."
    return f"{found[:-1]}\\{found[-1]}"


def _one_line(text: str, most: int) -> str:
    flat = visible(" ".join(text.split()))
    return flat if len(flat) <= most else f"{flat[:most]} [...]"
