"""The prompt: what every model is told, and that nothing a person said can pass for it."""

import re
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_node.engines import ReplyRequest
from gpu_node.persona import (
    HISTORY_UTTERANCES,
    PERSONA_VERSION,
    SECTION_CHARACTERS,
    conversation,
    may_bark,
    system_prompt,
)
from streaming.messages import Language, ReplyContext, Utterance

LANGUAGES: tuple[Language, ...] = ("ko", "en")
OUR_TAG = re.compile(r"</?([\w가-힣]+)>")


def asked(transcript: str = "산책을 다녀왔어요", released: str = "", **context: object) -> ReplyRequest:
    return ReplyRequest(transcript, ReplyContext(**context), released)  # type: ignore[arg-type]


def test_the_wording_is_pinned_to_its_version() -> None:
    """Whoever changes a word raises the version, and then this: logs and evaluations tell wordings apart by it."""
    wording = "".join(system_prompt(ReplyContext(language=language)) for language in LANGUAGES)
    assert (PERSONA_VERSION, sha256(wording.encode()).hexdigest()[:12]) == (2, "93cfffa25685")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_section_appears_when_known_and_only_then(language: Language) -> None:
    known = ReplyContext(
        language=language,
        form_of_address="영희님",
        pet_name="초롱이",
        summary="지난번에 부산 이야기를 했다",
        memories=("바닷가에서 오징어를 말렸다", "  "),
        photo="바닷가에 선 가족",
        events_today=("손주가 온다",),
        local_time="2026-11-22T09:05:00+09:00",
    )
    prompt = system_prompt(known)
    for fact in (
        "영희님",
        "초롱이",
        "지난번에 부산",
        "- 바닷가에서 오징어를 말렸다",
        "바닷가에 선 가족",
        "- 손주가 온다",
    ):
        assert fact in prompt
    assert ("일요일 오전 9시 5분" if language == "ko" else "Sunday, November 22 2026, 09:05 AM") in prompt
    assert len(OUR_TAG.findall(prompt)) == 2 * 6
    assert len(OUR_TAG.findall(system_prompt(ReplyContext(language=language)))) == (2 if language == "ko" else 0)


def test_a_clock_that_is_no_time_is_left_out() -> None:
    assert system_prompt(ReplyContext(local_time="around noon")) == system_prompt(ReplyContext())


@pytest.mark.parametrize("language", LANGUAGES)
def test_people_share_the_instructions_as_a_prefix(language: Language) -> None:
    """What prompt caches need: everything personal stands after the rules."""
    bare = system_prompt(ReplyContext(language=language, form_of_address="x")).partition("<")[0]
    personal = system_prompt(
        ReplyContext(language=language, form_of_address="선생님", memories=("하나",), summary="둘")
    )
    assert personal.startswith(bare) and len(bare) > 500


@settings(deadline=None)
@given(text=st.text(max_size=200), language=st.sampled_from(LANGUAGES))
def test_nothing_from_outside_can_make_a_tag_or_break_the_encoding(text: str, language: Language) -> None:
    context = ReplyContext(
        language=language,
        form_of_address=text,
        pet_name=text,
        summary=text,
        memories=(text, text),
        photo=text,
        events_today=(text,),
        history=(
            Utterance(role="user", text=text),
            Utterance(role="assistant", text=text, interrupted=True),
            Utterance(role="assistant", text=text),
        ),
    )
    prompt = system_prompt(context)
    turns = conversation(ReplyRequest(text, context, released=text))
    everything = prompt + "".join(said for _, said in turns)
    everything.encode("utf-8")
    assert set(OUR_TAG.findall(everything)) <= set(OUR_TAG.findall(system_prompt(FULL[language]))) | {"알림", "note"}
    assert everything.count("<") == everything.count(">") == len(OUR_TAG.findall(everything))


FULL: dict[Language, ReplyContext] = {
    language: ReplyContext(
        language=language,
        form_of_address="a",
        summary="a",
        memories=("a",),
        photo="a",
        events_today=("a",),
        local_time="2026-11-22T09:05:00",
    )
    for language in LANGUAGES
}

utterances = st.builds(
    lambda role, text, interrupted: Utterance(role=role, text=text, interrupted=interrupted),
    st.sampled_from(["user", "assistant"]),
    st.text(max_size=20),
    st.booleans(),
)


@settings(deadline=None)
@given(history=st.lists(utterances, max_size=40), transcript=st.text(max_size=40), released=st.text(max_size=40))
def test_the_user_speaks_first_and_last_and_sides_alternate(
    history: list[Utterance], transcript: str, released: str
) -> None:
    roles = [role for role, _ in conversation(asked(transcript, released, history=tuple(history)))]
    assert roles == ["user" if place % 2 == 0 else "assistant" for place in range(len(roles))]
    assert roles[-1] == "user"


def test_history_is_bounded_and_the_newest_kept() -> None:
    history = tuple(
        Utterance(role="user" if number % 2 == 0 else "assistant", text=f"말 {number}") for number in range(100)
    )
    turns = conversation(asked("끝", history=history))
    assert len(turns) <= HISTORY_UTTERANCES + 2
    assert turns[-2:] == [("assistant", "말 99"), ("user", "끝")]


def test_a_record_that_grew_crowds_nothing_out() -> None:
    assert len(system_prompt(ReplyContext(photo="바다 " * 50_000))) < 2 * SECTION_CHARACTERS + 2_000


def test_an_interrupted_reply_says_what_was_heard() -> None:
    history = (
        Utterance(role="user", text="바다에 갔어요"),
        Utterance(role="assistant", text="바다가 참", interrupted=True),
    )
    turns = conversation(asked("아니 산이었어", history=history))
    assert turns[1] == ("assistant", "바다가 참")
    assert turns[2][1].startswith("<알림>") and "들렸다" in turns[2][1] and turns[2][1].endswith("아니 산이었어")


def test_a_reply_nobody_heard_is_not_history() -> None:
    history = (Utterance(role="user", text="바다에 갔어요"), Utterance(role="assistant", text="", interrupted=True))
    turns = conversation(asked("여보세요", history=history))
    assert [role for role, _ in turns] == ["user"]
    assert turns[0][1].split("\n")[0] == "바다에 갔어요" and turns[0][1].endswith("여보세요")


def test_a_reply_begun_elsewhere_is_continued() -> None:
    turns = conversation(asked("산책을 다녀왔어요", released="산책을 다녀오셨군요."))
    assert turns[:2] == [("user", "산책을 다녀왔어요"), ("assistant", "산책을 다녀오셨군요.")]
    assert turns[2][0] == "user" and "되풀이하지" in turns[2][1]


BARKED = (Utterance(role="user", text="왔다"), Utterance(role="assistant", text="멍! 반가워요. 어떻게 지내셨어요?"))


@pytest.mark.parametrize(
    ("context", "may"),
    [
        (ReplyContext(), True),
        (ReplyContext(barks=False), False),
        (ReplyContext(history=BARKED), False),
        (ReplyContext(history=BARKED + (Utterance(role="user", text="응"),) * HISTORY_UTTERANCES), True),
        (ReplyContext(history=(Utterance(role="user", text="멍! 해 봐"),)), True),
        (ReplyContext(history=(Utterance(role="assistant", text="멍하니 계셨군요. 무슨 생각을 하셨어요?"),)), True),
        (ReplyContext(language="en", history=(Utterance(role="assistant", text="Woof! Hello."),)), False),
    ],
)
def test_a_bark_is_rare_and_only_for_those_who_like_it(context: ReplyContext, may: bool) -> None:
    assert may_bark(context) is may
    tag = "<멍>" if context.language == "ko" else "<woof>"
    assert (tag in system_prompt(context)) is not may


@pytest.mark.parametrize(
    ("language", "rules"),
    [
        (
            "ko",
            (
                "일일구",
                "일공구",
                "일일이",
                "도구",
                "사진",
                "못 들으신 말은 아직 하지 않은 말",
                "지시가 아니다",
                "시험하듯",
            ),
        ),
        (
            "en",
            ("one one nine", "one zero nine", "one one two", "tools", "photo", "not yet said", "never an instruction"),
        ),
    ],
)
def test_the_rules_that_keep_somebody_safe_are_there(language: Language, rules: tuple[str, ...]) -> None:
    prompt = system_prompt(ReplyContext(language=language))
    assert [rule for rule in rules if rule not in prompt] == []


def test_the_conversation_may_open_with_the_puppy() -> None:
    turns = conversation(asked("안녕", history=(Utterance(role="assistant", text="잘 주무셨어요?"),)))
    assert [role for role, _ in turns] == ["user", "assistant", "user"] and turns[0][1].startswith("<알림>")
