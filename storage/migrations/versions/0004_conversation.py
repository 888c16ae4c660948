"""what the chat keeps of its own: saved messages, people who were invited, approvals, archives, corrections, digests."""

import sqlalchemy as sa
from alembic import op

from storage.schema import Id, Instant, Json

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables of the conversation."""
    op.create_table(
        "saved_messages",
        sa.Column("id", Id, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("message", Json, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("saved_by", sa.Text(), nullable=False),
        sa.Column("saved_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="saved_messages_pkey"),
        sa.UniqueConstraint("kind", "name", name="saved_messages_kind_name_key"),
    )
    op.add_column("steps", sa.Column("last_count", sa.BigInteger()))
    op.add_column("steps", sa.Column("counted_at", Instant))
    op.add_column("steps", sa.Column("moved_at", Instant()))
    op.create_table(
        "digests",
        sa.Column("id", Id, nullable=False),
        sa.Column("surface", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("every", sa.Text(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=True),
        sa.Column("minute", sa.SmallInteger(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="digests_pkey"),
        sa.UniqueConstraint("surface", "account", "chat", "every", name="digests_surface_account_chat_every_key"),
    )
