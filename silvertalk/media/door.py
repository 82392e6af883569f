"""`/media/…`: the folder's links and upload forms, served by the gateway as S3 would serve its own.

Whoever has a link or a form is who it was given to: there is no other authentication here, and nothing is done without
its signature. What is served never runs: its type is said and not guessed, and a browser is told to sandbox it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from silvertalk.errors import MediaAway, RequestInvalid
from silvertalk.limits import network_of
from silvertalk.media.folder import DOOR, Allowed, FolderStore, Opened
from silvertalk.media.multipart import End, Part, Piece, read_multipart
from silvertalk.media.ranges import extent_of
from silvertalk.media.store import MediaStore, disposition
from streaming.logs import logger

log = logger("media")

CHUNK_BYTES = 64 * 1024
IDLE_SECONDS = 20.0
"""A client that sends or takes nothing for so long is gone, as S3 sees it too."""
UPLOAD_SECONDS = 120.0
"""Longest upload, once its form was read: 20 MiB at 1.4 Mbit/s, 100 MiB at 7."""
MAX_UPLOADS = 32
"""At once, with a form of ours; each holds a socket and a file. The next are told to come again, as S3 does with 503
SlowDown."""
FORM_SECONDS = 10.0
"""Until the fields before the file are whole: they fit into the first packets."""
MAX_FORMS_EACH = 8
"""Whose fields are just being read, from one address: nobody knows yet whether they are ours."""
MAX_FORM_BYTES = 128 * 1024
MAX_FIELD_BYTES = 4096
MAX_FIELDS = 16
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}


def media_routes(media: MediaStore, origins: frozenset[str]) -> list[BaseRoute]:
    """What a gateway serves for its store: nothing where the store serves itself."""
    return [Mount(DOOR, door(media, origins))] if isinstance(media, FolderStore) else []


def door(store: FolderStore, origins: frozenset[str]) -> ASGIApp:
    """The application to be mounted at `DOOR`; pages of these origins may use it."""
    routes = _Routes(store)
    return Starlette(
        routes=[
            Route("/upload", routes.upload, methods=["POST"]),
            Route("/{key:path}", routes.fetch, methods=["GET"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=sorted(origins),
                allow_methods=["GET", "POST"],
                allow_headers=["Range"],
                expose_headers=["Content-Range", "Content-Length", "Accept-Ranges"],
                max_age=600,
            )
        ],
    )


class _Routes:
    def __init__(self, store: FolderStore) -> None:
        self._store = store
        self._uploads = 0
        self._forms: Counter[str] = Counter()

    async def upload(self, request: Request) -> Response:
        try:
            return await self._take(request)
        except (RequestInvalid, ClientDisconnect):  # the latter for nobody
            return _said(HTTPStatus.BAD_REQUEST)
        except TimeoutError:
            return _said(HTTPStatus.REQUEST_TIMEOUT)
        except MediaAway as error:
            log.warning("upload_not_kept", error=str(error))
            return _said(HTTPStatus.SERVICE_UNAVAILABLE)

    async def _take(self, request: Request) -> Response:
        """The form's fields, then its file. Only a form of ours takes a place among the uploads."""
        address = network_of(request.client.host if request.client is not None else "")
        if self._forms[address] >= MAX_FORMS_EACH:
            return _come_again()
        body = _Arriving(request)
        events = read_multipart(request.headers.get("content-type", ""), aiter(body))
        self._forms[address] += 1
        try:
            async with asyncio.timeout(FORM_SECONDS):
                form = await _fields(events)
        finally:
            self._forms[address] -= 1
            if not self._forms[address]:
                del self._forms[address]
        if self._allowed(form) is None:
            return _said(HTTPStatus.FORBIDDEN)
        if self._uploads >= MAX_UPLOADS:
            return _come_again()
        body.is_form = False
        self._uploads += 1
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                return _said(await self._write(form, events))
        finally:
            self._uploads -= 1

    def _allowed(self, form: dict[str, str]) -> Allowed | None:
        """What a form allows now; None where it is none of ours, was changed, or its time is over."""
        allowed = self._store.allowed(form.get("policy", ""), form.get("signature", ""))
        if allowed is None or (form.get("key"), form.get("Content-Type")) != (allowed.key, allowed.content_type):
            return None
        return allowed

    async def _write(self, form: dict[str, str], events: AsyncIterator[Part | Piece | End]) -> HTTPStatus:
        """The file, which is kept only if its form still allows it once it is whole: what a form may bring is awaited
        by deletions for as long as the form is good, and no longer."""
        allowed = self._allowed(form)
        if allowed is None:
            return HTTPStatus.FORBIDDEN
        within, drafting = self._store.within, self._store.draft(allowed.content_type)
        draft = await within(drafting.__enter__)
        try:
            size, whole = 0, False
            async for event in events:
                if isinstance(event, Piece):
                    size += len(event.data)
                    if size > allowed.max_bytes:
                        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                    data = event.data
                    await within(lambda data=data: draft.file.write(data))  # type: ignore[misc]
                elif isinstance(event, End):
                    whole = True
                else:
                    raise RequestInvalid  # the file is the last
            if not whole or not size:
                raise RequestInvalid
            if self._allowed(form) is None:
                return HTTPStatus.FORBIDDEN
            await within(lambda: self._store.keep(draft, allowed.key, allowed.content_type))
            return HTTPStatus.NO_CONTENT
        finally:
            await within(lambda: drafting.__exit__(None, None, None))

    async def fetch(self, request: Request) -> Response:
        key = request.path_params["key"]
        query = request.query_params
        filename = query.get("name", "")
        if not self._store.is_link(key, query.get("until", ""), filename, query.get("signature", "")):
            return _said(HTTPStatus.FORBIDDEN)
        try:
            opened = await self._store.within(lambda: self._store.open(key))
        except MediaAway:
            return _said(HTTPStatus.SERVICE_UNAVAILABLE)
        return _said(HTTPStatus.NOT_FOUND) if opened is None else _Object(opened, filename)


class _Object(Response):
    """An object, or the one range of it that was asked for. It closes the file."""

    def __init__(self, opened: Opened, filename: str) -> None:
        super().__init__(headers={**HEADERS, "Cache-Control": "private, max-age=60"})
        stored = opened.stored
        del self.headers["content-length"]
        self.headers["Content-Type"] = stored.content_type
        self.headers["Content-Disposition"] = disposition(stored.key, filename)
        self._file = opened.file
        self._size = stored.size_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            extent = extent_of(Headers(scope=scope).get("range", ""), self._size)
            self.status_code = extent.status
            self.headers.update(extent.headers)
            async with asyncio.timeout(IDLE_SECONDS) as idle:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                if scope["method"] != "HEAD":
                    await self._body(send, extent.start, extent.end, idle)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await asyncio.to_thread(self._file.close)

    async def _body(self, send: Send, start: int, end: int, idle: asyncio.Timeout) -> None:
        await asyncio.to_thread(self._file.seek, start, 1)
        left = end - start
        while left > 0:
            data = await asyncio.to_thread(self._file.read, min(CHUNK_BYTES, left))
            if not data:
                raise MediaAway("an object became shorter")
            left -= len(data)
            idle.reschedule(asyncio.get_running_loop().time() + IDLE_SECONDS)
            await send({"type": "http.response.body", "body": data, "more_body": True})


class _Arriving:
    """The body's chunks; raises TimeoutError where none comes for too long, and RequestInvalid for fields that do not
    end."""

    def __init__(self, request: Request) -> None:
        self._chunks = request.stream()
        self.is_form = True
        """The file has not begun."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        while True:
            if self.is_form and received > MAX_FORM_BYTES:
                raise RequestInvalid
            try:
                async with asyncio.timeout(IDLE_SECONDS):
                    chunk = await anext(self._chunks)
            except StopAsyncIteration:
                return
            received += len(chunk)
            yield chunk


async def _fields(events: AsyncIterator[Part | Piece | End]) -> dict[str, str]:
    """The fields before the file, of which the first byte comes next."""
    fields: dict[str, str] = {}
    async for event in events:
        if not isinstance(event, Part):
            raise RequestInvalid
        if event.name == "file":
            return fields
        if len(fields) >= MAX_FIELDS or event.name in fields:
            raise RequestInvalid
        fields[event.name] = await _text(events)
    raise RequestInvalid


async def _text(events: AsyncIterator[Part | Piece | End]) -> str:
    """A field's value."""
    value = bytearray()
    async for event in events:
        if not isinstance(event, Piece):
            break
        value += event.data
        if len(value) > MAX_FIELD_BYTES:
            raise RequestInvalid
    return value.decode("utf-8", "replace")


def _said(status: HTTPStatus, headers: dict[str, str] | None = None) -> Response:
    if status is HTTPStatus.NO_CONTENT:
        return Response(status_code=status)
    return PlainTextResponse(status.phrase, status, {**HEADERS, "Cache-Control": "no-store", **(headers or {})})


def _come_again() -> Response:
    return _said(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "5"})
