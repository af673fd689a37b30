"""What a diff may hold, whatever produced it, and what one that a model wrote may not hold besides."""

import re
from collections.abc import Iterable

from agents.changes import is_lfs_pointer
from agents.patch import FileChange, Patch
from agents.policy.paths import matches, refuse_path, refuse_written_path
from agents.policy.rules import RepositoryRule
from agents.policy.terms import ModelTerms

INTERPRETER = re.compile(r"#!|\ufeff#!")
TEST = re.compile(
    r"(?:^|/)(?:tests?|__tests__|testing|specs?|e2e)/|(?:^|/)test_[^/]*$|[._-](?:test|spec)s?\.[^/]+$|[a-z](?:Test|IT|Spec)s?\.\w+$"
)


def refuse_diff(patch: Patch, rule: RepositoryRule) -> Iterable[str]:
    """The reasons why this diff may not be proposed; empty when it may."""
    if not patch.changes:
        yield "the diff is empty"
    if len(patch.changes) > rule.max_files:
        yield f"{len(patch.changes)} files are more than the {rule.max_files} that the policy allows"
    if patch.changed_lines > rule.max_lines:
        yield f"{patch.changed_lines} changed lines are more than the {rule.max_lines} that the policy allows"
    for change in patch.changes:
        reason = refuse_path(change.path, rule)
        if reason:
            yield reason
        if is_lfs_pointer(change.before or "") or is_lfs_pointer(change.after or ""):
            yield f"`{change.path}` is kept by Git LFS: what is in it is a person's to change"


def refuse_written_diff(patch: Patch, terms: ModelTerms) -> Iterable[str]:
    """The reasons why a diff may not be proposed when a model wrote it; `refuse_diff` holds besides."""
    for change in patch.changes:
        reason = refuse_written_path(change.path, terms) or refuse_script(change, terms) or refuse_test(change, terms)
        if reason:
            yield reason


def refuse_script(change: FileChange, terms: ModelTerms) -> str | None:
    """Why a model may not touch a script that has no telling name, or None."""
    is_script = any(INTERPRETER.match(text) for text in (change.before, change.after) if text)
    if is_script and "." not in change.path.rpartition("/")[2] and not matches(change.path, terms.allow):
        return f"`{change.path}` is a script: not for a model, unless .selfheal.yml allows it"
    return None


def refuse_test(change: FileChange, terms: ModelTerms) -> str | None:
    """Why a model may not add or delete a test here, or None. Where tests lie already, people expect one and run it."""
    path, folder = change.path, change.path.rpartition("/")[0]
    if not TEST.search(path):
        return None
    if change.after is None:
        return f"`{path}` is a test, which is not a model's to delete"
    if change.before is None and not any(TEST.search(one) and one.rpartition("/")[0] == folder for one in terms.paths):
        return f"`{path}` would be a test where there are none yet"
    return None
