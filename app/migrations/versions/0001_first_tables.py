"""The first tables: inbox, dead letters, incidents, attempts, timeline, bundles."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.String(64), nullable=False, comment="sha256 of cluster and raw body"),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("trigger", sa.Text()),
        sa.Column("namespace", sa.Text()),
        sa.Column("rollout", sa.Text()),
        sa.Column("canary_hash", sa.Text()),
        sa.Column("incident", sa.String(32)),
        sa.Column("sighting", sa.JSON(), comment="what admitting needs of the body"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="redacted, zlib"),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("admitted_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
    )
    op.create_index("ix_inbox_admitted_at", "inbox", ["admitted_at"])
    op.create_index("ix_inbox_incident", "inbox", ["incident"])
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"])
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="redacted, zlib"),
        sa.PrimaryKeyConstraint("id", name="pk_dead_letters"),
    )
    op.create_index("ix_dead_letters_received_at", "dead_letters", ["received_at"])
    op.create_table(
        "incidents",
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("rollout", sa.Text(), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("canary_hash", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("stable_hash", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_incidents"),
    )
    op.create_index("ix_incidents_created_at", "incidents", ["created_at"])
    op.create_index("ix_incidents_cluster_namespace_rollout", "incidents", ["cluster", "namespace", "rollout"])
    _create_attempts()
    _create_bundles()


def _create_attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.String(48), nullable=False),
        sa.Column("incident", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("aborted_at", MOMENT),
        sa.Column("failed_at", MOMENT, comment="creation of the newest failed AnalysisRun it knows of"),
        sa.Column("body", sa.String(64), comment="the inbox row that opened it"),
        sa.Column("enqueued_at", MOMENT),
        sa.Column("diagnosis", sa.JSON()),
        sa.Column("patch", sa.JSON()),
        sa.Column("verification", sa.JSON()),
        sa.Column("outcome", sa.JSON()),
        sa.Column("cost", sa.JSON(), comment="what it has used of a model"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.ForeignKeyConstraint(["incident"], ["incidents.key"], name="fk_attempts_incident_incidents"),
    )
    op.create_index("ix_attempts_incident_number", "attempts", ["incident", "number"], unique=True)
    op.create_index("ix_attempts_state", "attempts", ["state"])
    op.create_table(
        "timeline",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("attempt", sa.String(48), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_timeline"),
        sa.ForeignKeyConstraint(["attempt"], ["attempts.id"], name="fk_timeline_attempt_attempts"),
    )
    op.create_index("ix_timeline_attempt_id", "timeline", ["attempt", "id"])


def _create_bundles() -> None:
    op.create_table(
        "bundles",
        sa.Column("attempt", sa.String(48), nullable=False),
        sa.Column("sealed_at", MOMENT, nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("attempt", name="pk_bundles"),
        sa.ForeignKeyConstraint(["attempt"], ["attempts.id"], name="fk_bundles_attempt_attempts"),
    )
    op.create_table(
        "bundle_items",
        sa.Column("attempt", sa.String(48), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="zlib"),
        sa.PrimaryKeyConstraint("attempt", "item", name="pk_bundle_items"),
        sa.ForeignKeyConstraint(["attempt"], ["bundles.attempt"], name="fk_bundle_items_attempt_bundles"),
    )


def downgrade() -> None:
    for table in ("bundle_items", "bundles", "timeline", "attempts", "incidents", "dead_letters", "inbox"):
        op.drop_table(table)
