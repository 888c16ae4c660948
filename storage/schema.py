"""Every table and index.

Times are aware UTC in Python; PostgreSQL keeps them as timestamptz, SQLite as microseconds since 1970.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TIMESTAMP, TypeDecorator, TypeEngine

from storage.money import from_ten_thousandths, in_ten_thousandths

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime to the microsecond."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return value.astimezone(UTC) if isinstance(value, datetime) else None
        return _EPOCH + timedelta(microseconds=value)


class Money(TypeDecorator[Decimal]):
    """An amount of money, exact to a ten-thousandth on both databases; at most 14 digits before the point."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        return None if value is None else in_ten_thousandths(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else from_ten_thousandths(value)


Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in an INTEGER primary key
Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

# --- clients ---------------------------------------------------------------------------------------------------------

# A custom attribute has one slot on the card: its text, and its number where the text is one (a date counts as text in
# ISO form, which sorts as dates do). All that a filter can ask of a card lies in one row, so that any mix of conditions
# is one pass over the cards: docs/decisions/filters.md has the figures.
ATTRIBUTE_SLOTS = 32

clients = Table(
    "clients",
    metadata,
    Column("id", Id, primary_key=True),
    Column("external_id", Text, unique=True),  # the client's id in the user's own system
    Column("name", Text),
    Column("first_name", Text),
    Column("last_name", Text),
    Column("phone", Text),  # E.164; an address of scope "phone" beside it, as the e-mail has one
    Column("email", Text),
    Column("language", Text),
    Column("timezone", Text),
    Column("timezone_source", Text),  # card, phone, app
    Column("main_channel", Text),
    # What audiences ask of every card, kept with addresses, client_tags and subscriptions by storage.cards.
    Column("main_address_id", Id),
    Column("main_status", Text, nullable=False, server_default="none"),  # AddressStatus, or none
    Column("reach", Text, nullable=False, server_default="|"),  # addresses, as "|tg-shop=enabled|vk=blocked|"
    Column("tags", Text, nullable=False, server_default=","),  # ids of tags, as ",3,17,"
    Column("sources", Text, nullable=False, server_default="|"),  # subscriptions, as "|promo_42|ref7|"
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("last_seen_at", Instant),
    Column("last_wrote_at", Instant),
    Column("merged_into", Id),
    Column("erased_at", Instant),
    *(Column(f"text_{slot}", Text) for slot in range(ATTRIBUTE_SLOTS)),
    *(Column(f"number_{slot}", Float) for slot in range(ATTRIBUTE_SLOTS)),
)

Index(  # what happened to a client stands under the cards that were merged into this one, too
    "clients_merged",
    clients.c.merged_into,
    sqlite_where=text("merged_into IS NOT NULL"),
    postgresql_where=text("merged_into IS NOT NULL"),
)

attributes = Table(
    "attributes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("slot", Integer, nullable=False, unique=True),
    Column("type", Text, nullable=False),  # text, number, date: what its values have been so far; mixed is text
)

tags = Table(
    "tags",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

client_tags = Table(
    "client_tags",
    metadata,
    Column("tag_id", Id, ForeignKey("tags.id"), primary_key=True),
    Column("client_id", Id, ForeignKey("clients.id"), primary_key=True),
    sqlite_with_rowid=False,
)
Index("client_tags_by_client", client_tags.c.client_id)

addresses = Table(
    "addresses",
    metadata,
    Column("id", Id, primary_key=True),
    Column("client_id", Id, ForeignKey("clients.id"), nullable=False),
    Column("scope", Text, nullable=False),  # the channel for page-scoped ids, "phone" and "email" for the card's own
    Column("external_id", Text, nullable=False),
    Column("channel", Text),  # the channel that reaches it; NULL for the card's phone and e-mail by themselves
    Column("status", Text, nullable=False),  # gateways.base.AddressStatus
    Column("status_reason", Text),
    Column("status_at", Instant, nullable=False),
    Column("last_wrote_at", Instant),  # the free-message window counts from here
    Column("created_at", Instant, nullable=False),
    Column("details", Json, nullable=False),
    UniqueConstraint("external_id", "scope"),  # in this order: a person looks for an address wherever it is
)
Index("addresses_by_client", addresses.c.client_id, addresses.c.channel, addresses.c.status)

subscriptions = Table(  # sources: what /start, ref or context said
    "subscriptions",
    metadata,
    Column("client_id", Id, ForeignKey("clients.id"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("channel", Text),
    Column("since", Instant, nullable=False),
)
Index("subscriptions_by_source", subscriptions.c.source, subscriptions.c.client_id)

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("client_id", Id, ForeignKey("clients.id"), nullable=False),
    Column("scope", Text, nullable=False),  # a channel's id, or "all"
    Column("source", Text, nullable=False),  # keyword, platform, person, page, import
    Column("delivery_id", Id),
    Column("occurred_at", Instant, nullable=False),
    Column("ended_at", Instant),  # START brought the client back
)
Index("opt_outs_by_client", opt_outs.c.client_id, opt_outs.c.scope)

erased_addresses = Table(  # keyed hashes, so that an import can't subscribe an erased address again
    "erased_addresses",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("erased_at", Instant, nullable=False),
)

segments = Table(
    "segments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("audience", Json, nullable=False),
    Column("last_count", BigInteger),
    Column("counted_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

# --- mailings --------------------------------------------------------------------------------------------------------

mailings = Table(
    "mailings",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("routing", Text, nullable=False),  # main, chosen, cascade
    Column("channels", Json, nullable=False),
    Column("speed", Float),  # messages/second per channel; NULL: the channel's own
    Column("on_unknown", Text, nullable=False),  # skip, repeat
    Column("created_by", Text, nullable=False),  # storage.records.Actor, as it is written there
    Column("created_at", Instant, nullable=False),
    Column("launched_by", Text),
    Column("copied_from", Id),
    Column("archived_at", Instant),
    Column("canary", Json),  # storage.records.Canary; NULL: it goes to everybody at once
)

steps = Table(
    "steps",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id, ForeignKey("mailings.id"), nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("name", Text),
    Column("status", Text, nullable=False),  # storage.records.Status
    Column("reason", Text),  # why it is paused or interrupted: a short word, with what a person reads in reason_words
    Column("reason_words", Text),
    Column("start", Text, nullable=False),  # "now", or the local time as the operator gave it
    Column("timezone", Text),  # IANA name, "client", or NULL: the app's
    Column("start_at", Instant),  # the instant that start and timezone mean; with "client", when the first zone begins
    Column("audience", Json, nullable=False),
    Column("message", Json, nullable=False),
    Column("content_hash", Text),  # set at launch: what goes out is what was seen
    Column("revision", BigInteger, nullable=False, server_default="0"),  # grows with every change a person makes
    Column("launched_at", Instant),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("closed_at", Instant),
    Column("rate", Float),  # messages/second as the engine last saw it, at rate_at
    Column("rate_at", Instant),
    Column("moved_at", Instant),  # when the engine last saw an outcome come, or began to look
    Column("planned_through", Id),  # the last client id that the plan has looked at
    Column("planned_all", Boolean, nullable=False, server_default=false()),
    Column("last_count", BigInteger),  # how many it was going to when a person last saw a number
    Column("counted_at", Instant),
    Column("canary_state", Text),  # storage.records.CanaryState; NULL: its first ones are not all sent yet
    Column("canary_until", Instant),  # when it is judged
    UniqueConstraint("mailing_id", "number"),
)
Index("steps_by_status", steps.c.status)

# A delivery is named after its step and its client: (step, client) is unique without another index, and a pass over the
# cards finds each client's delivery in the order in which both lie on disk (docs/decisions/filters.md).
CLIENTS_IN_STEP = 2**32


def delivery_id(step_id: Any, client_id: Any) -> Any:
    """The id of the step's delivery to the client; of numbers or of columns."""
    return step_id * CLIENTS_IN_STEP + client_id


def _delivery_id(context: Any) -> int:
    row = context.get_current_parameters()
    named: int = delivery_id(row["step_id"], row["client_id"])
    return named


deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False, default=_delivery_id),
    Column("step_id", Id, ForeignKey("steps.id"), nullable=False),
    Column("client_id", Id, ForeignKey("clients.id"), nullable=False),
    Column("channel", Text, nullable=False),
    Column("address_id", Id, nullable=False),
    Column("sender", Text, nullable=False, server_default=""),
    Column("variant", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),  # storage.records.DeliveryState
    Column("reason", Text),
    Column("due_at", Instant, nullable=False),
    Column("attempt", SmallInteger, nullable=False, server_default="1"),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("run_id", Id),  # whose claim it is
    Column("started_at", Instant),  # committed before the socket is written; of a planned one: maybe taken then
    Column("finished_at", Instant),
    CheckConstraint(f"id = step_id * {CLIENTS_IN_STEP} + client_id", name="id_names_step_and_client"),
)
# A lane claims by step, so that several mailings share a channel; ended rows leave the index.
Index(
    "deliveries_to_claim",
    deliveries.c.step_id,
    deliveries.c.channel,
    deliveries.c.due_at,
    deliveries.c.id,
    sqlite_where=text("state = 'planned'"),
    postgresql_where=text("state = 'planned'"),
)
Index(
    "deliveries_in_hand",
    deliveries.c.run_id,
    sqlite_where=text("state = 'sending'"),
    postgresql_where=text("state = 'sending'"),
)
Index(  # by its end: the polls for reads ask who was sent a mailing in a span of time
    "deliveries_by_outcome", deliveries.c.step_id, deliveries.c.state, deliveries.c.reason, deliveries.c.finished_at
)
Index("deliveries_by_client", deliveries.c.client_id)

attempts = Table(
    "attempts",
    metadata,
    Column("delivery_id", Id, ForeignKey("deliveries.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("address_id", Id, nullable=False),
    Column("sender", Text, nullable=False, server_default=""),
    Column("tries", SmallInteger, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("outcome", Text, nullable=False),  # sent, failed, unknown, planned (tried, and to be tried again)
    Column("reason", Text),
    Column("code", Text),
    Column("words", Text),
    sqlite_with_rowid=False,
)
# What a watermark reaches of a client's years: from the last one to this one.
Index("attempts_by_address", attempts.c.address_id, attempts.c.started_at)

parts = Table(
    "parts",
    metadata,
    Column("delivery_id", Id, primary_key=True),
    Column("attempt", SmallInteger, primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("external_id", Text),
    Column("accepted_at", Instant),
    Column("delivered_at", Instant),
    Column("read_at", Instant),
    Column("failed_at", Instant),
    Column("reason", Text),  # why it failed later: the word under which statistics count it
    Column("code", Text),
    Column("details", Json),
    sqlite_with_rowid=False,
)
Index("parts_by_external_id", parts.c.channel, parts.c.external_id)

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

# --- links, orders ---------------------------------------------------------------------------------------------------

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

# --- after sending ---------------------------------------------------------------------------------------------------

amendments = Table(  # what people did to a mailing that clients have: took it back, or corrected it where it stands
    "amendments",
    metadata,
    Column("id", Id, primary_key=True),
    Column("step_id", Id, ForeignKey("steps.id"), nullable=False),
    Column("kind", Text, nullable=False),  # storage.amendments.AmendmentKind
    Column("status", Text, nullable=False),  # running, done, stopped
    Column("reason_words", Text),  # why it stopped
    Column("message", Json),  # how it reads from now on; NULL for one that is taken back
    Column("started_by", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("planned_through", Id),  # the last delivery that was looked at
    Column("planned_all", Boolean, nullable=False, server_default=false()),
)
Index("amendments_by_step", amendments.c.step_id, amendments.c.id)
Index(  # one at a time for a step
    "amendments_running",
    amendments.c.step_id,
    unique=True,
    sqlite_where=text("status = 'running'"),
    postgresql_where=text("status = 'running'"),
)

amended = Table(  # what became of each message that a client had: one row an attempt, whose parts go together
    "amended",
    metadata,
    Column("amendment_id", Id, ForeignKey("amendments.id"), primary_key=True),
    Column("delivery_id", Id, primary_key=True),
    Column("attempt", SmallInteger, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("address_id", Id, nullable=False),
    Column("state", Text, nullable=False),  # waiting, reached, missed
    Column("reason", Text),
    Column("words", Text),
    Column("tries", SmallInteger, nullable=False, server_default="0"),
    Column("due_at", Instant, nullable=False),
    Column("finished_at", Instant),
    sqlite_with_rowid=False,
)
Index(
    "amended_waiting",
    amended.c.amendment_id,
    amended.c.channel,
    amended.c.due_at,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)

amendment_counts = Table(  # moved with the rows, as counters are
    "amendment_counts",
    metadata,
    Column("amendment_id", Id, ForeignKey("amendments.id"), primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("name", Text, primary_key=True),  # waiting, reached, missed:too_old
    Column("amount", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# --- the engine, people ----------------------------------------------------------------------------------------------

runs = Table(
    "runs",
    metadata,
    Column("id", Id, primary_key=True),
    Column("started_at", Instant, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
)

settings = Table(  # what a person switched: the kill switch; one row a name
    "settings",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Json, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", Instant, nullable=False),
)

channel_states = Table(  # what a lane knows that must survive a restart and be seen from the command line
    "channel_states",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("account_id", Text),  # whose token it was at the last good check
    Column("account_name", Text),
    Column("link", Text),
    Column("broken_at", Instant),
    Column("reason", Text),
    Column("down_since", Instant),
    Column("throttled_until", Instant),
    Column("package_left", BigInteger),  # quota per package: the balance
    Column("sent_on", Text),  # quota per day: the day in the app's zone, and how many
    Column("sent_that_day", BigInteger, nullable=False, server_default="0"),
    Column("details", Json),
)

uploads = Table(
    "uploads",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("remote_id", Text, nullable=False),
    Column("uploaded_at", Instant, nullable=False),
)

templates = Table(  # messages that a platform approved, as it told of them last
    "templates",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("language", Text, primary_key=True),
    Column("status", Text, nullable=False),  # approved, pending, rejected, paused, disabled
    Column("category", Text, nullable=False),  # marketing, utility, authentication
    Column("external_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("details", Json, nullable=False),  # parameters, header, buttons, why it was refused
    Column("synced_at", Instant, nullable=False),
)

written_templates = Table(  # templates that people write here, to be approved by a platform
    "written_templates",
    metadata,
    Column("id", Id, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("state", Text, nullable=False),  # storage.written.WrittenState
    Column("name", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("content", Json, nullable=False),  # gateways.base.NewTemplate
    Column("revision", BigInteger, nullable=False),  # grows with every change
    Column("written_by", Text, nullable=False),  # storage.records.Actor: who changed it last, or submitted it
    Column("changed_at", Instant, nullable=False),
    Column("status", Text),  # what the platform said last
    Column("category", Text),
    Column("reason", Text),  # why it was refused
)
Index("written_templates_by_channel", written_templates.c.channel, written_templates.c.id)

updates = Table(  # the last update that a polled channel or bot has committed
    "updates",
    metadata,
    Column("source", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)

conversations = Table(
    "conversations",
    metadata,
    Column("surface", Text, primary_key=True),
    Column("account", Text, primary_key=True),  # the person's id on that surface
    Column("chat", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("state", Json, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

saved_messages = Table(  # messages that people keep to use again
    "saved_messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("kind", Text, nullable=False),  # of messenger; "" for all of them
    Column("name", Text, nullable=False),
    Column("message", Json, nullable=False),
    Column("revision", BigInteger, nullable=False),  # grows with every change
    Column("saved_by", Text, nullable=False),  # the person's name
    Column("saved_at", Instant, nullable=False),
    UniqueConstraint("kind", "name"),
)

cards = Table(  # live cards, found again after a restart
    "cards",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id, nullable=False),
    Column("surface", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("shown", Text),  # a hash of what it shows, so that an unchanged card is not edited
    Column("closed_at", Instant),
    UniqueConstraint("surface", "chat", "message_id"),
)

digests = Table(  # numbers that a person has sent to a chat each day or week
    "digests",
    metadata,
    Column("id", Id, primary_key=True),
    Column("surface", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("chat", Text, nullable=False),
    Column("every", Text, nullable=False),  # storage.digests.Every
    Column("weekday", SmallInteger),  # from 0, a Monday; NULL where it comes each day
    Column("minute", SmallInteger, nullable=False),  # of the day
    Column("timezone", Text, nullable=False),
    Column("due_at", Instant, nullable=False),
    UniqueConstraint("surface", "account", "chat", "every"),
)

invitations = Table(  # one-time codes by which an owner lets somebody use an admin bot
    "invitations",
    metadata,
    Column("id", Id, primary_key=True),
    Column("code_hash", LargeBinary, nullable=False, unique=True),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),  # storage.records.Role
    Column("invited_by", Text, nullable=False),  # storage.records.Actor
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("used_by", Text),  # surface and account
    Column("revoked_at", Instant),
)

members = Table(  # accounts that an invitation has bound to a person
    "members",
    metadata,
    Column("id", Id, primary_key=True),
    Column("person", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("surface", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("invited_by", Text, nullable=False),
    Column("joined_at", Instant, nullable=False),
    UniqueConstraint("surface", "account"),
)

approvals = Table(  # a second person's word on a mailing, exactly as it was when it was asked for
    "approvals",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id, ForeignKey("mailings.id"), nullable=False),
    Column("draft_hash", Text, nullable=False),  # of everything that was shown: another one is another mailing
    Column("state", Text, nullable=False),  # storage.approvals.ApprovalState
    Column("asked_by", Text, nullable=False),  # storage.records.Actor
    Column("asked_at", Instant, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", Instant),
    Column("words", Text),  # why it was rejected
)
Index("approvals_by_mailing", approvals.c.mailing_id, approvals.c.id)
Index(  # one question at a time
    "approvals_waiting",
    approvals.c.mailing_id,
    unique=True,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)

notices = Table(  # what people are to be told; a surface marks it told
    "notices",
    metadata,
    Column("id", Id, primary_key=True),
    Column("mailing_id", Id),
    Column("kind", Text, nullable=False),  # started, finished, interrupted, paused, channel_broken …
    Column("actor", Text),  # whom it is for: who launched it; NULL: every owner
    Column("details", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("told_at", Instant),
)
Index(
    "notices_untold",
    notices.c.id,
    sqlite_where=text("told_at IS NULL"),
    postgresql_where=text("told_at IS NULL"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("mailing_id", Id),
    Column("subject", Text),
    Column("details", Json, nullable=False),
    CheckConstraint("verb <> ''", name="verb_is_named"),
)
Index("audit_by_mailing", audit.c.mailing_id, audit.c.id)
Index("audit_by_subject", audit.c.subject, audit.c.id)
