"""what the chat keeps of its own: saved messages, people who were invited, approvals, archives, corrections, digests."""

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tables of the conversation."""
