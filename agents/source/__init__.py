"""The source's part of triage: the traces mapped to files, and which change between the versions could have done it.

Reads what it needs from the repository and judges nothing; what could not be read is a note.
"""

from agents.source.looking import look_at_source
from agents.source.nouns import Seen, SourceFindings
from agents.source.revisions import resolve
from agents.source.rivals import Identity, identity

__all__ = ["Identity", "Seen", "SourceFindings", "identity", "look_at_source", "resolve"]
