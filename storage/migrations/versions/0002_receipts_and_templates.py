"""receipts of five messengers, watermarks and templates."""

import sqlalchemy as sa
from alembic import op

from storage.schema import Id, Instant, Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("deliveries_by_outcome", "deliveries")
    op.create_index("deliveries_by_outcome", "deliveries", ["step_id", "state", "reason", "finished_at"], unique=False)
    op.create_index("attempts_by_address", "attempts", ["address_id", "started_at"], unique=False)
    op.add_column("parts", sa.Column("reason", sa.Text(), nullable=True))

    for name, kind in (
        ("reason", sa.Text()),
        ("address", sa.Text()),
        ("address_status", sa.Text()),
        ("cost", sa.Text()),
        ("units", sa.Integer()),
    ):
        op.add_column("receipts", sa.Column(name, kind, nullable=True))
    op.drop_index("receipts_waiting", "receipts")
    waiting = sa.text("applied_at IS NULL")
    op.create_index(
        "receipts_waiting", "receipts", ["received_at"], unique=False, sqlite_where=waiting, postgresql_where=waiting
    )

    op.create_table(
        "watermarks",
        sa.Column("address_id", Id, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("until", Instant(), nullable=True),
        sa.Column("until_id", sa.BigInteger(), nullable=True),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("through_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("address_id", "state", name="watermarks_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "templates",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.Column("synced_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "name", "language", name="templates_pkey"),
    )
