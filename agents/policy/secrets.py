"""No diff carries a secret out: what the redactor would take from the new text, and not from the old one, is one."""

from collections.abc import Iterable

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from agents.patch import FileChange, Patch
from agents.redaction import PLACEHOLDER, Redactor


def refuse_secrets(patch: Patch) -> Iterable[str]:
    """Why a diff may not be pushed, for every file that a secret would come into."""
    for change in patch.changes:
        if change.after is not None and _brings_secret(change):
            yield f"`{change.path}` would hold what looks like a secret"


def _brings_secret(change: FileChange) -> bool:
    redactor = Redactor()  # one for both texts: the same secret has the same placeholder
    before, after = (_placeholders(text or "", change.path, redactor) for text in (change.before, change.after))
    return not after <= before


def _placeholders(text: str, path: str, redactor: Redactor) -> set[str]:
    found = {match.group() for match in PLACEHOLDER.finditer(redactor.redact_text(text))}
    if path.endswith((".yaml", ".yml", ".json")):
        found |= {match.group() for match in PLACEHOLDER.finditer(str(redactor.redact_json(_documents(text))))}
    return found


def _documents(text: str) -> list[object]:
    """What a YAML file holds; an env entry's name and value stand in different lines. Templates hold nothing."""
    try:
        return list(YAML(typ="safe", pure=True).load_all(text))
    except (YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []
