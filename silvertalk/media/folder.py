"""The media store in a folder: for one machine without S3.

An object is one file: a head of fixed length with its content type, then its bytes. It is written beside its place and
renamed into it, so that nobody ever reads half of one. What S3 enforces by its signatures is enforced here by HMACs:
an upload's form is bound to one key, one type, one size and a time, a link to one key and a time; `door` serves both.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from silvertalk.errors import MediaAway, MediaTooLarge
from silvertalk.media.store import (
    LINK_SECONDS,
    LISTED_AT_ONCE,
    MAX_FILENAME_CHARACTERS,
    MAX_TYPE_CHARACTERS,
    UPLOAD_SECONDS,
    Stored,
    Upload,
    checked_key,
    checked_prefix,
    checked_type,
)

DOOR = "/media"
"""Where the gateway mounts `door`."""
HEAD_BYTES = 128
"""In front of every object: a mark, its type, line ends up to here."""
_MARK = b"silvertalk 1 "
STALE_SECONDS = 3600
"""A draft that old was left behind by a process that died."""
RENAME_TRIES = 10

assert len(_MARK) + MAX_TYPE_CHARACTERS < HEAD_BYTES

Result = TypeVar("Result")


class Allowed(NamedTuple):
    """What an upload's form allows."""

    key: str
    content_type: str
    max_bytes: int


class Draft(NamedTuple):
    """An object that is being written."""

    path: Path
    file: IO[bytes]


class Opened(NamedTuple):
    """An object to be read: `file` stands at its first byte."""

    file: IO[bytes]
    stored: Stored


class FolderStore:
    """A media store in `root`. Several processes may use one folder. `address`: of the gateway that serves it; without,
    links are paths on whatever gateway they came from."""

    def __init__(self, root: Path, key: bytes, *, address: str = "") -> None:
        self._door = address + DOOR
        self._objects = root / "objects"
        self._drafts = root / "drafts"
        self._key = key
        self._swept = False

    # --- the interface -----------------------------------------------------------------------------------------------

    async def upload_form(
        self, key: str, *, content_type: str, max_bytes: int, seconds: int = UPLOAD_SECONDS
    ) -> Upload:
        expires_at = int(time.time()) + seconds
        allowed = {"key": checked_key(key), "type": checked_type(content_type), "max": max_bytes, "until": expires_at}
        policy = base64.urlsafe_b64encode(json.dumps(allowed, separators=(",", ":")).encode()).decode()
        fields = {
            "key": key,
            "Content-Type": content_type,
            "policy": policy,
            "signature": self._signature("upload", policy),
        }
        return Upload(f"{self._door}/upload", fields, expires_at)

    async def put(self, key: str, data: bytes | Path, content_type: str) -> Stored:
        def write() -> Stored:
            with self.draft(content_type) as draft:
                if isinstance(data, Path):
                    with data.open("rb") as source:
                        shutil.copyfileobj(source, draft.file)
                else:
                    draft.file.write(data)
                return self.keep(draft, key, content_type)

        checked_key(key)
        checked_type(content_type)
        return await self.within(write)

    async def head(self, key: str) -> Stored | None:
        def look() -> Stored | None:
            opened = self.open(key)
            if opened is None:
                return None
            opened.file.close()
            return opened.stored

        return await self.within(look)

    async def read(self, key: str, max_bytes: int) -> bytes:
        def read() -> bytes:
            opened = self.open(key)
            if opened is None:
                raise KeyError(key)
            with opened.file:
                if opened.stored.size_bytes > max_bytes:
                    raise MediaTooLarge
                return opened.file.read(max_bytes)

        return await self.within(read)

    async def read_part(self, key: str, start: int, end: int) -> bytes:
        def read() -> bytes:
            opened = self.open(key)
            if opened is None:
                raise KeyError(key)
            with opened.file:
                opened.file.seek(start, 1)
                return opened.file.read(end - start)

        return await self.within(read)

    async def link(self, key: str, *, seconds: int = LINK_SECONDS, filename: str = "") -> str:
        until = str(int(time.time()) + seconds)
        name = filename[:MAX_FILENAME_CHARACTERS]
        signature = self._signature("link", checked_key(key), until, name)
        query = {"until": until, **({"name": name} if name else {}), "signature": signature}
        return f"{self._door}/{quote(key)}?{urlencode(query)}"

    async def delete(self, *keys: str) -> None:
        def remove() -> None:
            for path in paths:
                path.unlink(missing_ok=True)
                self._prune(path.parent)

        paths = [self._path(key) for key in keys]
        await self.within(remove)

    async def some_below(self, prefix: str) -> list[str]:
        def look() -> list[str]:
            walked = os.walk(folder, onerror=_unless_gone)
            paths = (Path(parent, name) for parent, _, names in walked for name in names)
            return [path.relative_to(self._objects).as_posix() for path in islice(paths, LISTED_AT_ONCE)]

        folder = self._path(checked_prefix(prefix)[:-1])
        return await self.within(look)

    async def delete_below(self, prefix: str) -> int:
        def remove() -> int:
            count = 0
            for parent, _, names in os.walk(folder, topdown=False, onerror=_unless_gone):
                for name in names:
                    Path(parent, name).unlink(missing_ok=True)
                    count += 1
                self._prune(Path(parent))
            return count

        folder = self._path(checked_prefix(prefix)[:-1])
        return await self.within(remove)

    async def ready(self) -> bool:
        def writable() -> bool:
            _private(self._drafts)
            return os.access(self._drafts, os.W_OK | os.X_OK)

        try:
            return await self.within(writable)
        except MediaAway:
            return False

    # --- what the door needs -----------------------------------------------------------------------------------------

    def allowed(self, policy: str, signature: str) -> Allowed | None:
        """What a form of ours allows; None for any other, and for one whose time is over."""
        if not self._is_signed(signature, "upload", policy):
            return None
        terms = json.loads(base64.urlsafe_b64decode(policy))
        return Allowed(terms["key"], terms["type"], terms["max"]) if time.time() < terms["until"] else None

    def is_link(self, key: str, until: str, filename: str, signature: str) -> bool:
        """Whether this is a link of ours whose time is not over."""
        return self._is_signed(signature, "link", key, until, filename) and time.time() < int(until)

    @contextmanager
    def draft(self, content_type: str) -> Iterator[Draft]:
        """A new file with its head written, that is gone at the end unless `keep` took it."""
        _private(self._drafts)
        self._sweep()
        path = self._drafts / secrets.token_hex(16)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            try:
                file.write((_MARK + content_type.encode()).ljust(HEAD_BYTES, b"\n"))
                yield Draft(path, file)
            finally:
                path.unlink(missing_ok=True)

    def keep(self, draft: Draft, key: str, content_type: str) -> Stored:
        """Put a whole draft in its place, over what was there."""
        draft.file.flush()
        os.fsync(draft.file.fileno())
        size = draft.file.tell() - HEAD_BYTES
        place = self._path(key)
        for tries_left in reversed(range(RENAME_TRIES)):
            _private(self._objects)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.path.rename(place)
                break
            except FileNotFoundError:  # a deletion beside this has just taken the empty folder away
                if not tries_left:
                    raise
        return Stored(key, size, content_type)

    def open(self, key: str) -> Opened | None:
        """The object at `key`; None where there is nothing."""
        try:
            file = self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        head = file.read(HEAD_BYTES)
        if len(head) < HEAD_BYTES or not head.startswith(_MARK):
            file.close()
            return None  # no file of ours
        content_type = head[len(_MARK) :].rstrip(b"\n").decode("ascii")
        return Opened(file, Stored(key, os.fstat(file.fileno()).st_size - HEAD_BYTES, content_type))

    async def within(self, work: Callable[[], Result]) -> Result:
        """Work on files, on a thread; what the file system refuses is MediaAway."""
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise MediaAway(f"{type(error).__name__} {error.errno}") from error

    # --- inside ------------------------------------------------------------------------------------------------------

    def _path(self, key: str) -> Path:
        return self._objects / checked_key(key)

    def _prune(self, folder: Path) -> None:
        """Take away a folder, and those above it, that have become empty."""
        with contextlib.suppress(OSError):
            while folder != self._objects and folder.is_relative_to(self._objects):
                folder.rmdir()
                folder = folder.parent

    def _sweep(self) -> None:
        """Once a process: drafts that somebody left behind when they died."""
        if self._swept:
            return
        self._swept = True
        for draft in self._drafts.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - draft.stat().st_mtime > STALE_SECONDS:
                    draft.unlink()

    def _signature(self, *parts: str) -> str:
        code = hmac.digest(self._key, json.dumps(parts).encode(), sha256)
        return base64.urlsafe_b64encode(code).rstrip(b"=").decode()

    def _is_signed(self, signature: str, *parts: str) -> bool:
        expected = self._signature(*parts)
        return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


def _private(folder: Path) -> None:
    """A folder that only its owner enters, so that nobody else gets at anything below it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True, mode=0o700)


def _unless_gone(error: OSError) -> None:
    """What `os.walk` would keep to itself: a folder that cannot be read has not been emptied."""
    if not isinstance(error, FileNotFoundError):
        raise error
