"""A POST that comes twice with one key is carried out once."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Scope

from silvertalk.api import idempotency
from silvertalk.api.envelope import Envelope
from silvertalk.api.idempotency import HASHED_AT_ONCE_BYTES, Idempotency, add_body, request_hash
from silvertalk.auth import identify
from silvertalk.kept_answers import Answers
from silvertalk.tokens import AccessTokens, Identity
from streaming.bus import Bus
from streaming.bus.forgetting import forget_values
from tests.silvertalk.api.conftest import serving
from tests.valkey import Valkey

SECRET = bytes(range(64))
TOKENS = AccessTokens(SECRET)
KEY = {"Idempotency-Key": "phone-0001"}


def person() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS.issue(str(uuid.uuid4()), 'guest').access_token}"}


class Shop:
    """Something that should not happen twice: each order has a number."""

    def __init__(self) -> None:
        self.orders = 0
        self.begun = asyncio.Event()
        self.left = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.status = 201

    async def order(self, request: Request) -> Response:
        self.orders += 1
        self.begun.set()
        body = await request.body()
        await self.go_on.wait()
        return JSONResponse({"order": self.orders, "bytes": len(body)}, self.status, headers={"Location": "/here"})

    async def stream(self, request: Request) -> Response:
        self.orders += 1

        async def told() -> AsyncIterator[bytes]:
            for word in ("안녕", "하세요"):
                yield f"data: {word}\n\n".encode()

        return StreamingResponse(told(), media_type="text/event-stream")

    async def endless(self, request: Request) -> Response:
        self.orders += 1

        async def told() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"data: more\n\n"
                    await asyncio.sleep(0.01)
            finally:
                asyncio.get_running_loop().call_later(0.2, self.left.set)

        return StreamingResponse(told(), media_type="text/event-stream")

    async def long(self, request: Request) -> Response:
        self.orders += 1
        return Response(b"x" * (idempotency.MAX_ANSWER_BYTES + 1))

    async def broken(self, request: Request) -> Response:
        self.orders += 1
        raise ZeroDivisionError

    def app(self, bus: Bus) -> ASGIApp:
        async def asking(scope: Scope) -> Identity:
            return identify(TOKENS, Request(scope).headers.getlist("authorization"))

        routes = [
            Route(path, handler, methods=["POST", "GET"])
            for path, handler in {
                "/orders": self.order,
                "/calendars/sync": self.order,
                "/auth/guest": self.order,
                "/stream": self.stream,
                "/chat/messages": self.stream,
                "/endless": self.endless,
                "/long": self.long,
                "/broken": self.broken,
            }.items()
        ]
        inner = Idempotency(Router(routes), answers=Answers(bus, SECRET), asking=asking)
        return Envelope(inner)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@asynccontextmanager
async def opened(shop: Shop, url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with AsyncExitStack() as stack:
        bus = await stack.enter_async_context(Bus.open([url], name="api"))
        address = await stack.enter_async_context(serving(lambda port: shop.app(bus)))
        yield await stack.enter_async_context(httpx.AsyncClient(base_url=address, trust_env=False, timeout=30))


@pytest.fixture
async def client(shop: Shop, valkey: Valkey) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(shop, valkey.url) as client:
        yield client


async def test_the_same_request_gets_the_first_answer_again(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    first = await client.post("/orders", json={"what": "tea"}, headers=me)
    again = await client.post("/orders", json={"what": "tea"}, headers=me)
    assert shop.orders == 1
    assert (again.status_code, again.content) == (first.status_code, first.content) == (201, first.content)
    assert again.headers["location"] == "/here"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def test_without_a_key_or_with_another_it_is_done_again(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person()
    for headers in (me, me, me | KEY, me | {"Idempotency-Key": "phone-0002"}, person() | KEY):
        assert (await client.post("/orders", headers=headers)).status_code == 201
    assert shop.orders == 5


@pytest.mark.parametrize("path", ["/orders?page=2", "/orders", "/calendars/sync"])
async def test_another_request_with_that_key_is_refused(client: httpx.AsyncClient, shop: Shop, path: str) -> None:
    me = person() | KEY
    await client.post("/orders", content=b"one", headers=me)
    answer = await client.post(path, content=b"other", headers=me)
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert shop.orders == 1


async def test_while_the_first_is_at_work_the_second_waits_outside(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    shop.go_on.clear()
    first = asyncio.create_task(client.post("/orders", headers=me))
    await asyncio.wait_for(shop.begun.wait(), 10)
    answer = await client.post("/orders", headers=me)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (409, "still_answering", True)
    shop.go_on.set()
    assert (await first).json() == (await client.post("/orders", headers=me)).json()
    assert shop.orders == 1


async def test_of_many_at_once_one_is_carried_out(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    answers = await asyncio.gather(*(client.post("/orders", headers=me) for _ in range(20)))
    assert shop.orders == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert (await client.post("/orders", headers=me)).json()["order"] == 1


@pytest.mark.parametrize("status", [500, 503, 429, 401, 408])
async def test_an_answer_that_says_later_is_not_kept(client: httpx.AsyncClient, shop: Shop, status: int) -> None:
    me = person() | KEY
    shop.status = status
    assert (await client.post("/orders", headers=me)).status_code == status
    shop.status = 201
    assert (await client.post("/orders", headers=me)).json()["order"] == 2


async def test_our_own_mistake_is_not_kept(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    for _ in range(2):
        assert (await client.post("/broken", headers=me)).json()["code"] == "internal"
    assert shop.orders == 2


async def test_a_refusal_for_good_is_kept(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    shop.status = 404
    for _ in range(2):
        assert (await client.post("/orders", headers=me)).status_code == 404
    assert shop.orders == 1


async def test_a_streamed_answer_is_given_again_whole(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    answers = [await client.post("/stream", headers=me) for _ in range(2)]
    assert answers[0].text == answers[1].text == "data: 안녕\n\ndata: 하세요\n\n"
    assert answers[1].headers["content-type"].startswith("text/event-stream")
    assert shop.orders == 1


async def test_of_a_long_answer_only_that_it_was_given_is_kept(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    assert (await client.post("/long", headers=me)).status_code == 200
    answer = await client.post("/long", headers=me)
    assert (answer.status_code, answer.json()["code"]) == (409, "answer_not_kept")
    assert shop.orders == 1


async def test_of_what_was_said_only_that_it_was_is_kept(
    client: httpx.AsyncClient, shop: Shop, bus: Bus, valkey: Valkey
) -> None:
    me = person() | KEY
    assert "안녕" in (await client.post("/chat/messages", headers=me)).text
    answer = await client.post("/chat/messages", headers=me)
    assert (answer.status_code, answer.json()["code"]) == (409, "answer_not_kept")
    assert shop.orders == 1
    names: Any = valkey.client.keys("silvertalk:value:answer:*")
    for name in names:
        kept = await bus.values.get(name.decode().removeprefix("silvertalk:value:"))
        assert kept is not None and "안녕".encode() not in kept


async def test_an_answer_whose_mark_was_deleted_meanwhile_is_not_kept(
    client: httpx.AsyncClient, shop: Shop, bus: Bus, valkey: Valkey
) -> None:
    """As a deletion of the person does."""
    me = person() | KEY
    shop.go_on.clear()
    first = asyncio.create_task(client.post("/orders", headers=me))
    await asyncio.wait_for(shop.begun.wait(), 10)
    assert await forget_values(bus, ["answer:"]) == 1
    shop.go_on.set()
    assert (await first).status_code == 201
    assert valkey.client.keys("silvertalk:value:answer:*") == []


async def test_who_leaves_in_the_middle_has_not_asked_for_nothing(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    async with client.stream("POST", "/endless", headers=me) as answer:
        assert answer.status_code == 200
        await anext(answer.aiter_bytes())
    await asyncio.wait_for(shop.left.wait(), 10)
    again = await client.post("/endless", headers=me)
    assert (again.status_code, again.json()["code"]) == (409, "answer_not_kept")
    assert shop.orders == 1


async def test_a_form_is_the_same_whatever_its_boundary(client: httpx.AsyncClient, shop: Shop) -> None:
    me = person() | KEY
    for _ in range(2):  # httpx draws a boundary for each
        answer = await client.post("/orders", files={"file": ("a.jpg", b"photo", "image/jpeg")}, headers=me)
        assert answer.status_code == 201
    assert shop.orders == 1
    other = await client.post("/orders", files={"file": ("a.jpg", b"other", "image/jpeg")}, headers=me)
    assert other.status_code == 422


@pytest.mark.parametrize("key", ["short", "x" * 129, "with space", "semi;colon", "new\tline"])
async def test_a_key_has_a_shape(client: httpx.AsyncClient, shop: Shop, key: str) -> None:
    answer = await client.post("/orders", headers=person() | {"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert shop.orders == 0


async def test_a_stranger_has_no_keys(client: httpx.AsyncClient, shop: Shop) -> None:
    assert (await client.post("/orders", headers=KEY)).json()["code"] == "token_missing"
    assert shop.orders == 0
    for _ in range(2):
        assert (await client.post("/auth/guest", headers=KEY)).status_code == 201
    assert shop.orders == 2, "whoever logs in is nobody yet"


async def test_reading_takes_no_key(client: httpx.AsyncClient, shop: Shop) -> None:
    for _ in range(2):
        assert (await client.get("/orders", headers=KEY)).status_code == 201
    assert shop.orders == 2


async def test_without_redis_only_what_ends_alike_is_carried_out(shop: Shop, own_valkey: Valkey) -> None:
    async with opened(shop, own_valkey.url) as client:
        own_valkey.kill()
        me = person() | KEY
        answer = await client.post("/orders", headers=me)
        assert (answer.status_code, answer.json()["code"]) == (503, "bus_away")
        assert shop.orders == 0
        assert (await client.post("/calendars/sync", headers=me)).status_code == 201
        assert (await client.post("/orders", headers=person())).status_code == 201


async def test_what_is_kept_expires_and_names_nobody(client: httpx.AsyncClient, valkey: Valkey) -> None:
    me = person() | KEY
    await client.post("/orders", headers=me)
    found: Any = valkey.client.keys("silvertalk:value:answer:*")
    (name,) = found
    assert 0 < valkey.client.ttl(name) <= 24 * 3600
    assert b"phone-0001" not in name


def form(boundary: str) -> Scope:
    headers = [(b"content-type", f"multipart/form-data; boundary={boundary}".encode())]
    return {"type": "http", "method": "POST", "path": "/photos", "query_string": b"", "headers": headers}


async def test_a_long_body_is_hashed_while_others_are_served() -> None:
    body = b"--drawn\r\n" + bytes(HASHED_AT_ONCE_BYTES) + b"\r\n--drawn--"
    served = asyncio.Event()
    asyncio.get_running_loop().call_soon(served.set)
    first = await request_hash(form("drawn"), body)
    assert served.is_set()
    assert await request_hash(form("anew"), body.replace(b"drawn", b"anew")) == first
    assert await request_hash(form("anew"), body) != first


@given(st.lists(st.sampled_from([b"a", b"b", b"ab", b"aab"]), max_size=12).map(b"".join), st.integers(1, 9))
def test_a_boundary_is_found_wherever_the_pieces_are_cut(body: bytes, piece: int) -> None:
    for boundary in (b"a", b"ab", b"aab", b"aba"):
        hashed = sha256()
        add_body(hashed, body, boundary, piece)
        assert hashed.digest() == sha256(body.replace(boundary, b"boundary")).digest()
