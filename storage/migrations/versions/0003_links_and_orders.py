"""links, clicks and orders.

Nothing wrote to `links` and `orders` before this revision, so both are made anew.
"""

import sqlalchemy as sa
from alembic import op

from storage.schema import Id, Instant, Money

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("links")
    op.create_table(
        "links",
        sa.Column("step_id", Id, nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name="links_step_id_fkey"),
        sa.PrimaryKeyConstraint("step_id", "number", name="links_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "own_links",
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("name", Id, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "name", name="own_links_pkey"),
        sqlite_with_rowid=False,
    )
    pending = sa.text("type = 'pending_click'")
    op.create_index("events_pending", "events", ["id"], sqlite_where=pending, postgresql_where=pending)

    op.drop_index("orders_by_delivery", "orders")
    op.drop_table("orders")
    op.create_table(
        "orders",
        sa.Column("id", Id, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("client_id", Id, nullable=True),
        sa.Column("delivery_id", Id, nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("amount", Money(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sequence", Id, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="orders_client_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="orders_pkey"),
        sa.UniqueConstraint("external_id", name="orders_external_id_key"),
        sa.UniqueConstraint("sequence", name="orders_sequence_key"),
    )
    op.create_index("orders_by_delivery", "orders", ["delivery_id"], unique=False)
    op.create_index("orders_by_client", "orders", ["client_id"], unique=False)
    opened = sa.text("state = 'opened' AND external_id IS NULL")
    op.create_index(
        "orders_opened",
        "orders",
        ["delivery_id", "sku"],
        unique=True,
        sqlite_where=opened,
        postgresql_where=opened,
    )
    op.create_table(
        "order_hooks",
        sa.Column("order_id", Id, nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("due_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name="order_hooks_order_id_fkey"),
        sa.PrimaryKeyConstraint("order_id", name="order_hooks_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_index("order_hooks_due", "order_hooks", ["due_at"], unique=False)
