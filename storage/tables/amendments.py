"""What people did to a mailing that clients have."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    false,
    text,
)

from storage.tables.columns import Id, Instant, Json, metadata

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
