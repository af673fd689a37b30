"""Reading logs: lines, rows and events, the kinds of messages, and what differs between two versions."""

from agents.logs.comparison import Difference, compare
from agents.logs.digest import Digest, Template, digest
from agents.logs.events import Event, events_of
from agents.logs.excerpt import Excerpt, excerpt
from agents.logs.levels import Level, level_of
from agents.logs.lines import strip_prefix
from agents.logs.masking import LONGEST, mask
from agents.logs.rows import Row, rows_of

__all__ = [
    "LONGEST",
    "Difference",
    "Digest",
    "Event",
    "Excerpt",
    "Level",
    "Row",
    "Template",
    "compare",
    "digest",
    "events_of",
    "excerpt",
    "level_of",
    "mask",
    "rows_of",
    "strip_prefix",
]
