"""Which change could have done it: every hunk between the two versions, scored by how the evidence touches it.

`clues` says what the evidence tells, `change` what a hunk does; `calls`, `symbols`, `statements` and `packages` each
compare the two in one way; `ranking` orders what comes of it.
"""

from agents.suspects.calls import MOST_LINES, Origins
from agents.suspects.clues import MOST_CALLS, Call, Clues, calls_at, clues_of, is_helper
from agents.suspects.messages import QUOTED, Saying, read_message
from agents.suspects.nouns import OUTER, PROSE, SURE, TEST_PATH, WORTH_NAMING, Suspect
from agents.suspects.ranking import MOST_SUSPECTS, rank
from agents.suspects.reaching import called_names, reaching
from agents.suspects.sources import Sources, holds
from agents.suspects.statements import sought, statement_places
from agents.suspects.wordings import (
    beneath,
    calls_worded,
    chain_of,
    is_handed_up,
    names_of,
    phrases_of,
    used_at,
    worded,
)

__all__ = [
    "MOST_CALLS",
    "MOST_LINES",
    "MOST_SUSPECTS",
    "OUTER",
    "PROSE",
    "QUOTED",
    "SURE",
    "TEST_PATH",
    "WORTH_NAMING",
    "Call",
    "Clues",
    "Origins",
    "Saying",
    "Sources",
    "Suspect",
    "beneath",
    "called_names",
    "calls_at",
    "calls_worded",
    "chain_of",
    "clues_of",
    "holds",
    "is_handed_up",
    "is_helper",
    "names_of",
    "phrases_of",
    "rank",
    "reaching",
    "read_message",
    "sought",
    "statement_places",
    "used_at",
    "worded",
]
