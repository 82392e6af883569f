"""What a person's talk has taught; and of a turn, how often it was merged and what help it called for."""

import sqlalchemy as sa
from alembic import op

from silvertalk.columns import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "habits",
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("pauses", sa.JSON(), nullable=False),
        sa.Column("speech_rate", sa.Float(), nullable=False),
        sa.Column("loudness", sa.Float(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_habits"),
    )
    # The servers' defaults are for the rows that are there, and for gateways that do not know the columns yet.
    op.add_column("turns", sa.Column("merges", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("turns", sa.Column("distress", sa.String(32), nullable=False, server_default=""))
    op.add_column("turns", sa.Column("witness", sa.String(16), nullable=False, server_default="journal"))


def downgrade() -> None:
    with op.batch_alter_table("turns") as turns:
        turns.drop_column("witness")
        turns.drop_column("distress")
        turns.drop_column("merges")
    op.drop_table("habits")
