"""What reminiscence leaves: summaries and insights, a turn's photo, how a video came to be, its shares."""

import sqlalchemy as sa
from alembic import op

from silvertalk.columns import CleanText, Moment

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The servers' defaults are for the rows that are there, and for gateways that do not know the columns yet.
    op.add_column("users", sa.Column("barks", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.add_column("sessions", sa.Column("summary_upto", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("sessions", sa.Column("insights_upto", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("turns", sa.Column("photo_id", sa.String(36), nullable=False, server_default=""))
    op.add_column("turns", sa.Column("forgotten", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("memories", sa.Column("differs_from", sa.String(36), nullable=False, server_default=""))
    op.add_column("videos", sa.Column("title", CleanText(), nullable=False, server_default=""))
    op.add_column("videos", sa.Column("voice_id", sa.String(32), nullable=False, server_default=""))
    op.add_column("videos", sa.Column("own_voice", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("videos", sa.Column("story", sa.JSON(), nullable=True))
    op.add_column("videos", sa.Column("job_id", sa.String(36), nullable=False, server_default=""))
    op.add_column("videos", sa.Column("error_code", sa.String(64), nullable=False, server_default=""))
    op.create_table(
        "video_shares",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("video_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(
            ["video_id"], ["videos.id"], name="fk_video_shares_video_id_videos", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_video_shares"),
    )
    op.create_index("ix_video_shares_video_id", "video_shares", ["video_id"], unique=False)
    op.create_index("ix_video_shares_user_id", "video_shares", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_table("video_shares")
    for table, names in {
        "videos": ("error_code", "job_id", "story", "own_voice", "voice_id", "title"),
        "memories": ("differs_from",),
        "turns": ("forgotten", "photo_id"),
        "sessions": ("insights_upto", "summary_upto"),
        "users": ("barks",),
    }.items():
        with op.batch_alter_table(table) as changed:
            for name in names:
                changed.drop_column(name)
