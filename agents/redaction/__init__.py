"""Secrets out, once, where a bundle is sealed; sandbox output and notification bodies pass the same function.

Two ways to know a secret: by its shape (tokens of clouds and forges, keys, JWTs, passwords in URLs) and by the
name it is given (`password=...`, `"apiKey": "..."`, `--token ...`, an env entry). Placeholders are numbered within
one `Redactor`, so the same secret reads the same everywhere in a bundle and its value cannot be guessed from it.
Git shas, digests, UUIDs and trace ids have no such shape and stay.

The text is hostile: every pattern is bounded or possessive, so that the time grows with its length and no faster.
"""

from agents.redaction.names import names_secret
from agents.redaction.redactor import PLACEHOLDER, Redactor

__all__ = ["PLACEHOLDER", "Redactor", "names_secret"]
