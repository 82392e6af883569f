"""The offline listener: replies that may be said to an older person, grammatical, honest, and never twice the same."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_node.engines import LanguageModel, ReplyRequest
from gpu_node.engines.reflective import ReflectiveListener, compose, remaining
from gpu_node.engines.reflective.conjugation import Kind, Tense, Verb, acknowledged, honorific, infinitive, past
from gpu_node.engines.reflective.distress import Danger, danger_in
from gpu_node.engines.reflective.english import echoed
from gpu_node.engines.reflective.korean_endings import Ending, classify
from gpu_node.engines.reflective.numerals import spell_numbers
from gpu_node.engines.reflective.particles import Noun, attach, may_follow
from gpu_node.engines.reflective.phrases_en import SITUATIONS as PHRASES_EN
from gpu_node.engines.reflective.situations_ko import SITUATIONS as SITUATIONS_KO
from gpu_node.engines.reflective.understanding_ko import understand
from gpu_node.engines.reflective.verbs import VERBS, final_verb
from gpu_node.register import Rule, check
from streaming.messages import Language, ReplyContext, Utterance

UTTERANCES: dict[Language, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("listener_utterances.json").read_text(encoding="utf-8")
)


def reply(text: str, language: Language = "ko", **context: Any) -> str:
    return compose(ReplyRequest(text, context=ReplyContext(language=language, **context)))


def talk(*lines: str) -> tuple[Utterance, ...]:
    """A history that begins with the user."""
    return tuple(Utterance(role="assistant" if at % 2 else "user", text=line) for at, line in enumerate(lines))


# --- the committed utterances ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("language", "count"), [("ko", 40), ("en", 15)])
def test_the_utterances_get_replies_that_differ(language: Language, count: int) -> None:
    replies = [reply(utterance["text"], language) for utterance in UTTERANCES[language]]
    assert len(replies) == len(set(replies)) == count


@pytest.mark.parametrize("language", ["ko", "en"])
def test_four_in_five_replies_take_up_a_content_word(language: Language) -> None:
    utterances = UTTERANCES[language]
    taken_up = [any(word in reply(u["text"], language) for word in u["content"]) for u in utterances]
    assert sum(taken_up) >= 0.8 * len(utterances)


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("address", ["", "어르신", "Mrs. Kim"])
def test_every_reply_keeps_the_register(language: Language, address: str) -> None:
    for utterance in UTTERANCES[language]:
        answer = reply(utterance["text"], language, form_of_address=address)
        assert check(answer, language) == (), answer
        assert answer.count(address or "어르신") <= 1


def test_a_whole_conversation_never_repeats_a_reply_or_a_question() -> None:
    history: tuple[Utterance, ...] = ()
    for utterance in UTTERANCES["ko"]:
        answer = reply(utterance["text"], form_of_address="어르신", history=history)
        assert check(answer, "ko") == (), answer
        history += talk(utterance["text"], answer)
    replies = [line.text for line in history if line.role == "assistant"]
    questions = [text.split(". ")[-1] for text in replies]
    assert len(set(replies)) == 40
    assert len(set(questions)) >= 38


def test_the_same_words_again_get_another_reply() -> None:
    history: tuple[Utterance, ...] = ()
    for _ in range(6):
        history += talk("무릎이 아파요", reply("무릎이 아파요", history=history))
    replies = [line.text for line in history if line.role == "assistant"]
    assert len(set(replies)) == 6


@pytest.mark.parametrize(
    ("said", "language"), [("안녕", "ko"), ("네", "ko"), ("어", "ko"), ("hello", "en"), ("uh", "en")]
)
def test_even_a_word_said_a_dozen_times_is_not_answered_twice_alike(said: str, language: Language) -> None:
    history: tuple[Utterance, ...] = ()
    for _ in range(12):
        answer = reply(said, language, history=history)
        assert check(answer, language) == (), answer
        history += talk(said, answer)
    assert len({line.text for line in history if line.role == "assistant"}) == 12


def test_the_same_conversation_always_gets_the_same_reply() -> None:
    history = talk("안녕", "안녕하세요, 오늘 기분은 어떠세요?")
    assert len({reply("텃밭에 고추를 심었어요", history=history) for _ in range(5)}) == 1


# --- what was said, given back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "given_back"),
    [
        ("산책을 다녀왔어요.", "산책을 다녀오셨군요"),
        ("시장에 가서 배추를 3포기 샀어요", "시장에 가서 배추를 세 포기 사셨군요"),
        ("손주가 다음 주에 놀러 온대요", "손주가 다음 주에 놀러 온다는 소식이군요"),
        ("아들이 승진했대", "아드님이 승진하셨다는 소식이군요"),
        ("어머니가 보고 싶어요", "어머님이 보고 싶으시군요"),
        ("비가 오네", "비가 오는군요"),
        ("요즘은 입맛이 없어", "요즘은 입맛이 없으시군요"),
        ("강아지를 키우고 있어요", "강아지를 키우고 계시는군요"),
        ("김치를 담그지 못했어요", "김치를 담그지 못하셨군요"),
        ("손녀가 그림을 그려 줬어", "손녀가 그림을 그려 주었군요"),
        ("며느리가 김치를 보내줬어요", "며느님이 김치를 보내 주셨군요"),
        ("할머니가 팥죽을 끓여 주셨어", "할머님이 팥죽을 끓여 주셨군요"),
        ("아버지는 군인이었어요", "아버님은 군인이셨군요"),
        ("밥 먹고 산책을 갔어", "밥 드시고 산책을 가셨군요"),
        ("친구들이랑 막걸리를 마셨심더", "친구분들이랑 막걸리를 드셨군요"),
        ("어제 경로당에서 화투를 쳤당께", "어제 경로당에서 화투를 치셨군요"),
        ("논에서 메뚜기를 잡았슈", "논에서 메뚜기를 잡으셨군요"),
        ("손주가 왔다 갔어", "손주가 왔다 갔군요"),
    ],
)
def test_a_statement_is_given_back_with_honour_where_it_is_due(said: str, given_back: str) -> None:
    statement = understand(said).statement
    assert statement is not None
    assert statement.text == given_back


@pytest.mark.parametrize(
    "said",
    [
        "딸이 미국에 살아서 영상통화로 얼굴을 봐요",  # who looks is not said
        "순자가 서울로 갔어",  # an unknown word may be a person
        "나한테 편지를 보냈어",  # somebody else did
        "비가 와서 다 죽었어",
        "이름을 몰라",
        "커피를 마셨어요?",
    ],
)
def test_what_cannot_be_given_back_rightly_is_not(said: str) -> None:
    assert understand(said).statement is None


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("손주가 보고 싶어", "손주"),
        ("눈이 침침해서 글씨가 안 보여", "눈"),
        ("단골미용실에서 파마를 했어", "파마"),
        ("셋째딸이 왔어", "셋째따님"),
        ("강아지처럼 눈밭을 뛰어다녔어 눈이 와서", "눈"),
    ],
)
def test_what_an_utterance_is_about(said: str, first: str) -> None:
    assert str(understand(said).topics[0].display) == first


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        ("시장에 가요", Ending.TELLS),
        ("생각나요", Ending.TELLS),
        ("우리 어머니", Ending.TELLS),
        ("맛있더라고", Ending.TELLS),
        ("거기 있나요", Ending.ASKS),
        ("이름이 뭐야", Ending.ASKS),
        ("밥 먹었니", Ending.ASKS),
        ("시장에 가요?", Ending.ASKS),
        ("왜 먼저 갔을까", Ending.WONDERS),
        ("뭐더라", Ending.WONDERS),
        ("물 좀 갖다 줘", Ending.BIDS),
        ("같이 갑시다", Ending.BIDS),
        ("시장에 갔는데", Ending.OPEN),
        ("그래서 영하 사십 도가 넘는 그 겨울을", Ending.OPEN),
    ],
)
def test_what_an_ending_does(said: str, ending: Ending) -> None:
    assert classify(said) is ending


# --- grammar ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noun", "pair", "whole"),
    [
        ("집", "을/를", "집을"),
        ("학교", "을/를", "학교를"),
        ("딸", "이/가", "딸이"),
        ("서울", "으로/로", "서울로"),
        ("부산", "으로/로", "부산으로"),
        ("복실이", "이에요/예요", "복실이예요"),
        ("몽", "이에요/예요", "몽이에요"),
        ("초코", "이라고/라고", "초코라고"),
        ("아드님", "과/와", "아드님과"),
        ("어머니", "과/와", "어머니와"),
    ],
)
def test_particles_follow_the_last_sound(noun: str, pair: str, whole: str) -> None:
    assert attach(noun, pair) == whole
    assert f"{Noun(noun):{pair}}" == whole


def test_particles_are_taken_off_only_where_they_fit() -> None:
    assert may_follow("손주", "가")
    assert not may_follow("손주", "이")
    assert may_follow("서울", "로")
    assert not may_follow("부산", "로")
    assert may_follow("집", "에서는")
    with pytest.raises(KeyError):
        attach("집", "를/을")


@pytest.mark.parametrize(
    ("stem", "irregular", "base", "past_stem", "honoured"),
    [
        ("가", "", "가", "갔", "가시"),
        ("오", "", "와", "왔", "오시"),
        ("걷", "ㄷ", "걸어", "걸었", "걸으시"),
        ("춥", "ㅂ", "추워", "추웠", "추우시"),
        ("돕", "ㅂ", "도와", "도왔", "도우시"),
        ("짓", "ㅅ", "지어", "지었", "지으시"),
        ("부르", "르", "불러", "불렀", "부르시"),
        ("만들", "", "만들어", "만들었", "만드시"),
        ("담그", "", "담가", "담갔", "담그시"),
        ("하", "", "해", "했", "하시"),
        ("배우", "", "배워", "배웠", "배우시"),
        ("되", "", "돼", "됐", "되시"),
        ("그렇", "ㅎ", "그래", "그랬", "그러시"),
    ],
)
def test_conjugation(stem: str, irregular: str, base: str, past_stem: str, honoured: str) -> None:
    verb = Verb(stem, Kind.ACT, irregular)
    assert (infinitive(verb), past(verb), honorific(verb).stem) == (base, past_stem, honoured)


def test_every_known_verb_is_recognised_in_what_people_say_and_given_back_politely() -> None:
    for verb in VERBS:
        final = final_verb(past(verb) + "어요")
        assert final is not None and final.tense is Tense.PAST, verb.stem
        for honoured in (True, False):
            for tense in (Tense.PAST, Tense.PRESENT):
                assert acknowledged(verb, tense, "군요", honoured=honoured).endswith("군요")
    assert acknowledged(Verb("먹", Kind.ACT, honorific="드시"), Tense.PAST, "네요", honoured=True) == "드셨네요"
    assert acknowledged(Verb("좋", Kind.STATE), Tense.PRESENT, "군요", honoured=False) == "좋군요"
    assert acknowledged(Verb("가", Kind.ACT), Tense.PROGRESS, "네요", honoured=True) == "가고 계시네요"


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("배추 3포기", "배추 세 포기"),
        ("20살", "스무 살"),
        ("3시 20분", "세 시 이십분"),
        ("1950년 6월 25일", "천구백오십년 유월 이십오일"),
        ("3,000세대", "삼천세대"),
        ("10.5센티", "십점오센티"),
        ("3개월", "삼개월"),
        ("0", "영"),
    ],
)
def test_numbers_are_spelled(written: str, spoken: str) -> None:
    assert spell_numbers(written) == spoken


@given(st.integers(0, 10**14))
def test_no_digit_is_left(number: int) -> None:
    assert not any(character.isdigit() for character in spell_numbers(f"{number}원 {number}개"))


@pytest.mark.parametrize(
    ("said", "given_back"),
    [
        ("I went for a walk.", "you went for a walk"),
        ("Well, my wife and I danced", "you and your wife danced"),
        ("I was there when we were young", "you were there when you were young"),
        ("I think so too", ""),
        ("You and I went home", ""),
        ("I am eighty-two", "you are eighty-two"),
        ("I am 82", ""),
    ],
)
def test_an_english_statement_is_turned_to_you(said: str, given_back: str) -> None:
    assert echoed(said) == given_back


# --- honesty and safety ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "danger"),
    [
        ("살려줘", Danger.BODY),
        ("사람 살려", Danger.BODY),
        ("숨이 안 쉬어져", Danger.BODY),
        ("숨을 못 쉬겠어요", Danger.BODY),
        ("가슴이 너무 아파", Danger.BODY),
        ("가슴이 조여 와", Danger.BODY),
        ("남편이 쓰러졌어요", Danger.BODY),
        ("넘어져서 못 일어나겠어", Danger.BODY),
        ("집에 불이 났어", Danger.FIRE),
        ("도둑이 들었어", Danger.CRIME),
        ("죽고 싶어", Danger.DESPAIR),
        ("살기 싫어요", Danger.DESPAIR),
        ("빨리 죽어야지 뭐", Danger.DESPAIR),
        ("아들 생각하면 가슴이 아파", None),
        ("그때 가슴이 아팠지", None),
        ("전쟁 때 사람 살려 소리가 들렸어", None),
        ("배고파 죽겠어", None),
        ("보고 싶어 죽겠어", None),
        ("무릎이 아파요", None),
        ("드라마에서 남편이 쓰러졌어", None),
        ("산불이 났다고 하더라", None),
    ],
)
def test_danger_to_life_is_told_from_stories_of_it(said: str, danger: Danger | None) -> None:
    assert danger_in(said, "ko") is danger


@pytest.mark.parametrize(
    ("said", "danger"),
    [
        ("I can't breathe", Danger.BODY),
        ("My chest hurts", Danger.BODY),
        ("I don't want to live anymore", Danger.DESPAIR),
        ("I smell gas", Danger.FIRE),
        ("When I was young my chest hurt once", None),
        ("My knees hurt", None),
    ],
)
def test_danger_in_english(said: str, danger: Danger | None) -> None:
    assert danger_in(said, "en") is danger


def test_danger_is_answered_with_the_number_to_call_and_what_the_listener_cannot_do() -> None:
    first = reply("숨이 안 쉬어져")
    assert "일일구" in first and "전화를 걸어 드릴 수 없" in first
    assert "일공구" in reply("죽고 싶어")
    again = reply("숨이 안 쉬어져", history=talk("숨이 안 쉬어져", first))
    assert "일일구" in again and again != first
    for said in ("숨이 안 쉬어져", "죽고 싶어", "불이 났어", "도둑이 들었어"):
        assert check(reply(said), "ko") == ()
    assert "one one nine" in reply("I can't breathe", "en")


@pytest.mark.parametrize("said", ["그다", "소금 소금 소금 소금 소금", "Well", "그 뭐더라 그거", "...", ""])
def test_it_says_so_when_it_did_not_understand(said: str) -> None:
    answer = reply(said)
    assert check(answer, "ko") == ()
    assert any(word in answer for word in ("못", "모르", "놓쳤", "짧게만")), answer


@pytest.mark.parametrize(
    ("said", "must_say"),
    [
        ("너 이름이 뭐야?", "복실이"),
        ("몇 살이야", "나이"),
        ("너는 사람이야?", "사람"),
        ("우리 아들은 언제 와?", "아드님"),
        ("노래 하나 불러줘", "노래"),
        ("딸한테 전화 좀 걸어 줘", "전화"),
        ("약을 먹었는지 기억이 안 나", "약봉지"),
        ("가스불을 안 끄고 나온 것 같아", "가스"),
        ("내가 누구야", "들려주"),
    ],
)
def test_questions_and_requests_to_the_puppy_are_answered_honestly(said: str, must_say: str) -> None:
    answer = reply(said)
    assert must_say in answer
    assert check(answer, "ko") == ()


def test_the_date_and_the_time_come_from_the_persons_own_clock() -> None:
    now = "2026-11-22T15:20:00+09:00"
    assert "십일월 이십이일 일요일이에요" in reply("오늘 며칠이야?", local_time=now)
    assert "오후 세 시 이십 분이에요" in reply("지금 몇 시야", local_time=now)
    assert "이천이십육년" in reply("올해가 몇 년도지", local_time=now)
    assert "알 수가 없" in reply("오늘 며칠이야?") or "없어서" in reply("오늘 며칠이야?")
    assert "Sunday, the twenty-second of November" in reply("What day is it?", "en", local_time=now)
    assert "three twenty in the afternoon" in reply("what time is it", "en", local_time=now)


def test_plans_of_the_day_are_told_and_never_invented() -> None:
    told = reply("오늘 무슨 약속 있어?", events_today=("오후 3시 병원 예약",))
    assert "오후 세 시 병원 예약" in told and check(told, "ko") == ()
    assert "병원" not in reply("오늘 무슨 약속 있어?")


def test_it_repeats_its_last_words_when_asked() -> None:
    history = talk("산책했어", "산책하셨군요. 어디를 걸으셨어요?")
    assert reply("다시 말해줘", history=history) == "네, 다시 말씀드릴게요. 산책하셨군요. 어디를 걸으셨어요?"
    assert reply("뭐라고?", history=talk("a", "하나예요. 둘이에요. 셋이에요?")) == "하나예요. 둘이에요. 셋이에요?"
    assert reply("say that again", "en", history=talk("a", "You walked. Was it far?")).endswith(
        "You walked. Was it far?"
    )


def test_what_was_told_before_is_remembered() -> None:
    with_memory = reply("텃밭에 고추를 심었어요", memories=("텃밭에서 고추를 기르신다",))
    assert "전에" in with_memory
    yes = {
        reply(said, history=talk("고향이 함흥이에요", "함흥 이야기를 들려주셨네요. 어떤 곳이었어요?"))
        for said in ("네", "그래", "응", "그럼", "맞아")
    }
    assert any("함흥" in answer for answer in yes)


@pytest.mark.parametrize("address", ["", "선생님", "영희님", "<b>x</b>", "Kim", "할머니 3"])
def test_the_form_of_address_is_used_at_most_once_and_only_if_it_can_be_said(address: str) -> None:
    replies = [reply(u["text"], form_of_address=address) for u in UTTERANCES["ko"]]
    assert all(check(answer, "ko") == () for answer in replies)
    used = [answer.count(address) for answer in replies if address]
    assert not used or max(used) <= 1
    if address in ("선생님", "영희님"):
        assert any(used)


# --- as an engine ----------------------------------------------------------------------------------------------------


async def test_it_streams_word_by_word_and_goes_on_after_what_was_released() -> None:
    engine: LanguageModel = ReflectiveListener()
    await engine.warm_up()
    context = ReplyContext()
    whole = compose(ReplyRequest("산책을 다녀왔어요", context=context))
    tokens = [token async for token in engine.stream(ReplyRequest("산책을 다녀왔어요", context=context))]
    assert "".join(token.text for token in tokens) == whole
    assert len(tokens) == len(whole.split())
    assert {token.source for token in tokens} == {"reflective"}
    released = whole.split(". ")[0] + "."
    rest = engine.stream(ReplyRequest("산책을 다녀왔어요", context=context, released=released))
    assert released + " " + "".join([token.text async for token in rest]) == whole
    await engine.aclose()


def test_after_another_engines_beginning_only_the_question_is_added() -> None:
    whole = "산책을 다녀오셨군요. 참 좋지요. 어디를 걸으셨어요?"
    assert remaining(whole, "") == whole
    assert remaining(whole, "날씨가 좋았지요.") == "어디를 걸으셨어요?"
    assert remaining(whole, "날씨가 좋았지요. 어디에 가셨어요?") == ""
    assert remaining(whole, whole) == ""


@pytest.mark.parametrize(
    ("language", "said", "meant"),
    [
        *(("ko", said, "yes") for said in ("네, 그랬어요.", "응 그랬지", "그럼, 물론이지요.", "네 네, 맞네요")),
        *(
            ("ko", said, "no")
            for said in ("아뇨.", "아니요, 그건 아니에요.", "아니야 그런 거 아니야", "아니 안 불렀어")
        ),
        *(("en", said, "yes") for said in ("Yes, we did.", "Yeah, I was.", "Yes, of course.")),
        *(("en", said, "no") for said in ("No, not really.", "No, we didn't.", "No, no.")),
    ],
)
def test_a_yes_or_a_no_to_its_own_question_is_understood(language: Language, said: str, meant: str) -> None:
    question = "그때 함께 노래도 부르셨어요?" if language == "ko" else "Did you sing together?"
    before = talk("손주들이 왔어요." if language == "ko" else "My grandchildren came.", question)
    assert reply(said, language, history=before) in _answers_to(language, meant)


def _answers_to(language: Language, meant: str) -> set[str]:
    """What is said to any yes, or to any no, of people who have spoken of their grandchildren."""
    if language == "en":
        return {text for name, _, replies in PHRASES_EN if name == meant for text in replies}
    name = {"yes": "yes_on", "no": "no"}[meant]
    [situation] = [situation for situation in SITUATIONS_KO if situation.name == name]
    return {text.replace("{N}", "손주들") for text in situation.replies}


@pytest.mark.parametrize("said", ["아니 안방에서 잤어", "아니 안동에서 왔어", "아니 안녕하세요"])
def test_what_only_begins_with_a_no_is_more_than_one(said: str) -> None:
    assert reply(said) not in _answers_to("ko", "no")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["ko", "en"]))
def test_nothing_that_is_said_breaks_it(text: str, language: Language) -> None:
    assert Rule.QUESTION not in {fault.rule for fault in check(reply(text, language), language)}


_WORDS = st.sampled_from(
    "어머니가 아들이 손주 시장에서 김치를 먹었어요 갔지 보고 싶어 눈이 와서 아파 옛날에 나는 우리 같이 하고 있어"
    " 죽었어 왜 누구야 3시에 안 못 좋았는데 꽃이 피었네 다쳤어 보내줬어요 그랬슈 군인이었어요 걱정이야 배를 타고"
    " 약을".split()
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_WORDS, min_size=1, max_size=9))
def test_whatever_is_put_together_is_answered_in_register(words: list[str]) -> None:
    answer = reply(" ".join(words), form_of_address="어르신")
    assert check(answer, "ko") == (), answer


def test_a_reply_costs_milliseconds() -> None:
    texts = [utterance["text"] for utterance in UTTERANCES["ko"]]
    history = talk(*(text for utterance in texts for text in (utterance, "네, 그러셨군요. 어떠셨어요?")))[-24:]
    started = time.process_time()
    for text in texts:
        reply(text, history=history)
    assert (time.process_time() - started) / len(texts) < 0.05
