import httpx
import pytest

from tests.silvertalk.api.conftest import Serve


async def test_a_guest_gets_a_token_and_is_the_same_guest_again(client: httpx.AsyncClient) -> None:
    first = (await client.post("/auth/guest", json={})).json()
    assert set(first) == {"guest_id", "access_token", "token_type", "expires_in"}
    assert (first["token_type"], first["expires_in"]) == ("bearer", 1800)
    again = (await client.post("/auth/guest", json={"guest_id": first["guest_id"]})).json()
    assert again["guest_id"] == first["guest_id"]
    assert again["access_token"] != first["access_token"]
    other = (await client.post("/auth/guest")).json()
    assert other["guest_id"] != first["guest_id"]


@pytest.mark.parametrize(
    "guest_id",
    [
        "5b0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10",
        "5b0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10.AAAAAAAAAAAAAAAAAAAAAA",
        "admin",
        "../../etc/passwd",
        "' OR 1=1 --",
    ],
)
async def test_a_guest_id_that_was_not_given_is_refused(client: httpx.AsyncClient, guest_id: str) -> None:
    answer = await client.post("/auth/guest", json={"guest_id": guest_id})
    assert (answer.status_code, answer.json()["code"]) == (401, "guest_refused")


async def test_where_guests_are_closed_nobody_becomes_one(serve: Serve) -> None:
    client = await serve({"allow_guests": False})
    answer = await client.post("/auth/guest", json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "guests_closed")


async def test_too_many_from_one_address_wait(serve: Serve) -> None:
    client = await serve({"logins_per_minute": 3})
    answers = [await client.post("/auth/guest", json={}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 20
    assert answers[-1].json()["code"] == "rate_limited"


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://localhost"])
async def test_a_page_of_another_site_is_refused(client: httpx.AsyncClient, origin: str) -> None:
    answer = await client.post("/auth/guest", json={}, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")
    assert "access-control-allow-origin" not in answer.headers


async def test_our_own_page_may_ask(client: httpx.AsyncClient) -> None:
    own = str(client.base_url).rstrip("/")
    answer = await client.post("/auth/guest", json={}, headers={"Origin": own})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == own
    assert "access-control-allow-credentials" not in answer.headers


async def test_tokens_are_kept_by_no_cache(client: httpx.AsyncClient) -> None:
    assert (await client.post("/auth/guest")).headers["cache-control"] == "no-store"
