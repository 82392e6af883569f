"""The media store in a bucket of S3, or of whatever speaks as S3 does (MinIO).

What a client may upload is written into the form's signed policy: one key, one type, a range of sizes, a time. Forms
and links are signed for the address at which clients reach the store, which may be another than ours.
"""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import aioboto3
import aiohttp
from aiobotocore.config import AioConfig
from botocore.exceptions import BotoCoreError, ClientError

from silvertalk.errors import MediaAway, MediaTooLarge
from silvertalk.media.store import (
    LINK_SECONDS,
    LISTED_AT_ONCE,
    UPLOAD_SECONDS,
    Stored,
    Upload,
    checked_key,
    checked_prefix,
    checked_type,
    disposition,
)
from silvertalk.settings import Settings
from streaming.logs import logger

log = logger("media")

CONNECT_SECONDS = 3.0
CALL_SECONDS = 15.0
"""Longest wait for any call, its one retry included; a body adds a second for each of its MiB."""
READY_SECONDS = 1.0
"""`/readyz` asks, and whoever asks that waits for about as long."""
TRIES = 2
CONNECTIONS = 20
PART_BYTES = 16 * 1024 * 1024
"""A file goes up in parts of so much, which is what it takes of memory; S3 takes no more than 5 GB in one piece."""
MAX_PARTS = 10_000
"""As many as S3 takes: the parts of a file above 156 GiB are larger."""
PAGE = 1000
"""Keys in one listing and one deletion: as many as S3 takes."""
MIB = 1024 * 1024
_ABSENT = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})


@asynccontextmanager
async def open_bucket(settings: Settings) -> AsyncIterator[BucketStore]:
    """The bucket of the settings. Opening it asks the network for nothing, unless a machine's role gives the keys."""
    session = aioboto3.Session(
        aws_access_key_id=settings.s3_access_key_id or None,
        aws_secret_access_key=settings.s3_secret_access_key.get_secret_value() or None,
        region_name=settings.s3_region,
    )
    public = settings.s3_public_endpoint or settings.s3_endpoint
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(_client(session, settings.s3_endpoint))
        signer = client
        if public != settings.s3_endpoint:
            signer = await stack.enter_async_context(_client(session, public))
        yield BucketStore(client, signer, settings.s3_bucket)


def _client(session: Any, endpoint: str) -> Any:
    config = AioConfig(
        signature_version="s3v4",
        connect_timeout=CONNECT_SECONDS,
        read_timeout=CALL_SECONDS,
        retries={"mode": "standard", "total_max_attempts": TRIES},
        max_pool_connections=CONNECTIONS,
        # MinIO's names are paths; Amazon's are hosts. Checksums beyond those that are needed other stores do not know.
        s3={"addressing_style": "path" if endpoint else "virtual"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return session.client("s3", endpoint_url=endpoint or None, config=config)


class BucketStore:
    """A media store in one bucket, which must exist. `signer` is a client for the address that clients use."""

    def __init__(self, client: Any, signer: Any, bucket: str) -> None:
        self._client = client
        self._signer = signer
        self._bucket = bucket

    async def upload_form(
        self, key: str, *, content_type: str, max_bytes: int, seconds: int = UPLOAD_SECONDS
    ) -> Upload:
        checked_key(key)
        fields = {"Content-Type": checked_type(content_type)}
        conditions = [{"Content-Type": content_type}, ["content-length-range", 1, max_bytes]]
        expires_at = int(time.time()) + seconds
        async with _reached("upload_form"):
            form = await self._signer.generate_presigned_post(
                self._bucket, key, Fields=fields, Conditions=conditions, ExpiresIn=seconds
            )
        return Upload(form["url"], dict(form["fields"]), expires_at)

    async def put(self, key: str, data: bytes | Path, content_type: str) -> Stored:
        named = {"Bucket": self._bucket, "Key": checked_key(key), "ContentType": checked_type(content_type)}
        if isinstance(data, bytes):
            async with _reached("put", len(data)):
                await self._client.put_object(**named, Body=data)
            return Stored(key, len(data), content_type)
        file = await asyncio.to_thread(data.open, "rb")
        try:
            size = os.fstat(file.fileno()).st_size
            if size > PART_BYTES:
                await self._put_parts(named, file, size)
            else:
                async with _reached("put", size):
                    await self._client.put_object(**named, Body=file, ContentLength=size)
        finally:
            await asyncio.to_thread(file.close)
        return Stored(key, size, content_type)

    async def _put_parts(self, named: dict[str, str], file: BinaryIO, size: int) -> None:
        """One part after the other. What fails in the middle is taken back; of a process that dies in it,
        `delete_below` finds the parts."""
        async with _reached("put"):
            upload = (await self._client.create_multipart_upload(**named))["UploadId"]
        whole = {"Bucket": named["Bucket"], "Key": named["Key"], "UploadId": upload}
        try:
            parts: list[dict[str, object]] = []
            part_bytes = max(PART_BYTES, math.ceil(size / MAX_PARTS))
            while piece := await asyncio.to_thread(file.read, part_bytes):
                number = len(parts) + 1
                async with _reached("put", len(piece)):
                    put = await self._client.upload_part(**whole, PartNumber=number, Body=piece)
                parts.append({"PartNumber": number, "ETag": put["ETag"]})
            async with _reached("put", size):  # S3 puts the parts together, which takes it a while
                await self._client.complete_multipart_upload(**whole, MultipartUpload={"Parts": parts})
        except BaseException:  # a cancellation too: nobody sees parts, and they cost and keep what is somebody's
            with suppress(MediaAway, KeyError):
                async with _reached("abort"):
                    await self._client.abort_multipart_upload(**whole)
            raise

    async def head(self, key: str) -> Stored | None:
        try:
            async with _reached("head"):
                found = await self._client.head_object(Bucket=self._bucket, Key=checked_key(key))
        except KeyError:
            return None
        return Stored(key, found["ContentLength"], found["ContentType"])

    async def read(self, key: str, max_bytes: int) -> bytes:
        async with _reached("read", max_bytes):
            found = await self._client.get_object(Bucket=self._bucket, Key=checked_key(key))
            async with found["Body"] as body:
                if found["ContentLength"] > max_bytes:
                    raise MediaTooLarge
                return bytes(await body.read())

    async def read_part(self, key: str, start: int, end: int) -> bytes:
        async with _reached("read", end - start):
            found = await self._client.get_object(
                Bucket=self._bucket, Key=checked_key(key), Range=f"bytes={start}-{end - 1}"
            )
            async with found["Body"] as body:
                return bytes(await body.read())

    async def link(self, key: str, *, seconds: int = LINK_SECONDS, filename: str = "") -> str:
        named = {
            "Bucket": self._bucket,
            "Key": checked_key(key),
            "ResponseContentDisposition": disposition(key, filename),
        }
        async with _reached("link"):
            link = await self._signer.generate_presigned_url("get_object", Params=named, ExpiresIn=seconds)
        return str(link)

    async def delete(self, *keys: str) -> None:
        for start in range(0, len(keys), PAGE):
            objects = [{"Key": checked_key(key)} for key in keys[start : start + PAGE]]
            async with _reached("delete"):
                answer = await self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
                )
            if answer.get("Errors"):
                raise MediaAway(f"{len(answer['Errors'])} objects not deleted: {answer['Errors'][0].get('Code')}")

    async def some_below(self, prefix: str) -> list[str]:
        async with _reached("list"):
            page = await self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=checked_prefix(prefix), MaxKeys=LISTED_AT_ONCE
            )
        return [found["Key"] for found in page.get("Contents", ())]

    async def delete_below(self, prefix: str) -> int:
        """A page is listed and deleted, then the first page is listed again, until there is none. Before that, uploads
        in parts that nobody completes any more."""
        checked_prefix(prefix)
        await self._abort_below(prefix)
        count = 0
        while True:
            keys = await self.some_below(prefix)
            if not keys:
                return count
            await self.delete(*keys)
            count += len(keys)

    async def _abort_below(self, prefix: str) -> None:
        """MinIO lists uploads of whole keys alone, and drops what is not completed within a day by itself."""
        while True:
            async with _reached("list"):
                page = await self._client.list_multipart_uploads(Bucket=self._bucket, Prefix=prefix, MaxUploads=PAGE)
            begun = page.get("Uploads", ())
            for upload in begun:
                with suppress(KeyError):  # completed or aborted meanwhile
                    async with _reached("abort"):
                        await self._client.abort_multipart_upload(
                            Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"]
                        )
            if not begun or not page.get("IsTruncated"):
                return

    async def ready(self) -> bool:
        try:
            async with asyncio.timeout(READY_SECONDS), _reached("ready"):
                await self._client.head_bucket(Bucket=self._bucket)
        except (MediaAway, KeyError, TimeoutError):
            return False
        return True


@asynccontextmanager
async def _reached(what: str, size_bytes: int = 0) -> AsyncIterator[None]:
    """A call within its time. Raises KeyError for what is not there, MediaAway for everything else that goes wrong:
    keys refused and a bucket that is none are an operator's to mend, and the same call may then succeed."""
    try:
        async with asyncio.timeout(CALL_SECONDS + size_bytes / MIB):
            yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _ABSENT and what != "put":
            raise KeyError(what) from None
        log.warning("media_call_failed", call=what, code=code)
        raise MediaAway(f"{what}: {code}") from error
    except (BotoCoreError, aiohttp.ClientError, OSError, TimeoutError) as error:
        log.warning("media_call_failed", call=what, code=type(error).__name__)
        raise MediaAway(f"{what}: {type(error).__name__}") from error
