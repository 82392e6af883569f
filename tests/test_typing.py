"""Conversations over HTTP on a whole gateway: typed turns, reserved sessions, what a reply knows of the person."""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import httpx
import pytest
from sqlalchemy import make_url
from websockets.asyncio.client import connect

from gpu_node.engines.scripted import ScriptedLlm, ScriptedTts
from silvertalk.api import event_streams
from silvertalk.client import Guest
from silvertalk.consents import decide
from silvertalk.keys import signing_secret
from silvertalk.login import log_in_as_guest
from silvertalk.people import ensure_person
from silvertalk.seeing import Seen
from silvertalk.tokens import AccessTokens
from streaming.bus import names
from streaming.messages import FILLER
from streaming.protocol import SpokenText, TurnCommitted
from tests import product
from tests.caller import calling
from tests.postgres import either_database, postgres
from tests.product import Product
from tests.silvertalk.api import things
from tests.test_talking import RecordingLlm
from tests.valkey import Valkey

__all__ = ["either_database", "postgres"]

SEOUL = ZoneInfo("Asia/Seoul")


class Told(NamedTuple):
    type: str
    data: dict[str, Any]


class Writer:
    """Somebody who types, over HTTP."""

    def __init__(self, http: httpx.AsyncClient, guest: Guest) -> None:
        self.http = http
        self.guest = guest

    async def ask(self, method: str, path: str, status: int = 200, **request: Any) -> Any:
        answer = await self.http.request(method, path, **request)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    @asynccontextmanager
    async def typing(self, text: str, **body: Any) -> AsyncIterator[AsyncIterator[Told]]:
        """The events of what `text` brings about, as they come."""
        async with self.http.stream("POST", "/chat/messages", json={"text": text, **body}) as answer:
            assert answer.status_code == 200, (await answer.aread()).decode()
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield _told(answer)

    async def types(self, text: str, **body: Any) -> list[Told]:
        async with asyncio.timeout(30), self.typing(text, **body) as events:
            return [event async for event in events]


async def _told(answer: httpx.Response) -> AsyncIterator[Told]:
    kind = ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            yield Told(kind, json.loads(value))


@asynccontextmanager
async def writer(served: Product) -> AsyncIterator[Writer]:
    guest = await log_in_as_guest(served.url)
    headers = {"Authorization": f"Bearer {guest.access_token}"}
    async with httpx.AsyncClient(base_url=served.url, headers=headers, trust_env=False, timeout=30) as http:
        yield Writer(http, guest)


def subject(token: str) -> str:
    payload = token.split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])


def socket_of(served: Product) -> connect:
    return connect(served.url.replace("http", "ws") + "/v1/talk", compression=None)


def quick() -> ScriptedTts:
    return ScriptedTts(rtf=0.02)


# --- typed turns -----------------------------------------------------------------------------------------------------


async def test_typed_words_are_answered_as_a_stream_and_kept(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url):
        async with writer(served) as me:
            first = await me.types("오늘은 바다에 다녀왔어요.")
            second = await me.types("손주도 같이 갔어요.")
            session = first[0].data["session_id"]
            turns = (await me.ask("GET", f"/chat/sessions/{session}/turns"))["turns"]

    kinds = [event.type for event in first]
    assert kinds[:2] == ["session", "turn.ended"] and kinds[-2:] == ["reply.done", "turn.committed"]
    assert set(kinds[2:-2]) == {"reply.text"}, "and no audio"
    reply = " ".join(event.data["text"] for event in first if event.type == "reply.text")
    assert first[-1].data["heard"] == reply, "what was shown was heard"
    assert second[0].data == {"session_id": session, "turn": 2}
    assert [(turn["number"], turn["transcript"], turn["typed"]) for turn in turns] == [
        (1, "오늘은 바다에 다녀왔어요.", True),
        (2, "손주도 같이 갔어요.", True),
    ]
    assert turns[0]["heard"] == turns[0]["reply"] == reply and not turns[0]["interrupted"]


async def test_who_also_talks_sees_the_same_turn_on_the_voice_socket(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, tts=quick()):
        async with writer(served) as me, calling(served.url, guest=me.guest) as caller:
            events = await me.types("오늘은 바다에 다녀왔어요.")
            committed = await caller.wait_for(TurnCommitted, turn=1)
            assert events[0].data == {"session_id": caller.client.ready.session, "turn": 1}
            texts = [event.data["text"] for event in events if event.type == "reply.text"]
            assert texts == [text.text for text in caller.all(SpokenText, turn=1)]
            assert events[-1].data["heard"] == committed.heard == " ".join(texts)
            assert caller.audio(1), "their client plays it"
            assert len(served.parts.gateway.sessions) == 1


async def test_a_filler_is_heard_and_not_read(valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=3000, tokens_per_second=400)
    served_by = product.node(valkey.url, llm=llm, tts=quick(), filler_after_ms=200)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, served_by:
        async with writer(served) as me, calling(served.url, guest=me.guest) as caller:
            events = await me.types("오늘은 바다에 다녀왔어요.")
            await caller.wait_for(TurnCommitted, turn=1)
            filler, *said = caller.all(SpokenText, turn=1)
            assert filler.source == FILLER and said
            read = [event.data["text"] for event in events if event.type == "reply.text"]
            assert read == [text.text for text in said]


async def test_who_stops_reading_loses_nothing_of_the_turn(valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=600, tokens_per_second=40)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with writer(served) as me:
            async with me.typing("오늘은 바다에 다녀왔어요.") as events:
                session = (await anext(events)).data["session_id"]
            (owned,) = served.parts.gateway.sessions
            async with asyncio.timeout(15):
                await owned.session.turns.settled.wait()
            (turn,) = (await me.ask("GET", f"/chat/sessions/{session}/turns"))["turns"]
            assert turn["outcome"] == "answered" and turn["heard"] == turn["reply"] != ""


async def test_of_two_texts_one_upon_the_other_both_are_answered(valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=50, tokens_per_second=8)
    served_by = product.node(valkey.url, llm=llm, tts=quick())
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, served_by, writer(served) as me:
        async with asyncio.timeout(30), me.typing("오늘은 바다에 다녀왔어요.") as first:
            async for event in first:
                if event.type == "reply.text":
                    break
            second = await me.types("손주도 같이 갔어요.")
            rest = [event async for event in first]
            turns = (await me.ask("GET", f"/chat/sessions/{second[0].data['session_id']}/turns"))["turns"]
    assert rest[-1].type == "turn.committed", "the first is told to its end, too"
    assert [turn["interrupted"] for turn in turns] == [True, False]
    reply = " ".join(event.data["text"] for event in second if event.type == "reply.text")
    assert second[-1].type == "turn.committed" and second[-1].data["heard"] == reply != ""


async def test_a_client_that_goes_leaves_the_reader_to_hear_the_answer(valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=50, tokens_per_second=8)
    served_by = product.node(valkey.url, llm=llm, tts=quick())
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, served_by, writer(served) as me:
        ticket = (await me.ask("POST", "/v1/talk/ticket"))["ticket"]
        async with socket_of(served) as socket:
            await socket.send(json.dumps({"type": "hello", "ticket": ticket}))
            assert json.loads(await socket.recv())["type"] == "ready"
            async with asyncio.timeout(30), me.typing("오늘은 바다에 다녀왔어요.") as events:
                told = [await anext(events)]
                while told[-1].type != "reply.text":
                    told.append(await anext(events))
                await socket.close()  # it never said that it played anything
                told += [event async for event in events]
    reply = " ".join(event.data["text"] for event in told if event.type == "reply.text")
    assert told[-1].type == "turn.committed" and told[-1].data["heard"] == reply


async def test_a_long_silence_is_broken_by_comments(
    valkey: Valkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "HEARTBEAT_SECONDS", 0.1)
    llm = ScriptedLlm(first_token_ms=600, tokens_per_second=400)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with writer(served) as me, asyncio.timeout(30):
            async with me.http.stream("POST", "/chat/messages", json={"text": "안녕하세요"}) as answer:
                lines = [line async for line in answer.aiter_lines()]
    assert ": still here" in lines and "event: turn.committed" in lines


async def test_it_ends_when_the_token_that_asked_is_revoked(valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=60_000)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        tokens = AccessTokens(signing_secret(served.parts.settings))
        async with writer(served) as me, asyncio.timeout(30):
            user = subject(me.guest.access_token)
            login = uuid.uuid4().hex
            another = {"Authorization": f"Bearer {tokens.issue(user, 'guest', login=login).access_token}"}
            async with calling(served.url, guest=me.guest) as caller:  # with another login than types
                said = {"text": "안녕하세요"}
                async with me.http.stream("POST", "/chat/messages", json=said, headers=another) as answer:
                    events = _told(answer)
                    assert (await anext(events)).type == "session"
                    await served.parts.bus.announce_revocation(user, login)
                    told = [event async for event in events]
                assert (told[-1].type, told[-1].data["code"]) == ("error", "token_refused")
                assert not any(owned.ending.is_set() for owned in served.parts.gateway.sessions)
                assert caller.client.ready.session


async def test_while_they_wait_for_an_answer_nothing_more_can_be_typed(valkey: Valkey, tmp_path: Path) -> None:
    llm = ScriptedLlm(first_token_ms=1500, tokens_per_second=400)
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url, llm=llm):
        async with writer(served) as me, me.typing("하나") as events:
            await anext(events)
            refused = await me.ask("POST", "/chat/messages", 409, json={"text": "둘"})
            assert refused["code"] == "floor_taken" and refused["retryable"]
            assert [event.type async for event in events][-1] == "turn.committed"
            assert len(await me.types("둘")) > 3


async def test_a_call_for_help_is_answered_in_writing_too(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url):
        async with writer(served) as me:
            events = await me.types("가슴이 너무 아파요. 숨을 못 쉬겠어요.")
    (distress,) = [event for event in events if event.type == "distress"]
    assert (distress.data["kind"], distress.data["number"]) == ("emergency", "119")


async def test_without_a_node_the_reader_is_told(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path, turn_claim_ms=300)) as served:
        async with writer(served) as me, asyncio.timeout(30), me.typing("안녕하세요") as events:
            async for event in events:
                if event.type == "error":
                    break
    assert event.data["code"] == "no_node"


# --- reserved conversations ------------------------------------------------------------------------------------------


async def test_a_reserved_conversation_is_opened_by_voice_or_in_writing_once(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url):
        async with writer(served) as me, writer(served) as other:
            await served.parts.database.wait_ready()
            spoken = (await me.ask("POST", "/chat/sessions"))["session_id"]
            ticket = (await me.ask("POST", "/v1/talk/ticket", json={"session_id": spoken}))["ticket"]
            async with connect(served.url.replace("http", "ws") + "/v1/talk") as socket:
                await socket.send(json.dumps({"type": "hello", "ticket": ticket}))
                ready = json.loads(await socket.recv())
                assert (ready["type"], ready["session"]) == ("ready", spoken)
                await me.ask("POST", "/v1/talk/ticket", 409, json={"session_id": spoken})
                here = await me.types("이 이야기에 쓸게요.", session_id=spoken)
                assert here[0].data["session_id"] == spoken

            written = (await me.ask("POST", "/chat/sessions"))["session_id"]
            await other.ask("POST", "/chat/messages", 404, json={"text": "남의 것", "session_id": written})
            await other.ask("POST", "/chat/messages", 404, json={"text": "남의 것", "session_id": spoken})
            events = await me.types("새 이야기예요.", session_id=written)
            assert events[0].data == {"session_id": written, "turn": 1}
            refused = await me.ask("POST", "/chat/messages", 409, json={"text": "아까", "session_id": spoken})
            assert refused["code"] == "conversation_taken"


async def test_a_reserved_conversation_whose_socket_could_not_be_opened_is_not_lost(
    valkey: Valkey, tmp_path: Path
) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, writer(served) as me:
        await served.parts.database.wait_ready()
        reserved = (await me.ask("POST", "/chat/sessions"))["session_id"]
        valkey.client.set(names.journal(reserved), b"in the way of its journal")
        assert (await _opens(served, await _ticket_for(me, reserved)))["type"] == "error"
        valkey.client.delete(names.journal(reserved))
        ready = await _opens(served, await _ticket_for(me, reserved))
    assert (ready["type"], ready["session"]) == ("ready", reserved)


async def test_of_two_sockets_with_a_ticket_each_one_opens_it(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, writer(served) as me:
        await served.parts.database.wait_ready()
        reserved = (await me.ask("POST", "/chat/sessions"))["session_id"]
        tickets = [await _ticket_for(me, reserved) for _ in range(2)]
        told = await asyncio.gather(*(_opens(served, ticket) for ticket in tickets))
    assert sorted(event["type"] for event in told) == ["error", "ready"]
    assert {event.get("code", "conversation_taken") for event in told} == {"conversation_taken"}
    assert {event.get("session", reserved) for event in told} == {reserved}


async def test_a_ticket_for_a_conversation_that_was_deleted_opens_nothing(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, writer(served) as me:
        await served.parts.database.wait_ready()
        reserved = (await me.ask("POST", "/chat/sessions"))["session_id"]
        ticket = await _ticket_for(me, reserved)
        await me.ask("DELETE", f"/chat/sessions/{reserved}")
        assert (await _opens(served, ticket))["code"] == "conversation_taken"
        assert served.parts.gateway.sessions == []


async def test_while_the_database_is_away_a_socket_is_told_and_nothing_is_lost(valkey: Valkey, tmp_path: Path) -> None:
    chosen = product.settings(valkey.url, tmp_path, database_timeout_seconds=0.5)
    async with product.gateway(chosen) as served, writer(served) as me:
        await served.parts.database.wait_ready()
        reserved = (await me.ask("POST", "/chat/sessions"))["session_id"]
        ticket = await _ticket_for(me, reserved)
        file = make_url(served.parts.settings.database).database
        assert file is not None
        with closing(sqlite3.connect(file, isolation_level=None)) as writing:
            writing.execute("BEGIN EXCLUSIVE")
            assert (await _opens(served, ticket))["code"] == "database_away"
        assert (await _opens(served, await _ticket_for(me, reserved)))["session"] == reserved


async def _ticket_for(me: Writer, reserved: str) -> str:
    return str((await me.ask("POST", "/v1/talk/ticket", json={"session_id": reserved}))["ticket"])


async def _opens(served: Product, ticket: str) -> dict[str, Any]:
    """What a socket with this ticket is told first."""
    async with asyncio.timeout(20), socket_of(served) as socket:
        await socket.send(json.dumps({"type": "hello", "ticket": ticket}))
        told: dict[str, Any] = json.loads(await socket.recv())
        return told


async def test_a_conversation_that_goes_on_is_ended_before_it_is_deleted(valkey: Valkey, tmp_path: Path) -> None:
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url):
        async with writer(served) as me:
            session = (await me.types("오늘은 바다에 다녀왔어요."))[0].data["session_id"]
            (owned,) = served.parts.gateway.sessions
            await me.ask("DELETE", f"/chat/sessions/{session}")
            assert owned.over.is_set()
            assert await me.ask("GET", "/chat/sessions") == []
            assert await served.parts.database.turns(session) == []


async def test_a_conversation_that_goes_on_elsewhere_is_fenced_before_it_is_deleted(
    valkey: Valkey, tmp_path: Path
) -> None:
    shared = {"jwt_secret": "gateways-0123456789-abcdefghijklmnopqrstuvwxyz"}
    chosen = product.settings(valkey.url, tmp_path, **shared)
    async with product.gateway(chosen) as served, product.gateway(chosen) as elsewhere, product.node(valkey.url):
        async with writer(served) as me:
            session = (await me.types("오늘은 바다에 다녀왔어요."))[0].data["session_id"]
            (owned,) = served.parts.gateway.sessions
            async with httpx.AsyncClient(base_url=elsewhere.url, headers=me.http.headers, trust_env=False) as there:
                assert (await there.delete(f"/chat/sessions/{session}")).status_code == 200
            events = await me.types("그런데 말이에요.")
            assert [event.type for event in events][:1] == ["session"], "what is said now is nobody's"
            async with asyncio.timeout(10):
                await owned.over.wait()
            assert await served.parts.database.turns(session) == []


# --- what a reply knows ----------------------------------------------------------------------------------------------


async def test_a_reply_knows_the_person_and_what_changes_meanwhile(
    valkey: Valkey, tmp_path: Path, either_database: dict[str, str]
) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    chosen = product.settings(valkey.url, tmp_path, **either_database)
    async with product.gateway(chosen) as served, product.node(valkey.url, llm=llm):
        async with writer(served) as me, writer(served) as other:
            user, store = subject(me.guest.access_token), served.parts.database
            await store.wait_ready()
            await things.person(store, user, form_of_address="순자 할머니", pet_name="몽이", time_zone="Asia/Tokyo")
            seen = Seen(source="gemini", place="바닷가", people=("아이 한 명",)).as_kept()
            photo = await things.photo(store, user, location_name="통영", analysis=seen)
            await things.memory(store, user, fact="손주 이름은\n민준이다.", importance=5)
            await things.memory(store, subject(other.guest.access_token), fact="남의 일")
            today = datetime.now(SEOUL).date().isoformat()
            await me.ask("POST", "/calendars/", 201, json={"title": "병원", "start_time": f"{today}T15:30:00"})
            await me.ask("POST", "/calendars/", 201, json={"title": "어제", "start_time": "2020-01-01T15:00:00"})
            await me.types("어제는 시장에 갔어요.")
            session = (await me.ask("POST", "/chat/sessions", json={"photo_id": photo}))["session_id"]
            await me.types("이 사진 보세요.", session_id=session)

            context = llm.asked[-1].context
            assert (context.form_of_address, context.pet_name) == ("순자 할머니", "몽이")
            assert context.events_today == ("오후 3시 30분 병원",)
            assert context.photo == "2026-11-03; 통영; 보이는 사람: 아이 한 명; 곳: 바닷가"
            assert context.memories == (), "they did not agree to that"
            assert context.local_time.endswith("+09:00")
            assert context.history == (), "nor to what they said in another conversation"

            async with store.transaction() as connection:
                await ensure_person(store, connection, user)
                await decide(store, connection, user, {"memories": True, "keep_voice": True})
            await me.ask("POST", "/calendars/", 201, json={"title": "산책", "start_time": today, "is_all_day": True})
            await me.types("그때 참 좋았지요.")
            await me.types("정말 그랬어요.")
            context = llm.asked[-1].context
            assert context.memories == (f"손주 이름은 민준이다. ({things.NOON.date()})",), "with the day it was told"
            assert context.events_today == ("산책", "오후 3시 30분 병원")
            assert [line.text for line in context.history if line.role == "user"] == [
                "어제는 시장에 갔어요.",
                "이 사진 보세요.",
                "그때 참 좋았지요.",
            ]
            assert served.parts.gateway.sessions[0].acquaintance.about.keeps_voice

            await other.types("저는 처음이에요.")
            stranger = llm.asked[-1].context
            assert (stranger.form_of_address, stranger.pet_name, stranger.photo) == ("", "복실이", "")
            assert (stranger.history, stranger.memories, stranger.events_today) == ((), (), ())


async def test_while_the_database_is_away_one_talks_as_with_a_stranger(valkey: Valkey, tmp_path: Path) -> None:
    llm = RecordingLlm(first_token_ms=10, tokens_per_second=400)
    away = product.settings(valkey.url, tmp_path, database_url="postgresql://nobody@127.0.0.1:9/none")
    async with product.gateway(away) as served, product.node(valkey.url, llm=llm):
        async with calling(served.url) as caller:
            await caller.client.say_text("안녕하세요")
            await caller.wait_for(SpokenText, turn=1)
    (asked,) = llm.asked
    assert (asked.context.pet_name, asked.context.form_of_address, asked.context.history) == ("복실이", "", ())
    assert asked.context.local_time.endswith("+09:00")
