"""What the flight recorder heard of a canary that failed, until its bundle is sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recordings",
        sa.Column("incident", sa.String(32), nullable=False),
        sa.Column("process", sa.String(32), nullable=False, comment="which process of the service heard it"),
        sa.Column("kept_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="redacted, zlib"),
        sa.PrimaryKeyConstraint("incident", "process", name="pk_recordings"),
        sa.ForeignKeyConstraint(["incident"], ["incidents.key"], name="fk_recordings_incident_incidents"),
    )
    op.create_index("ix_recordings_kept_at", "recordings", ["kept_at"])


def downgrade() -> None:
    op.drop_table("recordings")
