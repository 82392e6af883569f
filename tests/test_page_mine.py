"""Journeys of a person at the browser's page with what is theirs to look through, take along and take away: links,
films, photos, their name, what they agreed to, earlier conversations, everything in one file, and nothing at all.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.browser import needs_chromium
from tests.silvertalk.api import things
from tests.silvertalk.records import record
from tests.test_page import SHOWN
from tests.test_page_things import BIRTHDAY, DOOR, SEA, Visit, visit
from tests.valkey import Valkey

pytestmark = needs_chromium

SAID, TITLE = "강릉 바다에 다녀왔어요.", "순자 할머니의 추억"
INSIDE = "[data-drawer={}] > div"
FOCUSED = "document.activeElement.textContent"


@asynccontextmanager
async def somebody(valkey: Valkey, folder: Path) -> AsyncIterator[Visit]:
    """Who has been here before, at the page."""
    async with visit(valkey, folder) as person:
        assert not await person.tab.run(SHOWN.format("#mine")), "nobody is known yet"
        await person.tab.press("#remember")
        await person.tab.until("document.querySelector('#remember').textContent === '이제 기억하지 말아 주세요'")
        await come_back(person)
        yield person


async def come_back(person: Visit) -> None:
    """Load the page anew, and open the section."""
    await person.tab.go(f"{person.network.url}/demo?again")
    await person.tab.until(SHOWN.format("#mine"))
    await person.tab.press("#mine summary")


async def told(person: Visit) -> str:
    """A conversation of one turn; its id."""
    session = str(await person.tab.run(f"{DOOR}.ask('/chat/sessions', {{}})).then((made) => made.session_id)"))
    await person.parts.database.commit_turn(
        record(1, session=session, user=await person.user(), transcript=SAID, distress="")
    )
    return session


async def film(person: Visit) -> str:
    """A video that is ready, and on the page; its id."""
    known = {"title": TITLE, "story": None, "voice_id": "", "own_voice": False, "job_id": ""}
    made = await things.video(person.parts.database, await person.user(), await told(person), **known)
    await come_back(person)
    await person.tab.until(SHOWN.format("#films video"))
    return made


async def opened(person: Visit, drawer: str, selector: str) -> None:
    await person.tab.press(f"[data-drawer={drawer}] > summary")
    await person.tab.until(f"document.querySelector({json.dumps(f'{INSIDE.format(drawer)} {selector}')}) !== null")


async def test_a_link_is_taken_back_and_a_film_deleted(valkey: Valkey, tmp_path: Path) -> None:
    async with somebody(valkey, tmp_path) as person, httpx.AsyncClient(trust_env=False) as anybody:
        tab, video = person.tab, await film(person)
        shared = await tab.run(f"{DOOR}.ask('/videos/{video}/share', {{}})).then((made) => made.share_url)")
        kept = await tab.run(f"{DOOR}.ask('/videos/{video}/share', {{}})).then((made) => made.share_url)")
        await opened(person, "films", ".links")
        assert TITLE in await tab.text(f"{INSIDE.format('films')} b")
        assert "2026년 11월 3일에 만들었어요" in await tab.text(f"{INSIDE.format('films')} .what")

        await tab.press(".links li:nth-child(2) button")
        assert await tab.run(FOCUSED) == "아니요"
        assert (await anybody.get(shared)).status_code == 200, "only asked so far"
        await tab.press(".links .asking button")
        await tab.until("document.querySelector('[data-drawer=films] .now').textContent !== ''")
        assert (await anybody.get(shared)).status_code == 410
        assert (await anybody.get(kept)).status_code == 200

        await tab.press(f"{INSIDE.format('films')} .removable > li > .twice button")
        await tab.press(f"{INSIDE.format('films')} .asking button")
        await tab.until("document.querySelector('[data-drawer=films] .now').textContent === '영상을 지웠어요.'")
        assert await tab.run(FOCUSED) == "영상과 보낸 주소", "nothing is left to be at"
        assert (await anybody.get(kept)).status_code == 404
        await tab.until("document.querySelectorAll('#films li').length === 0")


async def test_a_photo_is_deleted_and_the_next_one_is_at_hand(valkey: Valkey, tmp_path: Path) -> None:
    async with somebody(valkey, tmp_path) as person:
        tab = person.tab
        await person.add(SEA, BIRTHDAY)
        await opened(person, "photos", "li:nth-child(2)")
        await tab.press(f"{INSIDE.format('photos')} li button")
        gone = (await tab.run("document.activeElement.closest('li').querySelector('.what').textContent"))[:5]
        await tab.press(f"{INSIDE.format('photos')} .asking button")
        await tab.until("document.querySelectorAll('#photos li').length === 1")
        assert gone not in await tab.text("#photos")
        assert await tab.run("document.activeElement.closest('[data-drawer=photos] li') !== null")
        assert await tab.run(FOCUSED) == "지우기"


async def test_one_is_called_by_ones_name_and_says_what_one_agrees_to(valkey: Valkey, tmp_path: Path) -> None:
    async with somebody(valkey, tmp_path) as person:
        tab = person.tab
        await tab.press("#call-me")
        await tab.call("Input.insertText", text="순자 할머니")
        await tab.key("Enter", 13, "\r")
        await tab.until("document.querySelector('#call-me-hint').textContent === '저장했어요.'")
        assert await tab.run(f"{DOOR}.ask('/users/me')).then((me) => me.form_of_address)") == "순자 할머니"

        voice = f"{INSIDE.format('consents')} li:nth-child(2)"
        agreed = f"{DOOR}.ask('/users/me')).then((me) => me.consents.keep_voice.granted)"
        await opened(person, "consents", "li:nth-child(3)")
        await tab.press(f"{voice} button")
        await tab.until(f"document.querySelector('{voice} button').textContent === '그만두기'")
        assert await tab.run(agreed) is True
        await tab.press(f"{voice} button")
        assert "간직한 목소리를 모두 지워요" in await tab.text(f"{voice} .asking")
        assert await tab.run(agreed) is True
        await tab.press(f"{voice} .asking button")
        await tab.until(f"document.querySelector('{voice} button').textContent === '허락하기'")
        assert await tab.run(agreed) is False

        await come_back(person)
        await tab.until("document.querySelector('#call-me').value === '순자 할머니'")


async def test_everything_is_read_again_and_taken_along(valkey: Valkey, tmp_path: Path) -> None:
    async with somebody(valkey, tmp_path) as person:
        tab = person.tab
        await told(person)
        await opened(person, "talks", "summary")
        await tab.press(f"{INSIDE.format('talks')} summary")
        await tab.until(f"document.querySelector('.lines').textContent.includes('{SAID}')")

        await opened(person, "export", "button")
        await tab.press(f"{INSIDE.format('export')} button")
        await tab.until(f"document.querySelector('{INSIDE.format('export')} button')?.textContent === '내려받기'", 60)
        assert "다 모았어요" in await tab.text("[data-drawer=export] .now")
        await tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        await tab.press(f"{INSIDE.format('export')} button")
        async with httpx.AsyncClient(trust_env=False) as anybody:
            await tab.until("performance.getEntriesByType('resource').some((one) => one.name.endsWith('/export'))")
            url = await tab.run(f"{DOOR}.ask('/users/me/export')).then((made) => made.url)")
            answer = await anybody.get(f"{person.network.url}{url}")
        assert answer.content[:2] == b"PK" and "attachment" in answer.headers["content-disposition"]


async def test_who_leaves_says_so_in_words_and_is_a_stranger_then(valkey: Valkey, tmp_path: Path) -> None:
    async with somebody(valkey, tmp_path) as person:
        tab = person.tab
        await person.add(SEA)
        was = await person.user()
        guest = await tab.run("localStorage.getItem('silvertalk.guest')")
        await opened(person, "leave", "input")
        await tab.press("#leave-word")
        await tab.call("Input.insertText", text="네")
        await tab.key("Enter", 13, "\r")
        assert "쓰신 뒤에" in await tab.text("[data-drawer=leave] .now")
        assert await tab.run(f"{DOOR}.ask('/photos/')).then(({{ items }}) => items.length)") == 1
        await tab.run("document.querySelector('#leave-word').value = ''")
        await tab.call("Input.insertText", text="모두 지우기")
        await tab.press("[data-drawer=leave] form button")
        await tab.until("document.querySelector('#gone').textContent.includes('고맙습니다')")
        assert await tab.run("document.activeElement.id") == "gone"
        assert not await tab.run(SHOWN.format("#mine"))
        assert await tab.run("document.querySelectorAll('#photos li').length") == 0
        assert await tab.run("localStorage.getItem('silvertalk.guest')") is None != guest
        assert await person.user() != was, "who comes next is somebody new"
