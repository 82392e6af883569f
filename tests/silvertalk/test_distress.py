"""Calls for help are found whatever their form; memories, jokes and other people's troubles are left alone."""

import pytest

from benchmarks.distress_sentences import SENTENCES, Row
from silvertalk.distress import NUMBERS, Distress, distress_in
from streaming.messages import Language
from tests.apart import each_done
from tests.recordings import recordings

SPOKEN = [
    (language, row, text) for language, rows in SENTENCES.items() for row, texts in rows.items() for text in texts
]


@pytest.mark.parametrize(("language", "row", "text"), SPOKEN)
def test_the_sentences_of_the_benchmark(language: Language, row: Row, text: str) -> None:
    distress = distress_in(text, language)
    assert (distress.kind if distress else "calm") == row


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("살려줘", "살려줘"),
        ("아이고 복실아, 나 좀 살려 주이소!", "살려 주이소"),
        ("사람 살리라", "사람 살리라"),
        ("나살려줘", "나살려줘"),
        ("복실아, 숨이 잘 안 쉬어져. 어떡해.", "숨이 잘 안 쉬어져"),
        ("아까부터 숨을 못 쉬겠어요 가슴을 부딪혔어요", "숨을 못 쉬겠어요"),
        ("작년에 수술을 했는데 지금 가슴이 너무 아파", "가슴이 너무 아파"),
        ("가슴이 아파서 잠을 못 자겠어", "가슴이 아파서"),
        ("옛날 생각을 했지. 아이고, 숨이 안 쉬어져.", "숨이 안 쉬어져"),
        ("119 좀 불러 주세요", "119 좀 불러 주세요"),
        ("일일구에 전화해 줘", "일일구에 전화해 줘"),
        ("우리 영감이 쓰러졌어, 어떡해!", "쓰러졌어"),
        ("넘어졌는데 못 일어나겠어", "넘어졌는데 못 일어나겠어"),
        ("부엌에 불이 났어요", "불이 났어요"),
        ("제발 누가 좀 도와주세요", "도와주세요"),
        ("가슴이 아푸다", "가슴이 아푸다"),
        ("숨쉬기가 너무 힘들다고!", "숨쉬기가 너무 힘들다고"),
    ],
)
def test_an_emergency_is_quoted_as_it_was_said(text: str, phrase: str) -> None:
    assert distress_in(text, "ko") == Distress("emergency", phrase, "119")


@pytest.mark.parametrize(
    "text",
    [
        "죽고 싶어",
        "너무 외로워서 죽고 싶어요",
        "자꾸 죽고 싶다는 생각이 들어",
        "나 그만 살고 싶어",
        "인자 고마 살기 싫다",
        "이 세상을 떠나고 싶네",
        "죽고 시퍼",
    ],
)
def test_despair_is_told_from_an_emergency(text: str) -> None:
    distress = distress_in(text, "ko")
    assert distress is not None
    assert (distress.kind, distress.number) == ("despair", "109")


def test_an_emergency_goes_before_despair() -> None:
    distress = distress_in("죽고 싶어. 약을 너무 많이 먹었어.", "ko")
    assert distress is not None
    assert (distress.kind, distress.phrase) == ("emergency", "약을 너무 많이 먹었어")


@pytest.mark.parametrize(
    "text",
    [
        # hyperbole, in 표준어 and dialect
        *(
            "죽겠네",
            "아이고 힘들어 죽겄네",
            "더워 죽겠어",
            "귀여워 죽겠다",
            "답답해 죽겠네",
            "시끄러워 못 살겠다",
            "미치겠네",
        ),
        *(
            "배고파 쓰러질 것 같아",
            "늙으면 죽어야지",
            "창피해서 죽고 싶어",
            "입에 불이 났어",
            "가슴이 벅차고 눈물이 나",
        ),
        # figures of speech: a heart that aches for somebody
        *(
            "어머니 생각만 하면 가슴이 아파",
            "아들이 혼자 사니 가슴이 아파",
            "그 사진을 보면 가슴이 아파",
            "가슴 아픈 사연이지",
        ),
        # other times: words of time, or the verb at the end
        *(
            "그때는 가슴이 아파서 많이 울었어",
            "가슴이 아파 많이 울었어",
            "숨이 막혀서 죽을 뻔했어",
            "어릴 때 불이 났어",
        ),
        *(
            "우리 어머니가 밭에서 쓰러지셨지",
            "남편이 쓰러졌거든",
            "그해 겨울에 쓰러졌었어",
            "가슴이 아팠어",
            "피가 많이 났었지",
        ),
        # quotations, films, hearsay
        *(
            "살려 달라고 했어",
            "사람 살려라고 소리를 질렀지",
            "딸이 죽고 싶다고 하더라",
            "드라마에서 여자가 쓰러졌어",
            "불이 났대",
        ),
        # negation
        *("안 아파", "가슴이 안 아파", "죽고 싶지 않아", "죽고 싶은 건 아니야", "이제 숨이 안 막혀", "불이 안 났어"),
        # how and when somebody wishes to die one day, and where they do not care to live
        *("자다가 편안히 죽고 싶어", "고향에서 죽고 싶어", "아파트에서는 살기 싫어", "시골에 살고 싶지 않아"),
        # help with something
        *("사진 찾는 것 좀 도와줘", "이것 좀 도와주세요", "살려줘서 고마워", "병원에 데려다줘서 고마웠어"),
        # what sounds like a call, and is none
        *(
            "듣기 싫어",
            "자꾸 보고 싶어",
            "노래 들려줘",
            "사랑하고 싶다",
            "심심해 죽겠어",
            "뿔이 났어",
            "만나고 싶어",
            "금연하고 싶어",
        ),
        *("", "...", "네", "응", "멍멍"),
    ],
)
def test_everyday_speech_and_memories_are_left_alone(text: str) -> None:
    assert distress_in(text, "ko") is None


@pytest.mark.parametrize(
    ("heard", "kind"),
    [
        ("수미 안 쉬져", "emergency"),
        ("숨을 못 주이겠어.", "emergency"),
        ("송시기가 나무 흔들어", "emergency"),
        ("비가 안 멈춰", "emergency"),
        ("구급차 좀 물러주세요", "emergency"),
        ("자사하고 싶어.", "despair"),
        ("목숨을 끊고 씹어", "despair"),
    ],
)
def test_what_a_recogniser_misheard_is_found_by_its_sound(heard: str, kind: str) -> None:
    distress = distress_in(heard, "ko")
    assert distress is not None
    assert distress.kind == kind


@pytest.mark.parametrize(
    "heard",
    [
        "비가 많이 와",
        "듣고 싶어",
        "말하기 싫어",
        "다리가 아파",
        "숨을 쉬었어",
        "비가 안 그쳐",
        "사러 가",
        "노래 불러줘",
    ],
)
def test_what_is_nearer_to_everyday_speech_is_no_call(heard: str) -> None:
    assert distress_in(heard, "ko") is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Help me, please!", "emergency"),
        ("Oh God, I can't breathe.", "emergency"),
        ("My chest really hurts.", "emergency"),
        ("I've fallen and I can't get up!", "emergency"),
        ("Please call an ambulance.", "emergency"),
        ("I want to die.", "despair"),
        ("I don't want to live anymore.", "despair"),
        ("Can you help me find that photo?", None),
        ("I'm dying to see you.", None),
        ("He said he wanted to die.", None),
        ("I couldn't breathe for laughing.", None),
        ("When I was a girl our house was on fire.", None),
        ("I don't want to die.", None),
    ],
)
def test_english(text: str, kind: str | None) -> None:
    distress = distress_in(text, "en")
    assert (distress.kind if distress else None) == kind
    assert distress is None or distress.number == NUMBERS[distress.kind]


def test_no_recording_is_distress() -> None:
    """What people said into the microphones of the recordings, as it was written down by hand."""
    languages: tuple[Language, ...] = ("ko", "en")
    texts = [(clip.transcript, language) for language in languages for clip in recordings(language) if clip.transcript]
    if not texts:
        pytest.skip("SILVERTALK_RECORDINGS names no folder with a manifest")
    assert [text for text, language in texts if distress_in(text, language)] == []


OVER_AND_OVER = {
    "ko": (
        *(
            "너무너무",
            "더 ",
            "정말",
            "나는 ",
            "그만 ",
            "넘어",
            "자살생각",
            "도와줘 사진 ",
            "불이 났었어 ",
            "죽고 싶었어 ",
        ),
        *("엄마 가슴이 아파 ", "살려줘라고 했어 ", "숨 너무 ", "눈 캄캄해 ", "아. ", " ", "... ", "나 없어지"),
    ),
    "en": (
        "i fell ",
        "would ",
        "really i ",
        "help ",
        "he said i cant breathe ",
        "i want to die said ",
        ". ",
        "i have ",
    ),
}


@pytest.mark.parametrize("language", ["ko", "en"])
def test_however_often_something_is_said_it_is_soon_read(language: Language) -> None:
    texts = [
        head + words * (6000 // len(words)) + tail
        for words in OVER_AND_OVER[language]
        for head in ("", "숨이 ")
        for tail in ("", "살아봤자")
    ]
    assert len(each_done("silvertalk.distress", f"distress_in(text, {language!r})", texts)) == len(texts)


def test_a_call_is_found_after_a_long_story() -> None:
    story = "어제는 손주랑 시장에 가서 생선도 사고 과일도 샀어. 숨이 차게 걸었지. " * 100
    assert distress_in(story + "아이고, 숨이 안 쉬어져.", "ko") == Distress("emergency", "숨이 안 쉬어져", "119")
    english = "Yesterday we walked to the market and bought some fish. " * 100
    assert distress_in(english + "Oh, I can't breathe.", "en") == Distress("emergency", "Oh, I can't breathe", "119")
