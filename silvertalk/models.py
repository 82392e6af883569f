"""The tables: people and what is theirs.

The same definitions serve PostgreSQL and SQLite; `migrations/` builds them, and a test compares the two. All that is a
person's hangs on `users` and goes with it, but for what talk alone writes (sessions, turns, habits), which never waits
for a row of `users`, and `erasures`, which outlasts it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Date,
    Float,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from silvertalk.columns import ID_CHARACTERS, UUID_CHARACTERS, CleanText, Model, Moment

DISTRESS_CHARACTERS = 32
KEY_CHARACTERS = 200
"""Of an object in the media store."""
UNFINISHED = "status IN ('pending', 'running')"
"""What makes a job one that is still to be done."""


# --- who -------------------------------------------------------------------------------------------------------------


class User(Model):
    """A person, by the id that their tokens carry. Whoever logged in with Kakao has a `kakao_id`, a guest none."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), primary_key=True)
    kakao_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    nickname: Mapped[str] = mapped_column(CleanText)
    profile_image: Mapped[str] = mapped_column(String(2048))
    form_of_address: Mapped[str] = mapped_column(CleanText)
    """What 복실이 calls them ("할머니", "순자 할머니"); empty for what it calls everybody."""
    pet_name: Mapped[str] = mapped_column(CleanText)
    birth_date: Mapped[date | None] = mapped_column(Date)
    barks: Mapped[bool] = mapped_column(server_default=true())
    """복실이 may say "멍!" now and then."""
    voice: Mapped[str] = mapped_column(String(32))
    """The voice 복실이 speaks with; empty for the node's own."""
    font_scale: Mapped[float] = mapped_column(Float)
    quiet_from: Mapped[str] = mapped_column(String(5))
    quiet_until: Mapped[str] = mapped_column(String(5))
    """Between them ("22:00", "07:30", the person's own clock) nobody is disturbed; both empty for never."""
    time_zone: Mapped[str] = mapped_column(String(64))
    """IANA name; empty for the server's `TIME_ZONE`."""
    guardian_name: Mapped[str] = mapped_column(CleanText)
    guardian_phone: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class Consent(Model):
    """What a person agreed or did not agree to, and when they said so. No row: never asked, so not agreed."""

    __tablename__ = "consents"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    granted: Mapped[bool]
    decided_at: Mapped[datetime] = mapped_column(Moment)


class Login(Model):
    """One device's login: the family of its refresh tokens. Its access tokens carry its id."""

    __tablename__ = "logins"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)
    revoked_for: Mapped[str] = mapped_column(String(16))
    """Why: "logout", "reuse", "crowded", "unlinked"; empty while it is good."""


class RefreshToken(Model):
    """A refresh token, by its hash alone. Used once; for a short while its successor is given again."""

    __tablename__ = "refresh_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    login_id: Mapped[str] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"), index=True)
    issued_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    used_at: Mapped[datetime | None] = mapped_column(Moment)


class Device(Model):
    """Where a person can be notified."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    push_token: Mapped[str] = mapped_column(String(512), unique=True)
    platform: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(Moment)


# --- what is theirs --------------------------------------------------------------------------------------------------


class Photo(Model):
    """A photo on the person's phone (`local_uri`), uploaded or only known of.

    `status`: "known" (its metadata alone), "awaited" (an upload was allowed), "processing", "ready", "refused";
    "deleting", "deleted": nothing shows it, and the row only finds what is, or may yet come, below its prefix.
    """

    __tablename__ = "photos"
    __table_args__ = (UniqueConstraint("user_id", "local_uri"), Index(None, "user_id", "taken_at"))

    id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    local_uri: Mapped[str | None] = mapped_column(String(512))
    status: Mapped[str] = mapped_column(String(16))
    refusal: Mapped[str] = mapped_column(String(32))
    """The code of what is wrong with a refused one."""
    object_key: Mapped[str] = mapped_column(String(KEY_CHARACTERS))
    """The picture as it came, its place and time within; never shared."""
    upload_name: Mapped[str] = mapped_column(String(32), default="")
    """Where an upload that was allowed lies below the photo's prefix, beside the one that is kept until it has come."""
    shared_key: Mapped[str] = mapped_column(String(KEY_CHARACTERS))
    """Upright, of a bounded size, nothing but the picture."""
    thumbnail_key: Mapped[str] = mapped_column(String(KEY_CHARACTERS))
    content_type: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    taken_at: Mapped[datetime | None] = mapped_column(Moment)
    location_name: Mapped[str] = mapped_column(CleanText)
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    analysis: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """What is seen on it, as `silvertalk.seeing` keeps it; None while nobody has looked."""
    view_count: Mapped[int]
    last_session_id: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    """The conversation it was last talked about in."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class CalendarEvent(Model):
    """One event of a person's calendar; `external_id` is the phone's."""

    __tablename__ = "calendar_events"
    __table_args__ = (UniqueConstraint("user_id", "external_id"), Index(None, "user_id", "starts_at"))

    id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    external_id: Mapped[str | None] = mapped_column(String(256))
    title: Mapped[str] = mapped_column(CleanText)
    starts_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime] = mapped_column(Moment)
    location: Mapped[str] = mapped_column(CleanText)
    is_all_day: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


# --- what was said ---------------------------------------------------------------------------------------------------


class Session(Model):
    """One conversation. `turn_count` counts the committed turns in which the person said something.

    One that was asked for ahead of its talk has no `opened_at` until a socket or a text takes it up.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "user_id", "started_at"),)

    id: Mapped[str] = mapped_column(String(ID_CHARACTERS), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    language: Mapped[str] = mapped_column(String(8))
    started_at: Mapped[datetime] = mapped_column(Moment)
    opened_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    """When the person said that this story is told; `ended_at` is only the last socket's end."""
    turn_count: Mapped[int]
    photo_id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), server_default="")
    """The photo it began with; empty where there was none, or it is deleted."""
    summary: Mapped[str] = mapped_column(CleanText, server_default="")
    """What was told, in the third person."""
    summary_upto: Mapped[int] = mapped_column(server_default="0")
    """The last turn that the summary holds."""
    insights_upto: Mapped[int] = mapped_column(server_default="0")
    """The last turn that was looked through for what is worth remembering."""
    deleted_at: Mapped[datetime | None] = mapped_column(Moment)
    """When the person deleted it. All that was said is gone then; the empty row refuses turns that come late."""


class Turn(Model):
    """One utterance of the user and the reply to it, as the journal's `Closed` record has it.

    `heard` is the part of `reply` that was played; the rest was never said. `merges` and `distress` came later: rows
    from before them, and those that an older gateway still writes, have the server's defaults.
    """

    __tablename__ = "turns"
    __table_args__ = (UniqueConstraint("session_id", "number"), Index(None, "user_id", "closed_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    number: Mapped[int]
    user_id: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    language: Mapped[str] = mapped_column(String(8))
    outcome: Mapped[str] = mapped_column(String(32))
    transcript: Mapped[str] = mapped_column(CleanText)
    reply: Mapped[str] = mapped_column(CleanText)
    heard: Mapped[str] = mapped_column(CleanText)
    interrupted: Mapped[bool]
    typed: Mapped[bool]
    continuation: Mapped[bool]
    merges: Mapped[int] = mapped_column(server_default="0")
    distress: Mapped[str] = mapped_column(String(DISTRESS_CHARACTERS), server_default="")
    witness: Mapped[str] = mapped_column(String(16), server_default="journal")
    source: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    started_at: Mapped[datetime] = mapped_column(Moment)
    closed_at: Mapped[datetime] = mapped_column(Moment)
    speech_ms: Mapped[int]
    timings: Mapped[dict[str, Any]] = mapped_column(JSON)
    voice_key: Mapped[str] = mapped_column(String(KEY_CHARACTERS), server_default="")
    """The person's own voice in the media store, where they agreed to that; else empty."""
    photo_id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), server_default="")
    """The photo that was shown meanwhile; empty where there was none."""
    forgotten: Mapped[bool] = mapped_column(server_default=false())
    """The person wants it to be forgotten: it stays in the conversation that they can read, and nothing draws on it."""


class Habit(Model):
    """How one person talks and wants to be talked to, as far as it was learned or asked for: see `silvertalk.habits`.

    `pauses` is a `PauseProfile`, as it keeps itself; whoever has no row is as everybody.
    """

    __tablename__ = "habits"

    user_id: Mapped[str] = mapped_column(String(ID_CHARACTERS), primary_key=True)
    pauses: Mapped[dict[str, Any]] = mapped_column(JSON)
    speech_rate: Mapped[float] = mapped_column(Float)
    loudness: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class SessionPhoto(Model):
    """A photo that belongs to a conversation, in its order: the chosen one has 0, the phone's neighbours stand around
    it."""

    __tablename__ = "session_photos"
    __table_args__ = (UniqueConstraint("session_id", "photo_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    photo_id: Mapped[str] = mapped_column(ForeignKey("photos.id", ondelete="CASCADE"), index=True)
    display_order: Mapped[int]
    added_at: Mapped[datetime] = mapped_column(Moment)


class Memory(Model):
    """Something a person told or their family knows, in one sentence, and where it came from."""

    __tablename__ = "memories"
    __table_args__ = (Index(None, "user_id", "importance"),)

    id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    category: Mapped[str] = mapped_column(String(16))
    fact: Mapped[str] = mapped_column(CleanText)
    importance: Mapped[int]
    confidence: Mapped[float] = mapped_column(Float)
    source: Mapped[str] = mapped_column(String(16))
    """"talk", "person" (typed or corrected by them) or "family"."""
    session_id: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    turn_number: Mapped[int | None]
    differs_from: Mapped[str] = mapped_column(String(UUID_CHARACTERS), server_default="")
    """An earlier memory that says otherwise: both are kept, each with its date; empty where there is none."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)


class Video(Model):
    """A memory video of one conversation. `status`: "pending", "processing", "completed", "failed", "cancelled"."""

    __tablename__ = "videos"
    __table_args__ = (Index(None, "user_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    video_type: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    object_key: Mapped[str] = mapped_column(String(KEY_CHARACTERS))
    thumbnail_key: Mapped[str] = mapped_column(String(KEY_CHARACTERS))
    duration_seconds: Mapped[float] = mapped_column(Float)
    created_at: Mapped[datetime] = mapped_column(Moment)
    completed_at: Mapped[datetime | None] = mapped_column(Moment)
    seen_at: Mapped[datetime | None] = mapped_column(Moment)
    title: Mapped[str] = mapped_column(CleanText, server_default="")
    voice_id: Mapped[str] = mapped_column(String(32), server_default="")
    """Who narrates: see `silvertalk.videos`."""
    own_voice: Mapped[bool] = mapped_column(server_default=false())
    """The person's own recorded sentences are heard in it."""
    story: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Slide by slide what is said, and which turn each sentence comes from; None until it is written."""
    job_id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), server_default="")
    error_code: Mapped[str] = mapped_column(String(64), server_default="")


class VideoShare(Model):
    """A link by which anybody may see one video, until it expires or is revoked. Only the token's hash is kept."""

    __tablename__ = "video_shares"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    video_id: Mapped[str] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment)


# --- what is done for them -------------------------------------------------------------------------------------------


class Job(Model):
    """A piece of background work for a person, as they see it: docket only carries its id.

    `status`: "pending", "running", "done", "failed" (a dead letter), "cancelled". Nobody has two unfinished ones of a
    kind about the same thing.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "status", "due_at"),
        Index(None, "user_id", "created_at"),
        Index(
            "uq_jobs_unfinished",
            *("user_id", "kind", "subject_id"),
            unique=True,
            sqlite_where=text(UNFINISHED),
            postgresql_where=text(UNFINISHED),
        ),
    )

    id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(UUID_CHARACTERS))
    kind: Mapped[str] = mapped_column(String(32))
    subject_id: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    """What it is about: a photo's id, a receipt's."""
    status: Mapped[str] = mapped_column(String(16))
    stage: Mapped[str] = mapped_column(String(32))
    progress: Mapped[float] = mapped_column(Float)
    """0 to 1."""
    holder: Mapped[str] = mapped_column(String(32))
    """The run that has it in hand; empty for none. Only that run may change the row."""
    due_at: Mapped[datetime] = mapped_column(Moment)
    """When any worker may take it: at once, after a wait between two tries, or when its holder's lease runs out."""
    attempts: Mapped[int]
    error_code: Mapped[str] = mapped_column(String(64))
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)
    updated_at: Mapped[datetime] = mapped_column(Moment)
    deadline_at: Mapped[datetime] = mapped_column(Moment)


class Outgoing(Model):
    """The outbox: a notice that was written in the same transaction as what it tells of, until it is published."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(String(UUID_CHARACTERS), index=True)
    kind: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Audit(Model):
    """Who did what to whose data; append only. Nothing of what was seen or said stands here."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "user_id", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(String(UUID_CHARACTERS))
    action: Mapped[str] = mapped_column(String(48))
    subject_id: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    request_id: Mapped[str] = mapped_column(String(ID_CHARACTERS))
    at: Mapped[datetime] = mapped_column(Moment)


class Erasure(Model):
    """That somebody is deleted, or being deleted. It names nobody: `user_hash` only refuses what comes after it, such
    as a turn that was still on its way to the database."""

    __tablename__ = "erasures"

    receipt: Mapped[str] = mapped_column(String(UUID_CHARACTERS), primary_key=True)
    user_hash: Mapped[str] = mapped_column(String(64), unique=True)
    asked_at: Mapped[datetime] = mapped_column(Moment)
    completed_at: Mapped[datetime | None] = mapped_column(Moment)
    counts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """How much of each kind was deleted."""
