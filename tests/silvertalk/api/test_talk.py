from pathlib import Path

import httpx
import pytest

from silvertalk.errors import Draining, ServerFull
from silvertalk.tickets import redeem_ticket
from streaming.bus import Bus
from tests.silvertalk.api.conftest import Serve
from tests.valkey import Valkey


async def token(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.post("/auth/guest")
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_token_buys_a_ticket_for_the_guest_it_belongs_to(client: httpx.AsyncClient, bus: Bus) -> None:
    guest = (await client.post("/auth/guest")).json()
    answer = await client.post("/v1/talk/ticket", headers={"Authorization": f"Bearer {guest['access_token']}"})
    assert answer.status_code == 200
    bought = answer.json()
    assert {"expires_in": 30, "path": "/v1/talk"}.items() <= bought.items()
    identity = (await redeem_ticket(bus, bought["ticket"])).identity
    assert (identity.user, identity.kind) == (guest["guest_id"].partition(".")[0], "guest")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token_missing"),
        ("Basic dXNlcjpwYXNz", "token_missing"),
        ("Bearer nonsense", "token_refused"),
        ("Bearer eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.e30.", "token_refused"),
    ],
)
async def test_without_a_good_token_there_is_no_ticket(
    client: httpx.AsyncClient, valkey: Valkey, header: str | None, code: str
) -> None:
    answer = await client.post("/v1/talk/ticket", headers={"Authorization": header} if header else {})
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert valkey.client.keys("*once*") == []


async def test_identity_comes_from_the_token_and_from_no_parameter(client: httpx.AsyncClient, bus: Bus) -> None:
    guest = (await client.post("/auth/guest")).json()
    answer = await client.post(
        "/v1/talk/ticket?user=someone&kakao_id=someone",
        headers={"Authorization": f"Bearer {guest['access_token']}", "X-User": "someone"},
        json={"user": "someone", "sub": "someone"},
    )
    identity = (await redeem_ticket(bus, answer.json()["ticket"])).identity
    assert identity.user == guest["guest_id"].partition(".")[0]


@pytest.mark.parametrize("refusal", [ServerFull, Draining])
async def test_a_closed_door_is_told_before_a_ticket_is_given(
    serve: Serve, valkey: Valkey, refusal: type[ServerFull | Draining]
) -> None:
    def closed() -> None:
        raise refusal

    client = await serve(door=closed)
    answer = await client.post("/v1/talk/ticket", headers=await token(client))
    assert (answer.status_code, answer.json()["code"]) == (503, refusal.code)
    assert answer.json()["retryable"]
    assert answer.json()["message"] == refusal.message_ko
    assert "retry-after" in answer.headers
    assert valkey.client.keys("*once*") == []


async def test_while_redis_is_away_guests_are_made_and_tickets_are_not(serve: Serve, tmp_path: Path) -> None:
    async with Bus.open([f"unix://{tmp_path}/nobody"], name="api") as away:
        client = await serve(bus=away)
        answer = await client.post("/v1/talk/ticket", headers=await token(client))
        assert (answer.status_code, answer.json()["code"]) == (503, "bus_away")
