"""What changed between the stable and the canary version: commits, hunks and manifest values.

Owns the `Repository` port, through which the core reads source and manifests and never writes.
"""

from agents.changes.dependencies import Bump, bumps_of, comes_from, names_packages
from agents.changes.effect import Changed, effective, only_formats
from agents.changes.fields import FieldChange, field_changes
from agents.changes.hunks import Hunk, Line, essence, hunks_of, renames_of
from agents.changes.reading import blamed, is_template, read_manifests
from agents.changes.repository import (
    MOST_COMMITS,
    MOST_MATCHES,
    Blamed,
    Commit,
    FileText,
    Match,
    Repositories,
    Repository,
    at_the_canary,
    is_lfs_pointer,
    named_now,
)
from agents.changes.unread import unread
from agents.changes.values import ValueChange, blame_value, manifest_changes, value_at

__all__ = [
    "MOST_COMMITS",
    "MOST_MATCHES",
    "Blamed",
    "Bump",
    "Changed",
    "Commit",
    "FieldChange",
    "FileText",
    "Hunk",
    "Line",
    "Match",
    "Repositories",
    "Repository",
    "ValueChange",
    "at_the_canary",
    "blame_value",
    "blamed",
    "bumps_of",
    "comes_from",
    "effective",
    "essence",
    "field_changes",
    "hunks_of",
    "is_lfs_pointer",
    "is_template",
    "manifest_changes",
    "named_now",
    "names_packages",
    "only_formats",
    "read_manifests",
    "renames_of",
    "unread",
    "value_at",
]
