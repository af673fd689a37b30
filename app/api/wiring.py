"""What the routes need, handed over by `app.main` once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from agents.evidence import Cluster, Kind
from app.api.auth import Doorkeeper
from app.intake import Intake
from app.listening import Followed, Heard
from app.store.database import Database


@dataclass(frozen=True)
class LiveFigures:
    """How listening to the clusters goes."""

    recorder: Followed
    calls: int
    """Requests sent to API servers since the start."""
    heard: Mapping[Kind, Heard]
    """Each kind that is watched, and how that went in all places together."""


@dataclass(frozen=True)
class Wiring:
    """The collaborators of the HTTP interface."""

    db: Database
    intake: Intake
    doorkeeper: Doorkeeper
    cluster: Cluster | None
    clusters: tuple[str, ...]
    """The names that a caller may give."""
    metrics_open: bool
    now: Callable[[], datetime]
    live: Callable[[], LiveFigures] | None = None
    """None where no cluster is connected."""
