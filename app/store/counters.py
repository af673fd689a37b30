"""Totals that only grow, kept beside what they count so that they survive restarts and both processes add to them."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from app.store.database import reads
from app.store.tables import counters

STAGE_SECONDS = "stage_seconds"
CAPTURE_GAPS = "capture_gaps"
MODEL_TOKENS = "model_tokens"


class Total(BaseModel):
    """What was added up under a name and a label, and how often."""

    model_config = ConfigDict(frozen=True)

    name: str
    label: str
    total: float
    count: int


def add(connection: Connection, name: str, amounts: Mapping[str, float]) -> None:
    """Add each label's amount, inside the transaction of what is counted."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    for label, amount in amounts.items():
        statement = dialect.insert(counters).values(name=name, label=label, total=amount, count=1)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[counters.c.name, counters.c.label],
                set_={"total": counters.c.total + amount, "count": counters.c.count + 1},
            )
        )


@reads
def totals(connection: Connection) -> tuple[Total, ...]:
    rows = connection.execute(select(counters).order_by(counters.c.name, counters.c.label)).all()
    return tuple(Total(name=row.name, label=row.label, total=row.total, count=row.count) for row in rows)
