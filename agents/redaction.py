"""Secrets out, once, where a bundle is sealed; sandbox output and notification bodies pass the same function.

Two ways to know a secret: by its shape (tokens of clouds and forges, keys, JWTs, passwords in URLs) and by the
name it is given (`password=...`, `"apiKey": "..."`, an env entry). Placeholders are numbered within one
`Redactor`, so the same secret reads the same everywhere in a bundle and its value cannot be guessed from it.
Git shas, digests, UUIDs and trace ids have no such shape and stay.
"""

import re
from collections.abc import Callable
from typing import Any

SHAPES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "private-key",
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----.*?"
            r"(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----|\Z)",
            re.DOTALL,
        ),
    ),
    ("github-token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255})\b")),
    ("gitlab-token", re.compile(r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,255}")),
    ("aws-key-id", re.compile(r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b")),
    ("gcp-key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    ("gcp-token", re.compile(r"\bya29\.[A-Za-z0-9_-]{20,}")),
    ("azure-key", re.compile(r"(?i)\b(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/]{30,120}={0,2}")),
    ("azure-signature", re.compile(r"(?i)(?<=[?&])sig=[A-Za-z0-9%+/]{20,}={0,2}")),
    ("slack-token", re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,255}")),
    ("slack-webhook", re.compile(r"https://hooks\.slack\.com/services/[A-Za-z0-9/_-]{10,200}")),
    ("stripe-key", re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}\b")),
    ("openai-key", re.compile(r"\bsk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{20,255}")),
    ("npm-token", re.compile(r"\bnpm_[A-Za-z0-9]{36}\b")),
    ("pypi-token", re.compile(r"\bpypi-[A-Za-z0-9_-]{50,}")),
    ("sendgrid-key", re.compile(r"\bSG\.[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{16,80}")),
    ("jwt", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*")),
)
URL_PASSWORD = re.compile(
    r"(?P<head>\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@\"']{0,200}:)(?P<value>[^\s/@\"']{1,500})(?=@)",
    re.IGNORECASE,
)
AUTHORIZATION = re.compile(
    r"(?P<head>\b(?:proxy-)?authorization[\"']?\s{0,3}[:=]\s{0,3}[\"']?(?:basic|bearer|token|digest)\s{1,3})(?P<value>[^\s\"',;]{4,4000})",
    re.IGNORECASE,
)
BEARER = re.compile(r"(?P<head>\bbearer\s{1,3})(?P<value>[A-Za-z0-9._~+/-]{16,4000}=*)", re.IGNORECASE)

_WORD = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secrets?|tokens?|credentials?|session_?-?id|cookie"
    r"|(?:api|access|secret|private|signing|encryption|account|auth)_?-?keys?)"
)
SECRET_NAME = re.compile(rf"(?:^|[_.-]){_WORD}$", re.IGNORECASE)
"""A name whose last word says secret: `DB_PASSWORD`, `clientSecret`, `x-api-key`; not `token_count` or `max_tokens`."""
COUNT_NAME = re.compile(
    r"(?:^|[_.-])(?:max|min|num|n|total|prompt|completion|input|output|used|remaining)[_.-]?(?:new[_.-])?tokens?$",
    re.IGNORECASE,
)
PAIR = re.compile(
    r"(?P<name>[\"']?(?<![\w.-])[A-Za-z][\w.-]{1,80}[\"']?)(?P<sep>\s?=\s?|[\"']\s{0,3}:\s{0,3}|:\s{1,3}(?=[\"']))"
    r"(?P<quote>[\"']?)(?P<value>[^\s\"',;&(){}\[\]<>]{1,4000})"
)
LINE_PAIR = re.compile(
    r"(?m)^(?P<head>[ \t-]*(?P<name>[A-Za-z][\w.-]{1,80})[ \t]*:[ \t]+)(?P<value>[^\s\"'{}\[\]<>(),]{4,4000})[ \t]*$"
)
HARMLESS = re.compile(
    r"(?i)true|false|null|none|nil|undefined|empty|missing|required|invalid|\*+|\.\.\.|x{3,}|\$\{?\w+\}?|%\w|\[REDACTED.*"
)
CODE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+$")
"""A dotted name after an equals sign is source code in a traceback (`token = self.token`), not a value."""


class Redactor:
    """Replaces secrets by placeholders; one instance a bundle. Applying it twice changes nothing more."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def redact_text(self, text: str) -> str:
        for kind, shape in SHAPES:
            text = shape.sub(lambda match, kind=kind: self._placeholder(kind, match.group()), text)  # type: ignore[misc]
        for kind, pattern in (
            ("url-password", URL_PASSWORD),
            ("authorization", AUTHORIZATION),
            ("bearer", BEARER),
        ):
            text = pattern.sub(self._keep_head(kind), text)
        text = PAIR.sub(self._redact_pair, text)
        return LINE_PAIR.sub(self._redact_line, text)

    def redact_json(self, value: Any) -> Any:
        """The same for parsed JSON: strings by shape, values by the name of their key, env entries by `name`."""
        if isinstance(value, str):
            return self.redact_text(value)
        if isinstance(value, list):
            return [self.redact_json(item) for item in value]
        if not isinstance(value, dict):
            return value
        named = value.get("name")
        literal = isinstance(value.get("value"), str) and isinstance(named, str) and names_secret(named)
        return {
            key: self._secret(item)
            if isinstance(item, str) and ((literal and key == "value") or names_secret(key))
            else self.redact_json(item)
            for key, item in value.items()
        }

    def _redact_pair(self, match: re.Match[str]) -> str:
        name, value = match.group("name").strip("\"'"), match.group("value")
        called = match.string[match.end() : match.end() + 1] in {"(", "["}
        if not names_secret(name) or called or value == name or CODE.match(value):
            return match.group()
        head = match.group()[: match.start("value") - match.start()]
        return head + self._secret(value)

    def _redact_line(self, match: re.Match[str]) -> str:
        if not names_secret(match.group("name")):
            return match.group()
        return match.group("head") + self._secret(match.group("value"))

    def _keep_head(self, kind: str) -> Callable[[re.Match[str]], str]:
        return lambda match: (
            match.group("head")
            + (
                match.group("value")
                if HARMLESS.fullmatch(match.group("value"))
                else self._placeholder(kind, match.group("value"))
            )
        )

    def _secret(self, value: str) -> str:
        return value if not value or HARMLESS.fullmatch(value) else self._placeholder("secret", value)

    def _placeholder(self, kind: str, value: str) -> str:
        number = self._numbers.setdefault(value, len(self._numbers) + 1)
        return f"[REDACTED:{kind}:{number}]"


def names_secret(name: str) -> bool:
    """Whether a variable, key or header of this name holds a secret."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return SECRET_NAME.search(words) is not None and COUNT_NAME.search(words) is None
