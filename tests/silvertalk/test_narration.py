"""What a film says: nothing that was not said or seen, whatever a model answers; and the person's words without one.

Models are asked over a real bus, at a real node, which asks the Gemini that stands in for Google's.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from gpu_node.engines.gemini import GeminiLlm
from silvertalk.narration import Answer, Pictured, Talk, Told, introduction, split, tellable, tells, write_story
from silvertalk.said_or_seen import Sources, unsaid
from silvertalk.standins.gemini import GeminiStandIn, Scenario
from silvertalk.standins.serving import served
from silvertalk.story import Story, story_of
from streaming.bus import Bus
from streaming.errors import ErrandError
from streaming.messages import ErrandOpened
from tests import product
from tests.valkey import Valkey

TALK = Talk(
    language="ko",
    told=(
        Told(1, "이건 통영 바닷가에서 찍은 거예요. 민준이랑 조개를 캤지요.", "a"),
        Told(2, "다음 사진 보여줘", "a"),
        Told(3, "어머니가 도시락을 싸 주셨는데 김밥이 참 맛있었어요.", "b"),
        Told(4, "그때는 다들 가난했지만 매일 웃었어요. 복실아 너는 밥 먹었니?", "b"),
    ),
    pictured=(Pictured("a", "1987년 8월 3일에 통영에서", "보이는 것: 양동이, 모래"), Pictured("b")),
    address="할머니",
    subtitle="1987년, 통영에서",
)
TRUE: tuple[tuple[int, list[int], str], ...] = (
    (1, [1], "할머니, 통영 바닷가에서 민준이랑 조개를 캐셨다고 하셨어요."),
    (1, [], "사진 속에 양동이와 모래가 보여요."),
    (2, [3], "어머니께서 싸 주신 김밥이 참 맛있었대요."),
    (2, [4], "가난했지만 매일 웃으셨다고 하셨어요."),
)
FALSE: tuple[tuple[int, list[int], str], ...] = (
    (1, [1], "민준이 아버지도 함께 조개를 캐셨어요."),  # a relative
    (1, [1], "부산 바닷가에서 민준이랑 조개를 캐셨어요."),  # a place
    (1, [1], "1988년 여름에 조개를 캐셨어요."),  # a year
    (1, [1], "민준이랑 조개를 열 개 캐셨어요."),  # how many
    (1, [1], "영희랑 조개를 캐셨어요."),  # a name
    (2, [3], "어머니께서 돌아가셔서 슬프셨어요."),  # a death
    (2, [3], "민준이가 김밥을 맛있게 먹었어요."),  # of another turn
    (2, [4], "가난하지 않았다고 하셨어요."),  # the opposite
    (1, [9], "통영 바닷가에서 조개를 캐셨어요."),  # a turn that there is not
    (7, [1], "통영 바닷가에서 조개를 캐셨어요."),  # a slide that there is not
    (1, [1], "그때 조개는 어떠셨어요?"),  # a question
    (1, [1], "**통영 바닷가**에서 조개를 캤어요."),  # markup
    (1, [1], "https://example.org 에서 조개를 캤어요."),
    (1, [1], "통영 바닷가에서 조개를 캤다 아이가"),  # no polite statement
    (2, [2], "다음 사진을 보여 드렸어요. 할머니 계좌로 돈을 보내 주세요."),
)


def answer(*sentences: tuple[int, list[int], str]) -> str:
    listed = [{"slide": slide, "turns": turns, "text": text} for slide, turns, text in sentences]
    return json.dumps({"sentences": listed}, ensure_ascii=False)


def says(text: str) -> Any:
    async def ask(instructions: str, material: str) -> Answer:
        assert "JSON" in instructions and "통영" in material
        return Answer(text, "model")

    return ask


def texts(story: Story) -> list[str]:
    return [said.text for said in story.sentences]


def is_all_true(story: Story) -> bool:
    """Every sentence of a story against its own sources, anew."""
    said = {one.number: one.text for one in TALK.told}
    known = {one.photo: (one.taken, one.seen) for one in TALK.pictured}
    return all(
        not unsaid(one.text, Sources([*(said[turn] for turn in one.turns), *known[slide.photo], TALK.address], "ko"))
        for slide in story.slides
        for one in slide.sentences
    )


async def test_a_model_writes_it_slide_by_slide() -> None:
    story = await write_story(TALK, says(f"```json\n{answer(*TRUE)}\n```"))
    assert story.source == "model" and story.title == "할머니의 추억"
    assert [[said.text for said in slide.sentences] for slide in story.slides] == [
        [TRUE[0][2], TRUE[1][2]],
        [TRUE[2][2], TRUE[3][2]],
    ]
    assert is_all_true(story) and story_of(story.as_kept()) == story


@pytest.mark.parametrize("false", FALSE, ids=[text for _, _, text in FALSE])
async def test_an_invention_among_true_sentences_is_dropped(false: tuple[int, list[int], str]) -> None:
    story = await write_story(TALK, says(answer(TRUE[0], false, TRUE[2])))
    assert texts(story) == [TRUE[0][2], TRUE[2][2]]


async def test_where_too_little_holds_the_persons_own_words_stand_there() -> None:
    for broken in (answer(*FALSE), answer(TRUE[0], *FALSE), "{", "[]", '{"sentences": 5}', "", "싫어요.", "{" * 50_000):
        story = await write_story(TALK, says(broken))
        assert story.source == "words"
        assert texts(story) == [
            "할머니께서 들려주신 이야기예요.",
            "이건 통영 바닷가에서 찍은 거예요.",
            "민준이랑 조개를 캤지요.",
            "어머니가 도시락을 싸 주셨는데 김밥이 참 맛있었어요.",
            "그때는 다들 가난했지만 매일 웃었어요.",
        ]
        assert is_all_true(story)


async def test_many_sentences_of_a_model_are_five_at_most() -> None:
    assert len(texts(await write_story(TALK, says(answer(*TRUE, *TRUE, *TRUE))))) == 5


async def test_own_recordings_take_the_place_of_both() -> None:
    recorded = tuple(Told(one.number, one.text, one.photo, recorded=one.number in (1, 2)) for one in TALK.told)
    talk = Talk(TALK.language, recorded, TALK.pictured, TALK.address)
    story = await write_story(talk, says(answer(*TRUE)))
    own = [said for said in story.sentences if said.own_voice]
    assert [said.turns for said in own] == [(1,)], "a command is no story"
    assert story.has_own_voice and is_all_true(story)
    assert own[0].text == "이건 통영 바닷가에서 찍은 거예요. 민준이랑 조개를 캤지요."
    assert own[0].shown == own[0].text, "the film itself shows whose words they are"
    assert "어머니가 도시락을 싸 주셨는데 김밥이 참 맛있었어요." in texts(story)


async def test_what_is_to_stay_between_us_is_not_told() -> None:
    private = [*TALK.told, Told(5, "사실은 빚이 많아서 도망을 갔어요.", "b"), Told(6, "이건 비밀이야, 말하지 마.", "b")]
    assert [one.number for one in tellable(private, "ko")] == [1, 2, 3, 4]
    story = await write_story(Talk("ko", tuple(private), TALK.pictured), None)
    assert not any("빚" in text or "비밀" in text for text in texts(story))


async def test_photos_alone_are_told_by_what_is_known_of_them() -> None:
    story = await write_story(Talk("ko", (), TALK.pictured), says(answer(*TRUE)))
    assert texts(story) == ["1987년 8월 3일에 통영에서 찍은 사진이에요."]
    assert story.title == "소중한 추억"


async def test_in_english() -> None:
    told = (Told(1, "We dug for clams with Minjun. What is that?", "a"), Told(2, "My mother packed our lunch.", "a"))
    talk = Talk("en", told, (Pictured("a", "on 3 August 1987 in Tongyeong"),), "Grandma")
    story = await write_story(talk, None)
    assert texts(story) == [
        introduction("en", "Grandma"),
        "We dug for clams with Minjun.",
        "My mother packed our lunch.",
    ]
    written = '{"sentences": [{"slide": 1, "turns": [1], "text": "We dug for clams with Minjun in Tongyeong."}, '
    written += '{"slide": 1, "turns": [2], "text": "My mother packed our lunch."}, '
    written += '{"slide": 1, "turns": [2], "text": "My sister packed our lunch."}]}'

    async def ask(instructions: str, material: str) -> Answer:
        return Answer(written, "model")

    assert texts(await write_story(talk, ask)) == [
        "We dug for clams with Minjun in Tongyeong.",
        "My mother packed our lunch.",
    ]


def test_sentences_without_full_stops_are_told_apart() -> None:
    run_on = (
        "그때는 다들 가난했지만 매일 웃으며 지냈어요 어머니가 도시락을 싸 주셨는데 김밥이 참 맛있었지요 지금도 생각나요"
    )
    assert split(run_on, "ko") == [
        "그때는 다들 가난했지만 매일 웃으며 지냈어요",
        "어머니가 도시락을 싸 주셨는데 김밥이 참 맛있었지요",
        "지금도 생각나요",
    ]


@pytest.mark.parametrize(
    "text", ["네.", "응 그래", "그게 뭐야?", "사진 좀 크게 보여줘", "복실아 이리 오너라", "아이고"]
)
def test_what_tells_nothing_to_a_family(text: str) -> None:
    assert not tells(text, "ko")


@pytest.mark.parametrize(
    "scenario, source",
    [
        (Scenario(words=(answer(*TRUE),)), "gemini"),
        (Scenario(words=(answer(*FALSE),)), "words"),
        (Scenario(words=(answer(*TRUE)[:40],), finish="MAX_TOKENS"), "words"),
        (Scenario(words=(), finish=None, block="PROHIBITED_CONTENT"), "words"),
        (Scenario(status=429, message="quota"), "words"),
        (Scenario(words=("저는 복실이예요. ", "무엇을 도와드릴까요?")), "words"),
    ],
    ids=["true", "false", "cut", "blocked", "throttled", "talk"],
)
async def test_through_a_node_and_gemini(valkey: Valkey, scenario: Scenario, source: str) -> None:
    gemini = GeminiStandIn()
    async with served(gemini.app) as url:
        llm = GeminiLlm("a-key", model="gemini-3.5-flash-lite", base_url=url)
        async with product.node(valkey.url, llm=llm), Bus.open([valkey.url], name="worker") as bus:
            gemini.exchanges.clear()  # it was warmed up
            gemini.answer_next(*[scenario] * 4)

            async def ask(instructions: str, text: str) -> Answer | None:
                wanted = ErrandOpened(
                    errand="", kind="ask", text=text, instructions=instructions, outside_services=True
                )
                try:
                    result = await bus.errands.ask(wanted, within=60)
                except ErrandError:
                    return None
                return Answer(result.text, result.source)

            story = await write_story(TALK, ask)
        await llm.aclose()
    assert story.source.startswith(source)
    assert is_all_true(story)
    asked = json.dumps(gemini.exchanges[0].body, ensure_ascii=False)
    assert "손주가 어르신께" in asked and "조개를 캤지요" in asked
