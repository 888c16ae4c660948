"""What platforms and clients told of deliveries: receipts, events, and the figures made of them."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables.columns import Id, Instant, Json, metadata

receipts = Table(  # each once; those that came before their part was known are applied when it is
    "receipts",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("external_id", Text),
    Column("reference", Text),
    Column("state", Text, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("key", Text, nullable=False),
    Column("code", Text),
    Column("words", Text),
    Column("reason", Text),
    Column("address", Text),  # whose, where an external id is not one client's alone
    Column("address_status", Text),
    Column("cost", Text),
    Column("units", Integer),
    Column("applied_at", Instant),
    UniqueConstraint("channel", "key"),
)
Index(
    "receipts_waiting",
    receipts.c.received_at,
    sqlite_where=text("applied_at IS NULL"),
    postgresql_where=text("applied_at IS NULL"),
)
Index("receipts_by_external_id", receipts.c.channel, receipts.c.external_id)
Index("receipts_by_reference", receipts.c.channel, receipts.c.reference)

watermarks = Table(  # how far each address has what we sent: all of it up to a moment, or up to an external id
    "watermarks",
    metadata,
    Column("address_id", Id, primary_key=True),
    Column("state", Text, primary_key=True),  # delivered, read
    Column("until", Instant),
    Column("until_id", BigInteger),
    Column("occurred_at", Instant, nullable=False),
    Column("through_at", Instant, nullable=False),  # what was started up to here has been looked at
    sqlite_with_rowid=False,
)

counters = Table(  # moved in the transaction that moves the rows; never recounted
    "counters",
    metadata,
    Column("step_id", Id, ForeignKey("steps.id"), primary_key=True),
    Column("channel", Text, primary_key=True),  # "" for what belongs to no channel (left out, the audience)
    Column("variant", Text, primary_key=True),
    Column("sender", Text, primary_key=True),
    Column("name", Text, primary_key=True),  # storage.records.Counter names: "sent", "failed:blocked", "clicked:link"
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

reactions = Table(  # the first time that a client did something with a step: what filters ask, and counters count once
    "reactions",
    metadata,
    Column("step_id", Id, ForeignKey("steps.id"), primary_key=True),
    Column("kind", Text, primary_key=True),  # unsubscribed, clicked, and clicked:link, clicked:message …
    Column("client_id", Id, primary_key=True),
    Column("delivery_id", Id, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    sqlite_with_rowid=False,
)

events = Table(  # append-only; the key makes repeats harmless
    "events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("type", Text, nullable=False),
    Column("key", Text, nullable=False, unique=True),
    Column("channel", Text),
    Column("client_id", Id),
    Column("address_id", Id),
    Column("step_id", Id),
    Column("delivery_id", Id),
    Column("occurred_at", Instant, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("details", Json),
)
Index("events_by_client", events.c.client_id, events.c.id)
Index("events_by_delivery", events.c.delivery_id, events.c.type)
Index(  # clicks that may yet turn out to be a scanner's
    "events_pending",
    events.c.id,
    sqlite_where=text("type = 'pending_click'"),
    postgresql_where=text("type = 'pending_click'"),
)
