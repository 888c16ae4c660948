"""Clients: their cards, addresses, tags and opt-outs, and segments."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables.columns import Id, Instant, Json, metadata

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
