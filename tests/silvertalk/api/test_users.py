from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from silvertalk.consents import CONSENTS
from silvertalk.database import Database
from silvertalk.people import MAX_DEVICES
from silvertalk.setting_values import database_url
from tests.postgres import Postgres
from tests.silvertalk.api.conftest import Serve

PATH = "/users/me"
DEVICES = "/users/me/devices"
NOT_ASKED = {"granted": False, "decided_at": None}
STRANGER = {
    "kakao_id": None,
    "nickname": "",
    "profile_image": "",
    "pet_name": "복실이",
    "is_active": True,
    "birth_date": None,
    "form_of_address": "",
    "speech_rate": 1.0,
    "patience": 1.0,
    "font_scale": 1.0,
    "barks": True,
    "voice": "",
    "quiet_hours": None,
    "time_zone": "",
    "guardian": None,
    "consents": {name: NOT_ASKED for name in CONSENTS},
}


@pytest.fixture(params=["sqlite", "postgresql"])
async def client(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'var' / 'silvertalk.sqlite3'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with Database(url) as database:
        await database.wait_ready()
        yield await serve(database=database)


async def guest(client: httpx.AsyncClient) -> dict[str, str]:
    given = (await client.post("/auth/guest")).json()
    return {"Authorization": f"Bearer {given['access_token']}"}


def without(told: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in names}


async def test_a_stranger_is_as_everybody(client: httpx.AsyncClient) -> None:
    told = (await client.get(PATH, headers=await guest(client))).json()
    assert without(told, "id", "created_at") == STRANGER


async def test_what_is_changed_stays_changed_and_the_rest_as_it_was(client: httpx.AsyncClient) -> None:
    proof = await guest(client)
    change = {
        "nickname": "순자",
        "pet_name": "초코",
        "birth_date": "1941-03-02",
        "form_of_address": "순자 할머니",
        "speech_rate": 0.9,
        "patience": 1.5,
        "font_scale": 1.4,
        "barks": False,
        "voice": "warm_female",
        "quiet_hours": {"from": "22:00", "until": "07:30"},
        "time_zone": "America/Los_Angeles",
        "guardian": {"name": "김민수", "phone": "010-1234-5678"},
    }
    answer = await client.patch(PATH, headers=proof, json=change)
    assert answer.status_code == 200
    expected = STRANGER | change | {"guardian": {"name": "김민수", "phone": "01012345678"}}
    assert without(answer.json(), "id", "created_at") == expected
    assert (await client.get(PATH, headers=proof)).json() == answer.json()
    answer = await client.patch(PATH, headers=proof, json={"pet_name": "복실이", "nickname": None})
    assert without(answer.json(), "id", "created_at") == expected | {"pet_name": "복실이"}
    listening = (await client.get("/v1/me/listening", headers=proof)).json()
    assert (listening["speech_rate"], listening["patience"]) == (0.9, 1.5), "the same habits"


async def test_what_may_be_taken_away_is_taken_away_by_null(client: httpx.AsyncClient) -> None:
    proof = await guest(client)
    given = {
        "birth_date": "1941-03-02",
        "quiet_hours": {"from": "22:00", "until": "07:30"},
        "guardian": {"name": "", "phone": "+82 10 1234 5678"},
    }
    assert (await client.patch(PATH, headers=proof, json=given)).json()["guardian"]["phone"] == "+821012345678"
    answer = await client.patch(PATH, headers=proof, json=dict.fromkeys(given))
    assert without(answer.json(), "id", "created_at") == STRANGER
    answer = await client.patch(PATH, headers=proof, json={"form_of_address": "", "time_zone": "", "voice": ""})
    assert answer.status_code == 200


async def test_a_consent_has_the_time_it_was_given(client: httpx.AsyncClient) -> None:
    proof = await guest(client)
    answer = await client.patch(PATH, headers=proof, json={"consents": {"memories": True, "keep_voice": False}})
    first = answer.json()["consents"]
    assert (first["memories"]["granted"], first["keep_voice"]["granted"]) == (True, False)
    assert datetime.fromisoformat(first["memories"]["decided_at"]).utcoffset() == timedelta(0)
    assert first["outside_services"] == NOT_ASKED
    again = (await client.patch(PATH, headers=proof, json={"consents": {"memories": True}})).json()["consents"]
    assert again == first, "who says the same again decided when they first said it"
    taken = (await client.patch(PATH, headers=proof, json={"consents": {"memories": False}})).json()["consents"]
    assert not taken["memories"]["granted"]
    assert taken["memories"]["decided_at"] > first["memories"]["decided_at"]


async def test_text_is_cleaned_before_it_is_kept(client: httpx.AsyncClient) -> None:
    proof = await guest(client)
    change = {"nickname": " 순\x00자\r\n 할머니\t", "form_of_address": "\u1109\u116e\u11ab\u110c\u1161"}
    told = (await client.patch(PATH, headers=proof, json=change)).json()
    assert (told["nickname"], told["form_of_address"]) == ("순 자 할머니", "순자")
    surrogate = b'{"nickname": "\\ud800"}'
    headers = proof | {"Content-Type": "application/json"}
    assert (await client.patch(PATH, headers=headers, content=surrogate)).status_code in (400, 422)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"nickname": "가" * 51}, "nickname"),
        ({"pet_name": ""}, "pet_name"),
        ({"pet_name": " \n "}, "pet_name"),
        ({"pet_name": "가" * 21}, "pet_name"),
        ({"birth_date": "1899-12-31"}, "birth_date"),
        ({"birth_date": "2999-01-01"}, "birth_date"),
        ({"birth_date": "-"}, "birth_date"),
        ({"birth_date": "1941-02-30"}, "birth_date"),
        ({"speech_rate": 0.5}, "speech_rate"),
        ({"patience": 9}, "patience"),
        ({"font_scale": 0}, "font_scale"),
        ({"voice": "../../voice"}, "voice"),
        ({"voice": "jf_nezumi"}, "voice"),
        ({"quiet_hours": {"from": "24:00", "until": "07:30"}}, "quiet_hours.from"),
        ({"quiet_hours": {"from": "-", "until": "07:30"}}, "quiet_hours.from"),
        ({"quiet_hours": {"from": "22:00"}}, "quiet_hours.until"),
        ({"time_zone": "-"}, "time_zone"),
        ({"time_zone": "../../etc/passwd"}, "time_zone"),
        ({"time_zone": "Asia"}, "time_zone"),
        ({"guardian": {"name": "김민수", "phone": "-"}}, "guardian.phone"),
        ({"guardian": {"name": "김민수", "phone": "119"}}, "guardian.phone"),
        ({"guardian": {"name": "김민수", "phone": "０１０１２３４５６７８"}}, "guardian.phone"),
        ({"guardian": {"phone": "01012345678"}}, "guardian.name"),
        ({"consents": {"everything": True}}, "consents.everything.[key]"),
        ({"consents": {"memories": "-"}}, "consents.memories"),
        ({"kakao_id": "1"}, "kakao_id"),
        ({"id": "1"}, "id"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    proof = await guest(client)
    answer = await client.patch(PATH, headers=proof, json={"form_of_address": "님", **change})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert [wrong["field"] for wrong in answer.json()["fields"]] == [f"body.{field}"]
    assert without((await client.get(PATH, headers=proof)).json(), "id", "created_at") == STRANGER


async def test_nobody_sees_or_changes_another(client: httpx.AsyncClient) -> None:
    first, second = await guest(client), await guest(client)
    me = (await client.patch(PATH, headers=first, json={"nickname": "순자"})).json()
    theirs = (await client.get(f"{PATH}?kakao_id=1&user={me['id']}", headers=second)).json()
    assert theirs["id"] != me["id"] and theirs["nickname"] == ""
    await client.patch(f"{PATH}?kakao_id=1&id={me['id']}", headers=second, json={"nickname": "도둑"})
    assert (await client.get(PATH, headers=first)).json()["nickname"] == "순자"


@pytest.mark.parametrize(("method", "path"), [("GET", PATH), ("PATCH", PATH), ("POST", DEVICES), ("DELETE", DEVICES)])
async def test_who_does_not_say_who_they_are_gets_nothing(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path, json={"push_token": "a" * 20, "platform": "ios"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_missing")


async def test_a_device_belongs_to_whoever_has_it_now(client: httpx.AsyncClient) -> None:
    first, second = await guest(client), await guest(client)
    device = {"push_token": "ExponentPushToken[abc]", "platform": "ios"}
    added = await client.post(DEVICES, headers=first, json=device)
    assert (added.status_code, set(added.json())) == (201, {"id", "platform", "created_at"})
    assert (await client.post(DEVICES, headers=first, json=device)).json()["id"] == added.json()["id"]
    gone = {"push_token": device["push_token"]}
    assert (await client.request("DELETE", DEVICES, headers=second, json=gone)).status_code == 404
    assert (await client.post(DEVICES, headers=second, json=device)).status_code == 201
    assert (await client.request("DELETE", DEVICES, headers=first, json=gone)).status_code == 404
    answer = await client.request("DELETE", DEVICES, headers=second, json=gone)
    assert (answer.status_code, answer.content) == (204, b"")


async def test_of_too_many_devices_the_oldest_goes(client: httpx.AsyncClient) -> None:
    proof = await guest(client)
    for number in range(MAX_DEVICES + 1):
        device = {"push_token": f"token-number-{number}", "platform": "android"}
        assert (await client.post(DEVICES, headers=proof, json=device)).status_code == 201
    answers = [
        (await client.request("DELETE", DEVICES, headers=proof, json={"push_token": f"token-number-{number}"}))
        for number in (0, 1, MAX_DEVICES)
    ]
    assert [answer.status_code for answer in answers] == [404, 204, 204]


@pytest.mark.parametrize(
    "device",
    [
        {"push_token": "short", "platform": "ios"},
        {"push_token": "a" * 513, "platform": "ios"},
        {"push_token": "a token with spaces", "platform": "ios"},
        {"push_token": "가나다라마바사아자", "platform": "ios"},
        {"push_token": "a" * 20, "platform": "-"},
        {"push_token": "a" * 20},
        {"push_token": "a" * 20, "platform": "ios", "user_id": "x"},
    ],
)
async def test_what_is_no_device_is_refused(client: httpx.AsyncClient, device: dict[str, Any]) -> None:
    answer = await client.post(DEVICES, headers=await guest(client), json=device)
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
