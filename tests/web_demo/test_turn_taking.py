"""What the page does with the finer points of taking turns: a voice that is lowered, a reply that is taken back, a call
for help, patience. A real Chromium; the gateway is scripted, so that each thing happens at its moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streaming import protocol
from tests.browser import Page, needs_chromium
from tests.silvertalk.fake_gateway import OUTPUT_RATE, FakeGateway, Script
from tests.streaming.voice import silence, vowels
from tests.test_page import microphone, played, type_in, visiting

pytestmark = needs_chromium

LONG = Script(tone_seconds=2.5, between_seconds=0.08)
"""Some five seconds of reply, which come little faster than they are played."""
TURNS = "document.querySelectorAll('#turns > li').length"
PRESSED = "[...document.querySelectorAll('#patience button')].map((b) => b.ariaPressed)"
DUCKED = "document.querySelector('#face').hasAttribute('data-ducked')"


@asynccontextmanager
async def talking(
    scripts: Sequence[Script], spoken: Path, *, patience: float = 1.0
) -> AsyncIterator[tuple[Page, FakeGateway]]:
    """A conversation has begun."""
    gateway = FakeGateway(scripts, wait_ms=400, patience=patience)
    async with gateway.serve(), visiting(gateway.url, spoken) as tab:
        await tab.press("#start")
        await tab.until_told("ready")
        yield tab, gateway


async def shown(tab: Page, selector: str) -> str:
    """The text of something that is to come into sight."""
    await tab.until(f"document.querySelector({selector!r})?.checkVisibility()")
    return await tab.text(selector)


async def test_a_voice_over_the_reply_lowers_it_and_it_goes_on_where_it_was(tmp_path: Path) -> None:
    async with talking([LONG], microphone(tmp_path)) as (tab, gateway):
        await type_in(tab, "옛날이야기를 들려주세요.")
        await tab.until_said("playback", turn=1)
        tell = gateway.session.tell
        await tell(protocol.FloorMoved(state="contested", turn=1))
        await tell(protocol.Duck(turn=1, ducked=True, because=""))
        await tell(protocol.PartialTranscript(turn=2, stable="", tentative="그래", upto_sample=1))
        await tab.until(DUCKED)
        assert await tab.text(".floor") == "작게 말하며 듣고 있어요"
        assert await tab.run(TURNS) == 1, "nobody knows yet whether that was for the puppy"
        assert await tab.run("document.querySelector('#cancel').ariaDisabled") == "false"

        await tell(protocol.Duck(turn=1, ducked=False, because="back_channel"))
        await tell(protocol.FloorMoved(state="speaking", turn=1))
        await tab.until(f"!{DUCKED}")
        await tab.until_told("turn.committed", turn=1)
        await tab.press(".timeline summary")
        assert "맞장구" in await shown(tab, ".course .duck")
        assert await tab.run(TURNS) == 1
        assert played(tab, 1) == sorted(played(tab, 1)) and played(tab, 1)[-1] == 5 * OUTPUT_RATE, "all of it"


async def test_a_voice_that_spoke_to_the_puppy_is_shown_once_that_is_known(tmp_path: Path) -> None:
    async with talking([LONG], microphone(tmp_path)) as (tab, gateway):
        await type_in(tab, "옛날이야기를 들려주세요.")
        await tab.until_said("playback", turn=1)
        tell = gateway.session.tell
        await tell(protocol.Duck(turn=1, ducked=True, because=""))
        await tell(protocol.PartialTranscript(turn=2, stable="", tentative="아니 잠깐만", upto_sample=1))
        await tell(protocol.Duck(turn=1, ducked=False, because="speech"))
        assert "아니 잠깐만" in await shown(tab, "#turns > li:nth-child(2) .person")
        assert "멈췄어요" in await tab.run("document.querySelector('.course .duck').textContent")


async def test_a_voice_that_was_lowered_when_the_connection_broke_is_raised(tmp_path: Path) -> None:
    async with talking([LONG], microphone(tmp_path)) as (tab, gateway):
        await type_in(tab, "옛날이야기를 들려주세요.")
        await tab.until_said("playback", turn=1)
        await gateway.session.tell(protocol.Duck(turn=1, ducked=True, because=""))
        await tab.until(DUCKED)
        assert gateway.session.websocket is not None
        await gateway.session.websocket.close(1011)
        await tab.until_told("ready", resumed=True)
        await tab.until(f"!{DUCKED}")


async def test_whoever_goes_on_hears_the_reply_to_all_they_said(tmp_path: Path) -> None:
    goes_on = Script("어제는 손주가", merged="어제는 손주가 왔다 갔어요", tone_seconds=2.5, between_seconds=0.08)
    spoken = microphone(tmp_path, silence(800), vowels(1500), silence(2200), vowels(1500, seed=7))
    async with talking([goes_on], spoken) as (tab, _):
        flush = await tab.until_told("flush", turn=1)
        await tab.until("document.querySelector('.reply .unheard') !== null")
        assert await tab.text(".reply") == await tab.text(".reply .unheard"), "all of it is taken back"
        flushed = await tab.until_said("flushed", turn=1)
        assert 0 < flushed["samples"] <= flush["upto_sample"]
        done = await tab.until_told("reply.done", turn=1, reason="completed")
        await tab.until_told("turn.committed", turn=1)
        assert done["reply"] == 2
        assert played(tab, 1)[-1] == flush["upto_sample"] + done["audio_samples"], "and is heard to its end"
        assert done["audio_samples"] == 5 * OUTPUT_RATE
        assert played(tab, 1) == sorted(played(tab, 1))
        assert await tab.text(".person .words") == goes_on.merged
        assert await tab.text(".reply") == " ".join(goes_on.reply)
        assert await tab.run("document.querySelector('.unheard')") is None
        assert await tab.run(TURNS) == 1
        await tab.press(".timeline summary")
        assert "대답을 거두고" in await shown(tab, ".course .merge")
        stages = await tab.run("[...document.querySelectorAll('.stages li')].map((li) => li.className)")
        assert stages == ["endpoint", "final", "text", "audio", "played"], "of the second reply"


async def test_the_wait_and_its_reason_are_said_and_a_filler_is_no_word(tmp_path: Path) -> None:
    async with talking([LONG], microphone(tmp_path)) as (tab, gateway):
        tell = gateway.session.tell
        await tell(protocol.PartialTranscript(turn=1, stable="", tentative="바다에 갔는데", upto_sample=9))
        await tell(
            protocol.EndpointWait(
                turn=1, speech_end_sample=9, wait_ms=2400, because="both", ending="holds", end_probability=0.12
            )
        )
        await shown(tab, ".timeline summary")
        await tab.press(".timeline summary")
        assert await shown(tab, ".course .wait") == "말끝이 이어지는 것 같아 2.4초 기다려요"
        assert "12%" in await tab.text(".course .evidence")
        await tell(protocol.Speculation(turn=1, state="started"))
        await tell(protocol.Speculation(turn=1, state="missed"))
        await tell(
            protocol.TurnEnded(
                turn=1, end_sample=9, wait_ms=600, reason="silence", because="words", ending="closes",
                speculation="hit",
            )
        )  # fmt: skip
        await tab.until("document.querySelector('.course .wait').textContent.includes('기다렸어요')")
        assert await tab.text(".course .wait") == "말씀이 끝난 것 같아 0.6초 기다렸어요"
        assert "미리 준비" in await tab.text(".course .hit") and "1번" in await tab.text(".course .missed")
        assert await tab.run("document.querySelector('details.timeline').open"), "it stays open while it is redrawn"

        await tell(protocol.SpokenText(turn=1, reply=1, sentence=0, text="음…", source="filler"))
        assert await shown(tab, ".reply") == "…"
        for number, (text, source) in enumerate([("그러셨군요.", "repeat"), ("좋으셨겠어요.", "repeat")], start=1):
            await tell(protocol.SpokenText(turn=1, reply=1, sentence=number, text=text, source=source))
        await tab.until("document.querySelector('.reply').textContent === '그러셨군요. 좋으셨겠어요.'")
        await tell(
            protocol.ReplyEnded(
                turn=1, reply=1, reason="completed", source="repeat", audio_samples=0, timings_ms={}
            )
        )  # fmt: skip
        assert "그대로 다시" in await shown(tab, ".course .fixed")
        assert await tab.text(".course .filler")


@pytest.mark.parametrize(("kind", "number"), [("emergency", "119"), ("despair", "109")])
async def test_a_call_for_help_shows_whom_to_call_and_the_talk_goes_on(tmp_path: Path, kind: str, number: str) -> None:
    async with talking([Script()], microphone(tmp_path)) as (tab, gateway):
        await gateway.session.tell(protocol.Distress(turn=1, kind=kind, phrase="…", number="javascript:alert(1)"))
        await gateway.session.tell(protocol.Distress(turn=1, kind=kind, phrase="숨이 안 쉬어져", number=number))
        assert await shown(tab, "#call") == f"{number}에 전화하기"
        assert await tab.run("document.querySelector('#call').href") == f"tel:{number}"
        assert await tab.run("document.querySelector('#distress-words').role") == "alert"
        assert await tab.text("#distress-words")
        await tab.press("#to-en")
        assert await tab.text("#call") == f"Call {number}"
        await type_in(tab, "괜찮아졌어요.")
        await tab.until_told("turn.committed", turn=1)
        assert await tab.run("document.querySelector('#distress').checkVisibility()"), "until it is closed"
        await tab.press("#dismiss")
        await tab.until("!document.querySelector('#distress').checkVisibility()")


async def test_patience_is_chosen_kept_and_told_after_every_beginning(tmp_path: Path) -> None:
    async with talking([Script()], microphone(tmp_path)) as (tab, gateway):
        await type_in(tab, "안녕하세요.")
        await tab.until_told("turn.committed", turn=1)
        assert "patience" not in [said["type"] for said in tab.said], "what the server knows of the person counts"
        await tab.press("#patience button:nth-of-type(2)")
        await tab.until_said("patience", factor=1.5)
        await gateway.drain()
        await tab.until_told("ready", resumed=True)
        await tab.until("document.querySelector('#send').ariaDisabled === 'false'")
        await type_in(tab, "다시 안녕하세요.")
        await tab.until_told("turn.committed", turn=2)
        assert [said["factor"] for said in tab.said if said["type"] == "patience"] == [1.5, 1.5]
        await tab.press("#bye")
        await tab.go(f"{gateway.url}/demo?again")
        assert await tab.run(PRESSED) == ["false", "true", "false"]
        tab.said.clear()
        await tab.press("#start")
        await tab.until_said("patience", factor=1.5)


async def test_the_patience_that_the_server_keeps_is_shown_until_another_is_chosen(tmp_path: Path) -> None:
    async with talking([Script()], microphone(tmp_path), patience=2.0) as (tab, gateway):
        assert await tab.run(PRESSED) == ["false", "false", "true"]
        await tab.press("#patience button:nth-of-type(2)")
        await tab.until_said("patience", factor=1.5)
        await gateway.drain()
        await tab.until_told("ready", resumed=True)
        assert await tab.run(PRESSED) == ["false", "true", "false"], "what was chosen here counts here"
