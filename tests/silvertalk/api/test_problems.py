"""Whatever is asked, the answer is one of ours: the same shape, a Korean message, and nothing of the inside."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from silvertalk.api import openapi
from silvertalk.api.envelope import MAX_BODY_BYTES, BodyLimit, Envelope
from tests.silvertalk.api.conftest import Serve, serving

MEMBERS = {"type", "title", "status", "detail", "code", "message", "message_en", "retryable", "request_id"}


def check(answer: httpx.Response, status: int, code: str) -> None:
    body = answer.json()
    assert answer.status_code == body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:problem-type:silvertalk:{code}"
    assert answer.headers["content-type"] == "application/problem+json"
    assert MEMBERS <= set(body) <= MEMBERS | {"fields"}
    assert body["message"].endswith(("요.", "다.")), "polite Korean for the person"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text


async def test_an_unknown_path_and_a_wrong_method(client: httpx.AsyncClient) -> None:
    check(await client.get("/nothing/here"), 404, "not_found")
    answer = await client.get("/auth/guest")
    check(answer, 405, "http_405")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b"null ]", b'"text"', b'{"guest_id": 7}', b'{"guest_id": ["a"]}', b"\xff\xfe", b"[" * 60_000]
)
async def test_a_body_that_cannot_be_understood(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/auth/guest", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422)
    check(answer, answer.status_code, answer.json()["code"])


async def test_what_was_sent_is_never_quoted(client: httpx.AsyncClient) -> None:
    answer = await client.post("/auth/guest", json={"guest_id": {"canary-key": "canary-value" * 20}})
    check(answer, 422, "request_invalid")
    assert answer.json()["fields"][0]["field"] == "body.guest_id"
    assert "canary" not in answer.text


async def test_a_body_over_the_limit_declared_or_not(client: httpx.AsyncClient) -> None:
    check(await client.post("/auth/guest", content=b" " * (MAX_BODY_BYTES + 1)), 413, "request_too_large")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 1024 + 2):
            yield b" " * 1024

    check(await client.post("/auth/guest", content=endless()), 413, "request_too_large")


async def test_a_body_that_never_comes_is_not_waited_for() -> None:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("asked without a body")(scope, receive, send)

    async with serving(lambda port: Envelope(answer, usual=BodyLimit(MAX_BODY_BYTES, 0.05))) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(b"POST / HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: 10\r\n\r\n123")
        status = await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert b" 408 " in status


async def test_a_request_id_is_kept_where_it_is_harmless(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nothing", headers={"X-Request-Id": "phone-12345678"})
    assert answer.headers["x-request-id"] == "phone-12345678"
    for odd in ("short", "a" * 65, "with space in it", "가나다라마바사아".encode().decode("latin-1"), "a;b;c;d;e"):
        answer = await client.get("/nothing", headers=[(b"X-Request-Id", odd.encode("latin-1"))])
        assert answer.headers["x-request-id"] != odd
        assert len(answer.headers["x-request-id"]) == 32


async def test_our_own_mistake_is_told_without_the_inside(serve: Serve) -> None:
    def broken() -> None:
        raise ZeroDivisionError("canary of the inside")

    client = await serve(door=broken)
    token = (await client.post("/auth/guest")).json()["access_token"]
    answer = await client.post("/v1/talk/ticket", headers={"Authorization": f"Bearer {token}"})
    check(answer, 500, "internal")
    assert "canary" not in answer.text
    assert "ZeroDivisionError" not in answer.text


async def test_the_openapi_page_is_made_once_and_beside_whoever_talks(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_on: list[int] = []

    def add(method: str, path: str, operation: dict[str, Any]) -> None:
        made_on.append(threading.get_ident())
        added(method, path, operation)

    added = openapi._add
    monkeypatch.setattr(openapi, "_add", add)
    answers = await asyncio.gather(*(client.get("/openapi.json") for _ in range(3)))
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}
    assert len({answer.content for answer in answers}) == 1
    operations = [each for path in answers[0].json()["paths"].values() for each in path]
    assert len(made_on) == len(operations), "three asked, and it was made once"
    assert threading.get_ident() not in made_on, "the event loop has others to serve"


async def test_the_openapi_page_documents_every_answer(client: httpx.AsyncClient) -> None:
    page = (await client.get("/openapi.json")).json()
    for path, operations in page["paths"].items():
        for operation in operations.values():
            problems = {status for status in operation["responses"] if status >= "4"}
            assert {"403", "408", "413", "429"} <= problems, path
            pages = {"404", "410", "503"} if path.startswith("/v/") else set()  # for who has a link, and no program
            for status in problems - {"416"}:
                kind = "text/html" if status in pages else "application/problem+json"
                assert list(operation["responses"][status]["content"]) == [kind], path
    assert "401" in page["paths"]["/v1/talk/ticket"]["post"]["responses"]
    assert page["paths"]["/v1/talk/ticket"]["post"]["security"]
