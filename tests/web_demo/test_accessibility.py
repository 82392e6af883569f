"""Whether an older person can read, reach and press everything: measured on the page as it stands, in both views, with
what is theirs and without, in the light and in the dark, on a desk, on a telephone 360 pixels wide and at 200 %.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streaming.protocol import Distress, Duck, EndpointWait, SpokenText
from tests import product
from tests.browser import Page, chromium, needs_chromium, page
from tests.ports import free_port
from tests.silvertalk.api import things
from tests.silvertalk.fake_gateway import FakeGateway
from tests.test_page_things import BIRTHDAY, DOOR, FACT, SEA, visit
from tests.valkey import Valkey
from tests.web_demo.serving import served

pytestmark = needs_chromium

SIZES = {"desk": (1280, 860), "telephone": (360, 740), "200 %": (640, 430)}

LOOK = """
    const luminance = (color) => {
      const [r, g, b] = color.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const parts = (css) => css.match(/[\\d.]+/g).map(Number);
    const ratio = (a, b) => {
      const [high, low] = [luminance(parts(a).slice(0, 3)), luminance(parts(b).slice(0, 3))].sort((x, y) => y - x);
      return (high + 0.05) / (low + 0.05);
    };
    const clear = (css) => parts(css)[3] === 0;
    const behind = (element) => {
      for (let e = element; e; e = e.parentElement) {
        const style = getComputedStyle(e);
        if (style.backgroundImage !== 'none' || style.opacity !== '1') throw new Error(`cannot judge ${e.outerHTML}`);
        if (!clear(style.backgroundColor)) return style.backgroundColor;
      }
      return 'rgb(255, 255, 255)';
    };
    const hidden = (element) =>
      !element.checkVisibility({ visibilityProperty: true }) || element.closest('.unseen, .skip');
    const reachable = 'a, button, input, summary, [tabindex="0"]';
    const controls = [...document.querySelectorAll(reachable)].filter((e) => !hidden(e));
"""

TEXTS = """
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    const judge = (element, text, color) => {
      const style = getComputedStyle(element);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      found.push({ text, size, ratio: ratio(color ?? style.color, behind(element)), needed: large ? 4.5 : 7 });
    };
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const text = node.textContent.trim();
      if (text !== '' && !hidden(node.parentElement) && !node.parentElement.closest('noscript')) {
        judge(node.parentElement, text);
      }
    }
    for (const input of document.querySelectorAll('input')) {
      if (!hidden(input)) judge(input, 'placeholder', getComputedStyle(input, '::placeholder').color);
    }
    return found;
"""

EDGES = """
    return [...controls, ...document.querySelectorAll('.meter, progress')]
      .filter((e) => !hidden(e) && parseFloat(getComputedStyle(e).borderTopWidth) > 0)
      .map((e) => ({
        name: e.textContent || e.id,
        ratio: Math.max(
          ratio(getComputedStyle(e).borderTopColor, behind(e.parentElement)),
          clear(getComputedStyle(e).backgroundColor) ? 0
            : ratio(getComputedStyle(e).backgroundColor, behind(e.parentElement)),
        ),
      }));
"""

TARGETS = """
    return controls.map((e) => ({ name: e.id || e.className || e.textContent, ...e.getBoundingClientRect().toJSON() }))
      .map(({ name, width, height }) => ({ name, width, height }));
"""


async def look(tab: Page, script: str) -> Any:
    return await tab.run(f"(() => {{ {LOOK} {script} }})()")


@asynccontextmanager
async def talking(valkey: Valkey, folder: Path, size: str) -> AsyncIterator[Page]:
    """A conversation under way, with an answer, its times laid open, and a notice."""
    settings = product.settings(valkey.url, folder, port=free_port())
    width, height = SIZES[size]
    async with product.gateway(settings), product.node(valkey.url), chromium() as tools:
        async with page(tools, width=width, height=height) as tab:
            await tab.go(f"http://127.0.0.1:{settings.port}/demo?details")
            await tab.press("#start")
            await tab.until("document.querySelector('#start-typing').checkVisibility()")
            await tab.press("#start-typing")
            await tab.until("document.querySelector('#send').ariaDisabled === 'false'")
            await tab.run("document.querySelector('#typed').focus()")
            await tab.call("Input.insertText", text="어제는 오랜만에 손주랑 바닷가에 갔어요.")
            await tab.key("Enter", 13, "\r")
            await tab.until_told("turn.committed")
            await tab.press(".timeline summary")
            await tab.press("#to-en")
            await tab.press("#to-ko")
            yield tab


async def scheme(tab: Page, name: str) -> None:
    await tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])


async def check_looks(tab: Page) -> None:
    """Contrast AAA, no text below 20 px, edges 3:1, in both schemes; nothing to be scrolled sideways."""
    for name in ("light", "dark"):
        await scheme(tab, name)
        texts = await look(tab, TEXTS)
        assert len(texts) > 5
        assert not [text for text in texts if text["ratio"] < text["needed"]], name
        assert not [text for text in texts if text["size"] < 20], name
        assert not [edge for edge in await look(tab, EDGES) if edge["ratio"] < 3], name
    assert not [target for target in await look(tab, TARGETS) if min(target["width"], target["height"]) < 44]
    assert await tab.run("document.documentElement.scrollWidth <= innerWidth")


async def check_names(tab: Page) -> None:
    """Whatever a screen reader stops at has a name."""
    tree = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
    roles = {"button", "textbox", "meter", "image", "link", "DisclosureTriangle", "group", "region", "status"}
    roles |= {"progressIndicator", "Video"}
    nodes = [node for node in tree if not node.get("ignored") and node["role"]["value"] in roles]
    assert {"button", "image"} <= {node["role"]["value"] for node in nodes}
    nameless = [node for node in nodes if not node.get("name", {}).get("value") and node["role"]["value"] != "status"]
    assert not [node for node in nameless if node["role"]["value"] != "group"], "controls without a name"


async def check_keyboard(tab: Page) -> None:
    """Tab reaches everything that can be pressed, in the order of the page, and shows where it is."""
    await tab.run("document.activeElement.blur(), window.scrollTo(0, 0)")
    await look(tab, "controls.forEach((e, i) => (e.dataset.place = i)); return null;")
    count = await look(tab, "return controls.length;")
    reached = []
    films = await tab.run("[...document.querySelectorAll('video')].filter((film) => film.checkVisibility()).length")
    # Once around wherever it starts, through the browser's own window and its buttons on films.
    for _ in range(2 * (count + 10 * films) + 4):
        await tab.key("Tab", 9)
        focused = await tab.run(
            "(() => { const e = document.activeElement; const s = getComputedStyle(e);"
            " return [e.dataset.place ?? '', s.outlineStyle, parseFloat(s.outlineWidth)]; })()"
        )
        if focused[0] != "":
            assert focused[1] == "solid" and focused[2] >= 3, "the focus can be seen"
            reached.append(int(focused[0]))
    assert set(reached) == set(range(count))
    assert any(reached[start : start + count] == list(range(count)) for start in range(len(reached))), reached


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_view(size: str) -> None:
    width, height = SIZES[size]
    async with served() as url, chromium() as tools, page(tools, width=width, height=height) as tab:
        await tab.go(f"{url}/demo")
        await check_looks(tab)
        await check_names(tab)
        await check_keyboard(tab)


@pytest.mark.parametrize("size", SIZES)
async def test_a_conversation(valkey: Valkey, tmp_path: Path, size: str) -> None:
    async with talking(valkey, tmp_path, size) as tab:
        await check_looks(tab)
        await check_names(tab)
        await check_keyboard(tab)
        assert await tab.run("[...document.querySelectorAll('.words')].every((words) => words.lang === 'ko')")
        assert await tab.run("document.querySelector('#announcer').ariaLive") == "polite"
        assert await tab.run("document.querySelector('#turns').closest('[aria-live]')") is None, "partials stay quiet"


@pytest.mark.parametrize("size", SIZES)
async def test_a_conversation_about_a_photo(valkey: Valkey, tmp_path: Path, size: str) -> None:
    async with visit(valkey, tmp_path, allowed=False, size=SIZES[size]) as person:
        tab = person.tab
        await person.add(SEA)
        await tab.press("#photos button")
        await tab.until("document.querySelector('#start-typing').checkVisibility()")
        await tab.press("#start-typing")
        await tab.until_told("turn.committed", turn=1)
        assert await tab.run("document.querySelector('#shown-photo').checkVisibility()")
        await check_looks(tab)
        await check_names(tab)
        await check_keyboard(tab)


@pytest.mark.parametrize("size", SIZES)
async def test_what_is_theirs(valkey: Valkey, tmp_path: Path, size: str) -> None:
    """Photos, what is remembered, a film that is made, one that is being made and one that can be, and a notice."""
    async with visit(valkey, tmp_path, size=SIZES[size]) as person:
        tab = person.tab
        await person.add(SEA, BIRTHDAY)
        await tab.press("#remember")
        await tab.until("document.querySelector('#remember').textContent.includes('말아 주세요')")
        await person.remembered(FACT)
        await tab.until("document.querySelectorAll('#facts li').length === 1")
        user = await person.user()
        talk = await person.tab.run(f"{DOOR}.ask('/chat/sessions', {{}})).then((made) => made.session_id)")
        await things.video(person.parts.database, user, talk, title="1971년 강릉 바다")
        await things.video(person.parts.database, user, talk, status="processing", object_key="", completed_at=None)
        await tab.go(f"{person.network.url}/demo?again")
        await tab.until("document.querySelector('#film-progress').checkVisibility()")
        await tab.until("document.querySelectorAll('#films video').length === 1")
        await tab.until("document.querySelectorAll('#facts li').length === 1")
        await tab.run("document.querySelector('#make-film').hidden = false")
        await person.pick(Path(__file__))
        await tab.until("document.querySelector('#notice').checkVisibility()")
        await check_looks(tab)
        await check_names(tab)
        await check_keyboard(tab)


@pytest.mark.parametrize("size", SIZES)
async def test_a_call_for_help(size: str) -> None:
    """The panel with the number to call, over a turn whose course is laid open."""
    width, height = SIZES[size]
    gateway = FakeGateway()
    async with gateway.serve(), chromium() as tools, page(tools, width=width, height=height) as tab:
        await tab.go(f"{gateway.url}/demo?details")
        await tab.press("#start")
        await tab.until("document.querySelector('#start-typing').checkVisibility()")
        await tab.press("#start-typing")
        await tab.until_told("ready")
        for event in (
            SpokenText(turn=1, reply=1, sentence=0, text="음…", source="filler"),
            EndpointWait(
                turn=1, speech_end_sample=9, wait_ms=2400, because="both", ending="holds", end_probability=0.1
            ),
            Duck(turn=1, ducked=True, because=""),
        ):
            await gateway.session.tell(event)
        await tab.until("document.querySelector('.timeline summary')?.checkVisibility()")
        await tab.press(".timeline summary")
        await gateway.session.tell(Distress(turn=1, kind="emergency", phrase="가슴이 아파", number="119"))
        await tab.until("document.querySelector('#distress').checkVisibility()")
        await check_looks(tab)
        await check_names(tab)
        await check_keyboard(tab)
        tree = (await tab.call("Accessibility.getFullAXTree"))["nodes"]
        roles = [node["role"]["value"] for node in tree if not node.get("ignored")]
        assert roles.count("alert") == 1, "it is read out at once"


async def test_whoever_wants_no_motion_sees_none() -> None:
    async with served() as url, chromium() as tools, page(tools) as tab:
        moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
        await tab.go(f"{url}/demo")
        await tab.run("document.querySelector('#face').dataset.floor = 'thinking'")
        assert await tab.run(moving) > 0
        features = [{"name": "prefers-reduced-motion", "value": "reduce"}]
        await tab.call("Emulation.setEmulatedMedia", features=features)
        await tab.until(f"{moving} === 0")


async def test_a_keyboard_is_enough(valkey: Valkey, tmp_path: Path) -> None:
    settings = product.settings(valkey.url, tmp_path, port=free_port())
    async with product.gateway(settings), product.node(valkey.url), chromium() as tools, page(tools) as tab:
        await tab.go(f"http://127.0.0.1:{settings.port}/demo")
        await tab.run("document.querySelector('#start').focus()")
        await tab.key("Enter", 13, "\r")
        await tab.until("document.activeElement.id === 'retry'")
        await tab.key("Tab", 9)
        await tab.key("Enter", 13, "\r")
        await tab.until(
            "document.activeElement.id === 'typed' && document.querySelector('#send').ariaDisabled === 'false'"
        )
        await tab.call("Input.insertText", text="안녕하세요.")
        await tab.key("Enter", 13, "\r")
        await tab.until_told("turn.committed")
        for _ in range(10):
            if await tab.run("document.activeElement.id") == "bye":
                break
            await tab.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", windowsVirtualKeyCode=9, modifiers=8)
        await tab.key("Enter", 13, "\r")
        await tab.until("document.activeElement.id === 'start'")
