"""The person's own voice: kept where they agreed, and only there; on both databases, over both stores."""

from __future__ import annotations

import asyncio
import io
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx
import numpy as np
import pytest
import soundfile

from silvertalk import conversations
from silvertalk.consents import decide
from silvertalk.conversations import voice_prefix
from silvertalk.database import Database
from silvertalk.errors import DatabaseRefused, MediaAway, NotFound
from silvertalk.login import log_in_as_guest
from silvertalk.media.store import MediaStore
from silvertalk.people import ensure_person
from silvertalk.setting_values import database_url
from silvertalk.standins.s3_signatures import S3Error
from silvertalk.turn import Turn
from silvertalk.voice_keeping import (
    MAX_GAP_SAMPLES,
    VoiceKeeper,
    finish_forgetting,
    flac,
    forget_voices,
    kept_voice,
)
from streaming.messages import AudioBatch, TurnOpened
from streaming.protocol import TurnCommitted
from tests import product
from tests.caller import calling
from tests.postgres import Postgres
from tests.silvertalk.media.stores import Served, serving_store
from tests.silvertalk.records import record
from tests.streaming.voice import silence, vowels
from tests.valkey import Valkey

USER = "5b0c3a52-2f5e-4c1b-9d57-0d6b1f6f2a10"
SESSION = "2c9e0d1e5a674b0d8b543a5b1a0c9f10"
SPEECH = vowels(500)


class Bench:
    """A keeper over a database and a store."""

    def __init__(self, database: Database, served: Served, keeper: VoiceKeeper) -> None:
        self.database = database
        self.served = served
        self.media: MediaStore = served.store
        self.keeper = keeper

    async def agree(self, granted: bool = True) -> None:
        async with self.database.transaction() as connection:
            await ensure_person(self.database, connection, USER)
            await decide(self.database, connection, USER, {"keep_voice": granted})

    async def close(self, number: int = 1, pcm: bytes = SPEECH, *, commit: bool = True, session: str = SESSION) -> None:
        """A turn closes, as the gateway closes it, and is committed."""
        opened = TurnOpened(session=session, turn=number, language="ko", reply_rate=24_000)
        turn = Turn(session=session, user=USER, number=number, language="ko", opened=opened, attempt=1)
        for start in range(0, len(pcm), 6400):
            turn.send_up(AudioBatch(first_sample=start // 2, pcm=pcm[start : start + 6400]))
        self.keeper.take(turn)
        turn.free()
        if commit:
            await self.commit(number, session)

    async def commit(self, number: int = 1, session: str = SESSION) -> None:
        row = record(number, session=session, user=USER)
        await self.database.commit_turn(row)
        self.keeper.committed(row)

    async def done(self) -> None:
        """Until nothing is on its way any more."""
        async with asyncio.timeout(30):
            await self.keeper._committed.join()

    async def kept(self, number: int = 1) -> str:
        turns = {turn.number: turn for turn in await self.database.turns(SESSION)}
        return turns[number].voice_key


@pytest.fixture(params=["sqlite and a folder", "postgresql and s3"])
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        in_the_cloud = request.param == "postgresql and s3"
        url = f"sqlite+aiosqlite:///{tmp_path / 'data' / 'silvertalk.sqlite3'}"
        if in_the_cloud:
            server: Postgres = request.getfixturevalue("postgres")
            url = database_url(await server.new_database())
        served = await stack.enter_async_context(serving_store("s3" if in_the_cloud else "folder", tmp_path / "var"))
        database = await stack.enter_async_context(Database(url))
        await database.wait_ready()
        keeper = await stack.enter_async_context(VoiceKeeper(database, served.store, max_bytes=4 * len(SPEECH)))
        yield Bench(database, served, keeper)


def heard(data: bytes) -> Any:
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == 16_000
    return samples


async def test_what_was_said_can_be_heard_again(bench: Bench) -> None:
    await bench.agree()
    await bench.close()
    await bench.done()
    key = await bench.kept()
    assert key == f"u/{USER}/voice/{SESSION}/1.flac" and key.startswith(voice_prefix(USER, SESSION))
    stored = await bench.media.head(key)
    assert stored is not None and stored.content_type == "audio/flac" and stored.size_bytes < len(SPEECH)
    assert np.array_equal(heard(await bench.media.read(key, len(SPEECH))), np.frombuffer(SPEECH, np.int16))
    assert await kept_voice(bench.database, USER, SESSION, 1) == key
    for user, session, number in ((str(uuid.uuid4()), SESSION, 1), (USER, "0" * 32, 1), (USER, SESSION, 2)):
        with pytest.raises(NotFound):
            await kept_voice(bench.database, user, session, number)


@pytest.mark.parametrize("said", [False, None])
async def test_of_who_did_not_agree_nothing_is_kept(bench: Bench, said: bool | None) -> None:
    if said is not None:
        await bench.agree(said)
    await bench.close()
    await bench.done()
    assert await bench.kept() == ""
    assert await bench.media.delete_below(f"u/{USER}/") == 0


async def test_who_takes_it_back_while_it_is_on_its_way_has_nothing_kept(bench: Bench) -> None:
    await bench.agree()
    put = bench.media.put

    async def taken_back(key: str, data: bytes | Path, content_type: str) -> Any:
        stored = await put(key, data, content_type)
        await bench.agree(False)
        return stored

    bench.media.put = taken_back  # type: ignore[method-assign]
    await bench.close()
    await bench.done()
    assert await bench.kept() == ""
    assert await bench.media.delete_below(f"u/{USER}/") == 0


async def test_who_takes_it_back_later_has_all_of_it_deleted(bench: Bench) -> None:
    await bench.agree()
    for number in (1, 2, 3):
        await bench.close(number)
    await bench.done()
    await bench.agree(False)
    assert await forget_voices(bench.database, bench.media, USER) == 3
    assert [await bench.kept(number) for number in (1, 2, 3)] == ["", "", ""]
    assert await bench.media.delete_below(f"u/{USER}/") == 0


async def test_a_turn_that_was_never_committed_has_no_recording(bench: Bench) -> None:
    await bench.agree()
    await bench.close(1, commit=False)
    await bench.done()
    assert await bench.media.delete_below(f"u/{USER}/") == 0
    await bench.commit(1)
    await bench.done()
    assert await bench.kept() != ""


async def test_there_is_room_for_so_much_and_what_comes_beyond_is_not_kept(bench: Bench) -> None:
    await bench.agree()
    for number in range(1, 8):
        await bench.close(number, commit=False)
    for number in range(1, 8):
        await bench.commit(number)
    await bench.done()
    kept = [bool(await bench.kept(number)) for number in range(1, 8)]
    assert kept == [True] * 4 + [False] * 3
    await bench.close(8)
    await bench.done()
    assert await bench.kept(8) != "", "there is room again"


async def test_a_store_that_comes_back_gets_it(bench: Bench) -> None:
    await bench.agree()
    if bench.served.kind == "s3":
        away = S3Error(503, "SlowDown", "Please reduce your request rate.")
        bench.served.standin.refuse_next(away, away)
    else:
        blocked = bench.served.folder / "media"
        blocked.write_text("a file where the folder should be")
        asyncio.get_running_loop().call_later(0.5, blocked.unlink)
    await bench.close()
    await bench.done()
    assert await bench.kept() != ""


async def test_a_deleted_conversation_keeps_no_voice_that_was_still_on_its_way(bench: Bench) -> None:
    await bench.agree()
    await bench.close(commit=False)
    row = record(1, session=SESSION, user=USER)
    await bench.database.commit_turn(row)
    delete_below, puts = bench.media.delete_below, 0

    async def kept_meanwhile(prefix: str) -> int:
        nonlocal puts
        gone = await delete_below(prefix)
        if not puts:
            puts += 1
            bench.keeper.committed(row)
            await bench.done()
            assert await bench.media.head(f"{prefix}1.flac") is not None
        return gone

    bench.media.delete_below = kept_meanwhile  # type: ignore[method-assign]
    await conversations.remove(bench.database, bench.media, USER, SESSION)
    assert await delete_below(f"u/{USER}/") == 0
    await bench.close(2, commit=False)
    bench.keeper.committed(record(2, session=SESSION, user=USER))
    await bench.done()
    assert await delete_below(f"u/{USER}/") == 0, "what comes later finds no turn"


async def test_what_the_store_kept_of_a_deleted_conversation_goes_when_it_is_asked_again(bench: Bench) -> None:
    await bench.agree()
    await bench.close()
    await bench.done()
    delete_below, asked = bench.media.delete_below, 0

    async def away_at_the_end(prefix: str) -> int:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise MediaAway
        gone = await delete_below(prefix)
        if asked == 1:
            await bench.media.put(f"{prefix}1.flac", b"came late", "audio/flac")
        return gone

    bench.media.delete_below = away_at_the_end  # type: ignore[method-assign]
    with pytest.raises(MediaAway):
        await conversations.remove(bench.database, bench.media, USER, SESSION)
    with pytest.raises(NotFound):
        await conversations.remove(bench.database, bench.media, USER, SESSION)
    assert await delete_below(f"u/{USER}/") == 0


async def test_a_voice_that_no_row_could_name_does_not_stay(bench: Bench) -> None:
    await bench.agree()

    async def refused(voice: object) -> str:
        raise DatabaseRefused

    bench.keeper._name = refused  # type: ignore[method-assign]
    await bench.close()
    await bench.done()
    assert await bench.media.delete_below(f"u/{USER}/") == 0


async def test_a_voice_taken_back_while_the_store_is_away_is_given_to_nobody_and_deleted_later(bench: Bench) -> None:
    await bench.agree()
    for number in (1, 2):
        await bench.close(number)
    await bench.done()
    assert await finish_forgetting(bench.database, bench.media, 10) == 0, "who agrees keeps theirs"
    await bench.agree(False)  # and the store was away
    with pytest.raises(NotFound):
        await kept_voice(bench.database, USER, SESSION, 1)
    _, page = await conversations.turns_of(bench.database, USER, SESSION, limit=10, after=None)
    assert [turn.voice_key for turn in page.rows] == ["", ""]
    assert await finish_forgetting(bench.database, bench.media, 10) == 2
    assert [await bench.kept(number) for number in (1, 2)] == ["", ""]
    assert await bench.media.delete_below(f"u/{USER}/") == 0
    assert await finish_forgetting(bench.database, bench.media, 10) == 0


def test_pauses_that_were_not_sent_are_heard_shortened() -> None:
    loud = np.full(1600, 9000, np.int16).tobytes()
    samples = heard(
        flac(
            [
                AudioBatch(first_sample=5000, pcm=loud),
                AudioBatch(first_sample=6600, pcm=loud),
                AudioBatch(first_sample=100_000, pcm=loud),
            ]
        )
    )
    assert len(samples) == 3 * 1600 + MAX_GAP_SAMPLES
    assert not samples[3200 : 3200 + MAX_GAP_SAMPLES].any() and samples[3199] == samples[-1] == 9000


async def test_a_voice_from_the_microphone_to_the_link(valkey: Valkey, tmp_path: Path) -> None:
    """Over the whole product: agreed, said, listened to, taken back."""
    async with product.gateway(product.settings(valkey.url, tmp_path)) as served, product.node(valkey.url):
        guest = await log_in_as_guest(served.url)
        headers = {"Authorization": f"Bearer {guest.access_token}"}
        async with httpx.AsyncClient(base_url=served.url, headers=headers, trust_env=False, timeout=30) as client:
            await client.patch("/users/me", json={"consents": {"keep_voice": True}})
            async with calling(served.url, guest=guest) as caller:
                await caller.say(silence(500) + vowels(1500))
                await caller.wait_for(TurnCommitted, turn=1)
                path = f"/chat/sessions/{caller.client.ready.session}/turns/1/voice"
                async with asyncio.timeout(20):
                    # As a client has to: nobody is told when a recording is kept.
                    while (answer := await client.get(path)).status_code == 404:  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
            link = urljoin(served.url, answer.json()["url"])
            async with httpx.AsyncClient(trust_env=False) as nobody:
                fetched = await nobody.get(link)
                assert (fetched.status_code, fetched.headers["content-type"]) == (200, "audio/flac")
                assert fetched.headers["content-disposition"] == "inline"
                assert 16_000 < len(heard(fetched.content)) < 48_000
                await client.patch("/users/me", json={"consents": {"keep_voice": False}})
                assert (await client.get(path)).status_code == 404
                assert (await nobody.get(link)).status_code == 404
