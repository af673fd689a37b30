"""Whether somebody proposes a fix already: then theirs is the one to review, and ours would be a second one."""

from collections import Counter
from collections.abc import Sequence

from agents.changes import hunks_of
from agents.pull_request.nouns import Theirs


def makes_the_same_change(theirs: Sequence[Theirs], diff: str) -> Theirs | None:
    """The first of their pull requests that has every line which `diff` adds or takes away; it may do more."""
    wanted = _changed(diff)
    return next((one for one in theirs if wanted and wanted <= _changed(one.diff)), None)


def _changed(diff: str) -> Counter[tuple[str, str, str]]:
    """File, sign and text of the changed lines, without indentation and empty lines."""
    return Counter(
        (hunk.file, sign, line.text.strip())
        for hunk in hunks_of(diff)
        for sign, lines in (("-", hunk.removed), ("+", hunk.added))
        for line in lines
        if line.text.strip()
    )
