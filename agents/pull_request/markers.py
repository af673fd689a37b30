"""The hidden line that we find our texts by, and tell by whether somebody reworded them."""

import hashlib
import re
from urllib.parse import quote, unquote

MARKER = re.compile(
    r"^<!-- selfheal incident=(?P<incident>[0-9a-f]{32})(?: fix=(?P<fix>[0-9a-f]{32}))?(?: who=(?P<who>[\w.~%]+))?"
    r"(?: cause=(?P<cause>[0-9a-f]{32}))?(?: attempt=(?P<attempt>[0-9]{1,6}))?"
    r" text=(?P<text>[0-9a-f]{16}) -->\s*$",
    re.MULTILINE,
)
FORGED = re.compile(r"<!--(?=\s*selfheal\b)", re.IGNORECASE)


def with_marker(
    incident: str,
    title: str,
    text: str,
    fix: str | None = None,
    *,
    who: str | None = None,
    cause: str | None = None,
    attempt: int | None = None,
) -> str:
    """The text and the hidden line that we find it by, and tell by whether somebody reworded it.

    `who` says on one line of Markdown which canary it is for. Our line is the only one of its kind: what looks like it
    in the text, which quotes logs, is broken up.
    """
    own = FORGED.sub("<!- -", text.rstrip())
    quoted = quote(who, safe="").replace("-", "%2D") if who else None  # two hyphens would end the comment
    named = (("incident", incident), ("fix", fix), ("who", quoted), ("cause", cause), ("attempt", attempt))
    about = " ".join(f"{key}={value}" for key, value in named if value is not None)
    return f"{own}\n\n<!-- selfheal {about} text={_digest(title, own)} -->\n"


def incident_of(body: str) -> str | None:
    """The incident that a text of ours is about; None for one that is not ours."""
    marker = _marker(body)
    return marker["incident"] if marker else None


def fix_of(body: str) -> str | None:
    """The key of the fix that a pull request of ours makes."""
    marker = _marker(body)
    return marker["fix"] if marker else None


def who_of(body: str) -> str | None:
    """The canary that a pull request of ours was opened for, on one line of Markdown."""
    marker = _marker(body)
    return unquote(marker["who"]) if marker and marker["who"] else None


def cause_of(body: str) -> str | None:
    """The key of the cause that an issue of ours is about."""
    marker = _marker(body)
    return marker["cause"] if marker else None


def attempt_of(body: str) -> int | None:
    """The attempt of the incident that an issue of ours was written by."""
    marker = _marker(body)
    return int(marker["attempt"]) if marker and marker["attempt"] else None


def is_reworded(title: str, body: str) -> bool:
    """Whether a person changed title or text since we wrote it; line ends and outer space do not count."""
    marker = _marker(body)
    if marker is None or body[marker.end() :].strip():
        return True
    return marker["text"] != _digest(title, body[: marker.start()])


def _marker(body: str) -> re.Match[str] | None:
    """The last one: what stands before it may be a quotation."""
    return max(MARKER.finditer(body), key=lambda match: match.start(), default=None)


def _digest(title: str, text: str) -> str:
    lines = [title.strip(), *text.strip().splitlines()]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "backslashreplace")).hexdigest()[:16]
