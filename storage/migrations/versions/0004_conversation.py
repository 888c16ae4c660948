"""what the chat keeps of its own: saved messages, invitations, approvals, archives, corrections, digests, templates."""

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

    op.create_table(
        "amendments",
        sa.Column("id", Id, nullable=False),
        sa.Column("step_id", Id, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason_words", sa.Text(), nullable=True),
        sa.Column("message", Json, nullable=True),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("planned_through", Id, nullable=True),
        sa.Column("planned_all", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name="amendments_step_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="amendments_pkey"),
    )
    op.create_index("amendments_by_step", "amendments", ["step_id", "id"])
    running = sa.text("status = 'running'")
    op.create_index(
        "amendments_running", "amendments", ["step_id"], unique=True, sqlite_where=running, postgresql_where=running
    )
    op.create_table(
        "amended",
        sa.Column("amendment_id", Id, nullable=False),
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address_id", Id, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["amendment_id"], ["amendments.id"], name="amended_amendment_id_fkey"),
        sa.PrimaryKeyConstraint("amendment_id", "delivery_id", "attempt", name="amended_pkey"),
        sqlite_with_rowid=False,
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index(
        "amended_waiting",
        "amended",
        ["amendment_id", "channel", "due_at"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "amendment_counts",
        sa.Column("amendment_id", Id, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["amendment_id"], ["amendments.id"], name="amendment_counts_amendment_id_fkey"),
        sa.PrimaryKeyConstraint("amendment_id", "channel", "name", name="amendment_counts_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "invitations",
        sa.Column("id", Id, nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("invited_by", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("used_by", sa.Text(), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="invitations_pkey"),
        sa.UniqueConstraint("code_hash", name="invitations_code_hash_key"),
    )
    op.create_table(
        "members",
        sa.Column("id", Id, nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("surface", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("invited_by", sa.Text(), nullable=False),
        sa.Column("joined_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="members_pkey"),
        sa.UniqueConstraint("surface", "account", name="members_surface_account_key"),
    )
    merged = sa.text("merged_into IS NOT NULL")
    op.create_index("clients_merged", "clients", ["merged_into"], sqlite_where=merged, postgresql_where=merged)
    op.create_index("audit_by_subject", "audit", ["subject", "id"])
    op.add_column("mailings", sa.Column("canary", Json))
    op.add_column("steps", sa.Column("canary_state", sa.Text()))
    op.add_column("steps", sa.Column("canary_until", Instant()))
    op.create_table(
        "approvals",
        sa.Column("id", Id, nullable=False),
        sa.Column("mailing_id", Id, nullable=False),
        sa.Column("draft_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["mailing_id"], ["mailings.id"], name="approvals_mailing_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="approvals_pkey"),
    )
    op.create_index("approvals_by_mailing", "approvals", ["mailing_id", "id"])
    unanswered = sa.text("state = 'waiting'")
    op.create_index(
        "approvals_waiting",
        "approvals",
        ["mailing_id"],
        unique=True,
        sqlite_where=unanswered,
        postgresql_where=unanswered,
    )
    op.create_table(
        "written_templates",
        sa.Column("id", Id, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("content", Json, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("written_by", sa.Text(), nullable=False),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="written_templates_pkey"),
    )
    op.create_index("written_templates_by_channel", "written_templates", ["channel", "id"])
