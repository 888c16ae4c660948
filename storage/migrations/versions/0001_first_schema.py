"""first schema."""

import sqlalchemy as sa
from alembic import op

from storage.schema import Id, Instant, Json

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attributes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="attributes_pkey"),
        sa.UniqueConstraint("slot", name="attributes_slot_key"),
    )
    op.create_table(
        "audit",
        sa.Column("id", Id, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("verb", sa.Text(), nullable=False),
        sa.Column("mailing_id", Id, nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("details", Json, nullable=False),
        sa.CheckConstraint("verb <> ''", name="audit_verb_is_named"),
        sa.PrimaryKeyConstraint("id", name="audit_pkey"),
    )
    op.create_index("audit_by_mailing", "audit", ["mailing_id", "id"], unique=False)

    op.create_table(
        "cards",
        sa.Column("id", Id, nullable=False),
        sa.Column("mailing_id", Id, nullable=False),
        sa.Column("surface", sa.Text(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="cards_pkey"),
        sa.UniqueConstraint("surface", "chat", "message_id", name="cards_surface_chat_message_id_key"),
    )
    op.create_table(
        "channel_states",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("account_name", sa.Text(), nullable=True),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column("broken_at", Instant(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("down_since", Instant(), nullable=True),
        sa.Column("throttled_until", Instant(), nullable=True),
        sa.Column("package_left", sa.BigInteger(), nullable=True),
        sa.Column("sent_on", sa.Text(), nullable=True),
        sa.Column("sent_that_day", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("details", Json, nullable=True),
        sa.PrimaryKeyConstraint("channel", name="channel_states_pkey"),
    )
    op.create_table(
        "clients",
        sa.Column("id", Id, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("timezone_source", sa.Text(), nullable=True),
        sa.Column("main_channel", sa.Text(), nullable=True),
        sa.Column("main_address_id", Id, nullable=True),
        sa.Column("main_status", sa.Text(), server_default="none", nullable=False),
        sa.Column("reach", sa.Text(), server_default="|", nullable=False),
        sa.Column("tags", sa.Text(), server_default=",", nullable=False),
        sa.Column("sources", sa.Text(), server_default="|", nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("last_seen_at", Instant(), nullable=True),
        sa.Column("last_wrote_at", Instant(), nullable=True),
        sa.Column("merged_into", Id, nullable=True),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.Column("text_0", sa.Text(), nullable=True),
        sa.Column("text_1", sa.Text(), nullable=True),
        sa.Column("text_2", sa.Text(), nullable=True),
        sa.Column("text_3", sa.Text(), nullable=True),
        sa.Column("text_4", sa.Text(), nullable=True),
        sa.Column("text_5", sa.Text(), nullable=True),
        sa.Column("text_6", sa.Text(), nullable=True),
        sa.Column("text_7", sa.Text(), nullable=True),
        sa.Column("text_8", sa.Text(), nullable=True),
        sa.Column("text_9", sa.Text(), nullable=True),
        sa.Column("text_10", sa.Text(), nullable=True),
        sa.Column("text_11", sa.Text(), nullable=True),
        sa.Column("text_12", sa.Text(), nullable=True),
        sa.Column("text_13", sa.Text(), nullable=True),
        sa.Column("text_14", sa.Text(), nullable=True),
        sa.Column("text_15", sa.Text(), nullable=True),
        sa.Column("text_16", sa.Text(), nullable=True),
        sa.Column("text_17", sa.Text(), nullable=True),
        sa.Column("text_18", sa.Text(), nullable=True),
        sa.Column("text_19", sa.Text(), nullable=True),
        sa.Column("text_20", sa.Text(), nullable=True),
        sa.Column("text_21", sa.Text(), nullable=True),
        sa.Column("text_22", sa.Text(), nullable=True),
        sa.Column("text_23", sa.Text(), nullable=True),
        sa.Column("text_24", sa.Text(), nullable=True),
        sa.Column("text_25", sa.Text(), nullable=True),
        sa.Column("text_26", sa.Text(), nullable=True),
        sa.Column("text_27", sa.Text(), nullable=True),
        sa.Column("text_28", sa.Text(), nullable=True),
        sa.Column("text_29", sa.Text(), nullable=True),
        sa.Column("text_30", sa.Text(), nullable=True),
        sa.Column("text_31", sa.Text(), nullable=True),
        sa.Column("number_0", sa.Float(), nullable=True),
        sa.Column("number_1", sa.Float(), nullable=True),
        sa.Column("number_2", sa.Float(), nullable=True),
        sa.Column("number_3", sa.Float(), nullable=True),
        sa.Column("number_4", sa.Float(), nullable=True),
        sa.Column("number_5", sa.Float(), nullable=True),
        sa.Column("number_6", sa.Float(), nullable=True),
        sa.Column("number_7", sa.Float(), nullable=True),
        sa.Column("number_8", sa.Float(), nullable=True),
        sa.Column("number_9", sa.Float(), nullable=True),
        sa.Column("number_10", sa.Float(), nullable=True),
        sa.Column("number_11", sa.Float(), nullable=True),
        sa.Column("number_12", sa.Float(), nullable=True),
        sa.Column("number_13", sa.Float(), nullable=True),
        sa.Column("number_14", sa.Float(), nullable=True),
        sa.Column("number_15", sa.Float(), nullable=True),
        sa.Column("number_16", sa.Float(), nullable=True),
        sa.Column("number_17", sa.Float(), nullable=True),
        sa.Column("number_18", sa.Float(), nullable=True),
        sa.Column("number_19", sa.Float(), nullable=True),
        sa.Column("number_20", sa.Float(), nullable=True),
        sa.Column("number_21", sa.Float(), nullable=True),
        sa.Column("number_22", sa.Float(), nullable=True),
        sa.Column("number_23", sa.Float(), nullable=True),
        sa.Column("number_24", sa.Float(), nullable=True),
        sa.Column("number_25", sa.Float(), nullable=True),
        sa.Column("number_26", sa.Float(), nullable=True),
        sa.Column("number_27", sa.Float(), nullable=True),
        sa.Column("number_28", sa.Float(), nullable=True),
        sa.Column("number_29", sa.Float(), nullable=True),
        sa.Column("number_30", sa.Float(), nullable=True),
        sa.Column("number_31", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="clients_pkey"),
        sa.UniqueConstraint("external_id", name="clients_external_id_key"),
    )
    op.create_table(
        "conversations",
        sa.Column("surface", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("chat", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("state", Json, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("surface", "account", "chat", name="conversations_pkey"),
    )
    op.create_table(
        "erased_addresses",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="erased_addresses_pkey"),
    )
    op.create_table(
        "events",
        sa.Column("id", Id, nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("client_id", Id, nullable=True),
        sa.Column("address_id", Id, nullable=True),
        sa.Column("step_id", Id, nullable=True),
        sa.Column("delivery_id", Id, nullable=True),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("details", Json, nullable=True),
        sa.PrimaryKeyConstraint("id", name="events_pkey"),
        sa.UniqueConstraint("key", name="events_key_key"),
    )
    op.create_index("events_by_client", "events", ["client_id", "id"], unique=False)
    op.create_index("events_by_delivery", "events", ["delivery_id", "type"], unique=False)

    op.create_table(
        "mailings",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("routing", sa.Text(), nullable=False),
        sa.Column("channels", Json, nullable=False),
        sa.Column("speed", sa.Float(), nullable=True),
        sa.Column("on_unknown", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("launched_by", sa.Text(), nullable=True),
        sa.Column("copied_from", Id, nullable=True),
        sa.Column("archived_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="mailings_pkey"),
    )
    op.create_table(
        "notices",
        sa.Column("id", Id, nullable=False),
        sa.Column("mailing_id", Id, nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=True),
        sa.Column("details", Json, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("told_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="notices_pkey"),
    )
    op.create_index(
        "notices_untold",
        "notices",
        ["id"],
        unique=False,
        sqlite_where=sa.text("told_at IS NULL"),
        postgresql_where=sa.text("told_at IS NULL"),
    )

    op.create_table(
        "parts",
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("accepted_at", Instant(), nullable=True),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.Column("read_at", Instant(), nullable=True),
        sa.Column("failed_at", Instant(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("details", Json, nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", "attempt", "position", name="parts_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_index("parts_by_external_id", "parts", ["channel", "external_id"], unique=False)

    op.create_table(
        "receipts",
        sa.Column("id", Id, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("received_at", Instant(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("applied_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="receipts_pkey"),
        sa.UniqueConstraint("channel", "key", name="receipts_channel_key_key"),
    )
    op.create_index("receipts_by_external_id", "receipts", ["channel", "external_id"], unique=False)
    op.create_index("receipts_by_reference", "receipts", ["channel", "reference"], unique=False)
    op.create_index(
        "receipts_waiting",
        "receipts",
        ["id"],
        unique=False,
        sqlite_where=sa.text("applied_at IS NULL"),
        postgresql_where=sa.text("applied_at IS NULL"),
    )

    op.create_table(
        "runs",
        sa.Column("id", Id, nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("heartbeat_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="runs_pkey"),
    )
    op.create_table(
        "segments",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("audience", Json, nullable=False),
        sa.Column("last_count", sa.BigInteger(), nullable=True),
        sa.Column("counted_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="segments_pkey"),
        sa.UniqueConstraint("name", name="segments_name_key"),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", Json, nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="settings_pkey"),
    )
    op.create_table(
        "tags",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="tags_pkey"),
        sa.UniqueConstraint("name", name="tags_name_key"),
    )
    op.create_table(
        "updates",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name="updates_pkey"),
    )
    op.create_table(
        "uploads",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("remote_id", sa.Text(), nullable=False),
        sa.Column("uploaded_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "source", "kind", name="uploads_pkey"),
    )
    op.create_table(
        "addresses",
        sa.Column("id", Id, nullable=False),
        sa.Column("client_id", Id, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_reason", sa.Text(), nullable=True),
        sa.Column("status_at", Instant(), nullable=False),
        sa.Column("last_wrote_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("details", Json, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="addresses_client_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="addresses_pkey"),
        sa.UniqueConstraint("external_id", "scope", name="addresses_external_id_scope_key"),
    )
    op.create_index("addresses_by_client", "addresses", ["client_id", "channel", "status"], unique=False)

    op.create_table(
        "client_tags",
        sa.Column("tag_id", Id, nullable=False),
        sa.Column("client_id", Id, nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="client_tags_client_id_fkey"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name="client_tags_tag_id_fkey"),
        sa.PrimaryKeyConstraint("tag_id", "client_id", name="client_tags_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_index("client_tags_by_client", "client_tags", ["client_id"], unique=False)

    op.create_table(
        "opt_outs",
        sa.Column("id", Id, nullable=False),
        sa.Column("client_id", Id, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("delivery_id", Id, nullable=True),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="opt_outs_client_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="opt_outs_pkey"),
    )
    op.create_index("opt_outs_by_client", "opt_outs", ["client_id", "scope"], unique=False)

    op.create_table(
        "orders",
        sa.Column("id", Id, nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("client_id", Id, nullable=True),
        sa.Column("delivery_id", Id, nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("amount", sa.Numeric(precision=18, scale=4), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="orders_client_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="orders_pkey"),
        sa.UniqueConstraint("external_id", name="orders_external_id_key"),
    )
    op.create_index("orders_by_delivery", "orders", ["delivery_id"], unique=False)

    op.create_table(
        "steps",
        sa.Column("id", Id, nullable=False),
        sa.Column("mailing_id", Id, nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("reason_words", sa.Text(), nullable=True),
        sa.Column("start", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("start_at", Instant(), nullable=True),
        sa.Column("audience", Json, nullable=False),
        sa.Column("message", Json, nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("launched_at", Instant(), nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("rate", sa.Float(), nullable=True),
        sa.Column("rate_at", Instant(), nullable=True),
        sa.Column("planned_through", Id, nullable=True),
        sa.Column("planned_all", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["mailing_id"], ["mailings.id"], name="steps_mailing_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="steps_pkey"),
        sa.UniqueConstraint("mailing_id", "number", name="steps_mailing_id_number_key"),
    )
    op.create_index("steps_by_status", "steps", ["status"], unique=False)

    op.create_table(
        "subscriptions",
        sa.Column("client_id", Id, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("since", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="subscriptions_client_id_fkey"),
        sa.PrimaryKeyConstraint("client_id", "source", name="subscriptions_pkey"),
    )
    op.create_index("subscriptions_by_source", "subscriptions", ["source", "client_id"], unique=False)

    op.create_table(
        "counters",
        sa.Column("step_id", Id, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name="counters_step_id_fkey"),
        sa.PrimaryKeyConstraint("step_id", "channel", "variant", "sender", "name", name="counters_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "deliveries",
        sa.Column("id", Id, autoincrement=False, nullable=False),
        sa.Column("step_id", Id, nullable=False),
        sa.Column("client_id", Id, nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address_id", Id, nullable=False),
        sa.Column("sender", sa.Text(), server_default="", nullable=False),
        sa.Column("variant", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("due_at", Instant(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("run_id", Id, nullable=True),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.CheckConstraint("id = step_id * 4294967296 + client_id", name="deliveries_id_names_step_and_client"),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name="deliveries_client_id_fkey"),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name="deliveries_step_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="deliveries_pkey"),
    )
    op.create_index("deliveries_by_client", "deliveries", ["client_id"], unique=False)
    op.create_index("deliveries_by_outcome", "deliveries", ["step_id", "state", "reason"], unique=False)
    op.create_index(
        "deliveries_in_hand",
        "deliveries",
        ["run_id"],
        unique=False,
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "deliveries_to_claim",
        "deliveries",
        ["step_id", "channel", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'planned'"),
        postgresql_where=sa.text("state = 'planned'"),
    )

    op.create_table(
        "links",
        sa.Column("id", Id, nullable=False),
        sa.Column("step_id", Id, nullable=False),
        sa.Column("variant", sa.Text(), server_default="", nullable=False),
        sa.Column("element", sa.SmallInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name="links_step_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="links_pkey"),
        sa.UniqueConstraint(
            "step_id", "variant", "element", "place", "url", name="links_step_id_variant_element_place_url_key"
        ),
    )
    op.create_table(
        "reactions",
        sa.Column("step_id", Id, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("client_id", Id, nullable=False),
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("occurred_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["step_id"], ["steps.id"], name="reactions_step_id_fkey"),
        sa.PrimaryKeyConstraint("step_id", "kind", "client_id", name="reactions_pkey"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "attempts",
        sa.Column("delivery_id", Id, nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address_id", Id, nullable=False),
        sa.Column("sender", sa.Text(), server_default="", nullable=False),
        sa.Column("tries", sa.SmallInteger(), nullable=False),
        sa.Column("started_at", Instant(), nullable=True),
        sa.Column("finished_at", Instant(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="attempts_delivery_id_fkey"),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="attempts_pkey"),
        sqlite_with_rowid=False,
    )
