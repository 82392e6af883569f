"""An S3 on this machine: one bucket in memory, reached by path (`/bucket/key`), as strict as Amazon's about signatures.

Signature Version 4 is verified in all its three places: headers
(https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html), the query of a presigned
address (…/sigv4-query-string-auth.html), and the policy of a form (…/sigv4-HTTPPOSTConstructPolicy.html), each with its
times. There are objects (PUT, GET with one range, HEAD, DELETE), uploads in parts (begun, completed, aborted, listed),
ListObjectsV2, DeleteObjects, HeadBucket. Errors have S3's codes and its XML.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import md5, sha256
from secrets import token_hex
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from silvertalk.standins.s3_signatures import Keys, S3Error, check_form, check_request

MAX_KEYS = 1000
MAX_PARTS = 10_000
OVERRIDES = ("content-type", "content-language", "expires", "cache-control", "content-disposition", "content-encoding")
"""What a signed GET may set in its answer, each as `response-…`."""


@dataclass(frozen=True)
class S3Object:
    data: bytes
    content_type: str
    modified_at: datetime

    @property
    def etag(self) -> str:
        return f'"{md5(self.data, usedforsecurity=False).hexdigest()}"'


@dataclass
class S3Upload:
    """One in parts that is not completed."""

    key: str
    content_type: str
    parts: dict[int, S3Object] = field(default_factory=dict)


@dataclass
class S3StandIn:
    """`app` is the server, `objects` what its bucket holds, by key. `clock` may be moved by a test."""

    bucket: str = "silvertalk"
    keys: Keys = field(default_factory=lambda: Keys("an-access-key", "a-secret-key", "us-east-1"))
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    page: int = MAX_KEYS
    """Keys in one listing at most."""
    min_part_bytes: int = 5 * 1024 * 1024
    """Of any part but the last."""

    def __post_init__(self) -> None:
        self.objects: dict[str, S3Object] = {}
        self.uploads: dict[str, S3Upload] = {}
        """Those in parts that are not completed, by id."""
        self.requests: list[str] = []
        """Method and path of what came, the oldest first."""
        self._refusals: list[S3Error] = []
        methods = ["GET", "HEAD", "PUT", "POST", "DELETE"]
        self.app: ASGIApp = Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    def refuse_next(self, *errors: S3Error) -> None:
        """What the next requests get, whatever they ask."""
        self._refusals.extend(errors)

    async def _answer(self, request: Request) -> Response:
        self.requests.append(f"{request.method} {request.url.path}")
        try:
            if self._refusals:
                raise self._refusals.pop(0)
            return await self._routed(request)
        except S3Error as error:
            body = b"" if request.method == "HEAD" else _error_body(error, request.url.path)
            return Response(body, error.status, media_type="application/xml")

    async def _routed(self, request: Request) -> Response:
        bucket, _, key = request.path_params["path"].partition("/")
        is_form = request.headers.get("content-type", "").startswith("multipart/form-data")
        if request.method == "POST" and not key and is_form:
            return await self._form(request, bucket)
        body = await request.body()
        check_request(request, body, self.keys, self.clock())
        if bucket != self.bucket:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")
        if key:
            return self._object(request, key, body)
        if request.method == "HEAD":
            return Response(headers={"x-amz-bucket-region": self.keys.region})
        if request.method == "GET" and "uploads" in request.query_params:
            return self._list_uploads(request)
        if request.method == "GET" and request.query_params.get("list-type") == "2":
            return self._list(request)
        if request.method == "POST" and "delete" in request.query_params:
            return self._delete_many(body)
        raise S3Error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")

    # --- objects -----------------------------------------------------------------------------------------------------

    def _object(self, request: Request, key: str, body: bytes) -> Response:
        if {"uploads", "uploadId"} & request.query_params.keys():
            return self._in_parts(request, key, body)
        if request.method == "PUT":
            return self._put(key, body, request.headers.get("content-type", "binary/octet-stream"))
        if request.method == "DELETE":
            self.objects.pop(key, None)
            return Response(status_code=204)
        if request.method not in ("GET", "HEAD"):
            raise S3Error(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
        found = self.objects.get(key)
        if found is None:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
        return self._get(request, found)

    def _put(self, key: str, body: bytes, content_type: str) -> Response:
        if len(key.encode()) > 1024:
            raise S3Error(400, "KeyTooLongError", "Your key is too long")
        self.objects[key] = S3Object(body, content_type, self.clock())
        return Response(headers={"ETag": self.objects[key].etag})

    def _get(self, request: Request, found: S3Object) -> Response:
        headers = {
            "ETag": found.etag,
            "Last-Modified": format_datetime(found.modified_at, usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": found.content_type,
        }
        for name in OVERRIDES:
            if f"response-{name}" in request.query_params:
                headers[name] = request.query_params[f"response-{name}"]
        data, status = found.data, 200
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
        if asked is not None and asked.groups() != ("", ""):
            data, status = _ranged(data, asked[1], asked[2], headers), 206
        headers["Content-Length"] = str(len(data))
        return Response(b"" if request.method == "HEAD" else data, status, headers)

    # --- objects in parts --------------------------------------------------------------------------------------------

    def _in_parts(self, request: Request, key: str, body: bytes) -> Response:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html"""
        query, of = request.query_params, f"<Bucket>{self.bucket}</Bucket><Key>{escape(key)}</Key>"
        if request.method == "POST" and "uploads" in query:
            name = token_hex(16)
            self.uploads[name] = S3Upload(key, request.headers.get("content-type", "binary/octet-stream"))
            return _xml(
                f"<InitiateMultipartUploadResult>{of}<UploadId>{name}</UploadId></InitiateMultipartUploadResult>"
            )
        upload = self.uploads.get(query.get("uploadId", ""))
        if upload is None or upload.key != key:
            raise S3Error(404, "NoSuchUpload", "The specified upload does not exist.")
        if request.method == "PUT" and 1 <= int(query.get("partNumber", 0)) <= MAX_PARTS:
            part = upload.parts[int(query["partNumber"])] = S3Object(body, upload.content_type, self.clock())
            return Response(headers={"ETag": part.etag})
        if request.method == "DELETE":
            del self.uploads[query["uploadId"]]
            return Response(status_code=204)
        if request.method == "POST":
            data = self._together(upload, body)
            del self.uploads[query["uploadId"]]
            etag = self._put(key, data, upload.content_type).headers["ETag"]
            return _xml(
                f"<CompleteMultipartUploadResult>{of}<ETag>{escape(etag)}</ETag></CompleteMultipartUploadResult>"
            )
        raise S3Error(400, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")

    def _together(self, upload: S3Upload, body: bytes) -> bytes:
        asked, name = _asked(body)
        told = [
            (int(one.findtext(f"{name}PartNumber", "0")), one.findtext(f"{name}ETag", ""))
            for one in asked.iter(f"{name}Part")
        ]
        numbers = [number for number, _ in told]
        if not told or numbers != sorted(set(numbers)):
            raise S3Error(400, "InvalidPartOrder", "The list of parts was not in ascending order.")
        if any(number not in upload.parts or upload.parts[number].etag != etag for number, etag in told):
            raise S3Error(400, "InvalidPart", "One or more of the specified parts could not be found.")
        pieces = [upload.parts[number].data for number in numbers]
        if any(len(piece) < self.min_part_bytes for piece in pieces[:-1]):
            raise S3Error(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
        return b"".join(pieces)

    def _list_uploads(self, request: Request) -> Response:
        prefix = request.query_params.get("prefix", "")
        limit = min(int(request.query_params.get("max-uploads", MAX_KEYS)), self.page)
        found = sorted((one.key, name) for name, one in self.uploads.items() if one.key.startswith(prefix))
        listed = "".join(
            f"<Upload><Key>{escape(key)}</Key><UploadId>{name}</UploadId></Upload>" for key, name in found[:limit]
        )
        return _xml(
            f"<ListMultipartUploadsResult><Bucket>{self.bucket}</Bucket>"
            f"<IsTruncated>{str(len(found) > limit).lower()}</IsTruncated>{listed}</ListMultipartUploadsResult>"
        )

    # --- many objects ------------------------------------------------------------------------------------------------

    def _list(self, request: Request) -> Response:
        query = request.query_params
        prefix, after = query.get("prefix", ""), query.get("continuation-token", query.get("start-after", ""))
        limit = min(int(query.get("max-keys", MAX_KEYS)), self.page)
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        shown, more = keys[:limit], len(keys) > limit
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{self.objects[key].modified_at:%Y-%m-%dT%H:%M:%S.000Z}"
            f"</LastModified><ETag>{escape(self.objects[key].etag)}</ETag><Size>{len(self.objects[key].data)}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
            for key in shown
        )
        token = f"<NextContinuationToken>{escape(shown[-1])}</NextContinuationToken>" if more else ""
        return _xml(
            f"<ListBucketResult><Name>{self.bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(shown)}"
            f"</KeyCount><MaxKeys>{limit}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}"
            "</ListBucketResult>"
        )

    def _delete_many(self, body: bytes) -> Response:
        asked, name = _asked(body)
        keys = [one.findtext(f"{name}Key", "") for one in asked.iter(f"{name}Object")]
        if not 0 < len(keys) <= MAX_KEYS:
            raise S3Error(400, "MalformedXML", "Between 1 and 1000 keys")
        for key in keys:
            self.objects.pop(key, None)
        told = "" if asked.findtext(f"{name}Quiet") == "true" else "".join(map(_deleted, keys))
        return _xml(f"<DeleteResult>{told}</DeleteResult>")

    # --- forms -------------------------------------------------------------------------------------------------------

    async def _form(self, request: Request, bucket: str) -> Response:
        fields: dict[str, str] = {"bucket": bucket}
        file: UploadFile | None = None
        async with request.form() as form:
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    file = value
                    break  # what comes after the file does not count
                fields[name.lower()] = value
            if file is None:
                raise S3Error(400, "InvalidArgument", "POST requires exactly one file upload per request.")
            data = await file.read()
        if "key" not in fields:
            raise S3Error(400, "InvalidArgument", "Bucket POST must contain a field named 'key'.")
        check_form(fields, len(data), self.keys, self.clock())
        if bucket != self.bucket:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")
        answer = self._put(fields["key"], data, fields.get("content-type", "binary/octet-stream"))
        wanted = fields.get("success_action_status", "204")
        answer.status_code = int(wanted) if wanted in ("200", "201") else 204
        return answer


def _ranged(data: bytes, first: str, last: str, headers: dict[str, str]) -> bytes:
    start = int(first) if first else max(0, len(data) - int(last))
    end = min(int(last) + 1, len(data)) if first and last else len(data)
    if start >= end:
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable")
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
    return data[start:end]


def _asked(body: bytes) -> tuple[ElementTree.Element, str]:
    """What a body asks for, and the name space of its names."""
    try:
        asked = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise S3Error(400, "MalformedXML", "The XML you provided was not well-formed") from None
    space = re.match(r"\{.*\}", asked.tag)
    return asked, space.group() if space else ""


def _deleted(key: str) -> str:
    return f"<Deleted><Key>{escape(key)}</Key></Deleted>"


def _xml(text: str) -> Response:
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}', media_type="application/xml")


def _error_body(error: S3Error, path: str) -> bytes:
    extra: dict[str, Any] = error.extra
    told = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in extra.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{error.code}</Code><Message>{escape(error.message)}'
        f"</Message>{told}<Resource>{escape(path)}</Resource><RequestId>{sha256(path.encode()).hexdigest()[:16].upper()}"
        "</RequestId></Error>"
    ).encode()
