"""The wanted pull request and what becomes of it: nouns and the `Forge` port, markers, ensuring, joining."""

from agents.pull_request.ensuring import (
    CHANGE_TRAILER,
    FIX_TRAILER,
    INCIDENT_TRAILER,
    MOST_LOOKS,
    change_digest,
    ensure,
    ensure_branch,
)
from agents.pull_request.issues import WantedIssue, ensure_issue, issue_about
from agents.pull_request.joining import Within, attempts_within, fix_key, fixes_of, join, same_fix
from agents.pull_request.markers import fix_of, incident_of, is_reworded, who_of, with_marker
from agents.pull_request.nouns import (
    LABEL,
    MOST_CLOSED,
    MOST_THEIRS,
    Attention,
    Comment,
    Forge,
    Head,
    Joined,
    LeftAlone,
    Proposed,
    PullRequestLink,
    Record,
    Text,
    Theirs,
    Wanted,
)
from agents.pull_request.reviewers import reviewers_of
from agents.pull_request.theirs import makes_the_same_change
from agents.pull_request.turns import Turns

__all__ = [
    "CHANGE_TRAILER",
    "FIX_TRAILER",
    "INCIDENT_TRAILER",
    "LABEL",
    "MOST_CLOSED",
    "MOST_LOOKS",
    "MOST_THEIRS",
    "Attention",
    "Comment",
    "Forge",
    "Head",
    "Joined",
    "LeftAlone",
    "Proposed",
    "PullRequestLink",
    "Record",
    "Text",
    "Theirs",
    "Turns",
    "Wanted",
    "WantedIssue",
    "Within",
    "attempts_within",
    "change_digest",
    "ensure",
    "ensure_branch",
    "ensure_issue",
    "fix_key",
    "fix_of",
    "fixes_of",
    "incident_of",
    "is_reworded",
    "issue_about",
    "join",
    "makes_the_same_change",
    "reviewers_of",
    "same_fix",
    "who_of",
    "with_marker",
]
