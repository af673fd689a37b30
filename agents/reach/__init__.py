"""Which functions a request reaches: from the string that names its route, by the names that each function uses.

A static guess on sources of any language that is read, by name alone and bounded in depth: enough to order changes by
how near they are to a slow route, never a proof. A name that many functions share leads nowhere. How routes are
registered is told apart by form, not by framework: above the handler (`annotated`), in a call beside it (`called`),
or below a prefix that stands elsewhere (`mounted`).
"""

from agents.reach.following import Reached, reached_by

__all__ = ["Reached", "reached_by"]
