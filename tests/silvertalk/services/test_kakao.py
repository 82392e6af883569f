"""The client of Kakao against a Kakao that answers over real sockets, lies and errors included."""

import asyncio
import base64
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from silvertalk.accounts import KakaoPerson
from silvertalk.errors import ConfigurationError, KakaoAway, KakaoNotConfigured, KakaoRefused
from silvertalk.services import kakao as client_module
from silvertalk.services.kakao import Kakao
from silvertalk.services.kakao_id_tokens import IdTokens
from silvertalk.settings import Settings
from silvertalk.standins.kakao import (
    BAD_PARAMETER,
    QUOTA,
    TEMPORARY,
    TOO_OFTEN,
    Failure,
    KakaoStandIn,
    PracticePerson,
)
from silvertalk.standins.kakao_keys import SigningKeys, claims_of, lies
from silvertalk.standins.practice import practice_kakao
from silvertalk.standins.serving import served

REDIRECT = "http://127.0.0.1:8000/auth/kakao/callback"
VERIFIER = "v" * 64
NONCE = "a-nonce-of-this-login"
SOONSOOK = KakaoPerson("1001", "김순자", "https://k.kakaocdn.net/dn/1001/img_640x640.jpg")
KEYS = SigningKeys()
"""Made once: it takes longer than a test."""
WITHOUT_CONSENT = PracticePerson(1003, "박말순", agreed=frozenset())


def challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def kakao_server() -> KakaoStandIn:
    server = KakaoStandIn(client_secret="a-client-secret", redirect_uris=[REDIRECT, REDIRECT + "/other"])
    server.keys = KEYS
    return server


@pytest.fixture
async def url(kakao_server: KakaoStandIn) -> AsyncIterator[str]:
    async with served(kakao_server.app) as address:
        yield address


def settings(url: str, **changes: Any) -> Settings:
    chosen = {
        "kakao_rest_key": "practice-rest-key",
        "kakao_app_id": 100_001,
        "kakao_audiences": ("native-key",),
        "kakao_client_secret": "a-client-secret",
        "kakao_admin_key": "practice-admin-key",
        "kakao_redirect_uris": (REDIRECT, REDIRECT + "/other"),
        "kakao_auth_url": url,
        "kakao_api_url": url,
    }
    return Settings(**{**chosen, **changes})


@pytest.fixture
async def kakao(url: str) -> AsyncIterator[Kakao]:
    async with Kakao(settings(url)) as opened:
        yield opened


async def code_from(url: str, **asked: str) -> str:
    """What the authorize page sends the browser back with."""
    query = {"client_id": "practice-rest-key", "redirect_uri": REDIRECT, "response_type": "code", "state": "s"}
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(f"{url}/oauth/authorize", params={**query, **asked})
    assert answer.status_code == 302
    back = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert back["state"] == "s"
    return back["code"]


# --- an access token -------------------------------------------------------------------------------------------------


async def test_an_access_token_of_our_app_tells_who_it_is(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    assert await kakao.person_of_access_token(kakao_server.access_token()) == SOONSOOK


async def test_who_agreed_to_nothing_has_no_name(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    token = kakao_server.access_token(WITHOUT_CONSENT)
    assert await kakao.person_of_access_token(token) == KakaoPerson("1003")


async def test_a_token_that_was_made_for_another_app_is_refused(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    with pytest.raises(KakaoRefused):
        await kakao.person_of_access_token(kakao_server.access_token(app_id=999_999))
    assert "/v2/user/me" not in kakao_server.asked


async def test_a_token_that_is_over_or_never_was_is_refused(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    token = kakao_server.access_token()
    kakao_server.expire(token)
    for bad in (token, "never-given"):
        with pytest.raises(KakaoRefused):
            await kakao.person_of_access_token(bad)


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (TEMPORARY, KakaoAway),
        (QUOTA, KakaoAway),
        (TOO_OFTEN, KakaoAway),
        (Failure(400, {"msg": "temporary", "code": -1}), KakaoAway),
        (Failure(503, {}), KakaoAway),
        (Failure(302, {}), KakaoAway),
        (BAD_PARAMETER, KakaoRefused),
        (Failure(400, {"msg": "NotRegisteredUserException", "code": -101}), KakaoRefused),
        (Failure(403, {"msg": "insufficient scopes.", "code": -402, "required_scopes": ["openid"]}), KakaoRefused),
        (Failure(200, {}), KakaoRefused),
        (Failure(200, {"id": 1001, "app_id": 100_001, "expires_in": 1, "more": "x" * 70_000}), KakaoAway),
    ],
)
async def test_each_error_is_what_it_means(
    kakao: Kakao, kakao_server: KakaoStandIn, failure: Failure, error: type[Exception]
) -> None:
    token = kakao_server.access_token()
    kakao_server.fail_next(failure)
    with pytest.raises(error):
        await kakao.person_of_access_token(token)
    assert await kakao.person_of_access_token(token) == SOONSOOK, "and the next is answered"


@pytest.mark.parametrize(
    "profile", [{}, {"id": "1001"}, {"id": 0}, {"id": -5}, {"id": 2**63}, {"id": True}, {"id": None}, {"id": 1.5}]
)
async def test_a_profile_of_nobody_is_none(kakao: Kakao, kakao_server: KakaoStandIn, profile: dict[str, Any]) -> None:
    info = {"id": profile.get("id"), "expires_in": 60, "app_id": 100_001}
    kakao_server.fail_next(Failure(200, info), Failure(200, profile))
    with pytest.raises(KakaoAway):
        await kakao.person_of_access_token("a-token")


async def test_what_is_odd_in_a_profile_is_left_out(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    info = {"id": 7, "expires_in": 60, "app_id": 100_001}
    odd = {"nickname": "가\x00" * 100, "profile_image_url": "javascript:alert(1)"}
    kakao_server.fail_next(
        Failure(200, info), Failure(200, {"id": 7, "kakao_account": {"profile": odd}, "properties": "none"})
    )
    assert await kakao.person_of_access_token("a-token") == KakaoPerson("7", "가" * 50)


async def test_a_kakao_that_does_not_answer_is_away(
    kakao_server: KakaoStandIn, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    async with Kakao(settings(nobody)) as kakao:
        for way in (kakao.person_of_access_token("a"), kakao.person_of_code("a", REDIRECT)):
            with pytest.raises(KakaoAway):
                await way
    monkeypatch.setattr(client_module, "ANSWER_SECONDS", 0.1)
    async with Kakao(settings(url)) as kakao:
        kakao_server.fail_next(Failure(200, {}, after_ms=2_000))
        with pytest.raises(KakaoAway):
            await kakao.person_of_access_token("a-token")


# --- a code ----------------------------------------------------------------------------------------------------------


async def test_a_code_with_its_verifier_tells_who_allowed_it_once(kakao: Kakao, url: str) -> None:
    asked = {"code_challenge": challenge_of(VERIFIER), "code_challenge_method": "S256"}
    code = await code_from(url, **asked)
    assert await kakao.person_of_code(code, REDIRECT, VERIFIER) == SOONSOOK
    with pytest.raises(KakaoRefused):
        await kakao.person_of_code(code, REDIRECT, VERIFIER)


@pytest.mark.parametrize("verifier", ["", "w" * 64])
async def test_a_code_without_its_verifier_is_refused(kakao: Kakao, url: str, verifier: str) -> None:
    code = await code_from(url, code_challenge=challenge_of(VERIFIER), code_challenge_method="S256")
    with pytest.raises(KakaoRefused):
        await kakao.person_of_code(code, REDIRECT, verifier)


async def test_a_code_that_was_asked_for_elsewhere_is_refused(kakao: Kakao, url: str) -> None:
    code = await code_from(url)
    with pytest.raises(KakaoRefused):
        await kakao.person_of_code(code, REDIRECT + "/other", VERIFIER)


REDIRECT_VARIANTS = [
    REDIRECT + "/",
    REDIRECT + "?",
    REDIRECT + "?a=b",
    REDIRECT + "#",
    REDIRECT + "#a",
    REDIRECT + " ",
    REDIRECT + "%2F",
    REDIRECT + "/../callback",
    REDIRECT + "\n",
    " " + REDIRECT,
    REDIRECT.upper(),
    REDIRECT.replace("http://", "https://"),
    REDIRECT.replace("http://", "HTTP://"),
    REDIRECT.replace("127.0.0.1", "localhost"),
    REDIRECT.replace("127.0.0.1", "127.1"),
    REDIRECT.replace("127.0.0.1", "127.0.0.1."),
    REDIRECT.replace("127.0.0.1", "evil.example"),
    REDIRECT.replace("127.0.0.1", "127.0.0.1@evil.example"),
    REDIRECT.replace("127.0.0.1", "127.0.0.1.evil.example"),
    REDIRECT.replace(":8000", ""),
    REDIRECT.replace(":8000", ":08000"),
    REDIRECT.replace(":8000", ":8001"),
    REDIRECT.replace("/auth", "//auth"),
    "//evil.example/auth/kakao/callback",
    "silvertalk://auth",
    "javascript:alert(1)",
    "",
]


@pytest.mark.parametrize("variant", REDIRECT_VARIANTS)
async def test_another_spelling_of_the_redirect_uri_is_refused(
    kakao: Kakao, kakao_server: KakaoStandIn, url: str, variant: str
) -> None:
    code = await code_from(url)
    with pytest.raises(KakaoRefused):
        await kakao.person_of_code(code, variant)
    assert "/oauth/token" not in kakao_server.asked, "nobody was shown the code"
    query = {"client_id": "practice-rest-key", "redirect_uri": variant, "response_type": "code"}
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(f"{url}/oauth/authorize", params=query)
    assert answer.status_code == 400 and "KOE006" in answer.text


def test_the_variants_are_many() -> None:
    assert len(set(REDIRECT_VARIANTS)) >= 20


async def test_our_own_wrong_secret_is_not_the_persons_fault_to_mend(url: str) -> None:
    async with Kakao(settings(url, kakao_client_secret="wrong")) as kakao:
        with pytest.raises(KakaoRefused, match="KOE010"):
            await kakao.person_of_code(await code_from(url), REDIRECT)


# --- an id_token -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("audience", ["practice-rest-key", "native-key"])
async def test_an_id_token_tells_who_it_is(kakao: Kakao, kakao_server: KakaoStandIn, audience: str) -> None:
    token = kakao_server.id_token(nonce=NONCE, aud=audience)
    assert await kakao.person_of_id_token(token, NONCE) == KakaoPerson("1001", "김순자")


LIES = lies(KEYS, "1001", "practice-rest-key", NONCE)


@pytest.mark.parametrize("name", LIES)
async def test_a_lie_is_refused(kakao: Kakao, name: str) -> None:
    with pytest.raises(KakaoRefused):
        await kakao.person_of_id_token(LIES[name], NONCE)


async def test_the_lies_are_told_with_a_key_that_is_believed(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    truth = kakao_server.keys.current.signed(claims_of("1001", "practice-rest-key", NONCE))
    assert (await kakao.person_of_id_token(truth, NONCE)).kakao_id == "1001"
    assert len(LIES) >= 30


@pytest.mark.parametrize("nonce", ["", "another-nonce", NONCE + " ", NONCE.upper()])
async def test_a_token_of_another_login_is_refused(kakao: Kakao, kakao_server: KakaoStandIn, nonce: str) -> None:
    with pytest.raises(KakaoRefused):
        await kakao.person_of_id_token(kakao_server.id_token(nonce=NONCE), nonce)


async def test_keys_that_rotate_are_fetched_when_they_are_needed() -> None:
    keys, now, fetched = SigningKeys(), 0.0, 0

    async def fetch() -> dict[str, Any]:
        nonlocal fetched
        fetched += 1
        return keys.key_set()

    tokens = IdTokens(frozenset({"app"}), fetch, clock=lambda: now)

    async def verify() -> str:
        return str((await tokens.verify(keys.current.signed(claims_of("1", "app", NONCE)), NONCE))["sub"])

    assert [await verify(), await verify(), fetched] == ["1", "1", 1]
    old = keys.current.signed(claims_of("1", "app", NONCE))
    keys.rotate()
    now += 61
    assert [await verify(), fetched] == ["1", 2]
    assert (await tokens.verify(old, NONCE))["sub"] == "1", "the key before is still listed"
    for _ in range(20):
        with pytest.raises(KakaoRefused):
            stranger = SigningKeys().current
            await tokens.verify(f"{_head(stranger.kid)}.{old.split('.', 1)[1]}", NONCE)
    assert fetched == 2, "invented ids cost Kakao nothing"
    now += 3601
    assert [await verify(), fetched] == ["1", 3], "once an hour anyway"


def _head(kid: str) -> str:
    return base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"%s"}' % kid.encode()).rstrip(b"=").decode()


async def test_many_tokens_with_a_new_key_are_one_fetch(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    tokens = [kakao_server.id_token(nonce=NONCE) for _ in range(20)]
    people = await asyncio.gather(*(kakao.person_of_id_token(token, NONCE) for token in tokens))
    assert len(people) == 20
    assert list(kakao_server.asked).count("/.well-known/jwks.json") == 1


async def test_while_the_keys_cannot_be_fetched_kakao_is_away(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    token = kakao_server.id_token(nonce=NONCE)
    kakao_server.fail_next(TEMPORARY, Failure(200, {"keys": "none"}))
    for _ in range(2):
        with pytest.raises(KakaoAway):
            await kakao.person_of_id_token(token, NONCE)
    assert (await kakao.person_of_id_token(token, NONCE)).kakao_id == "1001"


async def test_keys_that_are_none_are_passed_over(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    good = kakao_server.keys.current.public_jwk()
    odd: list[Any] = ["text", {}, {"kty": "oct", "kid": "a", "k": "aaaa"}, {**good, "kid": "b", "n": "AQAB"}]
    kakao_server.fail_next(Failure(200, {"keys": [*odd, {**good, "kid": "c", "n": "!"}, good]}))
    assert (await kakao.person_of_id_token(kakao_server.id_token(nonce=NONCE), NONCE)).kakao_id == "1001"


# --- going -----------------------------------------------------------------------------------------------------------


async def test_unlinking_is_done_once_and_asked_again_is_fine(kakao: Kakao, kakao_server: KakaoStandIn) -> None:
    token = kakao_server.access_token()
    for _ in range(2):
        await kakao.unlink("1001")
    assert kakao_server.unlinked == [1001]
    with pytest.raises(KakaoRefused):
        await kakao.person_of_access_token(token)


async def test_unlinking_needs_the_right_key(url: str) -> None:
    async with Kakao(settings(url, kakao_admin_key="wrong")) as kakao:
        with pytest.raises(KakaoRefused):
            await kakao.unlink("1001")
    async with Kakao(settings(url, kakao_admin_key="")) as kakao:
        with pytest.raises(KakaoNotConfigured):
            await kakao.unlink("1001")


async def test_without_settings_there_is_no_kakao() -> None:
    async with Kakao(Settings()) as kakao:
        for way in (
            kakao.person_of_access_token("a"),
            kakao.person_of_code("a", REDIRECT),
            kakao.person_of_id_token("a", NONCE),
            kakao.unlink("1"),
        ):
            with pytest.raises(KakaoNotConfigured):
                await way


# --- the practice Kakao itself ---------------------------------------------------------------------------------------


async def post(url: str, **form: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"{url}/oauth/token", data=form)


CLIENT = {"client_id": "practice-rest-key", "client_secret": "a-client-secret"}


async def test_it_gives_what_kakao_gives(url: str) -> None:
    code = await code_from(url, nonce=NONCE)
    given = await post(url, grant_type="authorization_code", redirect_uri=REDIRECT, code=code, **CLIENT)
    told = given.json()
    assert set(told) == {
        *("token_type", "access_token", "expires_in", "refresh_token", "refresh_token_expires_in", "scope", "id_token")
    }
    assert (told["token_type"], told["expires_in"], told["refresh_token_expires_in"]) == ("bearer", 21599, 5183999)
    again = await post(url, grant_type="authorization_code", redirect_uri=REDIRECT, code=code, **CLIENT)
    assert (again.status_code, again.json()["error_code"], again.json()["error"]) == (400, "KOE320", "invalid_grant")


async def test_it_gives_a_new_refresh_token_in_the_last_month_alone(kakao_server: KakaoStandIn, url: str) -> None:
    code = await code_from(url)
    token = (await post(url, grant_type="authorization_code", redirect_uri=REDIRECT, code=code, **CLIENT)).json()
    first = token["refresh_token"]
    assert "refresh_token" not in (await post(url, grant_type="refresh_token", refresh_token=first, **CLIENT)).json()
    kakao_server.age(first, 29)
    rotated = (await post(url, grant_type="refresh_token", refresh_token=first, **CLIENT)).json()["refresh_token"]
    refused = await post(url, grant_type="refresh_token", refresh_token=first, **CLIENT)
    assert (refused.status_code, refused.json()["error_code"]) == (400, "KOE322")
    kakao_server.expire(rotated)
    refused = await post(url, grant_type="refresh_token", refresh_token=rotated, **CLIENT)
    assert refused.json()["error_code"] == "KOE322"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"client_id": "another"}, 401, "KOE101"),
        ({"client_secret": ""}, 401, "KOE010"),
        ({"code": "unknown"}, 400, "KOE320"),
        ({"redirect_uri": REDIRECT + "/other"}, 400, "KOE303"),
        ({"grant_type": "password"}, 400, "KOE033"),
    ],
)
async def test_it_refuses_with_kakaos_own_codes(url: str, changes: dict[str, str], status: int, code: str) -> None:
    form = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code": await code_from(url), **CLIENT}
    answer = await post(url, **{**form, **changes})
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


async def test_its_page_asks_whom_to_be_and_says_what_it_is(kakao_server: KakaoStandIn, url: str) -> None:
    kakao_server.mode = "page"
    query = {"client_id": "practice-rest-key", "redirect_uri": REDIRECT, "response_type": "code", "state": '"><b>'}
    async with httpx.AsyncClient(trust_env=False) as browser:
        page = await browser.get(f"{url}/oauth/authorize", params=query)
        assert "연습용 카카오" in page.text and "<b>" not in page.text
        denied = await browser.get(f"{url}/oauth/authorize", params={**query, "practice": "deny"})
        chosen = await browser.get(f"{url}/oauth/authorize", params={**query, "practice": "1002"})
        nobody = await browser.get(f"{url}/oauth/authorize", params={**query, "practice": "7"})
    assert parse_qs(urlsplit(denied.headers["location"]).query) == {
        "error": ["access_denied"],
        "error_description": ["User denied access"],
        "state": ['"><b>'],
    }
    assert "code" in parse_qs(urlsplit(chosen.headers["location"]).query)
    assert nobody.status_code == 400


async def test_it_answers_the_rest_of_kapi(kakao_server: KakaoStandIn, url: str) -> None:
    proof = {"Authorization": f"Bearer {kakao_server.access_token(scope='profile_nickname')}"}
    openid = {"Authorization": f"Bearer {kakao_server.access_token(scope='openid')}"}
    async with httpx.AsyncClient(trust_env=False, base_url=url) as app:
        scopes = (await app.get("/v2/user/scopes", headers=proof)).json()
        assert {one["id"]: one["agreed"] for one in scopes["scopes"]}["profile_nickname"]
        lacking = await app.get("/v1/oidc/userinfo", headers=proof)
        assert (lacking.status_code, lacking.json()["code"]) == (403, -402)
        assert (await app.get("/v1/oidc/userinfo", headers=openid)).json()["sub"] == "1001"
        assert (await app.get("/.well-known/openid-configuration")).json()["issuer"] == "https://kauth.kakao.com"
        left = await app.get("/oauth/logout", params={"logout_redirect_uri": REDIRECT, "state": "s"})
        assert left.headers["location"] == f"{REDIRECT}?state=s"
        assert (await app.post("/v1/user/logout", headers=proof)).json() == {"id": 1001}
        gone = await app.get("/v2/user/me", headers=proof)
        assert (gone.status_code, gone.json()["code"]) == (401, -401)


def test_it_is_run_in_embedded_mode_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        practice_kakao(Settings(kakao_rest_key="a", kakao_app_id=1))
    assert practice_kakao(settings("http://127.0.0.1:9")).mode == "page"


def test_people_may_be_given(kakao_server: KakaoStandIn) -> None:
    someone = replace(WITHOUT_CONSENT, id=5)
    assert KakaoStandIn(people=[someone]).person == someone
    assert time.time() > claims_of("1", "a", "")["iat"] - 5
