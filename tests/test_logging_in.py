"""Journeys of somebody who logs in with Kakao: in a real browser, and over two gateways' real sockets."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from silvertalk import supervisor
from silvertalk.settings import Settings
from silvertalk.standins.kakao import KakaoStandIn, PracticePerson
from silvertalk.standins.practice_settings import practice_environment
from silvertalk.standins.serving import served
from tests import product
from tests.browser import Page, chromium, needs_chromium, page
from tests.ports import free_port
from tests.processes import SCRIPTED, started, until_answers
from tests.valkey import Valkey
from tests.web_demo.test_accessibility import TARGETS, TEXTS, look

SECRET = "logging-in-0123456789-abcdefghijklmnopqrstuvwxyz"
REDIRECT = "https://talk.example.org/back"
FIRST, SECOND = PracticePerson(1001, "김순자"), PracticePerson(1002, "이영수")


# --- two gateways ----------------------------------------------------------------------------------------------------


def settings(valkey: Valkey, folder: Path, kakao_url: str, **changes: object) -> Settings:
    chosen = {
        "kakao_rest_key": "practice-rest-key",
        "kakao_app_id": 100_001,
        "kakao_admin_key": "practice-admin-key",
        "kakao_redirect_uris": REDIRECT,
        "kakao_auth_url": kakao_url,
        "kakao_api_url": kakao_url,
        "jwt_secret": SECRET,
        **changes,
    }
    return product.settings(valkey.url, folder, **chosen)


@asynccontextmanager
async def two_gateways(valkey: Valkey, folder: Path, kakao: KakaoStandIn) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients of two that share bus, database and secret."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(kakao.app))
        clients = []
        for _ in range(2):
            served_at = await stack.enter_async_context(product.gateway(settings(valkey, folder, url)))
            await served_at.parts.database.wait_ready()
            client = httpx.AsyncClient(base_url=served_at.url, trust_env=False, timeout=30)
            clients.append(await stack.enter_async_context(client))
        yield clients


async def log_in(client: httpx.AsyncClient, kakao: KakaoStandIn, **more: str) -> dict[str, Any]:
    answer = await client.post("/auth/kakao", json={"kakao_access_token": kakao.access_token(), **more})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def proof(told: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {told['access_token']}"}


@asynccontextmanager
async def talking(client: httpx.AsyncClient, told: dict[str, Any]) -> AsyncIterator[ClientConnection]:
    """A voice socket that is open."""
    ticket = (await client.post("/v1/talk/ticket", headers=proof(told))).json()["ticket"]
    async with connect(str(client.base_url).replace("http", "ws") + "/v1/talk", compression=None) as socket:
        await socket.send(json.dumps({"type": "hello", "ticket": ticket, "language": "ko"}))
        while json.loads(await socket.recv())["type"] != "ready":
            pass
        yield socket


async def closed(socket: ClientConnection) -> tuple[int, list[str]]:
    """Its close code and the codes of the errors it was told, within the five seconds that are promised."""
    told = []
    try:
        async with asyncio.timeout(5):
            async for message in socket:
                if isinstance(message, str) and (event := json.loads(message))["type"] == "error":
                    told.append(event["code"])
    except ConnectionClosed:
        pass
    assert socket.close_code is not None
    return socket.close_code, told


async def test_a_logout_here_ends_the_conversation_there(valkey: Valkey, tmp_path: Path) -> None:
    kakao = KakaoStandIn(people=[FIRST, SECOND])
    async with two_gateways(valkey, tmp_path, kakao) as (here, there):
        told = await log_in(here, kakao)
        kakao.person = SECOND
        stranger = await log_in(here, kakao)
        async with talking(there, told) as socket, talking(there, stranger) as strangers:
            assert (await here.post("/auth/logout", headers=proof(told))).status_code == 200
            assert await closed(socket) == (4401, ["token_refused"])
            assert (await there.post("/v1/talk/ticket", headers=proof(told))).json()["code"] == "token_refused"
            await strangers.send(json.dumps({"type": "ping", "id": 1}))
            assert strangers.close_code is None


async def test_a_stolen_refresh_token_ends_the_conversations_of_its_login(valkey: Valkey, tmp_path: Path) -> None:
    kakao = KakaoStandIn(people=[FIRST])
    async with two_gateways(valkey, tmp_path, kakao) as (here, there):
        told = await log_in(here, kakao)
        async with talking(there, told) as socket:
            token = told["refresh_token"]
            for _ in range(2):
                token = (await there.post("/auth/refresh", json={"refresh_token": token})).json()["refresh_token"]
            reused = await here.post("/auth/refresh", json={"refresh_token": told["refresh_token"]})
            assert reused.json()["code"] == "refresh_reused"
            assert await closed(socket) == (4401, ["token_refused"])


async def test_who_unlinks_at_kakao_is_heard_no_more(valkey: Valkey, tmp_path: Path) -> None:
    kakao = KakaoStandIn(people=[FIRST])
    async with two_gateways(valkey, tmp_path, kakao) as (here, there):
        told = await log_in(here, kakao)
        async with talking(here, told) as socket:
            sent = await kakao.send_unlink(f"{there.base_url}/auth/kakao/unlink-webhook", FIRST.id)
            assert sent.status_code == 200
            assert await closed(socket) == (4401, ["token_refused"])


async def test_a_ticket_that_was_bought_before_the_logout_opens_nothing(valkey: Valkey, tmp_path: Path) -> None:
    kakao = KakaoStandIn(people=[FIRST])
    async with two_gateways(valkey, tmp_path, kakao) as (here, there):
        told = await log_in(here, kakao)
        ticket = (await here.post("/v1/talk/ticket", headers=proof(told))).json()["ticket"]
        await there.post("/auth/logout", headers=proof(told))
        async with connect(str(here.base_url).replace("http", "ws") + "/v1/talk", compression=None) as socket:
            await socket.send(json.dumps({"type": "hello", "ticket": ticket, "language": "ko"}))
            assert await closed(socket) == (4401, ["token_refused"])


async def test_a_guest_who_logs_in_goes_on_as_themselves(valkey: Valkey, tmp_path: Path) -> None:
    kakao = KakaoStandIn(people=[FIRST])
    async with two_gateways(valkey, tmp_path, kakao) as (here, there):
        guest = (await here.post("/auth/guest")).json()
        async with talking(there, guest) as socket:
            told = await log_in(here, kakao, guest_id=guest["guest_id"])
            assert told["user"]["id"] == guest["guest_id"].partition(".")[0]
            assert await closed(socket) == (4401, ["token_refused"])
        async with talking(there, told) as socket:
            await socket.send(json.dumps({"type": "bye"}))
            assert (await closed(socket))[0] == 1000


# --- the page --------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def practising(valkey: Valkey, folder: Path) -> AsyncIterator[tuple[str, KakaoStandIn, str]]:
    """The gateway as `silvertalk up` starts it beside its practice Kakao: its address, that Kakao and its address."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    kakao = KakaoStandIn(mode="page", redirect_uris=[f"{origin}/demo"])
    async with served(kakao.app) as url:
        chosen = settings(valkey, folder, url, port=port, kakao_redirect_uris=f"{origin}/demo")
        async with product.gateway(chosen) as gateway:
            await gateway.parts.database.wait_ready()
            yield origin, kakao, url


SHOWN = "document.querySelector('{}').checkVisibility()"


async def presses_through(tab: Page, practice: str) -> None:
    """Begins a login on the page and chooses on the practice Kakao's."""
    await tab.until(SHOWN.format("#kakao"))
    await tab.press("#kakao")
    await tab.until(f"document.getElementById('{practice}') !== null")
    assert "연습용 카카오" in await tab.text("body")
    await tab.press(f"[id='{practice}']")
    await tab.until("document.readyState === 'complete' && document.querySelector('#start') !== null")


@needs_chromium
async def test_a_person_logs_in_on_the_page_stays_and_leaves(valkey: Valkey, tmp_path: Path) -> None:
    async with (
        practising(valkey, tmp_path) as (origin, kakao, kakao_url),
        chromium() as tools,
        page(tools) as tab,
        product.node(valkey.url),
    ):
        await tab.go(f"{origin}/demo")
        await tab.until(SHOWN.format("#kakao"))
        assert "연습용 카카오" in await tab.text("#pretended")
        assert await tab.text("#kakao") == "카카오로 시작하기"
        await presses_through(tab, "1001")
        await tab.until("document.querySelector('#who').textContent.includes('김순자')")
        assert await tab.run("location.search") == "", "the code does not stay in the address"
        assert await tab.run("sessionStorage.length") == 0
        asked = next(url for url in tab.requests if "/oauth/authorize" in url and "practice=" not in url)
        query = parse_qs(urlsplit(asked).query)
        assert (len(query["state"][0]), query["code_challenge_method"]) == (43, ["S256"])

        first = await tab.run("localStorage.getItem('silvertalk.login')")
        await tab.go(f"{origin}/demo")  # the same person after a reload
        await tab.until("document.querySelector('#who').textContent.includes('김순자')")
        fresh = await tab.run("import('/demo/account.js').then(({ account }) => account.token())")
        async with httpx.AsyncClient(base_url=origin, trust_env=False) as client:
            me = await client.get("/auth/me", headers=proof(fresh))
            assert me.json()["nickname"] == "김순자"
            assert await tab.run("localStorage.getItem('silvertalk.login')") != first
            assert await tab.run("localStorage.getItem('silvertalk.guest')") is None

            await tab.press("#log-out")
            await tab.until(SHOWN.format("#kakao"))
            assert await tab.run("localStorage.getItem('silvertalk.login')") is None
            assert (await client.get("/auth/me", headers=proof(fresh))).json()["code"] == "token_refused"
        assert {urlsplit(url).netloc for url in tab.requests} == {urlsplit(origin).netloc, urlsplit(kakao_url).netloc}
        assert not [one for one in tab.complaints if "Failed to load resource" not in one and "WebSocket" not in one]


@needs_chromium
@pytest.mark.parametrize("practice", ["", "1001"], ids=["a guest", "logged in"])
async def test_an_older_person_can_read_and_press_it(valkey: Valkey, tmp_path: Path, practice: str) -> None:
    async with practising(valkey, tmp_path) as (origin, _, _), chromium() as tools, page(tools) as tab:
        await tab.call("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=False)
        await tab.go(f"{origin}/demo")
        if practice:
            await presses_through(tab, practice)
        await tab.until(SHOWN.format("#log-out" if practice else "#kakao"))
        texts = await look(tab, TEXTS)
        assert not [one for one in texts if one["ratio"] < one["needed"] or one["size"] < 20]
        assert not [one for one in await look(tab, TARGETS) if min(one["width"], one["height"]) < 44]
        assert not await tab.run("document.documentElement.scrollWidth > innerWidth")
        await tab.press("#to-en")
        assert "practice Kakao" in await tab.text("#pretended")
        assert await tab.text("#who" if practice else "#kakao") == (
            "Welcome, 김순자." if practice else "Start with Kakao"
        )


@needs_chromium
async def test_what_a_guest_told_is_there_after_the_login(valkey: Valkey, tmp_path: Path) -> None:
    async with practising(valkey, tmp_path) as (origin, _, _), chromium() as tools, page(tools) as tab:
        async with httpx.AsyncClient(base_url=origin, trust_env=False) as client:
            guest = (await client.post("/auth/guest")).json()
            await client.patch("/users/me", headers=proof(guest), json={"form_of_address": "순자 할머니"})
            await tab.go(f"{origin}/demo")
            await tab.run(f"localStorage.setItem('silvertalk.guest', {json.dumps(guest['guest_id'])})")
            await presses_through(tab, "1001")
            await tab.until(SHOWN.format("#log-out"))
            fresh = await tab.run("import('/demo/account.js').then(({ account }) => account.token())")
            me = (await client.get("/users/me", headers=proof(fresh))).json()
            assert (me["form_of_address"], me["nickname"]) == ("순자 할머니", "김순자")


@needs_chromium
async def test_who_does_not_agree_stays_a_guest(valkey: Valkey, tmp_path: Path) -> None:
    async with practising(valkey, tmp_path) as (origin, _, _), chromium() as tools, page(tools) as tab:
        await tab.go(f"{origin}/demo")
        await presses_through(tab, "deny")
        await tab.until(SHOWN.format("#kakao"))
        await tab.until("document.querySelector('#notice-words').textContent.includes('로그인하지 않고')")
        assert not await tab.run(SHOWN.format("#log-out"))


@needs_chromium
@pytest.mark.parametrize("state", ["", "&state=", "&state=another"])
async def test_a_login_that_another_began_is_not_taken(valkey: Valkey, tmp_path: Path, state: str) -> None:
    """Somebody sends a link with a code of their own, so that the person would talk into their account."""
    async with practising(valkey, tmp_path) as (origin, kakao, kakao_url), chromium() as tools, page(tools) as tab:
        query = {"client_id": kakao.rest_key, "redirect_uri": f"{origin}/demo", "response_type": "code"}
        async with httpx.AsyncClient(trust_env=False) as thief:
            back = await thief.get(f"{kakao_url}/oauth/authorize", params={**query, "practice": "1002"})
        await tab.call("Page.navigate", url=back.headers["location"] + state)
        await tab.until("document.querySelector('#notice-words')?.textContent.includes('이 창에서 시작되지')")
        assert await tab.run("location.search") == ""
        assert await tab.run("localStorage.getItem('silvertalk.login')") is None
        assert "/oauth/token" not in kakao.asked


@needs_chromium
async def test_a_state_is_good_for_one_return(valkey: Valkey, tmp_path: Path) -> None:
    async with practising(valkey, tmp_path) as (origin, kakao, _), chromium() as tools, page(tools) as tab:
        await tab.go(f"{origin}/demo")
        await presses_through(tab, "1001")
        await tab.until(SHOWN.format("#log-out"))
        back = next(url for url in reversed(tab.requests) if url.startswith(f"{origin}/demo?code="))
        exchanged = list(kakao.asked).count("/oauth/token")
        await tab.call("Page.navigate", url=back)
        await tab.until("document.querySelector('#notice-words')?.textContent.includes('이 창에서 시작되지')")
        assert list(kakao.asked).count("/oauth/token") == exchanged


# --- `silvertalk up` -------------------------------------------------------------------------------------------------


async def test_one_can_log_in_where_up_was_all_that_was_typed() -> None:
    with tempfile.TemporaryDirectory(prefix="st") as folder:  # a short path: a unix socket stands in it
        async with started("silvertalk", "up", DATA_DIR=folder, PORT="0", **SCRIPTED) as up:
            found = re.search(r"http://[0-9.:]+", await up.printed("SilverTalk: http"))
            assert found is not None
            await until_answers(found.group(), "/readyz", 200, database="up")
            async with httpx.AsyncClient(base_url=found.group(), trust_env=False, timeout=30) as client:
                ways = (await client.get("/auth/kakao")).json()
                assert ways["available"] and ways["pretended"]
                redirect_uri = f"{found.group()}/demo"
                query = {"client_id": ways["client_id"], "redirect_uri": redirect_uri, "response_type": "code"}
                back = await client.get(ways["authorize_url"], params={**query, "state": "s", "practice": "1001"})
                code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
                told = await client.post("/auth/kakao", json={"code": code, "redirect_uri": redirect_uri})
                assert told.json()["user"]["nickname"] == "김순자", told.text
                assert (await client.get("/users/me", headers=proof(told.json()))).json()["kakao_id"] == "1001"
            up.signal(signal.SIGINT)
            assert await up.ended() == 0


def test_up_runs_a_practice_kakao_where_no_app_is_set(tmp_path: Path) -> None:
    chosen = Settings(data_dir=tmp_path, port=8123)
    programs = {one.name: one for one in supervisor.with_practice_kakao(chosen, [supervisor.gateway(chosen)])}
    told = programs["gateway"].environment
    assert dict(told).items() >= {"KAKAO_REST_KEY": "practice-rest-key", "KAKAO_APP_ID": "100001"}.items()
    assert told["KAKAO_ADMIN_KEY"] == programs["kakao"].environment["KAKAO_ADMIN_KEY"]
    assert told["KAKAO_AUTH_URL"].startswith("http://127.0.0.1:")
    assert "http://127.0.0.1:8123/demo" in told["KAKAO_REDIRECT_URIS"].split(",")


def test_up_runs_none_where_one_is_set_and_never_in_another_mode(tmp_path: Path) -> None:
    real = Settings(data_dir=tmp_path, kakao_rest_key="a-real-key", kakao_app_id=1)
    local = Settings(
        data_dir=tmp_path,
        deployment_mode="local",
        database_url="sqlite:////tmp/a.sqlite3",  # type: ignore[arg-type]
        bus_urls=("redis://127.0.0.1",),
        jwt_secret=SECRET,  # type: ignore[arg-type]
    )
    for chosen in (real, local):
        programs = supervisor.with_practice_kakao(chosen, [supervisor.gateway(chosen)])
        assert [one.name for one in programs] == ["gateway"]


def test_the_keys_of_each_start_are_others(tmp_path: Path) -> None:
    chosen = Settings(data_dir=tmp_path)
    first, second = practice_environment(chosen, 9000), practice_environment(chosen, 9000)
    assert first["KAKAO_ADMIN_KEY"] != second["KAKAO_ADMIN_KEY"]
