"""What people do, and are told: conversations, cards, digests, invitations, approvals, notices."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from storage.tables.columns import Id, Instant, Json, metadata

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
