"""Logging in with Kakao, staying logged in and leaving: the API, the database and a Kakao, all over real sockets."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from sqlalchemy import Table, select

from silvertalk.columns import new_id
from silvertalk.database import Database
from silvertalk.errors import AccountErased
from silvertalk.habits import Changes, applying, today
from silvertalk.models import (
    CalendarEvent,
    Consent,
    Device,
    Erasure,
    Job,
    Login,
    Memory,
    Photo,
    Session,
    SessionPhoto,
    Turn,
    User,
    Video,
)
from silvertalk.revocations import Revocations
from silvertalk.setting_values import database_url
from silvertalk.standins.kakao import TEMPORARY, KakaoStandIn, PracticePerson
from silvertalk.standins.serving import served
from streaming.bus import Bus
from tests.postgres import Postgres
from tests.silvertalk.api.conftest import Serve
from tests.silvertalk.records import record
from tests.valkey import Valkey

REDIRECT = "https://talk.example.org/auth/kakao/callback"
VERIFIER = "v" * 64
NONCE = "a-nonce-of-this-login"
FIRST, SECOND = PracticePerson(1001, "김순자"), PracticePerson(1002, "이영수")
"""With the same e-mail."""


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'var' / 'silvertalk.sqlite3'}"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = database_url(await server.new_database())
    async with Database(url) as opened:
        await opened.wait_ready()
        yield opened


@pytest.fixture
async def kakao() -> KakaoStandIn:
    return KakaoStandIn(redirect_uris=[REDIRECT], people=[FIRST, SECOND])


@pytest.fixture
async def kakao_url(kakao: KakaoStandIn) -> AsyncIterator[str]:
    async with served(kakao.app) as url:
        yield url


def settings(kakao_url: str, **changes: Any) -> dict[str, Any]:
    return {
        "kakao_rest_key": "practice-rest-key",
        "kakao_app_id": 100_001,
        "kakao_admin_key": "practice-admin-key",
        "kakao_redirect_uris": REDIRECT,
        "kakao_auth_url": kakao_url,
        "kakao_api_url": kakao_url,
        "logins_per_minute": 10_000,
        **changes,
    }


@pytest.fixture
async def client(database: Database, serve: Serve, kakao_url: str) -> httpx.AsyncClient:
    return await serve(settings(kakao_url), database=database)


class Account(NamedTuple):
    id: str
    access: dict[str, str]
    refresh: str
    told: dict[str, Any]


async def log_in(
    client: httpx.AsyncClient, kakao: KakaoStandIn, person: PracticePerson = FIRST, **more: str
) -> Account:
    answer = await client.post("/auth/kakao", json={"kakao_access_token": kakao.access_token(person), **more})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    proof = {"Authorization": f"Bearer {told['access_token']}"}
    return Account(told["user"]["id"], proof, told["refresh_token"], told)


async def become_guest(client: httpx.AsyncClient) -> tuple[str, dict[str, str]]:
    given = (await client.post("/auth/guest")).json()
    return given["guest_id"], {"Authorization": f"Bearer {given['access_token']}"}


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def table(model: type) -> Table:
    found: Table = model.__table__  # type: ignore[attr-defined]
    return found


# --- in --------------------------------------------------------------------------------------------------------------


async def test_with_an_access_token_of_kakaos_one_is_somebody(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    told = (await log_in(client, kakao)).told
    assert set(told) == {
        *("access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "user", "is_new_user")
    }
    assert (told["token_type"], told["expires_in"], told["refresh_expires_in"]) == ("bearer", 1800, 60 * 86_400)
    assert told["is_new_user"]
    assert told["user"] == {
        "id": told["user"]["id"],
        "kakao_id": "1001",
        "nickname": "김순자",
        "profile_image": "https://k.kakaocdn.net/dn/1001/img_640x640.jpg",
        "pet_name": "복실이",
        "is_active": True,
    }
    again = (await log_in(client, kakao)).told
    assert (again["user"], again["is_new_user"]) == (told["user"], False)
    assert again["refresh_token"] != told["refresh_token"]


async def test_with_a_code_or_an_id_token_one_is_the_same(
    client: httpx.AsyncClient, kakao: KakaoStandIn, kakao_url: str
) -> None:
    user = (await log_in(client, kakao)).id
    challenge = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    query = {
        **{"client_id": "practice-rest-key", "redirect_uri": REDIRECT, "response_type": "code", "state": "s"},
        **{"code_challenge": challenge, "code_challenge_method": "S256"},
    }
    async with httpx.AsyncClient(trust_env=False) as browser:
        back = (await browser.get(f"{kakao_url}/oauth/authorize", params=query)).headers["location"]
    code = dict(parse_qsl(urlsplit(back).query))["code"]
    sent = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    assert (await client.post("/auth/kakao", json=sent)).json()["user"]["id"] == user
    assert problem(await client.post("/auth/kakao", json=sent)) == (401, "kakao_refused")
    sent = {"id_token": kakao.id_token(FIRST, nonce=NONCE), "nonce": NONCE}
    assert problem(await client.post("/auth/kakao", json=sent | {"nonce": "another-nonce"})) == (401, "kakao_refused")
    assert (await client.post("/auth/kakao", json=sent)).json()["user"]["id"] == user


async def test_an_id_token_is_shown_once(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    """It carries its own nonce: whoever finds it has both."""
    token = kakao.id_token(FIRST, nonce=NONCE)
    respelt = token[:-1] + {"A": "B", "Q": "R", "g": "h", "w": "x"}[token[-1]]  # the same signature, read leniently
    came = await asyncio.gather(*(client.post("/auth/kakao", json={"id_token": token, "nonce": NONCE}) for _ in "1234"))
    assert sorted(answer.status_code for answer in came) == [200, 401, 401, 401]
    for again in (token, respelt):
        answer = await client.post("/auth/kakao", json={"id_token": again, "nonce": NONCE})
        assert problem(answer) == (401, "kakao_refused")
    await log_in_with_id_token(client, kakao)


async def test_without_redis_no_id_token_is_believed(
    database: Database, serve: Serve, kakao: KakaoStandIn, kakao_url: str, own_valkey: Valkey
) -> None:
    async with Bus.open([own_valkey.url], name="api") as bus:
        client = await serve(settings(kakao_url), database=database, bus=bus)
        await log_in_with_id_token(client, kakao)
        own_valkey.kill()
        sent = {"id_token": kakao.id_token(FIRST, nonce=NONCE), "nonce": NONCE}
        assert problem(await client.post("/auth/kakao", json=sent)) == (503, "bus_away")
        async with database.transaction() as connection:
            assert len((await connection.execute(select(table(Login)))).all()) == 1


async def log_in_with_id_token(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    sent = {"id_token": kakao.id_token(FIRST, nonce=NONCE, jti=new_id()), "nonce": NONCE}
    assert (await client.post("/auth/kakao", json=sent)).status_code == 200


async def test_an_account_is_its_kakao_id_and_no_email(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    assert FIRST.email == SECOND.email
    assert (await log_in(client, kakao, FIRST)).id != (await log_in(client, kakao, SECOND)).id


async def test_whom_kakao_does_not_vouch_for_is_nobody(
    client: httpx.AsyncClient, kakao: KakaoStandIn, database: Database
) -> None:
    foreign = kakao.access_token(FIRST, app_id=999_999)
    for token in (foreign, "never-given"):
        answer = await client.post("/auth/kakao", json={"kakao_access_token": token})
        assert problem(answer) == (401, "kakao_refused")
    kakao.fail_next(TEMPORARY)
    answer = await client.post("/auth/kakao", json={"kakao_access_token": kakao.access_token()})
    assert (problem(answer), answer.json()["retryable"]) == ((503, "kakao_away"), True)
    async with database.transaction() as connection:
        assert (await connection.execute(select(table(User)))).all() == []


async def test_two_first_logins_at_once_are_one_account(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    accounts = await asyncio.gather(*(log_in(client, kakao) for _ in range(6)))
    assert len({account.id for account in accounts}) == 1
    assert sum(account.told["is_new_user"] for account in accounts) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"kakao_access_token": ""},
        {"kakao_access_token": "a b"},
        {"kakao_access_token": "a\r\nX: y"},
        {"kakao_access_token": "a" * 2049},
        {"kakao_access_token": "a", "code": "b", "redirect_uri": REDIRECT},
        {"code": "b"},
        {"redirect_uri": REDIRECT},
        {"code": "b", "redirect_uri": REDIRECT, "code_verifier": "short"},
        {"kakao_access_token": "a", "code_verifier": VERIFIER},
        {"id_token": "a.b.c"},
        {"nonce": NONCE},
        {"kakao_access_token": "a", "nonce": NONCE},
        {"kakao_id": "1001"},
        {"kakao_access_token": "a", "kakao_id": "1001"},
        {"kakao_access_token": 7},
        [],
    ],
)
async def test_what_is_no_way_in_is_refused(serve: Serve, kakao_url: str, body: Any) -> None:
    client = await serve(settings(kakao_url))
    assert problem(await client.post("/auth/kakao", json=body)) == (422, "request_invalid")


async def test_while_the_database_is_away_that_is_said_and_no_code_is_spent(
    serve: Serve, kakao: KakaoStandIn, kakao_url: str
) -> None:
    client = await serve(settings(kakao_url))
    token = kakao.access_token()
    for answer in (
        await client.post("/auth/kakao", json={"kakao_access_token": token}),
        await client.post("/auth/refresh", json={"refresh_token": "A" * 43}),
        await kakao.send_unlink(f"{client.base_url}/auth/kakao/unlink-webhook", 1001),
    ):
        assert problem(answer) == (503, "database_away")
        assert answer.headers["retry-after"]
    assert not kakao.asked
    guest_id, proof = await become_guest(client)
    assert problem(await client.get("/auth/me", headers=proof)) == (503, "database_away")
    again = await client.post("/auth/guest", json={"guest_id": guest_id})
    assert again.status_code == 200, "talk goes on without the database"


async def test_without_settings_every_way_says_so(serve: Serve) -> None:
    client = await serve()
    assert (await client.get("/auth/kakao")).json()["available"] is False
    for answer in (
        await client.post("/auth/kakao", json={"kakao_access_token": "a"}),
        await client.get("/auth/kakao/callback?code=a&state=b"),
        await client.get("/auth/kakao/unlink-webhook?app_id=1&user_id=1"),
        await client.post("/auth/kakao/unlink-webhook", data={"app_id": "1", "user_id": "1"}),
    ):
        assert (problem(answer), answer.json()["retryable"]) == ((503, "kakao_not_configured"), False)


async def test_a_page_is_told_how_to_log_in(client: httpx.AsyncClient, kakao_url: str) -> None:
    assert (await client.get("/auth/kakao")).json() == {
        "available": True,
        "authorize_url": f"{kakao_url}/oauth/authorize",
        "client_id": "practice-rest-key",
        "redirect_uris": [REDIRECT],
        "pretended": True,
    }


# --- back to the app -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("code=abc&state=xyz", "code=abc&state=xyz"),
        ("code=abc&state=a%20b%26c", "code=abc&state=a%20b%26c"),
        ("code=abc&state=xyz&to=https://evil.example", "code=abc&state=xyz"),
        ("error=access_denied&error_description=User%20denied%20access&state=x",
         "error=access_denied&error_description=User%20denied%20access&state=x"),
        ("error=access_denied&code=abc&state=x", "error=access_denied&state=x"),
    ],
)  # fmt: skip
async def test_the_callback_goes_to_the_app(serve: Serve, kakao_url: str, query: str, target: str) -> None:
    client = await serve(settings(kakao_url))
    answer = await client.get(f"/auth/kakao/callback?{query}")
    assert (answer.status_code, answer.headers["location"]) == (302, f"silvertalk://auth?{target}")
    assert (answer.headers["cache-control"], answer.content) == ("no-store", b"")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=abc",
        "state=xyz",
        "code=abc&state=",
        "code=abc&state=x&state=y",
        "code=abc&code=def&state=x",
        "code=a/../b&state=x",
        "code=a%0d%0aSet-Cookie:%20a&state=x",
        "code=%3Cscript%3E&state=x",
        "code=" + "a" * 513 + "&state=x",
        "code=abc&state=" + "x" * 513,
        "code=abc&state=x%0d%0aLocation:%20https://evil.example",
        "code=abc&state=%EA%B0%80",
        "error=%3Cscript%3E&state=x",
        "error=Access_Denied!&state=x",
        "error=access_denied&error_description=%00&state=x",
    ],
)
async def test_the_callback_passes_nothing_odd_on(serve: Serve, kakao_url: str, query: str) -> None:
    client = await serve(settings(kakao_url))
    answer = await client.get(f"/auth/kakao/callback?{query}")
    where = urlsplit(answer.headers["location"])
    assert (answer.status_code, where.scheme, where.netloc, where.path) == (302, "silvertalk", "auth", "")
    told = parse_qs(where.query)
    assert told["error"] == ["invalid_request"]
    assert set(told) <= {"error", "error_description", "state"}
    assert not any(odd in answer.headers["location"] for odd in ("evil", "%3C", "<"))


# --- staying and leaving ---------------------------------------------------------------------------------------------


async def test_fifty_refreshes_at_once_give_one_successor(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    account = await log_in(client, kakao)
    asked = {"refresh_token": account.refresh}
    answers = await asyncio.gather(*(client.post("/auth/refresh", json=asked) for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    told = answers[0].json()
    assert set(told) == {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in"}
    for answer in answers[:3]:
        proof = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert (await client.get("/auth/me", headers=proof)).json()["id"] == account.id


async def test_a_refresh_token_in_two_hands_ends_the_login(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    account, other = await log_in(client, kakao), await log_in(client, kakao)
    second = (await client.post("/auth/refresh", json={"refresh_token": account.refresh})).json()
    third = (await client.post("/auth/refresh", json={"refresh_token": second["refresh_token"]})).json()
    answer = await client.post("/auth/refresh", json={"refresh_token": account.refresh})
    assert problem(answer) == (401, "refresh_reused")
    assert problem(await client.post("/auth/refresh", json={"refresh_token": third["refresh_token"]})) == (
        401,
        "refresh_refused",
    )
    for token in (second["access_token"], third["access_token"]):
        answer = await client.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert problem(answer) == (401, "token_refused")
    assert (await client.get("/auth/me", headers=other.access)).status_code == 200


async def test_whoever_logs_out_is_out_on_this_device_alone(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    here, there = await log_in(client, kakao), await log_in(client, kakao)
    assert (await client.post("/auth/logout", headers=here.access)).json() == {"message": "로그아웃하셨어요."}
    assert problem(await client.get("/auth/me", headers=here.access)) == (401, "token_refused")
    assert problem(await client.post("/auth/logout", headers=here.access)) == (401, "token_refused")
    assert problem(await client.post("/v1/talk/ticket", headers=here.access)) == (401, "token_refused")
    assert problem(await client.post("/auth/refresh", json={"refresh_token": here.refresh}))[0] == 401
    assert (await client.get("/auth/me", headers=there.access)).status_code == 200


async def test_another_login_of_ones_own_can_be_ended_and_nobody_elses(
    client: httpx.AsyncClient, kakao: KakaoStandIn
) -> None:
    here, there, stranger = [await log_in(client, kakao, who) for who in (FIRST, FIRST, SECOND)]
    sent = {"refresh_token": stranger.refresh}
    assert (await client.post("/auth/logout", headers=here.access, json=sent)).status_code == 200
    assert (await client.post("/auth/refresh", json=sent)).status_code == 200, "a stranger's token is not ours to end"
    here = await log_in(client, kakao)
    answer = await client.post("/auth/logout", headers=here.access, json={"refresh_token": there.refresh})
    assert answer.status_code == 200
    assert problem(await client.post("/auth/refresh", json={"refresh_token": there.refresh}))[0] == 401


async def test_a_guest_may_log_out_too(client: httpx.AsyncClient) -> None:
    guest_id, proof = await become_guest(client)
    assert (await client.post("/auth/logout", headers=proof)).status_code == 200
    assert problem(await client.get("/auth/me", headers=proof)) == (401, "token_refused")
    again = (await client.post("/auth/guest", json={"guest_id": guest_id})).json()
    me = await client.get("/auth/me", headers={"Authorization": f"Bearer {again['access_token']}"})
    assert (me.status_code, me.json()["kakao_id"]) == (200, None)


async def test_who_i_am_is_told_to_me_alone(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    first, second = await log_in(client, kakao, FIRST), await log_in(client, kakao, SECOND)
    asked = await client.get("/auth/me?kakao_id=1001", headers=second.access)
    assert asked.json()["kakao_id"] == "1002"
    assert (await client.get("/auth/me", headers=first.access)).json() == first.told["user"]
    assert problem(await client.get("/auth/me")) == (401, "token_missing")


# --- a guest who logs in ---------------------------------------------------------------------------------------------


async def test_a_guest_becomes_the_account_and_keeps_everything(
    client: httpx.AsyncClient, kakao: KakaoStandIn, database: Database
) -> None:
    guest_id, proof = await become_guest(client)
    guest = guest_id.partition(".")[0]
    await database.commit_turn(record(user=guest))
    changed = await client.patch("/users/me", headers=proof, json={"form_of_address": "순자 할머니"})
    assert changed.status_code == 200
    account = await log_in(client, kakao, guest_id=guest_id)
    assert (account.id, account.told["is_new_user"]) == (guest, True)
    me = (await client.get("/users/me", headers=account.access)).json()
    assert (me["form_of_address"], me["nickname"]) == ("순자 할머니", "김순자")
    assert len(await database.recent_turns(account.id, 5)) == 1


async def test_the_guest_id_opens_nothing_after_that(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    guest_id, proof = await become_guest(client)
    account = await log_in(client, kakao, guest_id=guest_id)
    assert problem(await client.post("/auth/guest", json={"guest_id": guest_id})) == (401, "guest_refused")
    assert problem(await client.get("/auth/me", headers=proof)) == (401, "token_refused")
    assert (await client.get("/auth/me", headers=account.access)).status_code == 200
    again = await log_in(client, kakao, guest_id=guest_id)
    assert again.id == account.id, "its own id is no other guest's"
    other = await log_in(client, kakao, SECOND, guest_id=guest_id)
    assert other.id != account.id, "and nobody else gets the account with it"
    assert (await client.get("/auth/me", headers=again.access)).json()["kakao_id"] == "1001"


async def test_nor_for_who_asks_while_it_becomes_the_account(
    database: Database, serve: Serve, kakao: KakaoStandIn, kakao_url: str, bus: Bus
) -> None:
    revocations = Revocations(bus, database)
    client = await serve(settings(kakao_url), database=database, revocations=revocations)
    guest_id, _ = await become_guest(client)
    revoked_until, logged_in = revocations.revoked_until, False

    async def meanwhile(user: str) -> int:
        nonlocal logged_in
        if not logged_in:
            logged_in = True
            await log_in(client, kakao, guest_id=guest_id)
        return await revoked_until(user)

    revocations.revoked_until = meanwhile  # type: ignore[method-assign]
    assert problem(await client.post("/auth/guest", json={"guest_id": guest_id})) == (401, "guest_refused")
    assert logged_in


async def test_nor_while_the_database_is_away(
    client: httpx.AsyncClient, kakao: KakaoStandIn, database: Database
) -> None:
    (guest_id, _), (other, _) = await become_guest(client), await become_guest(client)
    await log_in(client, kakao, guest_id=guest_id)
    await database.close()
    assert problem(await client.post("/auth/guest", json={"guest_id": guest_id})) == (401, "guest_refused")
    assert (await client.post("/auth/guest", json={"guest_id": other})).status_code == 200


async def test_a_guest_id_that_was_not_given_is_refused_before_kakao_is_asked(
    client: httpx.AsyncClient, kakao: KakaoStandIn
) -> None:
    sent = {"kakao_access_token": kakao.access_token(), "guest_id": f"{new_id()}.AAAAAAAAAAAAAAAAAAAAAA"}
    assert problem(await client.post("/auth/kakao", json=sent)) == (401, "guest_refused")
    assert not kakao.asked


def photo(user: str, **known: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        **{"id": new_id(), "user_id": user, "local_uri": None, "status": "known", "refusal": "", "object_key": ""},
        **{"shared_key": "", "thumbnail_key": "", "content_type": "", "size_bytes": 0, "width": 0, "height": 0},
        **{"taken_at": None, "location_name": "", "latitude": None, "longitude": None, "analysis": None},
        **{"view_count": 0, "last_session_id": "", "created_at": now, "updated_at": now},
        **known,
    }


def event(user: str, external_id: str, title: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        **{"id": new_id(), "user_id": user, "external_id": external_id, "title": title, "starts_at": now},
        **{"ends_at": now, "location": "", "is_all_day": False, "created_at": now, "updated_at": now},
    }


def memory(user: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        **{"id": new_id(), "user_id": user, "category": "family", "fact": "딸이 셋이다.", "importance": 3},
        **{"confidence": 1.0, "source": "talk", "session_id": "", "turn_number": None},
        **{"created_at": now, "updated_at": now},
    }


async def put(database: Database, model: type, *rows: dict[str, Any]) -> None:
    async with database.transaction() as connection:
        for row in rows:
            await connection.execute(table(model).insert().values(row))


async def of(database: Database, model: type, user: str) -> list[dict[str, Any]]:
    async with database.transaction() as connection:
        rows = await connection.execute(select(table(model)).where(table(model).c.user_id == user))
        return [dict(row._mapping) for row in rows]


async def test_a_guests_things_go_to_the_account_that_is_there_already(
    client: httpx.AsyncClient, kakao: KakaoStandIn, database: Database
) -> None:
    account = await log_in(client, kakao)
    guest_id, proof = await become_guest(client)
    guest = guest_id.partition(".")[0]
    await client.patch("/users/me", headers=account.access, json={"consents": {"memories": False}, "patience": 2.0})
    await client.patch("/users/me", headers=proof, json={"consents": {"memories": True, "keep_voice": True}})
    device = {"push_token": "ExponentPushToken[a]", "platform": "ios"}
    assert (await client.post("/users/me/devices", headers=proof, json=device)).status_code == 201
    await database.change_habits(guest, applying(Changes(patience=3.0), today()))
    await database.commit_turn(record(user=guest))
    (session,) = await of(database, Session, guest)
    mine = photo(account.id, local_uri="both", location_name="account's")
    theirs = [photo(guest, local_uri="both"), photo(guest, local_uri="guest's alone")]
    uploaded = photo(guest, local_uri="uploaded", status="ready", object_key=f"u/{guest}/photos/x")
    await put(database, Photo, mine, *theirs, uploaded, photo(account.id, local_uri="uploaded"))
    belongs = {"session_id": session["id"], "display_order": 0, "added_at": datetime.now(UTC)}
    await put(database, SessionPhoto, *({**belongs, "photo_id": one["id"]} for one in theirs))
    await put(database, CalendarEvent, event(account.id, "e1", "account's"))
    await put(database, CalendarEvent, event(guest, "e1", "guest's"), event(guest, "e2", "guest's"))
    await put(database, Memory, memory(guest))

    arrived = await log_in(client, kakao, guest_id=guest_id)

    assert (arrived.id, arrived.told["is_new_user"]) == (account.id, False)
    for model in (Photo, CalendarEvent, Memory, Session, Turn, Device, Consent, Video, Job):
        assert await of(database, model, guest) == [], model.__tablename__
    photos = {one["id"]: one for one in await of(database, Photo, account.id)}
    assert photos[mine["id"]]["location_name"] == "account's"
    assert theirs[0]["id"] not in photos and theirs[1]["id"] in photos
    assert photos[uploaded["id"]]["local_uri"] is None, "a picture is never thrown away"
    async with database.transaction() as connection:
        shown = {row.photo_id for row in await connection.execute(select(table(SessionPhoto)))}
        assert shown == {mine["id"], theirs[1]["id"]}
        assert (await connection.execute(select(table(User)).where(table(User).c.id == guest))).all() == []
    events = {one["external_id"]: one["title"] for one in await of(database, CalendarEvent, account.id)}
    assert events == {"e1": "account's", "e2": "guest's"}
    assert len(await of(database, Memory, account.id)) == len(await of(database, Turn, account.id)) == 1
    me = (await client.get("/users/me", headers=arrived.access)).json()
    assert me["patience"] == 2.0
    assert (me["consents"]["memories"]["granted"], me["consents"]["keep_voice"]["granted"]) == (False, True)
    assert problem(await client.get("/auth/me", headers=proof)) == (401, "token_refused")
    assert problem(await client.post("/auth/guest", json={"guest_id": guest_id})) == (401, "guest_refused")
    with pytest.raises(AccountErased):
        await database.commit_turn(record(2, user=guest))
    assert [(job["kind"], job["subject_id"]) for job in await of(database, Job, account.id)] == [("adopt", guest)]
    again = await log_in(client, kakao, guest_id=guest_id)
    assert again.id == account.id, "there is nobody to join any more"


async def test_a_login_that_fails_moves_nothing(
    client: httpx.AsyncClient, kakao: KakaoStandIn, database: Database
) -> None:
    guest_id, proof = await become_guest(client)
    await client.patch("/users/me", headers=proof, json={"nickname": "손님"})
    sent = {"kakao_access_token": kakao.access_token(app_id=5), "guest_id": guest_id}
    assert problem(await client.post("/auth/kakao", json=sent)) == (401, "kakao_refused")
    assert (await client.get("/users/me", headers=proof)).json()["nickname"] == "손님"


# --- Kakao's webhook -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_unlinks_at_kakao_is_deleted_here(
    client: httpx.AsyncClient, kakao: KakaoStandIn, database: Database, method: str
) -> None:
    account = await log_in(client, kakao)
    url = f"{client.base_url}/auth/kakao/unlink-webhook"
    for _ in range(3):
        assert (await kakao.send_unlink(url, FIRST.id, method=method)).status_code == 200
    assert problem(await client.get("/auth/me", headers=account.access))[0] == 401
    assert problem(await client.post("/auth/refresh", json={"refresh_token": account.refresh}))[0] == 401
    answer = await client.post("/auth/kakao", json={"kakao_access_token": kakao.access_token()})
    assert problem(answer) == (401, "account_erased")
    (job,) = await of(database, Job, account.id)
    assert (job["kind"], job["status"]) == ("erase", "pending")
    async with database.transaction() as connection:
        assert len((await connection.execute(select(table(Erasure)))).all()) == 1


async def test_somebody_unknown_is_no_trouble(client: httpx.AsyncClient, kakao: KakaoStandIn) -> None:
    answer = await kakao.send_unlink(f"{client.base_url}/auth/kakao/unlink-webhook", 424242)
    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "authorization",
    [
        "KakaoAK wrong",
        "KakaoAK  practice-admin-key",
        "KakaoAK practice-admin-ke",
        "kakaoak practice-admin-key",
        "Bearer practice-admin-key",
        "practice-admin-key",
        "KakaoAK",
    ],
)
async def test_a_forged_webhook_does_nothing(
    client: httpx.AsyncClient, kakao: KakaoStandIn, database: Database, authorization: str, method: str
) -> None:
    account = await log_in(client, kakao)
    url = f"{client.base_url}/auth/kakao/unlink-webhook"
    answer = await kakao.send_unlink(url, FIRST.id, method=method, authorization=authorization)
    assert problem(answer) == (401, "webhook_refused")
    assert (await client.get("/auth/me", headers=account.access)).status_code == 200
    assert await of(database, Job, account.id) == []


async def test_a_webhook_without_proof_or_about_another_app_does_nothing(
    client: httpx.AsyncClient, kakao: KakaoStandIn
) -> None:
    account = await log_in(client, kakao)
    path = "/auth/kakao/unlink-webhook"
    fields = {"app_id": "100001", "user_id": "1001"}
    assert problem(await client.post(path, data=fields)) == (401, "webhook_refused")
    assert problem(await client.get(path, params=fields)) == (401, "webhook_refused")
    twice = [("Authorization", "KakaoAK practice-admin-key"), ("Authorization", "KakaoAK x")]
    assert problem(await client.post(path, data=fields, headers=twice)) == (401, "webhook_refused")
    answer = await kakao.send_unlink(f"{client.base_url}/auth/kakao/unlink-webhook", FIRST.id, app_id=5)
    assert problem(answer) == (401, "webhook_refused")
    proof = {"Authorization": "KakaoAK practice-admin-key"}
    for odd in ({}, {"app_id": "100001"}, {"app_id": "x", "user_id": "1"}, {"app_id": "1", "user_id": "-1"}):
        assert problem(await client.post(path, data=odd, headers=proof)) == (422, "request_invalid")
    assert (await client.get("/auth/me", headers=account.access)).status_code == 200


# --- nothing leaks ---------------------------------------------------------------------------------------------------


async def test_no_answer_and_no_log_holds_what_was_sent(
    client: httpx.AsyncClient, kakao: KakaoStandIn, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    account = await log_in(client, kakao)
    secrets = ["canary-of-a-token", account.refresh, account.told["access_token"]]
    answers: list[Awaitable[httpx.Response]] = [
        client.post("/auth/kakao", json={"kakao_access_token": secrets[0]}),
        client.post("/auth/refresh", json={"refresh_token": secrets[0]}),
        client.post("/auth/kakao", json={"code": secrets[0], "redirect_uri": "https://evil.example"}),
    ]
    for answer in answers:
        assert secrets[0] not in (await answer).text
    await client.post("/auth/logout", headers=account.access)
    written = "".join(capfd.readouterr()) + caplog.text
    assert not [secret for secret in secrets if secret in written]
