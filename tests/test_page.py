"""Journeys of a person at the browser's page: a real Chromium, a WAV as its microphone, and the product behind it.

What the page did is read off its sockets and its screen; nothing inside it is prepared for a test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from gpu_node.engines import Samples, Word
from gpu_node.engines.scripted import ScriptedStt, ScriptedTts
from silvertalk.settings import Settings
from streaming.audio import MICROPHONE_RATE, write_wav
from streaming.messages import Language
from tests import product
from tests.browser import Page, chromium, needs_chromium, page
from tests.caller import calling
from tests.ports import free_port
from tests.streaming.voice import silence, vowels
from tests.tcp_proxy import TcpProxy, tcp_proxy
from tests.valkey import Valkey

pytestmark = needs_chromium

SHOWN = "document.querySelector('{}').checkVisibility()"


def chosen(valkey: Valkey, folder: Path, **changes: object) -> Settings:
    """A port that is known beforehand: a browser says from where its page came."""
    return product.settings(valkey.url, folder, port=free_port(), **changes)


def microphone(folder: Path, *parts: bytes) -> Path:
    """What is spoken into the browser's microphone, from the moment it is opened; after it there is silence."""
    path = folder / "microphone.wav"
    write_wav(path, b"".join(parts) + silence(120_000), MICROPHONE_RATE)
    return path


@asynccontextmanager
async def visiting(url: str, spoken: Path | None = None, *, allowed: bool = True) -> AsyncIterator[Page]:
    """Somebody looks at the page. At the end nothing was asked of anybody else, and nothing complained of."""
    async with chromium(microphone=spoken, allowed=allowed) as tools, page(tools) as tab:
        await tab.go(f"{url}/demo?details")
        yield tab
        assert {urlsplit(request).netloc for request in tab.requests} == {urlsplit(url).netloc}
        assert not [one for one in tab.complaints if "Failed to load resource" not in one and "WebSocket" not in one]


@asynccontextmanager
async def through_a_proxy(
    valkey: Valkey, folder: Path, **changes: object
) -> AsyncIterator[tuple[TcpProxy, product.Product]]:
    """The gateway behind a network that can be cut; the page comes from the proxy's address."""
    port = free_port()
    async with tcp_proxy(f"http://127.0.0.1:{port}") as proxy:
        settings = product.settings(valkey.url, folder, port=port, allowed_origins=proxy.url, **changes)
        async with product.gateway(settings) as served:
            yield proxy, served


def played(tab: Page, turn: int) -> list[int]:
    """What the page acknowledged of a turn's reply, in order."""
    return [said["samples"] for said in tab.said if said["type"] in ("playback", "flushed") and said["turn"] == turn]


async def floor(tab: Page) -> str:
    return str(await tab.run("document.querySelector('#face').dataset.floor"))


async def test_a_person_talks_sees_their_words_and_hears_the_answer(valkey: Valkey, tmp_path: Path) -> None:
    spoken = microphone(tmp_path, silence(1500), vowels(3000))
    settings = chosen(valkey, tmp_path)
    async with product.gateway(settings) as served, product.node(valkey.url):
        async with visiting(f"http://127.0.0.1:{settings.port}", spoken) as tab:
            await tab.press("#start")
            await tab.until("document.querySelector('.tentative')?.textContent.length > 0")
            assert await floor(tab) == "user"
            assert await tab.run("Number(document.querySelector('#level').ariaValueNow)") > 0
            assert await tab.text(".floor") == "듣고 있어요"
            committed = await tab.until_told("turn.committed", turn=1)
            final = await tab.until_told("transcript.final", turn=1)
            assert await tab.text(".person .words") == final["text"]
            assert await tab.text("#announcer") == final["text"], "what stands fast is read out"
            assert await tab.text(".puppy .reply") == committed["heard"]

            done = await tab.until_told("reply.done", turn=1)
            assert played(tab, 1) == sorted(played(tab, 1)), "the playhead goes forward"
            assert played(tab, 1)[-1] == done["audio_samples"] > 0, "all of it was played, and acknowledged"
            assert len(played(tab, 1)) >= done["audio_samples"] / 24_000 / 0.2 - 1, "about every 200 ms"

            await tab.press(".timeline summary")
            stages = await tab.run("[...document.querySelectorAll('.stages li')].map((li) => li.className)")
            assert stages == ["endpoint", "final", "text", "audio", "played"]
            seconds = "[...document.querySelectorAll('.stages .number')].map((n) => parseFloat(n.textContent))"
            numbers = await tab.run(seconds)
            assert numbers == sorted(numbers) and numbers[0] >= 0.7

            await tab.press("#bye")
            await tab.until(SHOWN.format("#start"))
            assert {"type": "bye"} in tab.said
            assert not tab.complaints
            ready = await tab.until_told("ready")
        [row] = await served.parts.database.turns(ready["session"])
        assert row.heard == committed["heard"]


async def test_speaking_over_the_puppy_stops_it(valkey: Valkey, tmp_path: Path) -> None:
    spoken = microphone(tmp_path, silence(1000), vowels(1500), silence(4500), vowels(1500, seed=7))
    settings = chosen(valkey, tmp_path)
    slowly = ScriptedTts(rtf=0.02, ms_per_character=700)
    async with product.gateway(settings), product.node(valkey.url, tts=slowly):
        async with visiting(f"http://127.0.0.1:{settings.port}", spoken) as tab:
            await tab.press("#start")
            await tab.until_told("flush", turn=1)
            flushed = await tab.until_said("flushed", turn=1)
            committed = await tab.until_told("turn.committed", turn=1)
            await tab.until_told("reply.text", turn=2)
            received = max(first + samples for turn, first, samples in tab.pieces if turn == 1)
            assert 0 < flushed["samples"] < received
            assert played(tab, 1)[-1] == flushed["samples"], "silent from there on"
            reply = " ".join(one["text"] for one in tab.told if one["type"] == "reply.text" and one["turn"] == 1)
            assert committed["heard"] and committed["heard"] != reply
            assert await tab.text(".unheard") == reply[len(committed["heard"]) :]


async def test_a_nod_while_the_puppy_speaks_lowers_its_voice_and_it_goes_on(valkey: Valkey, tmp_path: Path) -> None:
    spoken = microphone(tmp_path, silence(1000), vowels(2000), silence(4500), vowels(700, seed=7))
    settings = chosen(valkey, tmp_path)
    slowly, nodding = ScriptedTts(rtf=0.02, ms_per_character=500), ScriptedStt(pass_ms=20, text_of_audio=words_or_nod)
    async with product.gateway(settings), product.node(valkey.url, stt=nodding, tts=slowly):
        async with visiting(f"http://127.0.0.1:{settings.port}", spoken) as tab:
            await tab.press("#start")
            await tab.until_told("duck", turn=1, ducked=True)
            await tab.until("document.querySelector('#face').hasAttribute('data-ducked')")
            resumed = await tab.until_told("duck", turn=1, ducked=False)
            assert resumed["because"] == "back_channel"
            await tab.until("!document.querySelector('#face').hasAttribute('data-ducked')")
            await tab.until_told("turn.committed", turn=1)
            done = await tab.until_told("reply.done", turn=1)
            assert played(tab, 1)[-1] == done["audio_samples"], "to its end"
            assert "flush" not in [told["type"] for told in tab.told]
            assert await tab.run("document.querySelectorAll('#turns > li').length") == 1, "a nod is no turn"
            await tab.press(".timeline summary")
            assert "맞장구" in await tab.text(".course .duck")
            assert await tab.text(".course .wait")


async def test_whoever_goes_on_is_answered_once_for_all_they_said(valkey: Valkey, tmp_path: Path) -> None:
    spoken = microphone(tmp_path, silence(1000), vowels(2000), silence(1900), vowels(2000, seed=7))
    settings = chosen(valkey, tmp_path, endpoint_wait_ms=700)
    slowly = ScriptedTts(rtf=0.02, ms_per_character=300)
    async with product.gateway(settings) as served, product.node(valkey.url, tts=slowly):
        async with visiting(f"http://127.0.0.1:{settings.port}", spoken) as tab:
            await tab.press("#start")
            ready = await tab.until_told("ready")
            flush = await tab.until_told("flush", turn=1)
            second = await tab.until_told("reply.audio", turn=1, reply=2)
            assert second["first_sample"] == flush["upto_sample"]
            done = await tab.until_told("reply.done", turn=1, reply=2)
            committed = await tab.until_told("turn.committed", turn=1)
            assert played(tab, 1)[-1] == flush["upto_sample"] + done["audio_samples"], "the second reply, to its end"
            assert committed["heard"] == await tab.text(".puppy .reply")
            final = [told for told in tab.told if told["type"] == "transcript.final"][-1]
            assert await tab.text(".person .words") == final["text"]
            assert await tab.run("document.querySelectorAll('#turns > li').length") == 1
        [row] = await served.parts.database.turns(ready["session"])
    assert (row.transcript, row.heard, row.merges) == (final["text"], committed["heard"], 1)


async def test_words_spoken_while_the_network_is_away_are_not_lost(valkey: Valkey, tmp_path: Path) -> None:
    spoken = microphone(tmp_path, silence(1000), vowels(6000))
    async with through_a_proxy(valkey, tmp_path, endpoint_wait_ms=1500) as (proxy, served), product.node(valkey.url):
        async with visiting(proxy.url, spoken) as tab:
            await tab.press("#start")
            ready = await tab.until_told("ready")
            await tab.until_told("speech.started")
            proxy.refuse()
            proxy.cut()
            await tab.until("document.querySelector('#face').dataset.floor === 'lost'")
            assert "10초" in await tab.text("#notice")
            await asyncio.sleep(1.5)
            proxy.accept()
            again = await tab.until_told("ready", resumed=True)
            resume = [said for said in tab.said if said["type"] == "hello"][-1]["resume"]
            assert (resume["session"], again["session"]) == (ready["session"], ready["session"])
            assert resume["microphone_sample"] >= again["microphone_sample"] + 16_000, "it went on listening"
            ended = await tab.until_told("turn.ended", turn=1)
            started = await tab.until_told("speech.started", turn=1)
            assert ended["end_sample"] - started["sample"] > 5.5 * MICROPHONE_RATE, "no hole in what was said"
            await tab.until_told("turn.committed", turn=1)
            assert not await tab.run(SHOWN.format("#notice"))
            assert await tab.text(".person .words")
        rows = await served.parts.database.turns(ready["session"])
    assert len(rows) == 1


async def test_a_reply_that_was_cut_off_is_heard_to_its_end(valkey: Valkey, tmp_path: Path) -> None:
    slowly = ScriptedTts(rtf=0.02, ms_per_character=300)
    async with through_a_proxy(valkey, tmp_path) as (proxy, _), product.node(valkey.url, tts=slowly):
        async with visiting(proxy.url, microphone(tmp_path)) as tab:
            await tab.press("#start")
            await tab.until_told("ready")
            await type_in(tab, "옛날이야기를 들려주세요.")
            await tab.until_said("playback", turn=1)
            proxy.cut()
            again = await tab.until_told("ready", resumed=True)
            assert again["resumed"]
            resume = [said for said in tab.said if said["type"] == "hello"][-1]["resume"]
            assert resume["playhead"]["turn"] == 1 and resume["playhead"]["samples"] > 0
            done = await tab.until_told("reply.done", turn=1)
            committed = await tab.until_told("turn.committed", turn=1)
            assert played(tab, 1)[-1] == done["audio_samples"]
            assert played(tab, 1) == sorted(played(tab, 1)), "nothing is heard twice"
            assert committed["heard"] == await tab.text(".puppy .reply")
            told = [(one["epoch"], one["event"]) for one in tab.told if one["type"] == "reply.text"]
            assert await tab.run("document.querySelectorAll('#turns > li').length") == 1, told


async def test_a_connection_that_says_nothing_is_replaced(valkey: Valkey, tmp_path: Path) -> None:
    """No reset, no close: a phone that changed from one network to another leaves a socket like this."""
    async with through_a_proxy(valkey, tmp_path) as (proxy, _), product.node(valkey.url):
        async with visiting(proxy.url, microphone(tmp_path)) as tab:
            await tab.press("#start")
            await tab.until_told("received_samples")
            proxy.stall("down")
            await tab.until("document.querySelector('#face').dataset.floor === 'lost'")
            proxy.cut()
            proxy.release()
            await tab.until_told("ready", resumed=True)
            await type_in(tab, "아직 거기 있지요?")
            await tab.until_told("turn.committed", turn=1)


async def test_the_page_comes_back_as_soon_as_the_network_does(valkey: Valkey, tmp_path: Path) -> None:
    settings = chosen(valkey, tmp_path)
    async with product.gateway(settings), product.node(valkey.url):
        async with visiting(f"http://127.0.0.1:{settings.port}", microphone(tmp_path)) as tab:
            await tab.press("#start")
            await tab.until_told("ready")
            await network(tab, offline=True)
            await tab.until("document.querySelector('#notice').textContent.includes('인터넷이 끊겼어요')")
            await network(tab, offline=False)
            await tab.until_told("ready", resumed=True)
            await tab.until("document.querySelector('#notice').textContent.includes('다시 이어졌어요')")


async def test_a_gateway_that_goes_away_is_followed_by_another(valkey: Valkey, tmp_path: Path) -> None:
    settings = chosen(valkey, tmp_path)
    async with AsyncExitStack() as stack, product.node(valkey.url):
        served = await stack.enter_async_context(product.gateway(settings))
        async with visiting(f"http://127.0.0.1:{settings.port}", microphone(tmp_path)) as tab:
            await tab.press("#start")
            first = await tab.until_told("ready")
            await type_in(tab, "오늘은 날이 참 좋아요.")
            await tab.until_said("playback", turn=1)
            draining = asyncio.create_task(served.parts.gateway.drain(), name="drain")
            await tab.until_told("reconnect", after_turn=1)
            await tab.until_told("turn.committed", turn=1)
            await draining
            await stack.aclose()
            async with product.gateway(settings):
                again = await tab.until_told("ready", resumed=True)
                assert again["session"] == first["session"]
                await type_in(tab, "아까 하던 이야기를 이어서 할게요.")
                committed = await tab.until_told("turn.committed", turn=2)
    assert committed["epoch"] > first["epoch"], "another owner"
    assert played(tab, 1)[-1] == (await tab.until_told("reply.done", turn=1))["audio_samples"]


async def test_without_a_microphone_one_is_told_how_to_get_it_and_may_type(valkey: Valkey, tmp_path: Path) -> None:
    settings = chosen(valkey, tmp_path)
    async with product.gateway(settings), product.node(valkey.url):
        async with visiting(f"http://127.0.0.1:{settings.port}", microphone(tmp_path), allowed=False) as tab:
            await tab.press("#start")
            await tab.until(SHOWN.format("#retry"))
            assert "허용" in await tab.text("#notice")
            await tab.press("#start-typing")
            await tab.until_told("ready")
            assert await tab.text(".floor") == "글로 써 주세요"
            await type_in(tab, "손주가 다녀갔어요.")
            committed = await tab.until_told("turn.committed", turn=1)
            assert await tab.text(".person .words") == "손주가 다녀갔어요."
            assert committed["heard"] == await tab.text(".puppy .reply")
            assert tab.microphone_bytes == 0


async def test_a_device_without_a_microphone_is_said_to_have_none(valkey: Valkey, tmp_path: Path) -> None:
    settings = chosen(valkey, tmp_path)
    url = f"http://127.0.0.1:{settings.port}"
    async with product.gateway(settings), product.node(valkey.url), visiting(url) as tab:
        await tab.press("#start")
        await tab.until(SHOWN.format("#retry"))
        assert "마이크를 찾지 못했어요" in await tab.text("#notice")


async def test_a_full_server_is_waited_for(valkey: Valkey, tmp_path: Path) -> None:
    settings = chosen(valkey, tmp_path, max_sessions=1)
    url = f"http://127.0.0.1:{settings.port}"
    async with product.gateway(settings), product.node(valkey.url), visiting(url, microphone(tmp_path)) as tab:
        async with calling(url, microphone=False):
            await tab.press("#start")
            await tab.until("document.querySelector('#notice').textContent.includes('이야기 나누는 분이 많아요')")
        await tab.until_told("ready")
        await tab.until(f"!{SHOWN.format('#notice')}")


async def test_a_second_window_takes_the_conversation_over(valkey: Valkey, tmp_path: Path) -> None:
    settings = chosen(valkey, tmp_path)
    url = f"http://127.0.0.1:{settings.port}"
    async with product.gateway(settings), product.node(valkey.url), visiting(url, microphone(tmp_path)) as first:
        await first.press("#start")
        await first.until_told("ready")
        async with page(first.tools) as second:
            await second.go(f"{url}/demo")
            await second.press("#start")
            await second.until_told("ready")
        await first.until(SHOWN.format("#start"))
        assert "다른 창이나 다른 기기" in await first.text("#notice")
        assert len([said for said in first.said if said["type"] == "hello"]) == 1, "it does not fight for it"


async def test_nobody_to_answer_is_said_and_the_language_is_ones_own(valkey: Valkey, tmp_path: Path) -> None:
    settings = chosen(valkey, tmp_path, turn_claim_ms=200)
    async with product.gateway(settings), visiting(f"http://127.0.0.1:{settings.port}", microphone(tmp_path)) as tab:
        await tab.press("#to-en")
        assert await tab.run("document.documentElement.lang") == "en"
        async with product.node(valkey.url):
            await tab.press("#start")
            ready = await tab.until_told("ready")
        assert ready["language"] == "en"
        await type_in(tab, "Is anybody there?")
        await tab.until("document.querySelector('#notice').textContent.includes('still getting ready')")
        await tab.press("#to-ko")
        assert "다음 이야기부터" in await tab.text("#notice")
        assert await tab.text(".floor") == "생각하고 있어요"


def words_or_nod(audio: Samples, language: Language) -> list[Word]:
    """More than a second of sound is a sentence, less is a nod."""
    seconds = float((np.abs(audio) > 0.02).sum()) / MICROPHONE_RATE
    said = "어제는 바다에 다녀왔어요".split() if seconds > 0.7 else ["네"]
    length = len(audio) / MICROPHONE_RATE / len(said)
    return [Word(word, place * length, (place + 1) * length, probability=0.9) for place, word in enumerate(said)]


async def type_in(tab: Page, text: str) -> None:
    await tab.until("document.querySelector('#send').ariaDisabled === 'false'")
    await tab.run("document.querySelector('#typed').focus()")
    await tab.call("Input.insertText", text=text)
    await tab.key("Enter", 13, "\r")


async def network(tab: Page, *, offline: bool) -> None:
    await tab.call(
        "Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=-1, uploadThroughput=-1
    )
