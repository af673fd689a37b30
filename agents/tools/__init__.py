"""What a model can look at and do: LangChain tools over the evidence and the repositories of one attempt.

Nothing a tool returns is longer than a page; each says how much there is and how to see the rest, and carries a
status. What a model names (items, paths, revisions) is checked before it reaches anything, and nothing here runs a
shell, leaves the attempt's own evidence and repositories, or writes to one.
"""

from agents.tools.reply import told
from agents.tools.sources import Place, Sources, open_place, sources_of
from agents.tools.toolbox import fixing_tools, reading_tools
from agents.tools.trial import Trial, Verify, describe
from agents.tools.workbench import Workbench

__all__ = [
    "Place",
    "Sources",
    "Trial",
    "Verify",
    "Workbench",
    "describe",
    "fixing_tools",
    "open_place",
    "reading_tools",
    "sources_of",
    "told",
]
