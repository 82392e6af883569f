"""Sentences cut from token streams: early, whole, speakable, and the same however the stream was split."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpu_node.sentences import MAX_CHARACTERS, SentenceCutter, ends_clause
from streaming.messages import Language


def cut(language: Language, *pieces: str) -> list[str]:
    cutter = SentenceCutter(language)
    sentences = [sentence for piece in pieces for sentence in cutter.feed(piece)]
    sentences += cutter.finish()
    assert [sentence.index for sentence in sentences] == list(range(len(sentences)))
    return [sentence.text for sentence in sentences]


# --- where it is cut -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("네, 그러셨군요. 산책을 가셨군요! 어디를요?", ["네, 그러셨군요.", "산책을 가셨군요!", "어디를요?"]),
        ("네. 그러셨군요.", ["네. 그러셨군요."]),
        ("키는 10.5센티예요. 값은 3,000원이에요.", ["키는 10.5센티예요.", "값은 3,000원이에요."]),
        ("지금은 3:30이에요. 늦었네요.", ["지금은 3:30이에요.", "늦었네요."]),
        ("2024. 3. 5.에 오셨지요. 네.", ["2024. 3. 5.에 오셨지요.", "네."]),
        ("2024. 3. 5. 에 오셨지요.", ["2024. 3. 5. 에 오셨지요."]),
        ("그… 뭐라고 하셨지요?", ["그… 뭐라고 하셨지요?"]),
        ("참 좋았어요... 또 갈까요?", ["참 좋았어요…", "또 갈까요?"]),
        ('"밥 먹자. 어서 와라." 하고 부르셨지요. 네.', ['"밥 먹자. 어서 와라." 하고 부르셨지요.', "네."]),
        ("세 식구(아들. 딸. 아내)가 살았어요. 네.", ["세 식구(아들. 딸. 아내)가 살았어요.", "네."]),
        ("첫 줄이에요\n둘째 줄이에요", ["첫 줄이에요", "둘째 줄이에요"]),
        ("끝에 표시가 없어요", ["끝에 표시가 없어요"]),
    ],
)
def test_korean_sentences(text: str, sentences: list[str]) -> None:
    assert cut("ko", text) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Kim lived in the U.S. for years. I see.", ["Dr. Kim lived in the U.S. for years.", "I see."]),
        ("We left the U.S. Then we came home.", ["We left the U.S.", "Then we came home."]),
        ("It cost 3.14 at 3:30 p.m. daily. Fine.", ["It cost 3.14 at 3:30 p.m. daily.", "Fine."]),
        ('"Come in." she said. "Sit."', ['"Come in." she said.', '"Sit."']),
        ("So do I. Then we ate.", ["So do I.", "Then we ate."]),
        ("J. F. Kennedy spoke. Well... we listened.", ["J. F. Kennedy spoke.", "Well… we listened."]),
        ("It was 1955. We moved.", ["It was 1955.", "We moved."]),
        ("Oh! It was you.", ["Oh! It was you."]),
    ],
)
def test_english_sentences(text: str, sentences: list[str]) -> None:
    assert cut("en", text) == sentences


def test_the_first_clause_of_a_reply_goes_ahead_and_later_sentences_stay_whole() -> None:
    clause = "오늘은 날씨가 참 좋아서"
    assert cut("ko", f"{clause} 산책을 다녀오셨군요. {clause} 저도 좋아요.") == [
        clause,
        "산책을 다녀오셨군요.",
        f"{clause} 저도 좋아요.",
    ]
    assert cut("en", "When you were a little girl, you lived here. When you were a little girl, I was not.") == [
        "When you were a little girl,",
        "you lived here.",
        "When you were a little girl, I was not.",
    ]


@pytest.mark.parametrize(
    ("word", "following", "ends"),
    [
        ("먹고", "싶어요", False),
        ("있고", "저는", True),
        ("산책하셨다고", "하셨지요", False),
        ("시장에서", "배추를", False),
        ("가서", "보니", True),
        ("순서", "대로", False),
        ("하지만", "저는", False),
        ("라면", "먹고", False),
        ("오시면", "좋겠어요", True),
        ("비가", "와요", False),
        ("배추,", "무", True),
    ],
)
def test_korean_clauses(word: str, following: str, ends: bool) -> None:
    assert ends_clause(word, following, "ko") is ends


def test_a_sentence_comes_as_soon_as_its_last_word_is_known_to_be_over() -> None:
    cutter = SentenceCutter("ko")
    assert cutter.feed("산책을 가셨군요.") == []  # "가셨군요.\"" could still follow
    assert [sentence.text for sentence in cutter.feed(" ")] == ["산책을 가셨군요."]


@pytest.mark.parametrize("language", ["ko", "en"])
def test_over_long_sentences_are_cut_at_the_best_place(language: Language) -> None:
    long = {
        "ko": "어릴 적에 살던 집에서 마당을 바라보며 옥수수를 먹던 여름밤과 멍석 위에 누워 세던 별과 모깃불 냄새와"
        " 할머니의 옛날이야기가 하나씩 떠오르는데 아직도 마음이 따뜻해지는 그런 날이 자꾸만 많아지는 것 같아요.",
        "en": "In those days every family on the street kept a small garden behind the house, the children carried"
        " water from the well before school and in the evening the whole street sat outside on the steps; then somebody"
        " would begin to sing and the others would join in until it was dark and the lamps were lit.",
    }[language]
    cutter = SentenceCutter(language)
    cutter.feed("네, 그랬군요. " if language == "ko" else "I can see it. ")
    sentences = [sentence.text for sentence in cutter.feed(long) + cutter.finish()]
    assert len(sentences) == 2
    assert all(len(sentence) <= MAX_CHARACTERS[language] for sentence in sentences)
    assert sentences[0].endswith({"ko": "떠오르는데", "en": "steps;"}[language])


def test_a_stream_without_spaces_is_still_cut() -> None:
    assert all(len(sentence) <= 90 for sentence in cut("ko", "가" * 1000))
    assert "".join(cut("ko", "가" * 1000)) == "가" * 1000


# --- what is never spoken --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("**안녕하세요!** 반가워요.", "안녕하세요! 반가워요."),
        ("# 제목\n- 김치\n* 된장\n1. 간장", "제목 김치 된장 간장"),
        ("[복실이](https://a.b/c_(d))가 왔어요.", "복실이)가 왔어요."),
        ("[복실이](https://a.b/c)가 왔어요.", "복실이가 왔어요."),
        ("반가워요 😊👍🏽🇰🇷❤️ 정말요.", "반가워요 정말요."),
        ("좋아요~ 그렇죠 ㅎㅎ ^^ 네.", "좋아요 그렇죠 네."),
        ("*꼬리를 살랑살랑 흔들며* 반가워요.", "반가워요."),
        ("*(웃음)* 그랬군요. (웃음) 네.", "그랬군요. 네."),
        ("*정말* 그랬군요.", "정말 그랬군요."),
        ("여기예요: https://x.com/a?b=1. 네.", "여기예요: 네."),
        ("자세한 건 https://x.com/a에서 보세요.", "자세한 건 보세요."),
        ("메일은 a.b@c.co.kr로 주세요.", "메일은 주세요."),
        ("naver.com에 있어요.", "있어요."),
        ("이렇게요.\n```python\nprint('네. 네.')\n```\n끝이에요.", "이렇게요. 끝이에요."),
        ("<b>굵게</b> 말해요<br>네.", "굵게 말해요 네."),
        ("“좋아요” 하고 ‘네’ 했어요…", "\"좋아요\" 하고 '네' 했어요…"),
        ("정말요?!?! 네!!!", "정말요? 네!"),
        ("---\n끝.", "끝."),
        ("😊 !!! *", ""),
        ("3~4일 걸려요.", "3~4일 걸려요."),
    ],
)
def test_what_cannot_be_spoken_is_left_out(text: str, spoken: str) -> None:
    assert " ".join(cut("ko", text)) == spoken


def test_english_stage_directions_go_and_emphasis_stays() -> None:
    assert cut("en", "*wags tail* Hello there! That is *wonderful* news. *smiling warmly*") == [
        "Hello there!",
        "That is wonderful news.",
    ]


# --- however it is split ---------------------------------------------------------------------------------------------

_FRAGMENTS = st.sampled_from(
    [
        "네, 그러셨군요. ", "날씨가 좋아서 ", "3.14 ", "3:30 p.m. ", "Dr. Kim ", "U.S. ",
        "그… ", "... ", "\"네. ", "\" 하고 ", "(웃음) ", "(", ") ", "*꼬리를 흔들며* ",
        "*", "**", "[글](https://a.b) ", "[", "https://a.b/c. ",
        "```code. x``` ", "```", "\n", "- ", "1. ", "# ", "😊", "ㅎㅎ ", "~ ",
        "? ", "! ", ".", " ", "Hello there. ", "a@b.co ", "<b>", "_", "먹고 ",
        "싶어요 ", "했다고 ", "2024. ", "3. ", "에 ", "가나다라마바사아자차카타파하" * 4,
    ]
)  # fmt: skip


@st.composite
def _texts_and_splits(draw: st.DrawFn) -> tuple[str, list[str]]:
    text = "".join(draw(st.lists(_FRAGMENTS, max_size=25)))
    at = sorted(draw(st.lists(st.integers(0, len(text)), max_size=12)))
    return text, [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]


@settings(max_examples=400, deadline=None)
@given(_texts_and_splits(), st.sampled_from(["ko", "en"]))
@example(("", []), "ko")
def test_sentences_do_not_depend_on_the_split(drawn: tuple[str, list[str]], language: Language) -> None:
    text, pieces = drawn
    whole = cut(language, text)
    assert cut(language, *pieces) == whole
    assert cut(language, *text) == whole
    assert all(len(sentence) <= MAX_CHARACTERS[language] for sentence in whole)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=400), st.sampled_from(["ko", "en"]))
def test_no_text_breaks_the_cutter_or_leaves_an_empty_sentence(text: str, language: Language) -> None:
    for sentence in cut(language, text):
        assert any(character.isalnum() for character in sentence)
        assert len(sentence) <= MAX_CHARACTERS[language]


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("멍! 반가워요. 어떻게 지내셨어요?", ["반가워요.", "어떻게 지내셨어요?"]),
        ("반가워요, 멍멍! 어떻게 지내셨어요?", ["반가워요, 어떻게 지내셨어요?"]),
        ("멍하니 계셨군요. 멍이 드셨어요?", ["멍하니 계셨군요.", "멍이 드셨어요?"]),
        ("멍!", []),
    ],
)
def test_a_bark_is_left_out_for_who_does_not_want_it(text: str, spoken: list[str]) -> None:
    for pieces in ([text], list(text)):
        cutter = SentenceCutter("ko", barks=False)
        sentences = [sentence for piece in pieces for sentence in cutter.feed(piece)] + cutter.finish()
        assert [sentence.text for sentence in sentences] == spoken
    assert " ".join(cut("ko", text)) == text
