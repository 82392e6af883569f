"""A conversation from its first words to what is remembered of it: typed into a real gateway, worked off by a worker's
runner, recalled in the next reply's context."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gpu_node.engines import ReplyRequest, Token
from gpu_node.engines.scripted import ScriptedLlm
from silvertalk.consents import decide
from silvertalk.jobs import JobKind
from silvertalk.people import ensure_person
from silvertalk.reading_along import Reader, StandIn
from tests import product
from tests.silvertalk.remembering_bench import Bench, bench_on
from tests.valkey import Valkey

WEDDING = "내가 열아홉에 부산으로 시집왔어."


class Listener(ScriptedLlm):
    """Answers people kindly and errands in JSON; notes the contexts of what people said."""

    def __init__(self) -> None:
        super().__init__(first_token_ms=1, tokens_per_second=2000)
        self.contexts: list[ReplyRequest] = []

    async def stream(self, request: ReplyRequest) -> AsyncGenerator[Token, None]:
        if not request.instructions:
            self.contexts.append(request)
            yield Token("그러셨군요. 그때 어떠셨어요?", self.name)
        elif "quote" in request.instructions:
            facts = {"turn": 1, "quote": WEDDING, "fact": "열아홉에 부산으로 시집오셨다.", "category": "family"}
            yield Token(json.dumps([facts], ensure_ascii=False), self.name)
        else:
            line = {"turns": [1], "sentence": "열아홉에 부산으로 시집오셨다."}
            yield Token(json.dumps([line], ensure_ascii=False), self.name)


async def test_what_was_told_is_known_in_the_next_conversation(valkey: Valkey, tmp_path: Path) -> None:
    listener, user = Listener(), str(uuid.uuid4())
    async with (
        product.gateway(product.settings(valkey.url, tmp_path)) as house,
        product.node(valkey.url, llm=listener),
        bench_on(valkey, house.parts.settings.data_dir) as worker,
    ):
        bench = Bench(worker.parts, user=user)
        database = house.parts.database
        async with database.transaction() as connection:
            await ensure_person(database, connection, user)
            await decide(database, connection, user, {"memories": True})
        first = await _say(house, user, WEDDING)
        await _end(house, user)
        kinds: tuple[JobKind, ...] = ("summary", "insights")
        for kind in kinds:
            async with asyncio.timeout(30):
                while not (asked := await bench.jobs_of(kind)):  # noqa: ASYNC110 - a row tells nobody
                    await asyncio.sleep(0.05)
            (job,) = asked
            assert job.subject_id == first and (await bench.works_off(job.id)).status == "done"
        assert (await bench.row(first)).summary == "열아홉에 부산으로 시집오셨다."
        assert await bench.facts() == ["열아홉에 부산으로 시집오셨다."]
        await _say(house, user, "바다가 보이네요.")
        context = listener.contexts[-1].context
        day = (datetime.now(UTC) + timedelta(hours=9)).date().isoformat()
        assert context.memories == (f"열아홉에 부산으로 시집오셨다. ({day})",)
        assert context.summary == "열아홉에 부산으로 시집오셨다."


async def _say(house: product.Product, user: str, text: str) -> str:
    """Typed, and answered to its end; the conversation's id."""
    gateway = house.parts.gateway
    owned = gateway.living(user) or await gateway.open(user, "", language="ko", push_to_talk=True)
    reader, stand_in = Reader(owned, ""), StandIn(owned)
    stand_in.join()
    try:
        reader.read(text)
        async with asyncio.timeout(30):
            await reader.over()
    finally:
        stand_in.leave()
        reader.leave()
    return owned.id


async def _end(house: product.Product, user: str) -> None:
    owned = house.parts.gateway.living(user)
    assert owned is not None
    owned.end(None)
    async with asyncio.timeout(30):
        await owned.over.wait()
