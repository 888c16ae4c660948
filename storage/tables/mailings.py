"""Mailings, their steps, and what became of each client's delivery."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    false,
    text,
)

from storage.tables.columns import Id, Instant, Json, metadata

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
