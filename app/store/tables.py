"""The tables. A change here needs a migration beside it; a test compares the two."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Moment(TypeDecorator[datetime]):
    """An aware datetime in UTC on both databases; SQLite keeps no zone of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        del dialect
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        del dialect
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


inbox = Table(
    "inbox",
    metadata,
    Column("id", String(64), primary_key=True, comment="sha256 of cluster and raw body"),
    Column("received_at", Moment, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("reason", Text),
    Column("trigger", Text),
    Column("namespace", Text),
    Column("rollout", Text),
    Column("canary_hash", Text),
    Column("incident", String(32)),
    Column("sighting", JSON, comment="what admitting needs of the body"),
    Column("body", LargeBinary, nullable=False, comment="redacted, zlib"),
    Column("deliveries", Integer, nullable=False),
    Column("admitted_at", Moment),
    Index(None, "admitted_at"),
    Index(None, "incident"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("received_at", Moment, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="redacted, zlib"),
    Index(None, "received_at"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("cluster", Text, nullable=False),
    Column("namespace", Text, nullable=False),
    Column("rollout", Text, nullable=False),
    Column("uid", Text, nullable=False),
    Column("canary_hash", Text, nullable=False),
    Column("revision", Text, nullable=False),
    Column("stable_hash", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index(None, "created_at"),
    Index(None, "cluster", "namespace", "rollout"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", String(48), primary_key=True),
    Column("incident", ForeignKey("incidents.key"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("detail", Text),
    Column("opened_by", Text, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("aborted_at", Moment),
    Column("body", String(64), comment="the inbox row that opened it"),
    Column("enqueued_at", Moment),
    Column("diagnosis", JSON),
    Column("patch", JSON),
    Column("verification", JSON),
    Column("outcome", JSON),
    Index(None, "incident", "number", unique=True),
    Index(None, "state"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("attempt", ForeignKey("attempts.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("detail", Text),
    Index(None, "attempt", "id"),
)

bundles = Table(
    "bundles",
    metadata,
    Column("attempt", ForeignKey("attempts.id"), primary_key=True),
    Column("sealed_at", Moment, nullable=False),
    Column("manifest", JSON, nullable=False),
)

bundle_items = Table(
    "bundle_items",
    metadata,
    Column("attempt", ForeignKey("bundles.attempt"), primary_key=True),
    Column("item", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False, comment="zlib"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("total", Float, nullable=False),
    Column("count", Integer, nullable=False),
)
