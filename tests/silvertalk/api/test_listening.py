from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from silvertalk.database import Database
from silvertalk.habits import Changes, applying, today
from silvertalk.pause_profile import EVERYBODY, Observation
from tests.silvertalk.api.conftest import Serve

PATH = "/v1/me/listening"
AS_EVERYBODY = {
    "patience": 1.0,
    "speech_rate": 1.0,
    "loudness": 1.0,
    "learned": {"median_ms": round(EVERYBODY.median_ms), "caution": 1.0, "observed": 0},
}


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with Database(f"sqlite+aiosqlite:///{tmp_path / 'var' / 'silvertalk.sqlite3'}") as opened:
        await opened.wait_ready()
        yield opened


@pytest.fixture
async def client(database: Database, serve: Serve) -> httpx.AsyncClient:
    return await serve(database=database)


async def guest(client: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
    """A new guest: the user id, and the headers that prove it."""
    given = (await client.post("/auth/guest")).json()
    return given["guest_id"].partition(".")[0], {"Authorization": f"Bearer {given['access_token']}"}


async def test_who_nothing_is_known_of_is_as_everybody(client: httpx.AsyncClient, database: Database) -> None:
    user, proof = await guest(client)
    answer = await client.get(PATH, headers=proof)
    assert (answer.status_code, answer.json()) == (200, AS_EVERYBODY)
    assert await database.habits(user) is None, "looking writes nothing"


async def test_what_is_set_stays_set_and_the_rest_as_it_was(client: httpx.AsyncClient) -> None:
    _, proof = await guest(client)
    answer = await client.patch(PATH, headers=proof, json={"patience": 2.0, "loudness": 1.6})
    assert answer.status_code == 200
    assert answer.json() == AS_EVERYBODY | {"patience": 2.0, "loudness": 1.6}
    answer = await client.patch(PATH, headers=proof, json={"speech_rate": 0.8, "loudness": None})
    assert answer.json() == AS_EVERYBODY | {"patience": 2.0, "loudness": 1.6, "speech_rate": 0.8}
    assert (await client.get(PATH, headers=proof)).json() == answer.json()


async def test_what_was_learned_is_shown_and_outlives_a_setting(client: httpx.AsyncClient, database: Database) -> None:
    user, proof = await guest(client)
    seen = (Observation("inner_pause", 1400),) * 40 + (Observation("false_end", 2000),)
    await database.change_habits(user, applying(Changes(seen), today()))
    learned = (await client.get(PATH, headers=proof)).json()["learned"]
    assert learned["observed"] == 42
    assert learned["median_ms"] > EVERYBODY.median_ms
    assert learned["caution"] > 1
    assert (await client.patch(PATH, headers=proof, json={"patience": 0.5})).json()["learned"] == learned


async def test_forgetting_makes_it_as_on_the_first_day(client: httpx.AsyncClient, database: Database) -> None:
    user, proof = await guest(client)
    await database.change_habits(user, applying(Changes((Observation("inner_pause", 1400),), 2.0, 0.9, 1.6), today()))
    for _ in range(2):
        answer = await client.delete(PATH, headers=proof)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get(PATH, headers=proof)).json() == AS_EVERYBODY
    assert await database.habits(user) is None


async def test_nobody_reads_or_changes_what_is_anothers(client: httpx.AsyncClient) -> None:
    (user, mine), (_, theirs) = await guest(client), await guest(client)
    await client.patch(PATH, headers=mine, json={"patience": 2.0})
    await client.patch(f"{PATH}?user={user}&user_id={user}", headers=theirs, json={"patience": 3.0})
    await client.delete(f"{PATH}?user={user}", headers=theirs)
    assert (await client.get(PATH, headers=mine)).json()["patience"] == 2.0
    assert (await client.get(f"{PATH}?user={user}", headers=theirs)).json() == AS_EVERYBODY


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_who_does_not_say_who_they_are_gets_nothing(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, PATH, json={})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")
    answer = await client.request(method, PATH, json={}, headers={"Authorization": "Bearer nonsense"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_refused")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"patience": 0.4}, "body.patience"),
        ({"patience": 3.1}, "body.patience"),
        ({"speech_rate": 0.6}, "body.speech_rate"),
        ({"speech_rate": 1.2}, "body.speech_rate"),
        ({"loudness": 0.9}, "body.loudness"),
        ({"loudness": 2.6}, "body.loudness"),
        ({"patience": "slow"}, "body.patience"),
        ({"patience": 1.0, "learned": {}}, "body.learned"),
        ({"pateince": 1.0}, "body.pateince"),
        ([], "body"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, change: Any, field: str
) -> None:
    _, proof = await guest(client)
    answer = await client.patch(PATH, headers=proof, json=change)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert [wrong["field"] for wrong in answer.json()["fields"]] == [field]
    assert (await client.get(PATH, headers=proof)).json() == AS_EVERYBODY


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
async def test_a_number_that_is_none_is_refused(client: httpx.AsyncClient, number: bytes) -> None:
    _, proof = await guest(client)
    json = {"Content-Type": "application/json"}
    answer = await client.patch(PATH, headers=proof | json, content=b'{"patience": %s}' % number)
    assert answer.status_code == 422
    assert [wrong["field"] for wrong in answer.json()["fields"]] == ["body.patience"]


async def test_a_page_of_another_site_is_refused(client: httpx.AsyncClient) -> None:
    _, proof = await guest(client)
    answer = await client.get(PATH, headers=proof | {"Origin": "https://evil.example"})
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")


async def test_our_own_page_may_change_it(client: httpx.AsyncClient) -> None:
    own = str(client.base_url).rstrip("/")
    asked = {"Origin": own, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "Authorization"}
    assert (await client.options(PATH, headers=asked)).status_code == 200


async def test_while_the_database_is_away_that_is_said(serve: Serve) -> None:
    client = await serve()
    _, proof = await guest(client)
    for answer in (
        await client.get(PATH, headers=proof),
        await client.patch(PATH, headers=proof, json={"patience": 2.0}),
        await client.delete(PATH, headers=proof),
    ):
        assert (answer.status_code, answer.json()["code"]) == (503, "database_away")
        assert answer.json()["retryable"]
        assert "retry-after" in answer.headers
