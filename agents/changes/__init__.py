"""What changed between the stable and the canary version: commits, hunks and manifest values.

Owns the `Repository` port, through which the core reads source and manifests and never writes.
"""

from agents.changes.hunks import Hunk, Line, essence, hunks_of, renames_of
from agents.changes.repository import MOST_COMMITS, Commit, FileText, Repositories, Repository, at_the_canary
from agents.changes.values import ValueChange, blame_value, manifest_changes

__all__ = [
    "MOST_COMMITS",
    "Commit",
    "FileText",
    "Hunk",
    "Line",
    "Repositories",
    "Repository",
    "ValueChange",
    "at_the_canary",
    "blame_value",
    "essence",
    "hunks_of",
    "manifest_changes",
    "renames_of",
]
