"""Links, and the orders that came by them."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    text,
)

from storage.tables.columns import Id, Instant, Money, metadata

# A step's links that are the same for everybody; docs/decisions/links.md tells why a variant has none of its own.
links = Table(
    "links",
    metadata,
    Column("step_id", Id, ForeignKey("steps.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),  # what a token names; from 0, below OWN_LINK of engine.links
    Column("place", Text, nullable=False),  # button, text
    Column("url", Text, nullable=False),
    sqlite_with_rowid=False,
)

own_links = Table(  # links that hold a client's values, as they were rendered for a delivery
    "own_links",
    metadata,
    Column("delivery_id", Id, primary_key=True),
    Column("name", Id, primary_key=True),  # 48 bits of a hash of place and url
    Column("place", Text, nullable=False),
    Column("url", Text, nullable=False),
    sqlite_with_rowid=False,
)

orders = Table(
    "orders",
    metadata,
    Column("id", Id, primary_key=True),
    Column("external_id", Text, unique=True),  # the order's id in the user's own system, once that has told it
    Column("client_id", Id, ForeignKey("clients.id")),
    Column("delivery_id", Id),  # what brought it
    Column("sku", Text),
    Column("amount", Money),
    Column("currency", Text),
    Column("state", Text, nullable=False),  # storage.orders.OrderState
    Column("sequence", Id, nullable=False, unique=True),  # grows with every change: programs read on from one
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)
Index("orders_by_delivery", orders.c.delivery_id)
Index("orders_by_client", orders.c.client_id)
Index(  # pressed twice, it is still one order
    "orders_opened",
    orders.c.delivery_id,
    orders.c.sku,
    unique=True,
    sqlite_where=text("state = 'opened' AND external_id IS NULL"),
    postgresql_where=text("state = 'opened' AND external_id IS NULL"),
)

order_hooks = Table(  # orders that the user's system is still to be told of
    "order_hooks",
    metadata,
    Column("order_id", Id, ForeignKey("orders.id"), primary_key=True),
    Column("tries", SmallInteger, nullable=False),
    Column("due_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)
Index("order_hooks_due", order_hooks.c.due_at)
