"""Totals that only grow, kept beside what they count so that they survive restarts and both processes add to them."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from app.store.database import Database
from app.store.tables import counters
from app.store.threads import Executes

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


async def add(connection: Executes, name: str, amounts: Mapping[str, float]) -> None:
    """Add each label's amount, inside the transaction of what is counted."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    for label, amount in amounts.items():
        statement = dialect.insert(counters).values(name=name, label=label, total=amount, count=1)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=[counters.c.name, counters.c.label],
                set_={"total": counters.c.total + amount, "count": counters.c.count + 1},
            )
        )


async def totals(db: Database) -> tuple[Total, ...]:
    async with db.read() as connection:
        rows = (await connection.execute(select(counters).order_by(counters.c.name, counters.c.label))).all()
    return tuple(Total(name=row.name, label=row.label, total=row.total, count=row.count) for row in rows)
