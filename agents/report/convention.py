"""How a repository words the subjects of its commits: Conventional Commits (version 1.0.0), or plainly."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

MOST_SUBJECTS = 50
FEWEST_CONVENTIONAL = 3
TYPES = (
    *("build", "chore", "ci", "docs", "feat", "feature", "fix", "hotfix", "perf", "refactor", "release", "revert"),
    *("style", "test", "tests", "deps", "security"),
)
CONVENTIONAL = re.compile(
    rf"(?P<type>{'|'.join(TYPES)})(?:\((?P<scope>[^()\s]{{1,40}})\))?!?: (?P<words>\S.*)", re.IGNORECASE
)
"""The known types alone: `ledger: round once` names a package, as others do."""


class Convention(BaseModel):
    """How subjects are to be worded."""

    model_config = ConfigDict(frozen=True)

    is_conventional: bool = False
    is_scoped: bool = False
    """Whether most of the conventional subjects name a scope."""
    scopes: tuple[str, ...] = ()
    """Those that they name, the most frequent first."""
    is_capital: bool = False
    """Whether most of them begin the words after the colon with a capital."""


PLAIN = Convention()


class Subject(NamedTuple):
    """The parts of a conventional subject."""

    scope: str | None
    words: str


def subject_of(text: str) -> Subject | None:
    """The parts of a subject, None where it is no conventional one."""
    match = CONVENTIONAL.fullmatch(text.strip())
    return Subject(match["scope"], match["words"]) if match else None


def convention_of(subjects: Sequence[str]) -> Convention:
    """What the last subjects of a branch have in common: more than half decide, of three at least."""
    read = [subject for text in subjects if (subject := subject_of(text)) is not None]
    if len(read) < FEWEST_CONVENTIONAL or 2 * len(read) <= len(subjects):
        return PLAIN
    scopes = Counter(subject.scope for subject in read if subject.scope is not None)
    return Convention(
        is_conventional=True,
        is_scoped=2 * scopes.total() > len(read),
        scopes=tuple(scope for scope, _ in scopes.most_common()),
        is_capital=2 * sum(subject.words[0].isupper() for subject in read) > len(read),
    )


def scope_for(convention: Convention, culprits: str | None, paths: Sequence[str]) -> str | None:
    """The scope of a change: that of the commit that broke it, else one in use that a changed path is named by."""
    if not convention.is_scoped:
        return None
    if culprits is not None:
        return culprits
    names = {part.partition(".")[0].lower() for path in paths for part in path.split("/")}
    return next((scope for scope in convention.scopes if scope.lower() in names), None)
