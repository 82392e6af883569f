"""The story (`story`) with the services outside, and all that goes wrong with them: a Gemini and a Replicate that stand
in for the real ones, over real sockets; a gateway, a node, a worker, a film.

What is said is heard by a script, and spoken as tones: neither ear nor voice is what this is about.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import select

from gpu_node.engines import Samples, Word, upstream
from gpu_node.engines.chain import FallbackChain
from gpu_node.engines.gemini import GeminiLlm
from gpu_node.engines.reflective import ReflectiveListener
from gpu_node.engines.scripted import ScriptedStt, ScriptedTts
from gpu_node.engines.upstream import Deadlines
from silvertalk import video_work
from silvertalk.generation_records import Generation
from silvertalk.login import log_in_as_guest
from silvertalk.models import CalendarEvent, User, Video
from silvertalk.narration import WRITE
from silvertalk.seeing import LOOK
from silvertalk.standins import replicate_outputs
from silvertalk.standins.gemini import SCENARIOS, Call, GeminiStandIn, Scenario, answering, rate_limited, saying
from silvertalk.standins.gemini import calling as wanting
from silvertalk.standins.gemini_requests import Asked
from silvertalk.standins.replicate import Plan, ReplicateStandIn
from silvertalk.standins.replicate_webhooks import forgeries
from silvertalk.standins.serving import served
from silvertalk.story import story_of
from silvertalk.telling_instructions import INSIGHTS, SUMMARY
from silvertalk.video_clips import begun_in
from story.checking import check_file, check_sound, frames, untold
from story.script import PHOTOS, TURNS, Said
from story.telling import Plot, Told, tell_story
from streaming.audio import MICROPHONE_RATE
from streaming.messages import Language
from streaming.protocol import PhotoShown, TurnCommitted
from tests import product
from tests.caller import Caller, calling
from tests.silvertalk.api import things
from tests.silvertalk.generating import TOKEN, Stage, chosen
from tests.streaming.voice import silence, vowels
from tests.test_people_journey import worker
from tests.test_typing import subject
from tests.valkey import Valkey

SEA, PERSIMMONS = PHOTOS[:2]
BORN, HAND_IN_HAND, NEXT_PHOTO, YARD = TURNS
BACK = Said("5_back", "아까 그 바닷가가 자꾸 생각나네요.")
HAIRDRESSER = Said("6_hairdresser", "모레 아침 열 시에 머리하러 가는데 잊어버릴까 봐 걱정이에요.")
YES = Said("7_yes", "응, 적어 줘.", asks=True)
SYLLABLE_MS = 100
"""Nobody would be believed to have said so much in less."""
SPOKEN = (BORN, HAND_IN_HAND, NEXT_PHOTO, YARD, BACK, HAIRDRESSER, YES)

SEEN = {
    SEA.name: {"people": ["어른 두 분", "어린아이 두 명"], "place": "바닷가", "season": "여름", "objects": ["파라솔"]},
    PERSIMMONS.name: {"place": "시골집 마당", "season": "가을", "objects": ["감나무"]},
}
"""What Gemini sees on the photos."""
BROKEN_OFF = "손을 꼭 잡고 걸으셨군요."
"""The whole sentence of half a stream."""

TRUE = (
    (1, BORN, "순자 할머니는 부산에서 태어나셨어요."),
    (1, None, "사진 속에 파라솔이 보여요."),
    (2, YARD, "마당에서 어머니와 같이 놀았다고 하셨어요."),
)
INVENTED = (
    (1, BORN, "여름마다 영희랑 바다에 가셨어요."),
    (1, HAND_IN_HAND, "여수에서 아이들 손을 꼭 잡고 걸으셨어요."),
    (2, YARD, "마당에서 어머니와 일곱 번 놀았다고 하셨어요."),
)
"""A name, a place, a number."""
INVENTED_FACT = "언니 영희와 여수에서 살았다"


class Lines:
    """What is said now, and who hears it."""

    def __init__(self) -> None:
        self._line = ""

    async def say(self, caller: Caller, said: Said) -> None:
        self._line = said.words
        await caller.say(silence(200) + vowels(max(1200, SYLLABLE_MS * len(said.words))))

    def heard(self, audio: Samples, language: Language) -> Sequence[Word]:
        words = self._line.split()
        each = len(audio) / MICROPHONE_RATE / len(words)
        return [Word(text, place * each, (place + 1) * each, 0.9) for place, text in enumerate(words)]


class Outside:
    """What Gemini answers to whatever it is asked in the story, each kind with its mishap before."""

    def __init__(self) -> None:
        self._looks = {
            SEA.name: _after([rate_limited("0.2s")], answering(SEEN[SEA.name])),
            PERSIMMONS.name: _after([rate_limited("37s")], answering(SEEN[PERSIMMONS.name])),
        }
        self._mishaps = {
            "narration": deque([rate_limited("0.3s"), SCENARIOS["cut-at-once"]]),
            "insights": deque([rate_limited("0.2s")]),
            "yard": deque([rate_limited("0.2s")]),
        }
        self.narrated: list[str] = []
        """What was shown for the narration."""

    def answer(self, asked: Asked) -> Scenario | None:
        if asked.picture is not None:
            assert asked.heard == LOOK
            return next(self._looks[_photo_of(asked.picture.data)])
        if asked.instructions == WRITE["ko"]:
            return self._mishap("narration") or self._narration(asked.heard)
        if asked.instructions == INSIGHTS["ko"]:
            return self._mishap("insights") or _facts(asked.heard)
        if asked.instructions == SUMMARY["ko"]:
            return answering([])
        return self._reply(asked)

    def _mishap(self, kind: str) -> Scenario | None:
        return self._mishaps[kind].popleft() if self._mishaps[kind] else None

    def _reply(self, asked: Asked) -> Scenario:
        done = bool(asked.results)
        match asked.heard:
            case BORN.words:
                return SCENARIOS["blocked-prompt"]
            case HAND_IN_HAND.words:
                return Scenario(words=(f"{BROKEN_OFF} ", "그때 어떤 "), finish=None, cut=True)
            case YARD.words:
                return self._mishap("yard") or saying("마당에서 노셨군요. 그 마당에는 무엇이 있었어요?")
            case BACK.words if not done:
                return wanting(Call("show_photo", {"place": "부산"}))
            case BACK.words:
                return saying("바닷가 사진을 다시 보여 드릴게요. 어떤 소리가 들리셨어요?")
            case HAIRDRESSER.words if not done:
                return wanting(Call("add_event", {"title": "머리하기", "day": "2026-12-24", "time": "10:00"}))
        return Scenario()

    def _narration(self, material: str) -> Scenario:
        self.narrated.append(material)
        turns = {one["said"]: one["turn"] for one in json.loads(material)["said"]}
        sentences = [
            {"slide": slide, "turns": [turns[said.words]] if said else [], "text": text}
            for slide, said, text in (*TRUE, *INVENTED)
        ]
        return answering({"sentences": sentences})


def _after(mishaps: Sequence[Scenario], then: Scenario) -> Iterator[Scenario]:
    yield from mishaps
    while True:
        yield then


def _photo_of(picture: bytes) -> str:
    """Which of the photos it is a copy of: they lie differently, and one stands upright."""
    with Image.open(io.BytesIO(picture)) as image:
        return SEA.name if image.width > image.height else PERSIMMONS.name


def _facts(material: str) -> Scenario:
    """Something that was said of each turn, and of one what was not."""
    born = next(one["turn"] for one in json.loads(material) if any("부산에서" in said for said in one["said"]))
    quote = {"turn": born, "quote": "저는 부산에서 태어났어요", "category": "family", "importance": 4}
    return answering([quote | {"fact": "부산에서 태어났다"}, quote | {"fact": INVENTED_FACT}])


@asynccontextmanager
async def outside(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[GeminiStandIn, GeminiLlm]]:
    """Gemini. A busy machine is no reason to give it up."""
    monkeypatch.setattr(upstream, "RETRY_SECONDS", 30.0)
    stand_in = GeminiStandIn()
    async with served(stand_in.app) as url:
        llm = GeminiLlm("a-key", base_url=url, deadlines=Deadlines(30, 30))
        try:
            yield stand_in, llm
        finally:
            await llm.aclose()


@asynccontextmanager
async def stage(
    valkey: Valkey, folder: Path, lines: Lines, gemini: GeminiLlm, replicate: ReplicateStandIn
) -> AsyncIterator[Stage]:
    """The product; only what the person agrees to goes outside. Its worker looks for jobs that nobody told
    it of every few minutes: what the story waits for must come by itself."""
    async with AsyncExitStack() as stack:
        replicate.address = await stack.enter_async_context(served(replicate.app))
        replicate.delivery_address = await stack.enter_async_context(served(replicate.delivery))
        settings = chosen(valkey.url, folder / "var", replicate.address, outside_services="ask", job_lease_seconds=600)
        server = await stack.enter_async_context(product.gateway(settings))
        await server.parts.database.wait_ready()
        node = product.node(
            valkey.url,
            stt=ScriptedStt(pass_ms=20, text_of_audio=lines.heard),
            llm=FallbackChain([gemini, ReflectiveListener()]),
            tts=ScriptedTts(rtf=0.01, ms_per_character=25),
            looker=gemini,
        )
        await stack.enter_async_context(node)
        await stack.enter_async_context(worker(settings, waits_seconds=(0.2, 0.5)))
        yield Stage(server.url, server.parts, replicate, stack)


@pytest.mark.alone
async def test_the_story_with_gemini_and_replicate_and_what_goes_wrong_with_them(
    valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_work, "LOOK_SECONDS", 1.0)
    lines, answers, animating = Lines(), Outside(), asyncio.Event()
    green = await replicate_outputs.film(_png("#00c000"), "9:16")

    def tell(what: str, progress: float) -> None:
        if "animating" in what:
            animating.set()

    async with (
        outside(monkeypatch) as (gemini, llm),
        ReplicateStandIn(token=TOKEN) as replicate,
        stage(valkey, tmp_path, lines, llm, replicate) as here,
    ):
        gemini.answer_by(answers.answer)
        replicate.plan(Plan(ends="failed", telling="twice"), Plan(held=True, telling="lost", files=(green,)))
        going_wrong = asyncio.create_task(_go_wrong(here, animating), name="go wrong")
        plot = Plot(photos=(SEA, PERSIMMONS), turns=SPOKEN, say=lines.say, video_type="ai_animated")
        told = await tell_story(here.url, tmp_path, tell, plot)
        await going_wrong
        await _check_predictions(here)
        async with here.parts.database.transaction() as connection:
            events = (await connection.execute(select(CalendarEvent.title))).scalars().all()

    _check_talk(told)
    assert list(events) == ["머리하기"]
    assert told.memories and not untold(told.memories), told.memories
    assert "부산에서 태어났다" in told.memories
    assert told.narration == [text for _, _, text in TRUE]
    assert not untold(told.narration, _seen())
    assert all(untold([text], _seen()) for _, _, text in INVENTED), "the check finds each of them"
    assert told.video["source"] == "gemini" and told.video["title"] == "순자 할머니의 추억"
    assert [said["photo_id"] for said in told.video["story"]][0] != told.video["story"][-1]["photo_id"]
    for one in (*check_file(told), *check_sound(told)):
        assert one.good, (one.what, one.found)
    colours = [_is_green(still) for still in await asyncio.to_thread(frames, told, tmp_path, 8)]
    assert not colours[0] and any(colours), "the first photo stands for its failed clip, the second moves"


def _check_talk(told: Told) -> None:
    opening, born, hand_in_hand, next_photo, yard, back, hairdresser, yes = told.turns
    assert "어른 두 분" in opening.answered and opening.answered.count("?") == 1
    assert [one.understood for one in told.turns[1:]] == [said.words for said in SPOKEN]
    assert born.answered, "by the listener"
    assert hand_in_hand.answered == BROKEN_OFF
    assert "구례" in next_photo.answered
    assert yard.answered == "마당에서 노셨군요. 그 마당에는 무엇이 있었어요?"
    assert back.answered == "바닷가 사진을 다시 보여 드릴게요. 어떤 소리가 들리셨어요?"
    assert hairdresser.answered.endswith("머리하기라고 적어 드릴까요?")
    assert yes.answered.startswith("네, 적어 두었어요.")
    assert told.shown == [SEA.name, PERSIMMONS.name, SEA.name]


async def _go_wrong(here: Stage, animating: asyncio.Event) -> None:
    """One prediction fails, of which Replicate tells twice. Of the other nothing is told, but by who would like to be
    Replicate; then it is done, and its webhook's time is over."""
    replicate = here.replicate
    await animating.wait()
    await _until(lambda: len(replicate.predictions) == 2)
    failed, held = replicate.predictions
    await replicate.predictions[failed].ended.wait()
    generation = await _generation_of(here, held)
    asked = len(replicate.asked)
    done = {"status": "succeeded", "output": [f"{replicate.delivery_address}/xezq/{held}/theirs.mp4"]}
    sent = 0
    for name, forged in forgeries(replicate.secret, replicate.webhook(held, **done)):
        answer = await forged.send()
        assert answer.status_code >= 400, name
        sent += 1
    assert sent >= 200
    assert await here.generations.records.of(generation.user, generation.id) == generation, "as before"
    assert len(replicate.asked) == asked and not replicate.fetched
    await replicate.go_on(held)
    await here.lose_patience(generation.user, generation.id)


async def _generation_of(here: Stage, prediction: str) -> Generation:
    """The generation that this prediction is of, once Replicate's answer was taken in."""
    async with asyncio.timeout(30):
        while True:
            async with here.parts.database.transaction() as connection:
                [user] = (await connection.execute(select(User.id))).scalars().all()
                [kept] = (await connection.execute(select(Video.story))).scalars().all()
            story = story_of(kept)
            for _, name in begun_in(story) if story is not None else ():
                found = await here.generations.records.of(user, name)
                if found is not None and found.prediction == prediction:
                    return found
            await asyncio.sleep(0.05)


async def _check_predictions(here: Stage) -> None:
    """Each was begun once, told of or asked of once, and brought in once; a late webhook changes nothing."""
    replicate = here.replicate
    failed, held = replicate.predictions
    assert list(replicate.asked).count(f"GET /v1/predictions/{held}") == 1
    assert f"GET /v1/predictions/{failed}" not in replicate.asked
    assert len(replicate.fetched) == 1
    async with here.parts.database.transaction() as connection:
        [user] = (await connection.execute(select(User.id))).scalars().all()
    before = await here.objects(user)
    for _ in range(2):
        await replicate.webhook(held).send()
    await here.all_brought_in()
    assert len(replicate.fetched) == 1 and await here.objects(user) == before
    assert not [key for key in before if "/generated/" in key], "the clip is in the film, and nowhere else"


def _seen() -> list[str]:
    return [*(word for seen in SEEN.values() for word in json.dumps(seen, ensure_ascii=False).split()), "속에 보여요"]


def _png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (540, 960), colour).save(file, "PNG")
    return file.getvalue()


def _is_green(still: Path) -> bool:
    with Image.open(still) as image:
        pixel = image.convert("RGB").resize((9, 16)).getpixel((4, 6))
    assert isinstance(pixel, tuple)
    red, green, blue = pixel
    return green > 100 and green > 2 * max(red, blue)


async def _until(came: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not came():  # noqa: ASYNC110 - a stand-in sets no event
            await asyncio.sleep(0.02)


# --- throttled while they talk ---------------------------------------------------------------------------------------


async def test_throttled_while_they_talk_the_listener_answers_and_nothing_is_lost(
    valkey: Valkey, tmp_path: Path
) -> None:
    stand_in = GeminiStandIn()
    said = [
        "오늘은 손주가 다녀갔어요.",
        "같이 감을 땄어요.",
        "마당에 감나무가 있거든요.",
        "바다 사진도 어디 있을 텐데.",
        "그 바다가 참 좋았어요.",
    ]
    settings = product.settings(valkey.url, tmp_path, outside_services="allowed")
    async with served(stand_in.app) as url, product.gateway(settings) as here:
        llm = FallbackChain([GeminiLlm("a-key", base_url=url), ReflectiveListener()])
        quick = ScriptedTts(rtf=0.01, ms_per_character=25)
        await here.parts.database.wait_ready()
        guest = await log_in_as_guest(here.url)
        photo = await things.photo(here.parts.database, subject(guest.access_token), location_name="부산")
        async with (
            product.node(valkey.url, llm=llm, tts=quick),
            calling(here.url, guest=guest, microphone=False) as caller,
        ):
            stand_in.answer_next(saying("손주가 다녀갔군요. 무엇을 하셨어요?"))
            await _types(caller, said[0])
            stand_in.answer_next(rate_limited("2s"))
            await _types(caller, said[1])
            await asyncio.sleep(2.0)  # what Gemini asked for
            stand_in.answer_next(saying("감나무가 있으셨군요. 누가 심으셨어요?"))
            await _types(caller, said[2])
            asked = Asked(stand_in.exchanges[-1].body)
            stand_in.answer_next(wanting(Call("show_photo", {"place": "부산"})), rate_limited("2s"))
            await _types(caller, said[3])
            await asyncio.sleep(2.0)
            stand_in.answer_next(Scenario(words=(f"{BROKEN_OFF} ", "그때 어떤 "), finish=None, cut=True))
            await _types(caller, said[4])
            shown = [event.photo for event in caller.all(PhotoShown)]
            rows = await here.parts.database.turns(caller.client.ready.session)

    assert [(row.transcript, row.source) for row in rows] == [
        (said[0], "gemini"),
        (said[1], "reflective"),
        (said[2], "gemini"),
        (said[3], "reflective"),
        (said[4], "gemini"),
    ]
    assert all(row.heard == row.reply and row.heard for row in rows), "all of it was heard, and is kept"
    told = [text for _, text in asked.conversation]
    assert told[-5:] == [said[0], rows[0].heard, said[1], rows[1].heard, said[2]], "also what the listener has said"
    assert shown == [photo], "what the tool had found is shown, whoever speaks then"
    assert rows[4].heard == BROKEN_OFF


async def _types(caller: Caller, text: str) -> None:
    turn = len(caller.all(TurnCommitted)) + 1
    await caller.client.say_text(text)
    await caller.wait_for(TurnCommitted, turn=turn)
