"""Reading logs: lines and rows, levels, and the templates of messages."""

from agents.logs.lines import level_of, strip_prefix
from agents.logs.rows import Row, rows_of
from agents.logs.templates import LONGEST, Template, mask, only_in_canary

__all__ = ["LONGEST", "Row", "Template", "level_of", "mask", "only_in_canary", "rows_of", "strip_prefix"]
