"""Who asks too often waits; a Redis that is away makes nobody wait but whoever guesses at logins."""

from typing import Any

import httpx
import pytest

from silvertalk.api.limiting import class_of
from streaming.bus import Bus
from tests.silvertalk.api.conftest import Serve
from tests.valkey import Valkey


async def token_of(client: httpx.AsyncClient) -> dict[str, str]:
    return {"Authorization": f"Bearer {(await client.post('/auth/guest')).json()['access_token']}"}


def check_refused(answer: httpx.Response, at_most_seconds: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(answer.headers["retry-after"]) <= at_most_seconds
    assert answer.json()["message"].endswith("요.")


async def test_one_person_waits_and_another_does_not(serve: Serve) -> None:
    client = await serve({"talks_per_minute": 3})
    eager, other = await token_of(client), await token_of(client)
    answers = [await client.post("/v1/talk/ticket", headers=eager) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    check_refused(answers[-1], 20)
    assert (await client.post("/v1/talk/ticket", headers=other)).status_code == 200


async def test_each_class_has_a_limit_of_its_own(serve: Serve) -> None:
    client = await serve({"talks_per_minute": 1, "reads_per_minute": 2})
    person = await token_of(client)
    assert (await client.post("/v1/talk/ticket", headers=person)).status_code == 200
    check_refused(await client.post("/v1/talk/ticket", headers=person), 60)
    for _ in range(2):  # no database here: let in, and then told so
        assert (await client.get("/v1/me/listening", headers=person)).status_code == 503
    check_refused(await client.get("/v1/me/listening", headers=person), 30)


async def test_an_address_has_room_for_so_many_people(serve: Serve) -> None:
    client = await serve({"talks_per_minute": 2, "people_per_address": 2})
    people = [await token_of(client) for _ in range(3)]
    answers = [await client.post("/v1/talk/ticket", headers=person) for person in people for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2


async def test_a_stranger_counts_for_the_address_alone(serve: Serve) -> None:
    """Whoever writes another's id into a token that is not ours takes nothing from them."""
    client = await serve({"talks_per_minute": 1, "people_per_address": 3})
    person = await token_of(client)
    forged = {"Authorization": person["Authorization"][:-6] + "AAAAAA"}
    assert (await client.post("/v1/talk/ticket", headers=forged)).status_code == 401
    assert (await client.post("/v1/talk/ticket", headers=person)).status_code == 200


async def test_all_gateways_count_together(serve: Serve) -> None:
    one, other = await serve({"talks_per_minute": 2}), await serve({"talks_per_minute": 2})
    person = await token_of(one)
    assert (await one.post("/v1/talk/ticket", headers=person)).status_code == 200
    assert (await other.post("/v1/talk/ticket", headers=person)).status_code == 200
    check_refused(await one.post("/v1/talk/ticket", headers=person), 30)


async def test_without_redis_own_things_are_let_in_and_logins_still_counted(serve: Serve, own_valkey: Valkey) -> None:

    async with Bus.open([own_valkey.url], name="api") as bus:
        client = await serve({"logins_per_minute": 3, "reads_per_minute": 2}, bus=bus)
        person = await token_of(client)
        own_valkey.kill()
        for _ in range(4):  # let in; then nobody can be asked whether the token was revoked
            answer = await client.get("/v1/me/listening", headers=person)
            assert (answer.status_code, answer.json()["code"]) == (503, "bus_away")
        answers = [await client.post("/auth/guest") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


async def test_no_address_and_no_person_stands_in_redis(serve: Serve, valkey: Valkey) -> None:
    client = await serve({"logins_per_minute": 5, "reads_per_minute": 5, "people_per_address": 1})
    person = await token_of(client)
    await client.get("/v1/me/listening", headers=person)
    found: Any = valkey.client.keys("silvertalk:value:limit:*")
    names = [bytes(name).decode() for name in found]
    assert len(names) == 3, "login by address, read by address and by person"
    assert not any("127" in name for name in names)


@pytest.mark.parametrize(
    ("method", "path", "route_class"),
    [
        ("POST", "/auth/guest", "login"),
        ("GET", "/auth/me", "read"),
        ("POST", "/auth/refresh", "login"),
        ("GET", "/auth/kakao/callback", "login"),
        ("GET", "/photos", "read"),
        ("POST", "/photos/presign", "upload"),
        ("POST", "/photos/batch-upload", "upload"),
        ("DELETE", "/photos/1", "create"),
        ("POST", "/v1/talk/ticket", "talk"),
        ("POST", "/chat/messages", "talk"),
        ("POST", "/chat/sessions", "create"),
        ("PATCH", "/users/me", "create"),
    ],
)
def test_classes(method: str, path: str, route_class: str) -> None:
    assert class_of(method, path) == route_class
