"""Conversations about photos, through every real hop: 복실이 speaks first, shows another, and no thread is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from gpu_node.engines.scripted import ScriptedStt, ScriptedTts
from silvertalk.conversations import session_photos, sessions
from silvertalk.database import Database
from silvertalk.seeing import Seen
from silvertalk.showing import MOVED_ON, OPENING, TURNS_BEFORE_NEXT
from streaming.protocol import (
    Flush,
    PhotoShown,
    ReplyEnded,
    SpokenAudio,
    SpokenText,
    TurnCommitted,
    TurnEnded,
)
from tests import product
from tests.caller import Caller, calling
from tests.gateways import SECRET
from tests.postgres import either_database, postgres
from tests.product import Product
from tests.silvertalk.api import things
from tests.streaming.voice import silence, vowels
from tests.tcp_proxy import tcp_proxy
from tests.test_asked_for import writing_elsewhere
from tests.test_losses import whole
from tests.test_talking import RecordingLlm
from tests.test_typing import Writer, subject, writer
from tests.valkey import Valkey

__all__ = ["either_database", "postgres"]

SEEN = Seen(
    source="gemini",
    people=("할머니 한 분", "어린 아이 두 명"),
    place="바닷가",
    season="여름",
    question="이날 바닷가에서 무엇을 하며 지내셨어요?",
    scene_en="two small children laughing on a beach",
    question_en="What did you do on the beach that day?",
)
TAKEN = datetime(1998, 5, 3, 3, 0, tzinfo=UTC)
SAID = (
    "1998년 5월 3일에 통영에서 찍은 사진이네요. 사진 속에 할머니 한 분과 어린 아이 두 명이 계시네요. "
    "이날 바닷가에서 무엇을 하며 지내셨어요?"
)
QUICK = ScriptedTts(rtf=0.02, ms_per_character=20)
SLOW = ScriptedTts(rtf=0.02, ms_per_character=250)
"""The opening takes about twenty seconds: time to speak into it."""


class Album:
    """Somebody's photos, and conversations about them."""

    def __init__(self, me: Writer, database: Database) -> None:
        self.me = me
        self.user = subject(me.guest.access_token)
        self.database = database

    async def photo(self, **known: Any) -> str:
        given = {"taken_at": TAKEN, "location_name": "통영", "analysis": SEEN.as_kept()} | known
        return await things.photo(self.database, self.user, **given)

    async def reserve(self, photo: str, language: str = "ko") -> dict[str, Any]:
        made: dict[str, Any] = await self.me.ask(
            "POST", "/chat/sessions", json={"photo_id": photo, "language": language}
        )
        return made

    @asynccontextmanager
    async def talk(self, url: str, photo: str, *, language: str = "ko", **options: Any) -> AsyncIterator[Caller]:
        """A spoken conversation about the photo."""
        session = (await self.reserve(photo, language))["session_id"]
        async with calling(url, guest=self.me.guest, session=session, language=language, **options) as caller:
            yield caller

    async def photos_of(self, session: str) -> list[str]:
        asked = select(session_photos.c.photo_id).where(session_photos.c.session_id == session)
        async with self.database.transaction() as connection:
            return list((await connection.execute(asked.order_by(session_photos.c.display_order))).scalars())


@asynccontextmanager
async def album_at(served: Product) -> AsyncIterator[Album]:
    async with writer(served) as me:
        await served.parts.database.wait_ready()
        yield Album(me, served.parts.database)


async def types(caller: Caller, text: str) -> int:
    """Type it, and hear the answer out; the number of its turn, before which 복실이 may have spoken unasked."""
    before = len(caller.all(TurnEnded))
    await caller.client.say_text(text)
    await caller.until(lambda: len(caller.all(TurnEnded)) > before)
    turn = caller.all(TurnEnded)[-1].turn
    await caller.wait_for(TurnCommitted, turn=turn)
    return turn


def told(caller: Caller, turn: int) -> str:
    return " ".join(text.text for text in caller.all(SpokenText, turn=turn))


async def test_a_conversation_about_a_photo_begins_with_what_is_seen(
    valkey: Valkey, tmp_path: Path, either_database: dict[str, str]
) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    chosen = product.settings(valkey.url, tmp_path, **either_database)
    async with (
        product.gateway(chosen) as served,
        product.node(valkey.url, llm=llm, tts=QUICK),
        album_at(served) as album,
    ):
        photo = await album.photo()
        made = await album.reserve(photo)
        assert made["ai_reply"] == SAID
        async with calling(served.url, guest=album.me.guest, session=made["session_id"]) as caller:
            shown = await caller.wait_for(PhotoShown)
            opened = await caller.wait_for(TurnCommitted, turn=1)
            assert (await caller.wait_for(ReplyEnded, turn=1)).source == OPENING
            await caller.client.say_text("그때 참 좋았지요.")
            await caller.wait_for(TurnCommitted, turn=2)
        first, second = await album.database.turns(made["session_id"])
        async with album.database.transaction() as connection:
            count = (await connection.execute(select(sessions.c.turn_count))).scalar_one()
    assert (shown.turn, shown.photo, shown.position, shown.count) == (1, photo, 1, 1)
    assert shown.url and shown.local_uri == f"ph://{photo}"
    assert caller.kinds().index("PhotoShown") < caller.kinds().index("SpokenText")
    assert opened.heard == told(caller, 1) == SAID
    assert (first.transcript, first.heard, first.source, first.photo_id) == ("", SAID, OPENING, photo)
    assert (second.transcript, second.photo_id) == ("그때 참 좋았지요.", photo)
    assert count == 1, "what 복실이 says unasked makes no story"
    (asked,) = llm.asked
    assert [(line.role, line.text) for line in asked.context.history] == [("assistant", SAID)]
    assert asked.context.photo.startswith("1998-05-03; 통영; 보이는 사람: 할머니 한 분, 어린 아이 두 명; 곳: 바닷가")


async def test_nothing_is_said_first_where_there_is_no_photo(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, tts=QUICK):
        async with calling(served.url) as caller:
            await caller.client.say_text("안녕하세요")
            await caller.wait_for(TurnCommitted, turn=1)
    assert not caller.all(PhotoShown) and {text.source for text in caller.all(SpokenText)} == {"scripted"}


async def test_in_english_it_begins_in_english(valkey: Valkey, tmp_path: Path) -> None:
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, tts=QUICK),
        album_at(served) as album,
    ):
        await things.person(album.database, album.user, form_of_address="순자 할머니")
        async with album.talk(served.url, await album.photo(), language="en") as caller:
            opened = await caller.wait_for(TurnCommitted, turn=1)
    assert opened.heard == (
        "This photo was taken in May 1998. I can see two small children laughing on a beach. "
        "What did you do on the beach that day?"
    )


async def test_who_speaks_into_the_opening_is_listened_to(valkey: Valkey, tmp_path: Path) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, llm=llm, tts=SLOW),
        album_at(served) as album,
    ):
        async with album.talk(served.url, await album.photo()) as caller:
            await caller.wait_for(SpokenAudio, turn=1)
            await caller.say(silence(4000) + vowels(1500, seed=7))
            await caller.wait_for(Flush, turn=1)
            opened = await caller.wait_for(TurnCommitted, turn=1)
            await caller.wait_for(TurnCommitted, turn=2)
            rows = await album.database.turns(caller.client.session)
    assert opened.heard and opened.heard != SAID and SAID.startswith(opened.heard)
    assert [(row.number, row.interrupted) for row in rows] == [(1, True), (2, False)]
    assert rows[0].transcript == "" and rows[1].transcript, "the two are not one turn"
    assert [(line.text, line.interrupted) for line in llm.asked[-1].context.history] == [(opened.heard, True)]


async def test_who_speaks_at_once_is_not_spoken_over(valkey: Valkey, tmp_path: Path) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    tts = ScriptedTts(rtf=1.0, chunk_ms=3000)
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, llm=llm, tts=tts),
        album_at(served) as album,
    ):
        photo = await album.photo()
        async with album.talk(served.url, photo) as caller:
            await caller.wait_for(PhotoShown)
            await caller.say(vowels(1500))
            ended = await caller.wait_for(TurnEnded)
            await caller.wait_for(TurnCommitted, turn=ended.turn)
            rows = await album.database.turns(caller.client.session)
    assert [text for text in caller.all(SpokenText) if text.source == OPENING] == []
    assert [(row.number, row.photo_id, row.continuation) for row in rows] == [(ended.turn, photo, False)]
    assert not llm.asked[-1].context.history


async def test_who_coughs_at_once_hears_the_opening_all_the_same(valkey: Valkey, tmp_path: Path) -> None:
    nothing = ScriptedStt(pass_ms=20, text_of_audio=lambda audio, language: [])
    tts = ScriptedTts(rtf=1.0, chunk_ms=1500)
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, stt=nothing, tts=tts),
        album_at(served) as album,
    ):
        photo = await album.photo()
        async with album.talk(served.url, photo) as caller:
            await caller.wait_for(PhotoShown)
            await caller.say(vowels(700))
            opening = await caller.wait_for(SpokenText, source=OPENING)
            ended = await caller.wait_for(ReplyEnded)
    assert (ended.turn, ended.reason) == (opening.turn, "completed")


async def test_who_types_first_is_answered_and_shown_the_photo(valkey: Valkey, tmp_path: Path) -> None:
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, tts=QUICK),
        album_at(served) as album,
    ):
        photo = await album.photo()
        session = (await album.reserve(photo))["session_id"]
        events = await album.me.types("이 사진 보세요.", session_id=session)
        (row,) = await album.database.turns(session)
        (owned,) = served.parts.gateway.sessions
    kinds = [event.type for event in events]
    assert kinds[0] == "session" and kinds[-1] == "turn.committed"
    assert [event.data["photo"] for event in events if event.type == "photo.shown"] == [photo]
    assert (row.number, row.photo_id, row.source) == (1, photo, "scripted")
    assert owned.showing.current == photo


async def test_typing_into_an_opening_that_is_not_heard_yet_takes_its_place(valkey: Valkey, tmp_path: Path) -> None:
    tts = ScriptedTts(rtf=1.0, chunk_ms=3000)
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, tts=tts),
        album_at(served) as album,
    ):
        async with album.talk(served.url, await album.photo()) as caller:
            await caller.wait_for(PhotoShown)
            await caller.client.say_text("바다 이야기를 할게요.")
            await caller.wait_for(TurnCommitted, turn=2)
            rows = await album.database.turns(caller.client.session)
    assert [(row.number, row.transcript) for row in rows] == [(2, "바다 이야기를 할게요.")]


# --- coming back -----------------------------------------------------------------------------------------------------


async def test_a_lost_connection_during_the_opening_loses_nothing_of_it(valkey: Valkey, tmp_path: Path) -> None:
    tts = ScriptedTts(rtf=0.02, ms_per_character=80)
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, tts=tts),
        tcp_proxy(served.url) as line,
        album_at(served) as album,
    ):
        photo = await album.photo()
        async with album.talk(line.url, photo, patience_seconds=40) as caller:
            await caller.wait_for(SpokenAudio, turn=1)
            line.cut()
            assert (await caller.back(1)).resumed
            opened = await caller.wait_for(TurnCommitted, turn=1)
            whole(caller, 1)
    assert opened.heard == SAID
    assert len(caller.all(PhotoShown)) == 1, "told once, however often one comes back"


async def test_another_gateway_goes_on_with_the_opening_and_the_photo(valkey: Valkey, tmp_path: Path) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    tts = ScriptedTts(rtf=0.02, ms_per_character=80)
    chosen = product.settings(valkey.url, tmp_path, jwt_secret=SECRET)
    async with (
        product.gateway(chosen) as first,
        product.gateway(chosen) as second,
        product.node(valkey.url, tts=tts, llm=llm),
        tcp_proxy(first.url) as line,
        album_at(first) as album,
    ):
        photo, another = await album.photo(), await album.photo(location_name="부산")
        async with album.talk(line.url, photo, patience_seconds=40) as caller:
            await caller.wait_for(SpokenAudio, turn=1)
            line.lead_to(second.url)
            line.cut()
            assert (await caller.back(1)).resumed
            opened = await caller.wait_for(TurnCommitted, turn=1)
            (owned,) = [one for one in second.parts.gateway.sessions if not one.ending.is_set()]
            assert owned.showing.current == photo
            shown = await owned.showing.show(another)
            assert shown is not None
            await caller.client.say_text("그때 참 좋았지요.")
            await caller.wait_for(TurnCommitted, turn=2)
            rows = await album.database.turns(caller.client.session)
    assert opened.heard == SAID
    assert [(row.number, row.photo_id, row.source) for row in rows] == [(1, photo, OPENING), (2, photo, "scripted")]
    assert llm.asked[-1].context.photo.startswith("1998-05-03; 통영")


async def test_who_missed_that_another_photo_was_shown_is_told_it_as_they_come_back(
    valkey: Valkey, tmp_path: Path
) -> None:
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as served,
        product.node(valkey.url, tts=QUICK),
        tcp_proxy(served.url) as line,
        album_at(served) as album,
    ):
        photo, another = await album.photo(), await album.photo(location_name="부산", analysis=None)
        async with album.talk(line.url, photo, patience_seconds=40) as caller:
            await caller.wait_for(TurnCommitted, turn=1)
            (owned,) = served.parts.gateway.sessions
            line.refuse()
            line.cut()
            await caller.until(lambda: not caller.client.connected)
            shown = await owned.showing.next()
            assert shown is not None and shown.photo.id == another
            assert shown.words == "1998년 5월 3일에 부산에서 찍은 사진이네요. 그날 이야기를 들려주시겠어요?"
            owned.session.typed("다른 사진을 보여 줘요.", owned.microphone.received_samples)
            owned.showing.tell(shown, owned.session.turns.current)
            line.accept()
            await caller.back(1)
            told_then = await caller.wait_for(PhotoShown, photo=another)
            assert (told_then.position, told_then.count) == (2, 2) and told_then.url
            await caller.wait_for(TurnCommitted, turn=2)
            await caller.client.say_text("부산에도 자주 갔지요.")
            await caller.wait_for(TurnCommitted, turn=3)
        async with asyncio.timeout(20):
            await owned.over.wait()
        assert await album.photos_of(caller.client.session) == [photo, another]
        rows = await album.database.turns(caller.client.session)
    assert [row.photo_id for row in rows] == [photo, photo, another]


async def test_in_a_long_silence_another_photo_is_shown_so_few_times(valkey: Valkey, tmp_path: Path) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    chosen = product.settings(valkey.url, tmp_path, silence_prompt_seconds=2)
    async with (
        product.gateway(chosen) as served,
        product.node(valkey.url, llm=llm, tts=QUICK),
        album_at(served) as album,
    ):
        photo = await album.photo()
        near = await album.photo(taken_at=TAKEN + timedelta(days=1), analysis=None)
        far = await album.photo(taken_at=TAKEN + timedelta(days=900), location_name="")
        async with album.talk(served.url, photo, patience_seconds=30) as caller:
            await caller.wait_for(TurnCommitted, turn=2)
            assert [text.source for text in caller.all(SpokenText, turn=2)][:1] == ["prompt"], (
                "it is too early for more"
            )
            for said in range(TURNS_BEFORE_NEXT):
                await types(caller, f"그때 바다가 참 좋았지요, {said}.")
            shown = await caller.wait_for(PhotoShown, photo=near)
            moved = await caller.wait_for(TurnCommitted, turn=shown.turn)
            answered = await types(caller, "이날도 기억나요.")
            await caller.wait_for(TurnCommitted, turn=answered + 1)
            rows = await album.database.turns(caller.client.session)
            (owned,) = served.parts.gateway.sessions
        async with asyncio.timeout(20):
            await owned.over.wait()
        assert await album.photos_of(caller.client.session) == [photo, near]
    assert moved.heard.startswith("이번에는 다른 사진을 보여 드릴게요. 1998년 5월 4일에 통영에서 찍은 사진이네요.")
    by_number = {row.number: row for row in rows}
    assert (by_number[shown.turn].source, by_number[shown.turn].photo_id) == (MOVED_ON, near)
    assert by_number[answered].photo_id == near and by_number[answered + 1].source == "prompt"
    assert not caller.all(PhotoShown, photo=far), "it has nothing to do with what was told"
    assert "1998-05-04" in llm.asked[-1].context.photo


async def test_what_follows_is_known_before_the_turn_is_in_the_database(valkey: Valkey, tmp_path: Path) -> None:
    """That may take longer than a silence lasts, which would then be spent on the gentle prompt."""
    chosen = product.settings(valkey.url, tmp_path, silence_prompt_seconds=2)
    async with (
        product.gateway(chosen) as served,
        product.node(valkey.url, tts=QUICK),
        album_at(served) as album,
    ):
        photo = await album.photo()
        near = await album.photo(taken_at=TAKEN + timedelta(days=1), analysis=None)
        async with album.talk(served.url, photo, patience_seconds=30) as caller:
            for said in range(TURNS_BEFORE_NEXT - 1):
                await types(caller, f"그때 바다가 참 좋았지요, {said}.")
            async with writing_elsewhere(served):
                await caller.client.say_text("그때가 그립네요.")
                shown = await caller.wait_for(PhotoShown, photo=near)
            assert (await caller.wait_for(TurnCommitted, turn=shown.turn)).heard
