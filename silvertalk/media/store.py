"""The media store: one small interface over S3 (`s3`) and a folder (`folder`), both with the same rules.

Keys are the server's own choice, never a client's: `u/{user}/photos/{photo}/…`, `u/{user}/voice/{session}/…`,
`u/{user}/exports/…`, so that all that is somebody's lies below one prefix. Nothing is public: a client uploads with a
form that allows one key, one type and one size, and fetches by a link that expires.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlsplit

from silvertalk.keys import derived_key, signing_secret
from silvertalk.settings import Settings

LINK_SECONDS = 300
UPLOAD_SECONDS = 300
LATE_UPLOAD = timedelta(seconds=UPLOAD_SECONDS + 120)
"""From when a form was given until nothing can come with it any more; what had begun then is through."""
LISTED_AT_ONCE = 1000
MAX_KEY_CHARACTERS = 200
MAX_TYPE_CHARACTERS = 100

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*", re.ASCII)
"""No part is empty or begins with a dot, so that no key climbs out of a folder."""
_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*", re.ASCII)


SHOWN = (".jpg", ".png", ".webp", ".heic", ".flac", ".wav", ".mp3", ".mp4")
"""What a browser may show or play where a link asks for no download. It goes by the key, which is the server's."""
MAX_FILENAME_CHARACTERS = 100


class Upload(NamedTuple):
    """How a client uploads one object: a multipart POST of `fields`, then `file` last, to `url`, before `expires_at`
    (Unix seconds). A `url` without a host is on the gateway."""

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

    async def read_part(self, key: str, start: int, end: int) -> bytes:
        """Its bytes from `start` to before `end`, which it has; raises KeyError where there is no such object."""

    async def link(self, key: str, *, seconds: int = LINK_SECONDS, filename: str = "") -> str:
        """An address that gives the object to whoever has it, for so long; `filename` makes it a download. One without
        a host is on the gateway."""

    async def delete(self, *keys: str) -> None:
        """Delete what is there of these."""

    async def some_below(self, prefix: str) -> list[str]:
        """Keys that begin with `prefix` (which ends with "/"), `LISTED_AT_ONCE` at most, in no order; none only where
        there are none. Who takes away what was listed sees the rest by asking again."""

    async def delete_below(self, prefix: str) -> int:
        """Delete everything whose key begins with `prefix` (which ends with "/"); how many there were."""

    async def ready(self) -> bool:
        """Whether the store answers."""


def user_prefix(user: str) -> str:
    return f"u/{user}/"


def checked_key(key: str) -> str:
    """The key; raises ValueError for what is none."""
    if len(key) > MAX_KEY_CHARACTERS or not _KEY.fullmatch(key):
        raise ValueError("not a key of the media store")
    return key


def checked_prefix(prefix: str) -> str:
    """The prefix; raises ValueError for one that does not end with "/", or would be the whole store."""
    if not prefix.endswith("/"):
        raise ValueError("a prefix ends with a slash")
    checked_key(prefix[:-1])
    return prefix


def checked_type(content_type: str) -> str:
    """The content type; raises ValueError for one with parameters, line ends or in capitals."""
    if len(content_type) > MAX_TYPE_CHARACTERS or not _TYPE.fullmatch(content_type):
        raise ValueError("not a content type")
    return content_type


def disposition(key: str, filename: str) -> str:
    """The Content-Disposition (RFC 6266) that an object is fetched with."""
    if filename:
        return f"attachment; filename*=UTF-8''{quote(filename[:MAX_FILENAME_CHARACTERS], safe='')}"
    return "inline" if key.endswith(SHOWN) else "attachment"


def media_origins(settings: Settings) -> tuple[str, ...]:
    """The origins that links and uploads of the settings' store go to, where they are not the gateway's own."""
    if not settings.s3_bucket:
        addresses: tuple[str, ...] = (settings.public_url,)
    elif endpoint := settings.s3_public_endpoint or settings.s3_endpoint:
        addresses = (endpoint,)
    else:  # Amazon's oldest region has two names
        hosts = f"s3.{settings.s3_region}", "s3"
        addresses = tuple(f"https://{settings.s3_bucket}.{host}.amazonaws.com" for host in hosts)
    parts = [urlsplit(address) for address in addresses if address]
    return tuple(f"{part.scheme}://{part.netloc}" for part in parts)


@asynccontextmanager
async def open_media(settings: Settings) -> AsyncIterator[MediaStore]:
    """The store of the settings: S3 where a bucket is named, else the folder `MEDIA_DIR`. It may be away and come
    later."""
    if settings.s3_bucket:
        from silvertalk.media.s3 import open_bucket  # botocore takes long to load, and most machines need none

        async with open_bucket(settings) as bucket:
            yield bucket
    else:
        from silvertalk.media.folder import FolderStore

        key = derived_key(signing_secret(settings), "media links")
        yield FolderStore(settings.media_folder, key, address=settings.public_url)
