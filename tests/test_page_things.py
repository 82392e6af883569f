"""Journeys of a person at the browser's page with what is theirs: photos that open conversations, what is remembered,
and the film. A real Chromium, real uploads, and the product behind it with its worker.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gpu_node.engines.scripted import ScriptedTts
from silvertalk.app import Parts
from silvertalk.standins.kakao import KakaoStandIn, PracticePerson
from silvertalk.standins.serving import served
from streaming.messages import Language
from tests import product
from tests.browser import Page, chromium, needs_chromium, page
from tests.ports import free_port
from tests.silvertalk.media.pictures import HEIC, picture, saved
from tests.tcp_proxy import TcpProxy, tcp_proxy
from tests.test_page import SHOWN, microphone, type_in
from tests.test_people_journey import worker
from tests.test_typing import subject
from tests.valkey import Valkey

pytestmark = needs_chromium

PHOTOS = Path(__file__).parent.parent / "story" / "photos"
SEA, BIRTHDAY = PHOTOS / "sea.jpg", PHOTOS / "birthday.jpg"
TELLS = "아이들이 어릴 때 강릉 바다에 처음 데려갔어요."
FACT = "아이들이 어릴 때 강릉 바다에 처음 데려갔다."
QUICK = ScriptedTts(rtf=0.02, ms_per_character=20)
FILM_SECONDS = 240.0
DOOR = "import('./demo/login.js').then(({ door }) => door"
"""The page's own way to ask for something as the person; a `)` ends it."""
THUMBNAILS = "[...document.querySelectorAll('#photos img')].filter((i) => i.complete && i.naturalWidth > 0).length"
SEEN = """(() => {{
    const r = document.querySelector('{}').getBoundingClientRect();
    return r.width > 0 && r.top >= 0 && r.bottom <= innerHeight + 1 && r.left >= 0 && r.right <= innerWidth;
}})()"""
"""All of it, in the window."""


@dataclass
class Visit:
    """Somebody at the page."""

    tab: Page
    parts: Parts
    network: TcpProxy

    async def user(self) -> str:
        """Who they are."""
        return subject(str(await self.tab.run(f"{DOOR}.token())")))

    async def pick(self, *files: Path) -> None:
        """In the browser's window for files, which this is instead of."""
        root = (await self.tab.call("DOM.getDocument"))["root"]["nodeId"]
        found = await self.tab.call("DOM.querySelector", nodeId=root, selector="#files")
        await self.tab.call("DOM.setFileInputFiles", nodeId=found["nodeId"], files=[str(file) for file in files])

    async def add(self, *files: Path) -> None:
        await self.pick(*files)
        await self.tab.until(f"{THUMBNAILS} === {len(files)}")

    async def remembered(self, fact: str) -> None:
        """As another device of the same person has it remembered."""
        body = json.dumps({"fact": fact, "category": "family"}, ensure_ascii=False)
        await self.tab.run(f"{DOOR}.ask('/memories/', {body}))")

    async def notice(self, words: str) -> None:
        await self.tab.until(f"document.querySelector('#notice-words').textContent.includes({json.dumps(words)})")


@asynccontextmanager
async def visit(
    valkey: Valkey, folder: Path, *, allowed: bool = True, size: tuple[int, int] = (1280, 860), **changes: object
) -> AsyncIterator[Visit]:
    """The product with a node and a worker, and the page loaded from it, through a network that can be cut. At the end
    nothing was asked of anybody else, and nothing but lost connections was complained of."""
    port = free_port()
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(tcp_proxy(f"http://127.0.0.1:{port}"))
        chosen = product.settings(valkey.url, folder / "var", port=port, allowed_origins=network.url, **changes)
        server = await stack.enter_async_context(product.gateway(chosen))
        await server.parts.database.wait_ready()
        await stack.enter_async_context(product.node(valkey.url, tts=QUICK))
        await stack.enter_async_context(worker(chosen))
        tools = await stack.enter_async_context(chromium(microphone=microphone(folder), allowed=allowed))
        tab = await stack.enter_async_context(page(tools, width=size[0], height=size[1]))
        await tab.go(f"{network.url}/demo")
        yield Visit(tab, server.parts, network)
        assert {urlsplit(one).netloc for one in tab.requests if not one.startswith("data:")} == {
            urlsplit(network.url).netloc
        }
        assert not [one for one in tab.complaints if "Failed to load resource" not in one and "WebSocket" not in one]


async def tell_about_a_photo(tab: Page) -> None:
    """The first one; until the answer to what they tell of it."""
    await tab.press("#photos button")
    await tab.until_told("turn.committed", turn=1)
    await type_in(tab, TELLS)
    await tab.until_told("turn.committed", turn=2)


async def test_a_photo_opens_a_conversation(valkey: Valkey, tmp_path: Path) -> None:
    async with visit(valkey, tmp_path) as person:
        tab = person.tab
        assert not [one for one in tab.requests if "/auth/guest" in one], "who only looks is nobody yet"
        await person.add(SEA, BIRTHDAY)
        assert len([one for one in tab.requests if "/auth/guest" in one]) == 1, "one person"
        years = await tab.run("[...document.querySelectorAll('#photos span')].map((span) => span.textContent)")
        assert years == ["1998년", "1971년"], "the newest first"
        assert await tab.run("document.querySelector('#photos img').alt") == "1998년 사진 이야기하기"

        await tab.press("#photos button")
        shown = await tab.until_told("photo.shown")
        opened = await tab.until_told("turn.committed", turn=1)
        assert await tab.text(".puppy .reply") == opened["heard"] != ""
        assert not await tab.run(SHOWN.format(".person")), "nobody said anything before"
        assert await tab.run("document.querySelector('#shown-photo').getAttribute('src')") == shown["url"]
        await tab.until("document.querySelector('#shown-photo').naturalWidth > 0")

        await type_in(tab, TELLS)
        answered = await tab.until_told("turn.committed", turn=2)
        replies = await tab.run("[...document.querySelectorAll('.puppy .reply')].map((said) => said.textContent)")
        assert replies[-1] == answered["heard"]
        for width, height in ((1280, 860), (1280, 700), (360, 740)):
            await tab.call(
                "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
            )
            await tab.run("document.querySelector('#story-end').scrollIntoView({ block: 'nearest' })")
            await tab.until(SEEN.format("#shown-photo"))
            await tab.until(SEEN.format("#turns > li:last-child .puppy"))
            assert await tab.run("document.querySelector('#shown-photo').getBoundingClientRect().height > 140")

        await type_in(tab, "다음 사진 보여 주세요.")
        await tab.until_told("photo.shown", turn=3)
        await tab.until_told("turn.committed", turn=3)
        told = [one["photo"] for one in tab.told if one["type"] == "photo.shown"]
        assert len(set(told)) == 2, "another one"

        await tab.press("#bye")
        await tab.until(SHOWN.format("#make-film"))
        assert not await tab.run(SHOWN.format("#shown"))
        await tab.until("document.querySelectorAll('#photos li').length === 2")


async def test_a_conversation_without_a_photo_makes_no_film(valkey: Valkey, tmp_path: Path) -> None:
    async with visit(valkey, tmp_path) as person:
        await person.tab.press("#start")
        await type_in(person.tab, TELLS)
        await person.tab.until_told("turn.committed", turn=1)
        await person.tab.press("#bye")
        await person.tab.until(SHOWN.format("#start"))
        assert not await person.tab.run(SHOWN.format("#make-film"))


async def test_without_a_microphone_the_photo_that_was_chosen_is_talked_about_all_the_same(
    valkey: Valkey, tmp_path: Path
) -> None:
    async with visit(valkey, tmp_path, allowed=False) as person:
        tab = person.tab
        await person.add(SEA)
        await tab.press("#photos button")
        await tab.until(SHOWN.format("#start-typing"))
        await tab.press("#start-typing")
        await tab.until_told("photo.shown")
        assert len([one for one in tab.requests if one.endswith("/chat/sessions")]) == 1, "the same conversation"


async def test_what_is_remembered_is_wanted_seen_and_forgotten(valkey: Valkey, tmp_path: Path) -> None:
    async with visit(valkey, tmp_path) as person:
        tab = person.tab
        assert "기억해 두지 않아요" in await tab.text("#remembering")
        await tab.press("#remember")
        await tab.until("document.querySelector('#remember').textContent === '이제 기억하지 말아 주세요'")
        await tab.go(f"{person.network.url}/demo?again")
        await tab.until("document.querySelector('#remember').textContent === '이제 기억하지 말아 주세요'")

        await person.remembered(FACT)
        await tab.until("document.querySelectorAll('#facts li').length === 1")
        assert await tab.text("#facts li > span") == FACT
        assert await tab.run("document.querySelector('#facts button').ariaLabel") == f"잊어 주세요: {FACT}"
        await tab.press("#to-en")
        assert await tab.text("#facts button") == "Forget it"
        assert await tab.text("#memories-title") == "What I remember"
        assert await tab.text("#add-photos") == "Add photos"
        await tab.press("#facts button")
        assert await tab.text("#facts .asking > span") == "Really forget it?"
        assert await tab.run("document.activeElement.textContent") == "No", "a second press takes nothing away"
        await tab.key("Enter", 13, "\r")
        assert await tab.text("#facts button") == "Forget it"
        assert await tab.run("document.activeElement === document.querySelector('#facts button')")
        await tab.key("Enter", 13, "\r")
        await tab.key("Escape", 27)
        assert await tab.text("#facts button") == "Forget it"
        assert len(await tab.run(f"{DOOR}.ask('/memories/'))")) == 1
        await tab.press("#facts button")
        await person.remembered("고향은 부산이다.")
        await tab.until("document.querySelectorAll('#facts li').length === 2")
        assert await tab.run("document.activeElement.textContent") == "No", "what comes meanwhile answers nothing"
        await tab.run(
            "document.querySelector('#facts .asking button').dispatchEvent(new MouseEvent('click', { detail: 2 }))"
        )
        assert len(await tab.run(f"{DOOR}.ask('/memories/'))")) == 2, "nor does a double click"
        await tab.press("#facts .asking button")
        await tab.until("document.querySelectorAll('#facts li').length === 1")
        assert await tab.run("document.activeElement.id") == "remember"
        kept = await tab.run(f"{DOOR}.ask('/memories/'))")
        assert [one["fact"] for one in kept] == ["고향은 부산이다."]
        await tab.press("#remember")
        await tab.until("document.querySelector('#remember').textContent === 'Please remember what I tell'")


async def test_a_file_that_is_no_photo_is_refused_in_plain_words(valkey: Valkey, tmp_path: Path) -> None:
    pretended, text = tmp_path / "photo.jpg", tmp_path / "letter.txt"
    pretended.write_bytes(b"not a picture at all " * 50)
    text.write_text("편지")
    async with visit(valkey, tmp_path) as person:
        tab = person.tab
        await person.pick(text)
        await person.notice("사진이 아닌 것 같아요")
        assert not [one for one in tab.requests if "/photos/presign" in one], "not even asked"
        await tab.press("#to-en")
        await person.notice("does not seem to be a photo")
        await tab.press("#to-ko")
        await tab.run("document.querySelector('#notice').hidden = true")
        await person.pick(pretended, SEA)
        await tab.until(f"{THUMBNAILS} === 1")
        await tab.until(SHOWN.format("#notice"))
        assert await tab.run(SEEN.format("#notice")), "wherever one has scrolled"
        assert await tab.text("#uploading") == ""


async def test_a_photo_of_an_iphone_is_taken_where_the_browser_knows_no_type_for_it(
    valkey: Valkey, tmp_path: Path
) -> None:
    photo = tmp_path / "IMG_0142.HEIC"
    photo.write_bytes(HEIC)
    async with visit(valkey, tmp_path) as person:
        tab = person.tab
        await tab.run(
            "document.querySelector('#files').addEventListener('change',"
            " ({ target }) => { window.type = target.files[0].type; }, { capture: true })"
        )
        await person.add(photo)
        assert await tab.run("type") == "", "which is what is tried here"
        assert await tab.text("#photos span") == "1987년"
        assert await tab.text("#uploaded") == "사진 1장을 올렸어요."


async def test_of_many_files_each_goes_for_itself(valkey: Valkey, tmp_path: Path) -> None:
    bad = {"letter.txt": "편지".encode(), "empty.jpg": b"", "moving.gif": b"GIF89a" + bytes(40)}
    for name, body in bad.items():
        (tmp_path / name).write_bytes(body)
    good = [tmp_path / f"{number}.jpg" for number in range(25)]
    for number, path in enumerate(good):
        path.write_bytes(saved(picture(size=(40 + number, 40)), "JPEG"))
    async with visit(valkey, tmp_path, uploads_per_minute=46) as person:  # 50 are asked for: it waits, and goes on
        tab = person.tab
        await person.pick(
            tmp_path / "letter.txt", *good[:3], tmp_path / "empty.jpg", tmp_path / "moving.gif", *good[3:]
        )
        await tab.until("document.querySelector('#uploaded').children.length === 4", 60)
        told = await tab.run("[...document.querySelectorAll('#uploaded p')].map((said) => said.textContent)")
        assert told[0] == "사진 25장을 올렸어요."
        for said, (name, why) in zip(
            told[1:],
            {"letter.txt": "사진이 아닌 것", "empty.jpg": "비어 있어요", "moving.gif": "아직 열지 못해요"}.items(),
            strict=True,
        ):
            assert said.startswith(f"1장은 올리지 못했어요 ({name})") and why in said
        await tab.until(SHOWN.format("#more-photos"))
        await tab.until(
            f"{DOOR}.ask('/photos/?limit=100&status=ready')).then(({{ items }}) => items.length === 25)", 60
        )
        await tab.press("#to-en")
        assert await tab.text("#uploaded p") == "25 photos are uploaded."


async def test_a_server_that_cannot_be_reached_is_waited_for(valkey: Valkey, tmp_path: Path) -> None:
    async with visit(valkey, tmp_path) as person:
        tab = person.tab
        await tab.press("#remember")
        await tab.until("document.querySelector('#remember').textContent === '이제 기억하지 말아 주세요'")
        person.network.refuse()
        person.network.cut()
        await person.pick(SEA)
        await person.notice("닿지 않아요")
        assert await tab.text("#uploading") == ""
        person.network.accept()
        await tab.until(f"!{SHOWN.format('#notice')}")
        await person.add(SEA)


async def test_who_logs_out_leaves_nothing_on_the_page(valkey: Valkey, tmp_path: Path) -> None:
    kakao = KakaoStandIn(people=[PracticePerson(1001, "김순자")])
    async with served(kakao.app) as address:
        names: dict[str, Any] = {
            "kakao_rest_key": "practice-rest-key",
            "kakao_app_id": 100_001,
            "kakao_admin_key": "practice-admin-key",
            "kakao_auth_url": address,
            "kakao_api_url": address,
        }
        async with visit(valkey, tmp_path, **names) as person, httpx.AsyncClient(trust_env=False) as client:
            tab = person.tab
            body = {"kakao_access_token": kakao.access_token()}
            told = (await client.post(f"{person.network.url}/auth/kakao", json=body)).json()
            login = json.dumps({"refresh_token": told["refresh_token"], "nickname": "김순자"}, ensure_ascii=False)
            await tab.run(f"localStorage.setItem('silvertalk.login', JSON.stringify({login}))")
            await tab.go(f"{person.network.url}/demo?in")
            await tab.until(SHOWN.format("#log-out"))
            await person.add(SEA)
            await person.remembered(FACT)
            await tab.until("document.querySelectorAll('#facts li').length === 1")
            await tab.press("#log-out")
            await tab.until(SHOWN.format("#notice"))
            await tab.until("document.querySelectorAll('#photos li, #facts li, #films li').length === 0")
            assert FACT not in await tab.run("document.body.textContent")
            await person.add(BIRTHDAY)
            assert await tab.text("#photos span") == "1998년", "a guest's own, and nobody else's"


@pytest.mark.alone
@pytest.mark.parametrize("language", ["ko", "en"])
async def test_a_film_is_made_of_it_watched_and_sent(valkey: Valkey, tmp_path: Path, language: Language) -> None:
    async with visit(valkey, tmp_path) as person:
        tab = person.tab
        await tab.press(f"#to-{language}")
        await person.add(SEA)
        await tell_about_a_photo(tab)
        await tab.press("#bye")
        await tab.until(SHOWN.format("#make-film"))
        await tab.run(
            "window.moved = []; setInterval(() => {"
            " const p = document.querySelector('#film-progress');"
            " if (p.checkVisibility() && moved.at(-1) !== p.value) moved.push(p.value); }, 50)"
        )
        await tab.press("#make-film")
        await tab.until(SHOWN.format("#film-progress"))
        assert await tab.run("document.activeElement.id") == "stop-film"
        await tab.until(
            f"document.querySelectorAll('#films video').length === 1 && !{SHOWN.format('#film-progress')}", FILM_SECONDS
        )
        moved = await tab.run("window.moved")
        assert len(moved) >= 4 and moved == sorted(moved) and 0.45 < moved[-1] <= 1
        assert not await tab.run(SHOWN.format("#make-film")), "it is made"

        await tab.press("#films .primary")
        await tab.until("document.querySelector('#films video').currentTime > 0.3")
        assert await tab.run("document.querySelector('#films video').duration") >= 4
        assert await tab.run("document.querySelector('#films video').videoHeight") == 1920
        await tab.until(f"{DOOR}.ask('/videos/')).then(([video]) => video.seen_at !== null)")
        await tab.until("document.querySelector('#films .primary').textContent.match(/잠깐 멈추기|Pause/) !== null")
        await tab.press("#films .share")
        await tab.until("document.querySelector('#shared').textContent.includes('/v/')")
        link = (await tab.text("#shared")).split()[-1]
        async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as anybody:
            told = await anybody.get(link)
            assert told.status_code == 200 and "og:video" in told.text
            assert (await anybody.get(f"{link}/film")).headers["content-type"] == "video/mp4"


@pytest.mark.alone
async def test_a_film_that_is_stopped_can_be_asked_for_again(valkey: Valkey, tmp_path: Path) -> None:
    async with visit(valkey, tmp_path) as person:
        tab = person.tab
        await person.add(SEA)
        await tell_about_a_photo(tab)
        await tab.press("#bye")
        await tab.until(SHOWN.format("#make-film"))
        await tab.press("#make-film")
        await tab.until("document.querySelector('#film-progress').value > 0.4", FILM_SECONDS)
        await tab.go(f"{person.network.url}/demo?again")
        await tab.until(SHOWN.format("#film-progress"))
        assert await tab.run("document.querySelector('#film-progress').value") > 0.4, "as far as it is"
        await tab.press("#stop-film")
        await tab.until(f"!{SHOWN.format('#film-progress')}")
        assert await tab.run("document.querySelectorAll('#films li').length") == 0
