"""What a patch of manifests gives back, read from the manifests themselves: the change, not the health."""

from agents.changes import ValueChange, value_at
from agents.patch import FileChange, Patch

YAML_ENDINGS = (".yaml", ".yml")


def is_of_manifests(patch: Patch, values: tuple[ValueChange, ...]) -> bool:
    """Whether a patch changes manifests alone: YAML, and whatever else values were read from."""
    known = {value.file for value in values}
    return all(change.path.endswith(YAML_ENDINGS) or change.path in known for change in patch.changes)


def given_back(patch: Patch, values: tuple[ValueChange, ...]) -> tuple[str, str] | None:
    """What the patched manifests say before and after, of the values that it touches; None where it touches none.

    The values themselves are not told: they can be secrets.
    """
    touched = [
        (value, value_at({change.path: change.after or ""}, value, change.path) == value.old)
        for change in patch.changes
        for value in values
        if value.file == change.path and _is_touched(change, value)
    ]
    if not touched:
        return None
    names = ", ".join(dict.fromkeys(f"{value.pointer} of {value.kind} {value.name}" for value, _ in touched))
    others = [value.pointer for value, is_back in touched if not is_back]
    after = f"{names}: as in the stable version again"
    if others:
        after = f"{names}: changed, but {', '.join(others)} is not what the stable version had"
    return f"{names}: not as in the stable version", after


def _is_touched(change: FileChange, value: ValueChange) -> bool:
    before, after = ({change.path: text or ""} for text in (change.before, change.after))
    return value_at(before, value, change.path) != value_at(after, value, change.path)
