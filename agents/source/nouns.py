"""The nouns of the source's part of triage: what it is given, and what it finds."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from agents.changes import Commit
from agents.frames import Frame, Trace
from agents.logs import Template
from agents.source.rivals import Identity
from agents.suspects import Suspect
from agents.traffic import Failing, Slowdown


class Seen(BaseModel):
    """What was found in the logs, before any repository was opened."""

    model_config = ConfigDict(frozen=True)

    traces: tuple[Trace, ...]
    """The canary's."""
    old: frozenset[Identity]
    """The traces that the stable version has too."""
    templates: tuple[Template, ...]
    slowdown: Slowdown | None
    failing: Failing | None = None


class SourceFindings(BaseModel):
    """What the source repository tells. Empty where there is none."""

    model_config = ConfigDict(frozen=True)

    traces: tuple[Trace, ...]
    trace: Trace | None
    """The one that the canary has and the stable version has not, most frequent first."""
    texts: Mapping[str, str] = {}
    """Files at the canary's commit, as far as they were read."""
    commits: tuple[Commit, ...] = ()
    compared: bool = False
    suspects: tuple[Suspect, ...] = ()
    statements: tuple[Frame, ...] = ()
    """Where the source writes what only the canary logs as an error, if no trace tells."""
    by_route: bool = False
    """Whether the suspects are those of the route that fails, for want of anything better."""
