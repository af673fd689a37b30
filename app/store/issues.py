"""The issues that reports left on a forge, and which of them a healthy rollout closes."""

from pydantic import BaseModel, ConfigDict
from sqlalchemy import exists, select
from sqlalchemy.engine import Connection

from agents.incident import Incident, Promotion, State
from app.store.database import reads
from app.store.tables import attempts, audit, incidents

FOLLOWED = "follow-up"
"""The act that says what became of an issue; nothing more is done about it."""
MOST_ISSUES = 100


class OpenIssue(BaseModel):
    """An issue of ours that was not followed up yet."""

    model_config = ConfigDict(frozen=True)

    attempt: str
    incident: Incident
    repository: str
    """Where it is."""
    url: str


@reads
def healed_by(connection: Connection, promotion: Promotion) -> tuple[OpenIssue, ...]:
    """The issues of earlier failures of the rollout, oldest first."""
    where = {"cluster": promotion.cluster, "namespace": promotion.namespace, "rollout": promotion.rollout}
    query = (
        select(attempts.c.id, attempts.c.outcome, incidents)
        .join(incidents)
        .where(*(incidents.c[name] == value for name, value in where.items()))
        .where(attempts.c.state == State.REPORTED.value)
        .where(~exists().where(audit.c.attempt == attempts.c.id, audit.c.action == FOLLOWED))
        .order_by(attempts.c.opened_at.desc())
        .limit(MOST_ISSUES)
    )
    found = []
    for row in connection.execute(query):
        outcome = row.outcome or {}
        incident = Incident.model_validate({name: getattr(row, name) for name in Incident.model_fields})
        if outcome.get("issue") and outcome.get("repository") and promotion.heals(incident):
            about = {"attempt": row.id, "repository": outcome["repository"], "url": outcome["issue"]}
            found.append(OpenIssue(incident=incident, **about))
    return tuple(reversed(found))
