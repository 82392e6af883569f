"""Forgetting for good, correcting, consent that is taken back, and who asks for what is owed. On both databases."""

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Table, update

from silvertalk import grounding, memories
from silvertalk.about_person import Acquaintances
from silvertalk.committer import Committer, SessionEnd
from silvertalk.database import Database
from silvertalk.errors import NotFound
from silvertalk.jobs import Jobs
from silvertalk.memories import Forgotten
from silvertalk.models import Consent
from silvertalk.remembering import WITHDRAWN_DAYS, Remembering, ask_for_owed, delete_withdrawn
from streaming.messages import ReplyContext
from tests.silvertalk.api import things
from tests.silvertalk.records import record
from tests.silvertalk.remembering_bench import Bench, Writes, bench_on, product
from tests.valkey import Valkey

_consents: Table = Consent.__table__  # type: ignore[assignment]
GRANDSON = "우리 손주 이름은 민준이야."
HOME = "고향은 통영이에요."


@pytest.fixture
async def bench(either_database: dict[str, str], valkey: Valkey, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_on(valkey, tmp_path / "var", **either_database) as bench:
        await bench.agrees(memories=True)
        yield bench


async def forget(bench: Bench, **what: object) -> Forgotten:
    async with bench.database.transaction() as connection:
        return await memories.forget_about(connection, bench.user, **what)  # type: ignore[arg-type]


async def forgotten_turns(bench: Bench) -> list[int]:
    return [turn.number for turn in await bench.database.turns(bench.session) if turn.forgotten]


# --- forgetting ------------------------------------------------------------------------------------------------------


async def test_words_name_what_is_forgotten(bench: Bench) -> None:
    kept = await things.memory(bench.database, bench.user, fact="고향은 통영이다.")
    for fact in ("손주 이름은 민준이다.", "민준이가 그림을 잘 그린다."):
        await things.memory(bench.database, bench.user, fact=fact)
    stranger = await things.memory(bench.database, "0b7f3c9a-52a4-4d2e-9d1a-3f6c8f0e1d2b", fact="손주 이름은 민준이다.")
    await bench.says(GRANDSON, HOME, "민준이가 왔어요.", "네, 와요.", heard="")
    await bench.says("그랬지.", heard="민준이가 보고 싶으시겠어요.")
    async with bench.database.transaction() as connection:
        found = await memories.about(connection, bench.user, "민준이 얘기는 이제 잊어줘")
    assert {fact.text for fact in found} == {"손주 이름은 민준이다.", "민준이가 그림을 잘 그린다."}
    forgotten = await forget(bench, words="민준이 얘기는 이제 잊어줘")
    assert set(forgotten.memories) == {fact.id for fact in found}
    assert [row.id for row in await bench.memories()] == [kept]
    assert await forgotten_turns(bench) == [1, 3, 5], "said by the person, or as a reply"
    assert forgotten.sessions == (bench.session,)
    async with bench.database.transaction() as connection:
        theirs = await memories.known(connection, "0b7f3c9a-52a4-4d2e-9d1a-3f6c8f0e1d2b")
    assert [fact.id for fact in theirs] == [stranger]


async def test_a_long_life_is_looked_through_page_by_page_beside_whoever_talks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_on: set[int] = set()

    def is_about(text: str, words: str) -> bool:
        asked_on.add(threading.get_ident())
        return grounding.is_about(text, words)

    monkeypatch.setattr(memories, "PAGE_ROWS", 3)
    monkeypatch.setattr(memories, "MAX_TRACED", 2)
    monkeypatch.setattr(memories, "is_about", is_about)
    await bench.says(*(f"민준이가 {number}번 왔어요." for number in range(1, 8)))
    for number in range(1, 8):
        told = {"session_id": bench.session, "turn_number": number}
        await things.memory(bench.database, bench.user, fact=f"민준이가 {number}번 왔다.", **told)
        await things.memory(bench.database, bench.user, fact=f"고향은 통영이다 {number}.")
    async with bench.database.transaction() as connection:
        found = await memories.about(connection, bench.user, "민준이 얘기는 잊어줘")
    assert len(found) == 7
    assert len((await forget(bench, words="민준이 얘기는 잊어줘")).memories) == 7
    assert await forgotten_turns(bench) == list(range(1, 8)) and len(await bench.facts()) == 7
    assert asked_on and threading.get_ident() not in asked_on, "the event loop has others to serve"


@pytest.mark.parametrize("words", ["", "잊어줘", "그거 잊어줘", "그건 이제 지워 줘", "%", "_", "\\", "' OR 1=1 --"])
async def test_words_that_name_nothing_forget_nothing(bench: Bench, words: str) -> None:
    await things.memory(bench.database, bench.user)
    await bench.says(GRANDSON)
    assert await forget(bench, words=words) == Forgotten()
    assert len(await bench.facts()) == 1 and await forgotten_turns(bench) == []


async def test_an_id_takes_its_turn_and_others_that_tell_the_same(bench: Bench) -> None:
    await bench.says(GRANDSON, HOME, "그래, 손주 이름이 민준이지.", "손주가 셋이에요.")
    told = await things.memory(bench.database, bench.user, session_id=bench.session, turn_number=1)
    other = await things.memory(bench.database, bench.user, fact="손주 이름은 민수다.", differs_from=told)
    forgotten = await forget(bench, ids=[told, "no-such-id"])
    assert forgotten.memories == (told,) and await forgotten_turns(bench) == [1, 3]
    (row,) = await bench.memories()
    assert (row.id, row.differs_from) == (other, ""), "there is nothing left that it differs from"


async def test_what_was_just_said_is_forgotten_by_its_turn(bench: Bench, valkey: Valkey) -> None:
    await bench.says(GRANDSON, HOME)
    of_it = await things.memory(bench.database, bench.user, fact="민준이", session_id=bench.session, turn_number=1)
    forgotten = await forget(bench, turns=[(bench.session, 1), ("another", 7)])
    assert (
        forgotten.memories == (of_it,)
        and forgotten.turns == ((bench.session, 1),)
        and await forgotten_turns(bench) == [1]
    )
    async with product.node(valkey.url, llm=Writes("", name="reflective")):
        await bench.does("insights")
    assert await bench.facts() == ["“고향은 통영이에요”"]


async def test_what_is_forgotten_is_in_no_context_any_more(bench: Bench) -> None:
    await bench.says(GRANDSON, HOME, heard="")
    met = await Acquaintances(bench.database, default_zone="Asia/Seoul").load(bench.user, "b" * 32, 10)
    assert "민준" in repr(met.inform(ReplyContext(), 12))
    own = await Acquaintances(bench.database, default_zone="Asia/Seoul").load(bench.user, bench.session, 10)
    assert own.forgotten == frozenset()
    await forget(bench, words="민준이")
    await met.refresh(10)
    await own.refresh(10)
    context = met.inform(ReplyContext(), 12)
    assert "민준" not in repr(context) and "통영" in repr(context)
    assert own.forgotten == {1}, "and the conversation itself leaves the turn out"


async def test_a_correction_is_what_the_person_says_from_then_on(bench: Bench, valkey: Valkey) -> None:
    await bench.says(GRANDSON, HOME)
    async with product.node(valkey.url, llm=Writes("", name="reflective")):
        await bench.does("insights")
        wrong = next(row.id for row in await bench.memories() if "민준" in row.fact)
        async with bench.database.transaction() as connection:
            row, forgotten = await memories.correct(connection, bench.user, wrong, {"importance": 2})
            assert forgotten == Forgotten(), "its words are as they were"
            row, forgotten = await memories.correct(connection, bench.user, wrong, {"fact": "손주 이름은 민서다."})
        assert (row.source, row.confidence) == ("person", 1.0) and forgotten.sessions == (bench.session,)
        await bench.does("summary")
        await bench.does("insights")
    assert set(await bench.facts()) == {"“고향은 통영이에요”", "손주 이름은 민서다."}
    assert (await bench.row()).summary == "“고향은 통영이에요”라고 말씀하셨다."
    with pytest.raises(NotFound):
        async with bench.database.transaction() as connection:
            await memories.forget(connection, "0b7f3c9a-52a4-4d2e-9d1a-3f6c8f0e1d2b", wrong)


# --- consent ---------------------------------------------------------------------------------------------------------


async def test_consent_that_is_taken_back_hides_at_once_and_deletes_in_days(bench: Bench, valkey: Valkey) -> None:
    await bench.says(GRANDSON)
    async with product.node(valkey.url, llm=Writes("", name="reflective")):
        await bench.does("insights")
        await bench.does("summary")
    await things.memory(bench.database, bench.user, fact="약은 파란 통에 있다.", source="person")
    acquaintances = Acquaintances(bench.database, default_zone="Asia/Seoul")

    async def recalled() -> str:
        async with bench.database.transaction() as connection:
            facts = await memories.recallable(connection, bench.user)
        met = await acquaintances.load(bench.user, "b" * 32, 10)
        return repr((facts, met.inform(ReplyContext(), 12)))

    assert "민준" in await recalled() and "파란 통" in await recalled()
    await bench.agrees(memories=False)
    assert "민준" not in await recalled() and "파란 통" not in await recalled()
    assert await delete_withdrawn(bench.database) == 0
    await bench.agrees(memories=True)
    assert "민준" in await recalled(), "it was a slip of the finger"
    await bench.agrees(memories=False)
    long_ago = datetime.now(UTC) - timedelta(days=WITHDRAWN_DAYS, minutes=1)
    async with bench.database.transaction() as connection:
        await connection.execute(update(_consents).values(decided_at=long_ago))
    assert await delete_withdrawn(bench.database) == 2
    assert await bench.facts() == ["약은 파란 통에 있다."] and (await bench.row()).summary == ""
    assert await delete_withdrawn(bench.database) == 0


# --- who asks --------------------------------------------------------------------------------------------------------


async def kinds(bench: Bench) -> list[str]:
    return sorted([job.kind for job in [*await bench.jobs_of("summary"), *await bench.jobs_of("insights")]])


async def until(bench: Bench, expected: list[str]) -> None:
    async with asyncio.timeout(20):
        while await kinds(bench) != expected:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.02)


async def test_a_gateway_asks_every_few_turns_and_at_the_end(bench: Bench) -> None:
    async with Remembering(bench.database, bench.parts.jobs) as remembering:

        async def told(record: object) -> None:
            remembering.committed(record)  # type: ignore[arg-type]

        async with Committer(bench.database, told, on_ended=remembering.ended) as committer:
            now = int(datetime.now(UTC).timestamp() * 1000) + 1000
            for number in (1, 2):
                closed = record(number, session=bench.session, user=bench.user, closed_at_ms=now, started_at_ms=now)
                await committer.submit(closed)
            await committer.drain(10)
            assert await kinds(bench) == []
            closed = record(3, session=bench.session, user=bench.user, closed_at_ms=now, started_at_ms=now)
            await committer.submit(closed)
            await until(bench, ["summary"])
            await committer.submit(SessionEnd(bench.session, datetime.now(UTC)))
            await until(bench, ["insights", "summary"])
            await committer.submit(SessionEnd(bench.session, datetime.now(UTC)))
            await committer.drain(10)
    assert await kinds(bench) == ["insights", "summary"]


async def test_what_nobody_lived_to_ask_for_is_owed(bench: Bench, valkey: Valkey) -> None:
    await bench.says(GRANDSON)
    assert await ask_for_owed(bench.database, bench.parts.jobs) == 0, "it goes on"
    await bench.database.end_session(bench.session, datetime.now(UTC))
    await bench.agrees(memories=False)
    assert await ask_for_owed(bench.database, bench.parts.jobs) == 0, "they do not want it"
    async with bench.database.transaction() as connection:
        await connection.execute(update(_consents).values(granted=True))
        await connection.execute(update(_consents).values(decided_at=datetime.now(UTC) - timedelta(days=1)))
    assert await ask_for_owed(bench.database, bench.parts.jobs) == 1
    async with product.node(valkey.url, llm=Writes("", name="reflective")):
        for job in await bench.jobs_of("insights"):
            await bench.works_off(job.id)
    assert await ask_for_owed(bench.database, bench.parts.jobs) == 0
    assert len(await bench.facts()) == 1


async def test_a_gateway_without_its_database_asks_nobody_and_lives(tmp_path: Path) -> None:
    never = Database(f"sqlite+aiosqlite:///{tmp_path / 'never-opened.sqlite3'}")
    async with Remembering(never, Jobs(never), limit=2) as remembering:
        for _ in range(5):
            remembering.ended("a" * 32)
        await asyncio.sleep(0)
        remembering.ended("a" * 32)
