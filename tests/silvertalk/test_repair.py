"""A request about the speech itself is obeyed only where the whole utterance is one."""

import pytest

from silvertalk.repair import LONGEST_REQUEST, Request, repair_in
from streaming.protocol import MAX_TEXT_CHARACTERS
from tests.apart import each_done

KOREAN: dict[Request, tuple[str, ...]] = {
    "repeat": (
        *(
            "뭐라고?",
            "뭐라고 했어?",
            "뭐?",
            "다시 말해줘",
            "다시 한번",
            "못 들었어",
            "다시 한번만 말씀해 주세요",
            "복실아, 뭐라고?",
        ),
        *(
            "뭐라카노",
            "뭐시라고",
            "머라고라",
            "뭐라 캤노",
            "잘 못 들었어요",
            "한 번 더 말해 줄래?",
            "방금 뭐라고 했어?",
        ),
        *(
            "미안한데 다시 말해 줄래?",
            "뭐라고요?",
            "다시 얘기해 봐",
            "못 알아들었어",
            "어? 뭐라고?",
            "뭐라고 하는지 못 들었어",
        ),
    ),
    "slower": (
        *(
            "천천히 말해줘",
            "너무 빨라",
            "천천히",
            "좀 천천히 말해 주세요",
            "복실아, 좀 더 천천히 말해 줘",
            "말이 너무 빨라요",
        ),
        *("천천히 해줘", "말이 빨라서 못 알아듣겠어", "다시 천천히 말해줘"),
    ),
    "faster": ("빨리 말해", "좀 더 빨리 말해줘", "말이 너무 느려"),
    "louder": (
        *(
            "안 들려",
            "크게 말해줘",
            "소리 좀 키워",
            "소리 좀 키워 줘",
            "잘 안 들려요",
            "더 크게",
            "좀 크게 말해 주세요",
        ),
        *("소리가 너무 작아", "귀가 어두워서 잘 안 들려", "못 들었어, 크게 말해줘", "크게 좀 말해 봐"),
    ),
    "softer": ("작게 말해", "소리 좀 줄여 줘", "조용히 말해줘", "소리가 너무 커", "좀 작게"),
}
ENGLISH: dict[Request, tuple[str, ...]] = {
    "repeat": (
        *(
            "What?",
            "What did you say?",
            "Pardon?",
            "Say that again, please.",
            "Could you repeat that?",
            "I didn't catch that.",
        ),
        *("Sorry, what was that?", "Once more, please."),
    ),
    "slower": ("Slow down.", "Could you speak more slowly, please?", "You're too fast.", "Please talk slower."),
    "faster": ("Speak faster, please.", "You're too slow."),
    "louder": (
        "I can't hear you.",
        "Speak up, please.",
        "Louder!",
        "Turn up the volume.",
        "Could you speak a little louder?",
    ),
    "softer": ("Quieter, please.", "Turn the volume down.", "You're too loud."),
}


@pytest.mark.parametrize(("request_", "text"), [(r, text) for r, texts in KOREAN.items() for text in texts])
def test_korean_requests(request_: Request, text: str) -> None:
    assert repair_in(text, "ko") == request_


@pytest.mark.parametrize(("request_", "text"), [(r, text) for r, texts in ENGLISH.items() for text in texts])
def test_english_requests(request_: Request, text: str) -> None:
    assert repair_in(text, "en") == request_


@pytest.mark.parametrize(
    "text",
    [
        *(
            "다시 말해서 그때가 제일 좋았지",
            "뭐 그런 거지",
            "뭐라고 말해야 할지 모르겠어",
            "다시 한번 가 보고 싶어",
            "천천히 걸어갔지",
        ),
        *(
            "기차가 너무 빨라",
            "소리가 안 들려서 못 갔어",
            "크게 웃었어",
            "빨리 와",
            "남편이 소리를 크게 질렀지",
            "세월이 너무 빨라",
        ),
        *(
            "우리 영감은 귀가 안 들려",
            "전화 소리를 못 들었어",
            "작게 썰어서 볶았어",
            "조용히 해",
            "네",
            "응",
            "아니",
            "복실아",
        ),
        *("뭐 먹었어?", "다시 태어나면", "또 왔어", "그게 뭐라고", "뭐든지 좋아", "그게", "어머", "", "…"),
    ],
)
def test_korean_stories_are_not_requests(text: str) -> None:
    assert repair_in(text, "ko") is None


@pytest.mark.parametrize(
    "text",
    [
        *(
            "What a lovely day.",
            "He spoke louder than all of us.",
            "Again we went to the sea.",
            "Sorry.",
            "Boksil.",
            "No.",
        ),
        *(
            "Slow down, my father used to say to the horse.",
            "I didn't hear the doorbell yesterday.",
            "What did you eat?",
        ),
    ],
)
def test_english_stories_are_not_requests(text: str) -> None:
    assert repair_in(text, "en") is None


def test_another_way_of_speaking_goes_before_a_repetition() -> None:
    """The reply is said again in any case; what is asked for beside that is how."""
    assert repair_in("뭐라고? 천천히 말해줘.", "ko") == "slower"
    assert repair_in("What? Speak up.", "en") == "louder"


REPEATED = ("아", "야", "얘야", "어 ", "응어", "너방금", "좀더 ", "조금", "한번만다시", "너무 ", "복실이야", "하나도")
REPEATED_ENGLISH = ("a little bit ", "a bit ", "oh ", "would you mind ", "even more ", "please will you ", "no wait ")


@pytest.mark.parametrize("characters", [LONGEST_REQUEST, MAX_TEXT_CHARACTERS])
def test_words_said_over_and_over_are_soon_read(characters: int) -> None:
    """Also were nothing too long for a request: what may be read in two ways would be read in 2**100."""
    read = f"[_korean(text[:{characters}]), _english(text[:{characters}])]"
    texts = [
        (head + words * (characters // len(words)))[: characters - 1] + "x"
        for words in (*REPEATED, *REPEATED_ENGLISH)
        for head in ("", "speak ", "천천히", "말이")
    ]
    assert each_done("silvertalk.repair", read, texts) == ["[None, None]"] * len(texts)


def test_nobody_asks_at_such_length() -> None:
    hail, asked = "복실아 ", "천천히 말해줘"
    hails = (LONGEST_REQUEST - len(asked)) // len(hail)
    assert repair_in(hail * hails + asked, "ko") == "slower"
    assert repair_in(hail * (hails + 1) + asked, "ko") is None
