"""What the engine must find again after a restart, and what channels brought."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
)

from storage.tables.columns import Id, Instant, Json, metadata

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
