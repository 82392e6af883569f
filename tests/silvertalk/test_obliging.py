"""Requests of a turn that is merged, left or taken back: what was asked for is done once, and what was done is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from silvertalk import calendars
from silvertalk.about_person import Acquaintances
from silvertalk.calendars import Days
from silvertalk.consents import decide
from silvertalk.history import History
from silvertalk.jobs import Jobs
from silvertalk.obliging import GRANTED, Obliging
from silvertalk.people import ensure_person
from silvertalk.showing import Showing
from silvertalk.turn import Turn
from silvertalk.turn_requests import Obliged
from silvertalk.voice_tools import Means, VoiceTools
from silvertalk.wishes import ASKS_LEAVE, Wish
from streaming.messages import ToolAnswered, ToolAsked, TurnOpened, TurnRecord
from streaming.tools import MAX_ARGUMENTS_CHARACTERS, MAX_CALLS
from tests import product
from tests.product import Product
from tests.redis_proxy import redis_proxy
from tests.silvertalk.records import record
from tests.valkey import Valkey

USER, SESSION = "b1c3f0de-6f53-4d9b-8a55-0c8f8c6b2a10", "s" * 32
SEOUL = ZoneInfo("Asia/Seoul")
QUESTION = "내일 오후 세 시에 병원 가기라고 적어 드릴까요?"


class Talk:
    """A conversation in which 복실이 has just asked whether to write something down."""

    def __init__(self, served: Product, obliging: Obliging, history: History, tools: VoiceTools) -> None:
        self.served, self.obliging, self.history, self.tools = served, obliging, history, tools
        tomorrow = tools.now().date() + timedelta(days=1)
        arguments = {"title": "병원 가기", "day": tomorrow.isoformat(), "time": "15:00", "place": ""}
        wish = Wish(tool="add_event", arguments=arguments, question=QUESTION)
        asked = {"session": SESSION, "user": USER, "turn": 1, "language": "ko", "outcome": "answered"}
        said = {"reply": QUESTION, "heard": QUESTION, "source": ASKS_LEAVE, "wish": wish.encoded()}
        history.add([TurnRecord(**asked, **said)])  # type: ignore[arg-type]
        opened = TurnOpened(session=SESSION, turn=2, language="ko", reply_rate=24_000)
        self.turn = Turn(session=SESSION, user=USER, number=2, language="ko", opened=opened)
        history.add([self.turn])
        self.said: asyncio.Queue[Obliged] = asyncio.Queue()
        self.tasks: list[asyncio.Task[Obliged]] = []

    def next_turn(self) -> None:
        number = self.turn.number + 1
        opened = TurnOpened(session=SESSION, turn=number, language="ko", reply_rate=24_000)
        self.turn = Turn(session=SESSION, user=USER, number=number, language="ko", opened=opened)
        self.history.add([self.turn])

    def hears(self, text: str) -> bool:
        """Whether what was said up to now is seen to here."""
        wanted = self.obliging.wanted_by(self.turn, text)
        if wanted is not None:
            self.obliging.begin(self.turn, wanted, lambda _, obliged: self.said.put_nowait(obliged))
        return wanted is not None

    async def says(self) -> Obliged:
        async with asyncio.timeout(10):
            return await self.said.get()

    async def events(self) -> int:
        async with self.served.parts.database.transaction() as connection:
            return len(await calendars.between(connection, USER, SEOUL, Days(), 100))


@asynccontextmanager
async def talk(valkey: Valkey, folder: Path, jobs_url: str = "") -> AsyncIterator[Talk]:
    async with (
        product.gateway(product.settings(valkey.url, folder)) as served,
        Jobs(served.parts.database, jobs_url) as jobs,
        asyncio.TaskGroup() as group,
    ):
        database = served.parts.database
        await database.wait_ready()
        if jobs_url:
            await jobs.carrying.wait()
        acquaintance = await Acquaintances(database, default_zone="Asia/Seoul").load(USER, SESSION)
        showing = Showing(None, acquaintance, None, user=USER, session=SESSION, language="ko")  # type: ignore[arg-type]
        means = Means(database, served.parts.notices, jobs)
        tools = VoiceTools(means, acquaintance, showing, user=USER, session=SESSION, language="ko")
        history = History(12, language="ko", local_time=str)

        def spawn(work: Coroutine[Any, Any, Obliged], name: str) -> asyncio.Task[Obliged]:
            said.tasks.append(group.create_task(work, name=name))
            return said.tasks[-1]

        said = Talk(served, Obliging(tools, history, language="ko", spawn=spawn), history, tools)
        yield said


async def test_who_goes_on_after_their_yes_hears_what_was_done_and_it_was_done_once(
    valkey: Valkey, tmp_path: Path
) -> None:
    async with talk(valkey, tmp_path) as said:
        assert said.hears("응")
        said.turn.go_on()  # before it was done
        assert said.hears("응 그래 적어 줘")
        assert (await said.says()).say_as == GRANTED
        said.turn.go_on()
        assert said.hears("응 그래 적어 줘 그리고 어제는 손주가 왔었지"), "what was done must be told"
        assert (await said.says()).say_as == GRANTED
        assert await said.events() == 1


async def test_what_nobody_waits_for_any_more_is_not_said(valkey: Valkey, tmp_path: Path) -> None:
    async with talk(valkey, tmp_path) as said:
        assert said.hears("지금 몇 시야?")
        said.turn.go_on()
        assert not said.hears("지금 몇 시야 하고 손주가 그러더라 참 우습지 뭐야 우리 손주가")
        await asyncio.gather(*said.turn.requests.tasks.values())
        await asyncio.sleep(0)
        assert said.said.empty()


async def test_a_yes_comes_to_another_gateway_through_the_record(valkey: Valkey, tmp_path: Path) -> None:
    async with talk(valkey, tmp_path) as said:  # its history is a record, as a journal has it
        assert said.hears("네, 적어 주세요")
        assert (await said.says()).say.startswith("네, 적어 두었어요.")
        assert await said.events() == 1


async def test_a_tool_is_answered_once_and_writes_nothing(valkey: Valkey, tmp_path: Path) -> None:
    async with talk(valkey, tmp_path) as said:
        turn = said.turn
        turn.attempt = 1
        day = said.tools.now().date() + timedelta(days=2)
        arguments = f'{{"title": "미용실", "day": "{day.isoformat()}"}}'
        calls = [
            ToolAsked(attempt=1, call=1, name="add_event", arguments=arguments),
            ToolAsked(attempt=1, call=1, name="add_event", arguments=arguments),  # read twice
            ToolAsked(attempt=1, call=2, name="find_events", arguments="[1]"),
            ToolAsked(attempt=1, call=3, name="find_events", arguments='{"first_day": "yesterday"}'),
            ToolAsked(attempt=1, call=MAX_CALLS + 1, name="find_events", arguments="{}"),
            ToolAsked(attempt=1, call=4, name="drop_tables", arguments="{}"),
        ]
        for call in calls:
            said.obliging.tool_asked(turn, call)
        await asyncio.wait(said.tasks, timeout=10)
        answers = {one.call: one for one in turn.sent_up if isinstance(one, ToolAnswered)}
        assert sorted(answers) == [1, 2, 3, 4]
        assert answers[1].say.endswith("미용실이라고 적어 드릴까요?")
        assert all("error" in answers[call].result and not answers[call].say for call in (2, 3, 4))
        assert await said.events() == 0
        effects = turn.requests.take_effects(1)
        assert effects is not None and effects.wish is not None and turn.requests.take_effects(1) is None


async def test_what_came_for_a_stale_reply_reaches_nobody(valkey: Valkey, tmp_path: Path) -> None:
    async with talk(valkey, tmp_path) as said:
        said.turn.attempt = 2
        said.obliging.tool_asked(said.turn, ToolAsked(attempt=1, call=1, name="find_events", arguments="{}"))
        await asyncio.wait(said.tasks, timeout=10)
        assert not said.turn.sent_up and said.turn.requests.effects is None


async def test_an_llm_cannot_choose_which_turn_is_forgotten(valkey: Valkey, tmp_path: Path) -> None:
    """The person would be asked about what they said just now, and their yes would forget another turn."""
    async with talk(valkey, tmp_path) as said:
        said.turn.attempt = 1
        said.obliging.tool_asked(
            said.turn, ToolAsked(attempt=1, call=1, name="forget_memory", arguments='{"turn": "7"}')
        )
        await asyncio.wait(said.tasks, timeout=10)
        (answer,) = [one for one in said.turn.sent_up if isinstance(one, ToolAnswered)]
        assert "error" in answer.result and not answer.say
        assert said.turn.requests.effects is not None and said.turn.requests.effects.wish is None


async def test_arguments_nested_without_end_end_no_conversation(valkey: Valkey, tmp_path: Path) -> None:
    async with talk(valkey, tmp_path) as said:
        said.turn.attempt = 1
        deep = "[" * MAX_ARGUMENTS_CHARACTERS
        said.obliging.tool_asked(said.turn, ToolAsked(attempt=1, call=1, name="find_events", arguments=deep))
        await asyncio.wait(said.tasks, timeout=10)
        (answer,) = [one for one in said.turn.sent_up if isinstance(one, ToolAnswered)]
        assert "error" in answer.result


async def test_a_cough_is_no_answer(valkey: Valkey, tmp_path: Path) -> None:
    async with talk(valkey, tmp_path) as said:
        assert not said.hears(""), "nobody has said anything"
        said.turn.over = True
        said.next_turn()
        assert said.hears("응"), "the question still waits"
        assert (await said.says()).say_as == GRANTED


async def test_what_is_meant_by_that_is_what_was_told_and_not_what_was_asked(valkey: Valkey, tmp_path: Path) -> None:
    """Who says no to forgetting, and then wants it after all, means the same words."""
    async with talk(valkey, tmp_path) as said:
        for text in ("내 비밀번호는 일이삼사야.", "그건 잊어줘", "아니", "네?", "지금 몇 시야?", "다시 말해 줘"):
            said.turn.transcript = text
            said.next_turn()
        assert said.hears("그건 잊어줘")
        obliged = await said.says()
        assert obliged.wish is not None and obliged.wish.arguments == {"turn": "2"}
        assert said.hears("내가 뭐라고 했지?")
        assert "비밀번호" in (await said.says()).say


async def test_what_is_forgotten_is_said_to_be_however_long_others_take_to_hear_of_it(
    valkey: Valkey, tmp_path: Path
) -> None:
    async with (
        redis_proxy(valkey.socket, tmp_path / "redis") as line,
        talk(valkey, tmp_path, line.url) as said,
    ):
        database = said.served.parts.database
        async with database.transaction() as connection:
            await ensure_person(database, connection, USER)
            await decide(database, connection, USER, {"memories": True})
        for number in range(3):
            await database.commit_turn(
                record(1, session=f"{number}" * 32, user=USER, transcript="손주 이름은 민준이야.", distress="")
            )
        line.set_requests("hold")  # of three summaries, each of which would be waited for
        wish = Wish(tool="forget_memory", arguments={"words": "민준"}, question="민준이 이야기를 잊을까요?")
        done = await said.tools.carry_out(wish)
        rows = [row for number in range(3) for row in await database.turns(f"{number}" * 32)]
        assert all(row.forgotten for row in rows) and done.was_done
        line.set_requests("pass")
