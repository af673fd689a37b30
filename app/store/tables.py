"""The tables. A change here needs a migration beside it; a test compares the two."""

import re
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


UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


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


class Words(TypeDecorator[str]):
    """Text from anywhere: what PostgreSQL (NUL) or UTF-8 (half a surrogate pair) cannot hold becomes U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else UNSTORABLE.sub("\ufffd", value)


inbox = Table(
    "inbox",
    metadata,
    Column("id", String(64), primary_key=True, comment="sha256 of cluster and raw body"),
    Column("received_at", Moment, nullable=False),
    Column("cluster", Words, nullable=False),
    Column("disposition", Words, nullable=False),
    Column("reason", Words),
    Column("trigger", Words),
    Column("namespace", Words),
    Column("rollout", Words),
    Column("canary_hash", Words),
    Column("incident", String(32)),
    Column("sighting", JSON, comment="what admitting needs of the body"),
    Column("body", LargeBinary, nullable=False, comment="redacted, zlib"),
    Column("deliveries", Integer, nullable=False),
    Column("admitted_at", Moment),
    Index(None, "admitted_at"),
    Index(None, "incident"),
    Index(None, "received_at"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("received_at", Moment, nullable=False),
    Column("cluster", Words, nullable=False),
    Column("reason", Words, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="redacted, zlib"),
    Index(None, "received_at"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("key", String(32), primary_key=True),
    Column("cluster", Words, nullable=False),
    Column("namespace", Words, nullable=False),
    Column("rollout", Words, nullable=False),
    Column("uid", Words, nullable=False),
    Column("canary_hash", Words, nullable=False),
    Column("revision", Words, nullable=False),
    Column("stable_hash", Words, nullable=False),
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
    Column("state", Words, nullable=False),
    Column("detail", Words),
    Column("opened_by", Words, nullable=False),
    Column("opened_at", Moment, nullable=False),
    Column("aborted_at", Moment),
    Column("failed_at", Moment, comment="creation of the newest failed AnalysisRun it knows of"),
    Column("body", String(64), comment="the inbox row that opened it"),
    Column("enqueued_at", Moment),
    Column("diagnosis", JSON),
    Column("patch", JSON),
    Column("verification", JSON),
    Column("outcome", JSON),
    Column("cost", JSON, comment="what it has used of a model"),
    Index(None, "incident", "number", unique=True),
    Index(None, "state"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("attempt", ForeignKey("attempts.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", Words, nullable=False),
    Column("detail", Words),
    Index(None, "attempt", "id"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("attempt", ForeignKey("attempts.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", Words, nullable=False),
    Column("action", Words, nullable=False),
    Column("target", Words, nullable=False),
    Column("phase", Words, nullable=False),
    Column("result", Words),
    Column("evidence", JSON, nullable=False),
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
    Column("item", Words, primary_key=True),
    Column("content", LargeBinary, nullable=False, comment="zlib"),
)

recordings = Table(
    "recordings",
    metadata,
    Column("incident", ForeignKey("incidents.key"), primary_key=True),
    Column("process", String(32), primary_key=True, comment="which process of the service heard it"),
    Column("kept_at", Moment, nullable=False),
    Column("content", LargeBinary, nullable=False, comment="redacted, zlib"),
    Index(None, "kept_at"),
)

counters = Table(
    "counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("total", Float, nullable=False),
    Column("count", Integer, nullable=False),
)
