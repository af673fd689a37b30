"""What the routes need, handed over by `app.main` once."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from agents.evidence import Cluster
from app.api.auth import Doorkeeper
from app.intake import Intake
from app.store.database import Database


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
