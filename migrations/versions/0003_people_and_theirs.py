"""People and what is theirs: accounts and logins, photos, calendar, memories, videos, jobs, notices, deletions."""

import sqlalchemy as sa
from alembic import op

from silvertalk.columns import CleanText, Moment

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("action", sa.String(length=48), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_user_id_at", "audit", ["user_id", "at"], unique=False)
    op.create_table(
        "erasures",
        sa.Column("receipt", sa.String(length=36), nullable=False),
        sa.Column("user_hash", sa.String(length=64), nullable=False),
        sa.Column("asked_at", Moment(), nullable=False),
        sa.Column("completed_at", Moment(), nullable=True),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("receipt", name="pk_erasures"),
        sa.UniqueConstraint("user_hash", name="uq_erasures_user_hash"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error_code", sa.String(length=64), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.Column("deadline_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    unfinished = sa.text("status IN ('pending', 'running')")
    op.create_index(
        "uq_jobs_unfinished",
        "jobs",
        ["user_id", "kind", "subject_id"],
        unique=True,
        sqlite_where=unfinished,
        postgresql_where=unfinished,
    )
    op.create_index("ix_jobs_status_due_at", "jobs", ["status", "due_at"], unique=False)
    op.create_index("ix_jobs_user_id_created_at", "jobs", ["user_id", "created_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_user_id", "outbox", ["user_id"], unique=False)
    op.create_table(
        "users",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kakao_id", sa.String(length=32), nullable=True),
        sa.Column("nickname", CleanText(), nullable=False),
        sa.Column("profile_image", sa.String(length=2048), nullable=False),
        sa.Column("form_of_address", CleanText(), nullable=False),
        sa.Column("pet_name", CleanText(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("voice", sa.String(length=32), nullable=False),
        sa.Column("font_scale", sa.Float(), nullable=False),
        sa.Column("quiet_from", sa.String(length=5), nullable=False),
        sa.Column("quiet_until", sa.String(length=5), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("guardian_name", CleanText(), nullable=False),
        sa.Column("guardian_phone", sa.String(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("kakao_id", name="uq_users_kakao_id"),
    )
    op.create_table(
        "calendar_events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("external_id", sa.String(length=256), nullable=True),
        sa.Column("title", CleanText(), nullable=False),
        sa.Column("starts_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.Column("location", CleanText(), nullable=False),
        sa.Column("is_all_day", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_calendar_events_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_events"),
        sa.UniqueConstraint("user_id", "external_id", name="uq_calendar_events_user_id_external_id"),
    )
    op.create_index("ix_calendar_events_user_id_starts_at", "calendar_events", ["user_id", "starts_at"], unique=False)
    op.create_table(
        "consents",
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("decided_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_consents_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "name", name="pk_consents"),
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("push_token", sa.String(length=512), nullable=False),
        sa.Column("platform", sa.String(length=16), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_devices_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_devices"),
        sa.UniqueConstraint("push_token", name="uq_devices_push_token"),
    )
    op.create_index("ix_devices_user_id", "devices", ["user_id"], unique=False)
    op.create_table(
        "logins",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("revoked_for", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_logins_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_logins"),
    )
    op.create_index("ix_logins_expires_at", "logins", ["expires_at"], unique=False)
    op.create_index("ix_logins_user_id", "logins", ["user_id"], unique=False)
    op.create_table(
        "memories",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("fact", CleanText(), nullable=False),
        sa.Column("importance", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("turn_number", sa.Integer(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_memories_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_memories"),
    )
    op.create_index("ix_memories_user_id_importance", "memories", ["user_id", "importance"], unique=False)
    op.create_table(
        "photos",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("local_uri", sa.String(length=512), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("refusal", sa.String(length=32), nullable=False),
        sa.Column("object_key", sa.String(length=200), nullable=False),
        sa.Column("upload_name", sa.String(length=32), nullable=False),
        sa.Column("shared_key", sa.String(length=200), nullable=False),
        sa.Column("thumbnail_key", sa.String(length=200), nullable=False),
        sa.Column("content_type", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("taken_at", Moment(), nullable=True),
        sa.Column("location_name", CleanText(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("analysis", sa.JSON(), nullable=True),
        sa.Column("view_count", sa.Integer(), nullable=False),
        sa.Column("last_session_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("updated_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_photos_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_photos"),
        sa.UniqueConstraint("user_id", "local_uri", name="uq_photos_user_id_local_uri"),
    )
    op.create_index("ix_photos_user_id_taken_at", "photos", ["user_id", "taken_at"], unique=False)
    op.create_table(
        "videos",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("video_type", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("object_key", sa.String(length=200), nullable=False),
        sa.Column("thumbnail_key", sa.String(length=200), nullable=False),
        sa.Column("duration_seconds", sa.Float(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("completed_at", Moment(), nullable=True),
        sa.Column("seen_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_videos_session_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_videos_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_videos"),
    )
    op.create_index("ix_videos_session_id", "videos", ["session_id"], unique=False)
    op.create_index("ix_videos_user_id_created_at", "videos", ["user_id", "created_at"], unique=False)
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("login_id", sa.String(length=32), nullable=False),
        sa.Column("issued_at", Moment(), nullable=False),
        sa.Column("expires_at", Moment(), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name="fk_refresh_tokens_login_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("hash", name="pk_refresh_tokens"),
    )
    op.create_index("ix_refresh_tokens_login_id", "refresh_tokens", ["login_id"], unique=False)
    op.create_table(
        "session_photos",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("photo_id", sa.String(length=36), nullable=False),
        sa.Column("display_order", sa.Integer(), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name="fk_session_photos_photo_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_session_photos_session_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_session_photos"),
        sa.UniqueConstraint("session_id", "photo_id", name="uq_session_photos_session_id_photo_id"),
    )
    op.create_index("ix_session_photos_photo_id", "session_photos", ["photo_id"], unique=False)
    op.add_column("sessions", sa.Column("opened_at", Moment(), nullable=True))
    op.add_column("sessions", sa.Column("finished_at", Moment(), nullable=True))
    op.add_column("sessions", sa.Column("photo_id", sa.String(length=36), server_default="", nullable=False))
    op.add_column("sessions", sa.Column("summary", CleanText(), server_default="", nullable=False))
    op.add_column("sessions", sa.Column("deleted_at", Moment(), nullable=True))
    op.drop_index("ix_sessions_user_id", table_name="sessions")
    op.create_index("ix_sessions_user_id_started_at", "sessions", ["user_id", "started_at"], unique=False)
    op.add_column("turns", sa.Column("voice_key", sa.String(length=200), server_default="", nullable=False))
    op.execute("UPDATE sessions SET opened_at = started_at")  # every one there is has been talked in


def downgrade() -> None:
    with op.batch_alter_table("turns") as turns:
        turns.drop_column("voice_key")
    op.drop_index("ix_sessions_user_id_started_at", table_name="sessions")
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    with op.batch_alter_table("sessions") as sessions:
        for name in ("deleted_at", "summary", "photo_id", "finished_at", "opened_at"):
            sessions.drop_column(name)
    op.drop_index("ix_session_photos_photo_id", table_name="session_photos")
    op.drop_table("session_photos")
    op.drop_index("ix_refresh_tokens_login_id", table_name="refresh_tokens")
    op.drop_table("refresh_tokens")
    op.drop_index("ix_videos_user_id_created_at", table_name="videos")
    op.drop_index("ix_videos_session_id", table_name="videos")
    op.drop_table("videos")
    op.drop_index("ix_photos_user_id_taken_at", table_name="photos")
    op.drop_table("photos")
    op.drop_index("ix_memories_user_id_importance", table_name="memories")
    op.drop_table("memories")
    op.drop_index("ix_logins_user_id", table_name="logins")
    op.drop_index("ix_logins_expires_at", table_name="logins")
    op.drop_table("logins")
    op.drop_index("ix_devices_user_id", table_name="devices")
    op.drop_table("devices")
    op.drop_table("consents")
    op.drop_index("ix_calendar_events_user_id_starts_at", table_name="calendar_events")
    op.drop_table("calendar_events")
    op.drop_table("users")
    op.drop_index("ix_outbox_user_id", table_name="outbox")
    op.drop_table("outbox")
    op.drop_index("ix_jobs_user_id_created_at", table_name="jobs")
    op.drop_index("ix_jobs_status_due_at", table_name="jobs")
    op.drop_index("uq_jobs_unfinished", table_name="jobs")
    op.drop_table("jobs")
    op.drop_table("erasures")
    op.drop_index("ix_audit_user_id_at", table_name="audit")
    op.drop_table("audit")
