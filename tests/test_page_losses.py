"""What a person does to the page without meaning to, and what they must not lose by it: a page loaded anew in the midst
of a talk, a line typed too early, a notice behind buttons, letters as large as they need them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streaming import protocol
from tests import product
from tests.browser import Page, chromium, needs_chromium, page
from tests.silvertalk.fake_gateway import FakeGateway, Script
from tests.test_page import SHOWN, chosen, floor, microphone, type_in, visiting
from tests.test_page_things import SEA, SEEN, tell_about_a_photo, visit
from tests.valkey import Valkey
from tests.web_demo.serving import served

pytestmark = needs_chromium

PHONE = (390, 844)
UPPERMOST = """(() => {{
    const e = document.querySelector('{}');
    const r = e.getBoundingClientRect();
    const at = (y) => document.elementFromPoint(r.x + r.width / 2, y);
    return [r.top + 4, (r.top + r.bottom) / 2, r.bottom - 4].every((y) => e.contains(at(y)));
}})()"""
"""It is in the window, and nothing lies over it."""
UNBROKEN = """[...document.querySelectorAll('button, a.call')].filter((e) => e.checkVisibility()).flatMap((e) => {
    const text = e.firstChild;
    return [...text.textContent.matchAll(/\\S+/g)].filter(({ 0: word, index }) => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + word.length);
        return range.getClientRects().length > 1 || range.getBoundingClientRect().right > innerWidth;
    }).map(([word]) => word);
})"""
"""Words on buttons that are broken, or stand beyond the window's edge."""
SMALL = """[...document.querySelectorAll('button')].filter((e) => e.checkVisibility()).filter((e) => {
    const { width, height } = e.getBoundingClientRect();
    return width < 44 || height < 44;
}).map((e) => e.id || e.textContent)"""


@asynccontextmanager
async def on_a_phone(*scripts: Script) -> AsyncIterator[tuple[Page, FakeGateway]]:
    """A typed conversation has begun, at a scripted gateway."""
    gateway = FakeGateway(scripts or (Script(),))
    async with gateway.serve(), chromium() as tools, page(tools, width=PHONE[0], height=PHONE[1]) as tab:
        await tab.go(f"{gateway.url}/demo")
        await tab.press("#start")
        await tab.until(SHOWN.format("#start-typing"))
        await tab.press("#start-typing")
        await tab.until_told("ready")
        yield tab, gateway


async def load_anew(tab: Page) -> None:
    tab.told.clear()
    await tab.call("Page.reload")
    await tab.until(f"document.readyState === 'complete' && {SHOWN.format('#start')}")


async def test_a_page_that_is_loaded_anew_goes_on_with_the_talk(valkey: Valkey, tmp_path: Path) -> None:
    async with visit(valkey, tmp_path, size=PHONE) as person:
        tab = person.tab
        await person.add(SEA)
        await tell_about_a_photo(tab)
        before = await tab.run("[...document.querySelectorAll('.words')].map((words) => words.textContent)")
        session = (await tab.until_told("ready"))["session"]
        await load_anew(tab)
        await person.notice("이야기가 끊겼어요")
        assert "bye" not in [said["type"] for said in tab.said]
        assert await tab.run("document.activeElement.id") == "go-on"
        await tab.until(SHOWN.format("#film-now"))

        await tab.press("#go-on")
        ready = await tab.until_told("ready")
        assert (ready["session"], ready["resumed"]) == (session, True)
        assert await tab.run("[...document.querySelectorAll('.words')].map((words) => words.textContent)") == before
        await tab.until("document.querySelector('#shown-photo').naturalWidth > 0")
        await type_in(tab, "그날은 파도가 높았어요.")
        answered = await tab.until_told("turn.committed", turn=3)
        replies = await tab.run("[...document.querySelectorAll('.puppy .reply')].map((said) => said.textContent)")
        assert replies[-1] == answered["heard"] != ""


async def test_of_a_talk_that_broke_off_a_film_can_be_made_whenever_one_comes_back(
    valkey: Valkey, tmp_path: Path
) -> None:
    async with visit(valkey, tmp_path, size=PHONE) as person:
        tab = person.tab
        await person.add(SEA)
        await tell_about_a_photo(tab)
        await tab.go(f"{person.network.url}/demo?again")
        await tab.run("sessionStorage.clear()")
        await load_anew(tab)
        await tab.until(SHOWN.format("#make-film"))


async def test_after_the_end_the_film_is_the_next_thing(valkey: Valkey, tmp_path: Path) -> None:
    async with visit(valkey, tmp_path, size=PHONE) as person:
        tab = person.tab
        await person.add(SEA)
        await tell_about_a_photo(tab)
        await tab.press("#bye")
        await tab.until("document.activeElement.id === 'film-now'")
        await tab.until(UPPERMOST.format("#film-now"))
        await tab.press("#film-now")
        await tab.until(SHOWN.format("#film-progress"))
        assert not await tab.run(SHOWN.format("#notice"))


async def test_what_is_typed_while_the_floor_is_taken_is_sent_when_it_is_free(valkey: Valkey, tmp_path: Path) -> None:
    settings = chosen(valkey, tmp_path)
    async with product.gateway(settings), visiting(f"http://127.0.0.1:{settings.port}", allowed=False) as tab:
        async with product.node(valkey.url):
            await tab.press("#start")
            await tab.until(SHOWN.format("#start-typing"))
            await tab.press("#start-typing")
            await tab.until_told("ready")
        await type_in(tab, "첫째 말씀이에요.")  # nobody answers: the floor stays with the thinking
        await tab.until("document.querySelector('#face').dataset.floor === 'thinking'")
        await type_in(tab, "숨을 못 쉬겠어 살려줘")
        await tab.until(SHOWN.format("#unsent"))
        assert await tab.text("#unsent-text") == "숨을 못 쉬겠어 살려줘"
        told = await tab.until_told("distress")
        assert told["number"] == "119", "a call for help does not wait for the floor"
        await tab.until(SHOWN.format("#distress"))
        await tab.run("document.querySelector('#typed').value = '셋째'")
        await tab.run("document.querySelector('#typing').requestSubmit()")
        assert await tab.run("document.querySelector('#typed').value") == "셋째", "one at a time; the other stays"
        await tab.press("#cancel")
        await tab.until(f"!{SHOWN.format('#unsent')}")
        await tab.until("[...document.querySelectorAll('.person .words')].at(-1).textContent.includes('살려줘')")


async def test_on_a_phone_a_notice_is_seen_above_the_buttons() -> None:
    async with on_a_phone() as (tab, gateway):
        for _ in range(3):
            await type_in(tab, "어제는 오랜만에 손주랑 바닷가에 갔어요.")
            await tab.until_told("turn.committed", turn=gateway.session.turn)
        await tab.call(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1
        )
        await tab.until(SHOWN.format("#notice"))
        await tab.until(UPPERMOST.format("#notice"))
        await tab.until(UPPERMOST.format("#bye"))


@pytest.mark.parametrize("size", [PHONE, (1280, 860)])
async def test_beside_the_number_to_call_stands_what_was_said(size: tuple[int, int]) -> None:
    async with on_a_phone() as (tab, gateway):
        await tab.call(
            "Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False
        )
        for _ in range(4):
            await type_in(tab, "어제는 오랜만에 손주랑 바닷가에 갔어요.")
            await tab.until_told("turn.committed", turn=gateway.session.turn)
        await tab.run("scrollTo(0, 0), document.querySelector('#story').scrollTo(0, 0)")
        await gateway.session.tell(protocol.Distress(turn=4, kind="emergency", phrase="숨이 차", number="119"))
        await tab.until(UPPERMOST.format("#turns > li:last-child .puppy"))
        await tab.until(UPPERMOST.format("#call"))
        tops = await tab.run("['#call', '#dismiss'].map((s) => document.querySelector(s).getBoundingClientRect().top)")
        assert abs(tops[0] - tops[1]) < 30, "in one row"


@pytest.mark.parametrize("pixels", [24, 40, 50])
async def test_letters_as_large_as_somebody_needs_break_nothing(pixels: int) -> None:
    async with on_a_phone() as (tab, gateway):
        await type_in(tab, "어제는 손주랑 바닷가에 갔어요.")
        await tab.until_told("turn.committed")
        await tab.run(f"document.documentElement.style.fontSize = '{pixels}px'")
        for _ in range(2):
            assert await tab.run("document.documentElement.scrollWidth <= innerWidth")
            assert await tab.run(UNBROKEN) == []
            assert await tab.run(SMALL) == []
            if await tab.run(SHOWN.format("#typed")):
                assert await tab.run("document.querySelector('#typed').getBoundingClientRect().width") > 150
                assert await tab.run("document.querySelector('#floor').getBoundingClientRect().width") > 150
            await tab.press("#bye")
            await tab.until(SHOWN.format("#start"))


async def test_until_somebody_is_awake_the_microphone_stays_closed(tmp_path: Path) -> None:
    gateway = FakeGateway(nodes=0)
    async with gateway.serve(), visiting(gateway.url, microphone(tmp_path)) as tab:
        await tab.press("#start")
        await tab.until("document.querySelector('#notice-words').textContent.includes('일어나고 있어요')")
        assert gateway.sockets == 0 and await floor(tab) == "asleep"
        gateway.nodes = 1
        await tab.until_told("ready")
        await tab.until(f"!{SHOWN.format('#notice')}")
        assert len([one for one in tab.requests if one.endswith("/readyz")]) < 20


async def test_whoever_talks_sees_no_figures_and_may_skip_what_is_above() -> None:
    async with on_a_phone() as (tab, _):
        await type_in(tab, "안녕하세요.")
        await tab.until_told("turn.committed")
        assert not await tab.run(SHOWN.format(".timeline"))
    async with served() as url, chromium() as tools, page(tools) as tab:
        await tab.go(f"{url}/demo")
        await tab.key("Tab", 9)
        assert await tab.run("document.activeElement.className") == "skip"
        assert await tab.run("document.activeElement.getBoundingClientRect().height") >= 44
        await tab.key("Enter", 13, "\r")
        await tab.key("Tab", 9)
        await asyncio.wait_for(tab.until("document.activeElement.id === 'start'"), 10)
        assert await tab.run(SEEN.format("#start"))
