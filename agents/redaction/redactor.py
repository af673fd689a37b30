"""The redactor itself: which lines are looked at, what is replaced, and by which placeholder."""

import base64
import binascii
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Any

from agents.redaction.names import HARMLESS, KEYS, PLURAL, named_values, names_secret
from agents.redaction.shapes import AFTER_HEAD, BASIC, DOTTED, JWT, KEY_END, KEY_LINE, PRIVATE_KEY, SHAPES

PLACEHOLDER = re.compile(r"\[REDACTED:[a-z-]{2,30}:(\d{1,9})\]")
DEEPEST = 100
"""Levels of JSON that are kept; Kubernetes objects have fewer than 40."""
TOO_DEEP = "[cut: nested too deeply]"
MOST_KEY_LINES = 200
SHORT = 300

LITERALS = (
    *("pass", "pwd", "secret", "token", "credential", "cookie", "session", "authorization", "bearer", "basic", "://"),
    *(f"{word}{gap}key" for word in KEYS for gap in ("", "_", "-", ".")),
    *("eyj", *(literal for _, literals, _ in SHAPES for literal in literals)),
)
"""What a line must hold, in lower case, to be looked at: most lines hold none of these, and cost next to nothing."""


class Redactor:
    """Replaces secrets by placeholders; one instance a bundle. Applying it twice changes nothing more."""

    def __init__(self, numbers_after: int = 0) -> None:
        """Placeholders are numbered from `numbers_after` on, where texts of several redactors come together."""
        self._placeholders: dict[str, str] = {}
        self._last = numbers_after

    def redact_text(self, text: str) -> str:
        """The text without its secrets. Numbers of placeholders that are in it already are not used again."""
        if len(text) <= SHORT and _is_cold(text):
            return text
        self.reserve(text)
        if "PRIVATE KEY" in text:
            text = self._keys(text)
        kept: list[str] = []
        for is_hot, lines in groupby(_heated(text), key=itemgetter(0)):
            part = "\n".join(line for _, line in lines)
            kept.append(self._lines(part) if is_hot else part)
        return "\n".join(kept)

    def _keys(self, text: str) -> str:
        text = PRIVATE_KEY.sub(partial(self._whole, "private-key"), text)
        kept: list[str] = []
        done = 0
        for end in KEY_END.finditer(text):  # the first lines of such a key are not in the log any more
            start = end.start()
            for _ in range(MOST_KEY_LINES):
                line = text.rfind("\n", done, max(done, start - 1)) + 1 or done
                if start == done or not KEY_LINE.fullmatch(text, line, start):
                    break
                start = line
            kept += [text[done:start], self._placeholder("private-key", text[start : end.end()])]
            done = end.end()
        return "".join([*kept, text[done:]])

    def _lines(self, text: str) -> str:
        lower = text.lower()
        for kind, literals, shape in SHAPES:
            if any(literal in lower for literal in literals):
                text = shape.sub(partial(self._whole, kind), text)
        text = DOTTED.sub(self._jwt, text)
        for kind, literal, pattern in AFTER_HEAD:
            if literal in lower:
                text = pattern.sub(partial(self._after_head, kind), text)
        if "basic" in lower:
            text = BASIC.sub(self._basic, text)
        kept: list[str] = []
        done = 0
        for found in named_values(text):
            kept += [text[done : found.start], self._secret("secret", found.value)]
            done = found.end
        return "".join([*kept, text[done:]])

    def redact_json(self, value: Any, depth: int = 0) -> Any:
        """The same for parsed JSON: strings by shape, values by the name of their key, env entries by `name`."""
        if depth > DEEPEST:
            return TOO_DEEP
        if isinstance(value, str):
            return self._string(value, depth)
        if isinstance(value, list):
            return [self.redact_json(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        named = value.get("name", value.get("key"))
        is_entry = isinstance(named, str) and names_secret(named)
        is_secret = value.get("kind") == "Secret"
        redacted = {}
        for key, item in value.items():
            if (is_entry and key == "value") or names_secret(key):
                redacted[self.redact_text(key)] = self._json_value(key, item, depth)
            elif is_secret and key in {"data", "stringData"} and isinstance(item, dict):
                redacted[key] = {name: self._secret("secret", str(one)) for name, one in item.items()}
            else:
                redacted[self.redact_text(key)] = self.redact_json(item, depth + 1)
        return redacted

    def restore(self, text: str) -> str:
        """The text with this redactor's placeholders turned back into what they stand for; for trusted code only."""
        values = {placeholder: value for value, placeholder in self._placeholders.items()}
        return PLACEHOLDER.sub(lambda match: values.get(match.group(), match.group()), text)

    def redact_known(self, text: str) -> str:
        """The text without the secrets that were found before, wherever they stand in it, and under whatever name.

        But for those that are words like any other.
        """
        known = sorted((value for value in self._placeholders if _is_unlike_a_word(value)), key=len, reverse=True)
        if not any(value in text for value in known):
            return text
        wanted = re.compile("|".join([PLACEHOLDER.pattern, *(re.escape(value) for value in known)]))
        return wanted.sub(lambda match: self._placeholders.get(match.group(), match.group()), text)

    def _json_value(self, name: str, item: Any, depth: int) -> Any:
        if isinstance(item, str):
            return self._secret("secret", item)
        if isinstance(item, list):
            return [self._json_value(name, one, depth + 1) for one in item]
        if isinstance(item, int | float) and not isinstance(item, bool):
            return self._secret("secret", str(item)) if not PLURAL.search(name) and abs(item) >= 1000 else item
        return self.redact_json(item, depth + 1)

    def _string(self, text: str, depth: int) -> str:
        """Text, or JSON within JSON, such as kubectl's last-applied-configuration."""
        if text[:1] in {"{", "["} and text.rstrip()[-1:] in {"}", "]"}:
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                return self.redact_text(text)
            redacted = self.redact_json(inner, depth + 1)
            return text if redacted == inner else json.dumps(redacted, ensure_ascii=False, separators=(",", ":"))
        return self.redact_text(text)

    def _jwt(self, match: re.Match[str]) -> str:
        return self._placeholder("jwt", match.group()) if JWT.fullmatch(match.group()) else match.group()

    def _basic(self, match: re.Match[str]) -> str:
        """`Basic` and something that decodes to user:password; in prose the word is followed by another."""
        value = match["value"].rstrip("=")
        try:
            decoded = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        except binascii.Error:
            return match.group()
        return match["head"] + self._placeholder("basic", match["value"]) if b":" in decoded else match.group()

    def _whole(self, kind: str, match: re.Match[str]) -> str:
        return self._placeholder(kind, match.group())

    def _after_head(self, kind: str, match: re.Match[str]) -> str:
        return match["head"] + self._secret(kind, match["value"])

    def _secret(self, kind: str, value: str) -> str:
        if not value or HARMLESS.fullmatch(value):
            self.reserve(value)
            return value
        return self._placeholder(kind, value)

    def reserve(self, text: str) -> None:
        """Give no placeholder a number that one in this text has already."""
        if "[REDACTED:" in text:
            self._last = max([self._last, *(int(number) for number in PLACEHOLDER.findall(text))])

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._placeholders:
            self._last += 1
            self._placeholders[value] = f"[REDACTED:{kind}:{self._last}]"
        return self._placeholders[value]


def _is_unlike_a_word(value: str) -> bool:
    return len(value) >= 12 or (len(value) >= 5 and not value.isalpha())


@lru_cache(maxsize=16384)
def _is_cold(text: str) -> bool:
    """Whether a short text holds nothing to look at. Remembered: notifications of a rollout repeat most of theirs."""
    lower = text.lower()
    return (
        "\n" not in text and "[redacted" not in lower and "private key" not in lower and not _holds_any(lower, LITERALS)
    )


def _heated(text: str) -> Iterator[tuple[bool, str]]:
    """Each line with whether it may hold a secret, or the value of an entry that the line before has named."""
    lower = text.lower()
    present = [literal for literal in LITERALS if literal in lower]
    was_hot = False
    for line in text.split("\n"):
        is_hot = bool(present) and _holds_any(line.lower(), present)
        yield is_hot or was_hot, line
        was_hot = is_hot


def _holds_any(lower: str, literals: Sequence[str]) -> bool:
    return any(literal in lower for literal in literals)
