"""What people read: the analysis as Markdown, the text of the pull request, its title and its commit. Pure.

Two minutes must do: what failed, why, the evidence, the change, red and green, what was not checked, how to undo it.
Whatever comes from outside passes `markdown`, and is redacted once more: commits and diffs never were in a bundle.
"""

from agents.report.convention import MOST_SUBJECTS, PLAIN, Convention, convention_of, subject_of
from agents.report.pages import issue_text, pull_request_text
from agents.report.story import Links, Reviewer, Story
from agents.report.titles import again_line, commit_message, one_line, title, who_failed

__all__ = [
    "MOST_SUBJECTS",
    "PLAIN",
    "Convention",
    "Links",
    "Reviewer",
    "Story",
    "again_line",
    "commit_message",
    "convention_of",
    "issue_text",
    "one_line",
    "pull_request_text",
    "subject_of",
    "title",
    "who_failed",
]
