"""What a model can look at and do: LangChain tools over the evidence and the repositories of one attempt.

Nothing a tool returns is longer than a page; each says how much there is and how to see the rest, and carries a
status. What a model names (items, paths, revisions) is checked before it reaches anything, and nothing here runs a
shell, leaves the attempt's own evidence and repositories, or writes to one.
"""

from agents.tools.evidence import EvidenceTools
from agents.tools.reply import told
from agents.tools.repositories import RepositoryTools
from agents.tools.sources import Place, Sources, open_place
from agents.tools.toolbox import fixing_tools, reading_tools
from agents.tools.workbench import Workbench

__all__ = [
    "EvidenceTools",
    "Place",
    "RepositoryTools",
    "Sources",
    "Workbench",
    "fixing_tools",
    "open_place",
    "reading_tools",
    "told",
]
