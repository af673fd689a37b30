"""Reading logs: lines, rows and events, the kinds of messages, and what differs between two versions."""

from agents.logs.comparison import Difference, compare
from agents.logs.cutting import Cutter, Shortened, cut, cut_bytes, with_gaps
from agents.logs.digest import Digest, Template, digest
from agents.logs.events import Event, events_of
from agents.logs.excerpt import Excerpt, excerpt
from agents.logs.firsts import Firsts
from agents.logs.levels import Level, level_of
from agents.logs.lines import Row, gap_line, is_gap, strip_prefix
from agents.logs.masking import LONGEST, mask
from agents.logs.rows import rows_of
from agents.logs.tangles import MIXED

__all__ = [
    "LONGEST",
    "MIXED",
    "Cutter",
    "Difference",
    "Digest",
    "Event",
    "Excerpt",
    "Firsts",
    "Level",
    "Row",
    "Shortened",
    "Template",
    "compare",
    "cut",
    "cut_bytes",
    "digest",
    "events_of",
    "excerpt",
    "gap_line",
    "is_gap",
    "level_of",
    "mask",
    "rows_of",
    "strip_prefix",
    "with_gaps",
]
