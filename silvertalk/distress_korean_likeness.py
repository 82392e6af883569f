"""Calls for help that were misheard: short utterances that sound like one of a list, however they were written.

Whisper makes `수미한 쇼진다` of `숨이 안 쉬진다` where a voice is weak, breathless or strange to it, and no table of
words finds that. But people in need say short things, and few everyday sentences sound like them, so a short
utterance is held against the commonest calls by ear (`silvertalk.korean_likeness`), and against everyday speech.
Whatever a recogniser tells apart reliably still counts: a past tense or a negation that the call does not have,
another time, other people.

Half of the sounds of a short call are its ending: `보여 주세요` is as near to `도와주세요` as a mishearing is. So where
an utterance ends as a call does (`-어 주세요`, `-고 싶어`, `-어야지` …) only what stands before the ending is held
against it, and a verb that everybody knows (`silvertalk.korean_everyday_verbs`) is no other verb misheard.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from silvertalk.distress_calls import Kind
from silvertalk.distress_korean_context import ends_in_past, is_about_others
from silvertalk.korean_everyday_verbs import Form, is_everyday
from silvertalk.korean_likeness import unlikeness
from silvertalk.korean_sounds import sounds

MOST_UNLIKE = 0.18
"""Of `unlikeness`. Of 9000 short everyday sentences 5 passed for a call at 0.2, one at this."""
MOST_UNLIKE_WISH = 0.1
"""Where `-고 싶` or `-기 싫` was written as such: half of the sounds are the same then whatever is wished for."""
MOST_UNLIKE_HEAD = 0.16
"""Of what stands before an ending that a call has too."""
MOST_UNLIKE_ASKED = 0.12
"""Before `주세요`, with which more is asked for than has a verb: `도마` is 0.15 from `도와`."""
MOST_UNLIKE_ODD = 0.1
"""Of a common verb where it stands oddly: after 제발 or 누가, with which nobody asks a puppy for a photo (Whisper wrote
`제발 놓아 주세요` for three voices that said `제발 도와주세요`), or after other words (`닦은 내고 싶어`)."""
LONGEST_SOUNDS = 60
"""Of the whole utterance: a longer one is a story, however one piece of it sounds."""
LONGEST_WRITTEN = 4 * LONGEST_SOUNDS
"""Characters: beyond it even what is mostly stops and spaces is no short call, and is not even folded."""

CALLS: dict[Kind, tuple[str, ...]] = {
    "emergency": (
        *(
            "살려줘",
            "살려 주세요",
            "사람 살려",
            "나 좀 살려 줘",
            "누가 좀 살려 줘요",
            "제발 살려 주세요",
            "사람 살려 주세요",
        ),
        *("도와주세요", "제발 도와주세요", "누가 좀 도와줘요", "누가 좀 도와주세요", "사람 없어요 도와주세요"),
        *(
            "숨이 안 쉬어져",
            "숨이 안 쉬어져요",
            "숨이 안 쉬진다",
            "숨을 못 쉬겠어",
            "숨을 못 쉬겠어요",
            "숨쉬기가 힘들어",
        ),
        *("숨쉬기가 너무 힘들어요", "숨이 막혀", "숨이 막혀요", "숨이 막혀 죽겠어", "숨이 차서 말을 못 하겠어"),
        *("가슴이 아파", "가슴이 너무 아파요", "가슴이 조여", "가슴이 너무 조여요", "가슴이 답답하고 숨이 차"),
        *("가슴이 답답하고 식은땀이 나", "가슴이 쥐어짜는 것 같아", "가슴이 터질 것 같아"),
        *("내가 쓰러졌어", "화장실에서 쓰러졌어", "넘어져서 못 일어나겠어", "나 지금 넘어져서 못 일어나겠어"),
        *("넘어졌는데 일어날 수가 없어", "다리를 다쳐서 못 일어나겠어", "꼼짝도 못 하겠어", "쓰러질 것 같아"),
        *("어지러워서 쓰러질 것 같아", "정신을 잃을 것 같아"),
        *("피가 많이 나", "피가 많이 나요", "피가 안 멈춰", "피가 안 멎어", "머리에서 피가 나"),
        *("불이 났어", "불이 났어요", "집에 불이 났어", "부엌에 불이 났어", "부엌에 불이 붙었어", "방에 연기가 가득해"),
        *("일일구 불러줘", "일일구 좀 불러 주세요", "일일구에 전화해 줘", "구급차 불러줘", "구급차 좀 불러 주세요"),
        *("앰뷸런스 불러줘", "앰뷸런스 좀 불러", "앰뷸런스 좀 불러 주세요", "병원에 좀 데려다줘"),
        *("몸 한쪽이 안 움직여", "한쪽 팔이 안 움직여", "팔에 힘이 안 들어가", "한쪽 팔다리가 마비됐어"),
        *(
            "말이 어눌해졌어",
            "갑자기 말이 안 나와",
            "입이 돌아갔어",
            "갑자기 눈앞이 캄캄하고 안 보여",
            "갑자기 눈이 안 보여",
        ),
        *("약을 너무 많이 먹었어", "농약을 마셨어", "목에 떡이 걸렸어", "목에 뭐가 걸렸어"),
    ),
    "despair": (
        *(
            "죽고 싶어",
            "죽고 싶다",
            "그냥 죽고 싶어",
            "너무 죽고 싶어요",
            "그만 죽고 싶다",
            "죽어 버리고 싶어",
            "확 죽어 버릴까",
        ),
        *(
            "살기 싫어",
            "이제 살기 싫다",
            "그만 살고 싶어",
            "이제 그만 살고 싶어",
            "더 살고 싶지 않아",
            "살아서 뭐 하나",
        ),
        *("이렇게 살아서 뭐 하나", "내가 죽어야지", "빨리 죽어야지", "차라리 죽는 게 낫겠어", "죽는 게 낫지"),
        *("자살하고 싶어", "목숨을 끊고 싶어", "다 끝내고 싶어", "이제 다 끝내고 싶어", "세상을 떠나고 싶어"),
        *("뛰어내리고 싶어", "없어지는 게 나아", "내가 없어지는 게 나아", "살 이유가 없어"),
    ),
}
"""What is said most, in its commonest forms; other endings are near enough to these."""

EVERYDAY = (
    *(
        "듣기 싫어",
        "주기 싫어",
        "먹기 싫어",
        "가기 싫어",
        "하기 싫어",
        "보기 싫어",
        "자기 싫어",
        "말하기 싫어",
        "쓰기 싫어",
    ),
    *(
        "보고 싶어",
        "자고 싶어",
        "먹고 싶어",
        "사고 싶어",
        "가고 싶어",
        "하고 싶어",
        "듣고 싶어",
        "추고 싶어",
        "주고 싶어",
        "쉬고 싶어",
    ),
    *(
        "읽고 싶어",
        "그냥 쉬고 싶다",
        "그냥 자고 싶어",
        "찾고 싶어",
        "알고 싶어",
        "웃고 싶어",
        "사랑하고 싶어",
        "자랑하고 싶어",
        "자꾸 보고 싶어",
        "또 보고 싶어",
    ),
    *(
        "오래 살고 싶어",
        "시골에 살고 싶어",
        "같이 살고 싶어",
        "다시 가 보고 싶어",
        "고향에 가고 싶어",
        "집에 가고 싶어",
    ),
    *(
        "알려줘",
        "들려줘",
        "노래 들려줘",
        "틀어줘",
        "불러줘",
        "노래 불러줘",
        "보여줘",
        "사 줘",
        "빌려줘",
        "가르쳐줘",
        "기다려줘",
        "사진 보여줘",
    ),
    *("이야기 좀 들려줘", "노래 좀 틀어줘", "불 좀 꺼줘", "불 좀 켜줘", "크게 말해줘", "천천히 말해줘", "다시 말해줘"),
    *(
        "사람 살아",
        "사랑해",
        "사랑해요",
        "살았어",
        "사러 가",
        "살이 쪘어",
        "사 주세요",
        "알려 주세요",
        "들려 주세요",
        "살펴 주세요",
    ),
    *(
        "배가 아파",
        "다리가 아파",
        "허리가 아파",
        "무릎이 아파",
        "머리가 아파",
        "마음이 아파",
        "가슴이 뛰어",
        "가슴이 설레",
    ),
    *(
        "잠을 못 자겠어",
        "밥을 못 먹겠어",
        "말을 못 하겠어",
        "모르겠어",
        "못 알아듣겠어",
        "숨을 쉬었어",
        "잠이 안 와",
        "물이 안 나와",
    ),
    *(
        "비가 많이 와",
        "비가 많이 오네",
        "비가 안 와",
        "피곤해",
        "비가 안 그쳐",
        "눈이 많이 와",
        "꽃이 많이 나",
        "새가 많이 나",
        "비가 많이 내려",
        "배추가 많이 나",
        "나물이 많이 나",
    ),
    *(
        "풀이 났어",
        "불이 났었어",
        "부리나케 갔어",
        "물이 났어",
        "뿔이 났어",
        "집에 물이 났어",
        "불을 켰어",
        "누가 떨어졌대",
        "다 떨어졌어",
        "내가 첫 연애래",
        "살찐 거 같아",
        "부엌 불을 켜줘",
        "약초 캐볼까",
        "불이 켜졌어",
        "누가 왔어요",
        "길이 났어",
        "일이 났어",
        "부엌에 물이 났어",
        "부엌에 벌레가 났어",
        "부엌에 붙였어",
        "쓸어 줬어",
        "내가 썼어",
        "숨이 차서 빨리 못 걸어",
        "숨이 차서 오래 못 걸어",
        "숨이 차서 산에 못 가",
        "일일이 불러 줘",
    ),
    *(
        "밥을 너무 많이 먹었어",
        "떡을 너무 많이 먹었어",
        "너무 많이 먹었어",
        "고기를 많이 먹었어",
        "술을 마셨어",
        "커피를 마셨어",
    ),
    *("잘 것 같아", "올 것 같아", "그런 것 같아", "좋을 것 같아", "미칠 것 같아", "줄일 것 같아", "맛있을 것 같아"),
    *("누가 전화했어요", "누가 온댔어요", "누가 그랬어요", "전화해 줘", "아들한테 전화해 줘", "딸한테 전화 좀 해 줘"),
    *(
        "내가 바꿔야지",
        "내가 가야지",
        "빨리 가야지",
        "내가 해야지",
        "자야지",
        "그만 자야지",
        "다 끝났어",
        "이렇게 사는 거지",
    ),
    *(
        "살기 좋아",
        "살기 편해",
        "살기 힘들어",
        "사는 게 재미있어",
        "팔이 움직여",
        "말이 많아졌어",
        "목에 걸었어",
        "벽에 걸렸어",
    ),
)
"""What people say every day and what sounds like a call: an utterance that is nearer to one of these is no call."""

_GIVE = (
    r"(?:줘라?|줘요|줘용|줘봐|줘여|조요?|죠|주세[요여용]|주새요|주셔요?|주라|주렴|주이소|주소|주십시오|주시오|주쇼"
    r"|다오|도고|줄래요?|주실래요?|주겠[가-힣]*|주시겠[가-힣]*|줄\s*수\s*있[가-힣]*|주면[가-힣\s]*|줬으면[가-힣\s]*)"
)
_ENDINGS: tuple[tuple[re.Pattern[str], Form], ...] = (
    (re.compile(rf"\s*{_GIVE}\W*$"), "joined"),
    (re.compile(r"[고구]\s*[싶시십][가-힣\s]*\W*$"), "stem"),
    (re.compile(r"기\s*(?:가|는)?\s*[싫시][가-힣\s]*\W*$"), "stem"),
    (re.compile(r"야(?:지|겠|\s*하|\s*되|\s*돼)[가-힣]*\W*$"), "joined"),
    (re.compile(r"는\s*(?:게|것이|거이|편이)\s*(?:더\s*)?[낫나][가-힣]*\W*$"), "stem"),
    (re.compile(r"\s*(?:것|거)\s*같[가-힣]*\W*$"), "ahead"),
)
"""Endings that calls share with all that is asked for, wished and meant, and the form of a verb before each."""
_ANYWHERE = re.compile(
    r"그만|그냥|이제|인자|너무|정말|진짜|자꾸|빨리|얼른|어서|차라리|더|또|다|좀|꼭|막|확|콱|내가|나|나는|난|저는|우리|복실아"
    r"|한번|다시|지금|오늘|내일|같이|이것|그것|저것|이거|그거|저거|여기|저기|네|예|응|그래|그래요|그럼|그러면"
)
"""What may stand before any verb."""
_TO_ANYBODY = re.compile(r"^\W*(?:제발|누가|누구)\s")


@dataclass(frozen=True, slots=True)
class _Said:
    """Words by their sounds. `ending` is the number of the one of `_ENDINGS` that they have, `head` what stands before
    it; -1 and all of them where they have none. `is_everyday`: its verb is a common one; `is_odd`: what stands before
    that verb is more than may stand before any."""

    sounds: str
    head: str
    ending: int
    is_everyday: bool
    is_odd: bool

    @classmethod
    def of(cls, words: str) -> _Said:
        whole = sounds(words).sounds
        for number, (ending, form) in enumerate(_ENDINGS):
            if found := ending.search(words):
                head = words[: found.start()]
                everyday = is_everyday(head, form)
                odd = not all(_ANYWHERE.fullmatch(word) for word in re.findall(r"\w+", head)[:-1])
                return cls(whole, sounds(head).sounds, number, everyday, odd)
        return cls(whole, whole, -1, False, False)


_ROWS: tuple[tuple[_Said, str, Kind | None], ...] = (
    *((_Said.of(phrase), phrase, kind) for kind, phrases in CALLS.items() for phrase in phrases),
    *((_Said.of(phrase), phrase, None) for phrase in EVERYDAY),
)
_AROUND = re.compile(
    r"^(?:\W*(?:복실아|복실이|아이고|아이구|아이|어이|저기|저|제발|지금|여보세요|\w+부터|나|아|어|이"
    r"|네|예|응|그래|그래요|그럼|그럼요|그러면|좀)(?=[\s,.!?]))+"
    r"|(?:[\s,.!?]+(?:어떡해|어떡해요|어쩌지|빨리|어서|제발|복실아))+\W*$"
)
"""Calling somebody, a yes, sighs and haste, around the call itself."""
_WISH = re.compile(r"[고구]\s*싶|기\s*싫")
_HYPERBOLE = re.compile(r"죽[겠겄]|죽을\s*뻔|죽는\s*줄|미치겠|못\s*살겠")
"""심심해 죽겠네, 배고파 죽겠어: however alike it sounds to a call that ends so."""
_TOLD = re.compile(
    r"(?:[았었했났졌]대|대요|거든|거든요|더라|더라고|[았었했났졌]지|[았었했났졌]지요"
    r"|[았었했났졌]죠)\W*$"
)
"""Endings of hearsay and of stories."""
_NEGATED = re.compile(r"안\s|못|않|없|아니|말고|괜찮")


def find(utterance: str) -> tuple[Kind, str] | None:
    """The kind and the words of a call that `utterance`, or one clause of it, sounds like; None where there is none."""
    if len(utterance) > LONGEST_WRITTEN or len(sounds(utterance).sounds) > LONGEST_SOUNDS:
        return None
    if is_about_others(utterance) or _HYPERBOLE.search(utterance):
        return None
    clauses = [clause for clause in re.split(r"[.?!…,\n]+", utterance) if clause.strip()]
    for piece in dict.fromkeys((utterance, *clauses)):
        for said in dict.fromkeys((piece.strip(), _AROUND.sub("", piece.strip()))):
            if kind := _kind(said):
                return kind, piece
    return None


def _most_unlike_head(heard: _Said, said: str) -> float:
    """How unlike what stands before the ending may be."""
    asked = heard.ending == 0
    if not heard.is_everyday:
        return MOST_UNLIKE_ASKED if asked else MOST_UNLIKE_HEAD
    return MOST_UNLIKE_ODD if not asked or _TO_ANYBODY.search(said) else 0.0


def _kind(said: str) -> Kind | None:
    if _TOLD.search(said):
        return None
    heard, limit, nearest, kind = _Said.of(said), 1.0, "", None
    if heard.is_everyday and not heard.is_odd:
        return None  # whatever it sounds like: 지켜 줘 is like 숨이 안 쉬어져, too
    whole = MOST_UNLIKE_WISH if _WISH.search(said) else MOST_UNLIKE
    head = _most_unlike_head(heard, said)
    for row, phrase, row_kind in _ROWS:
        if row.ending == heard.ending != -1:
            one, other, most = row.head, heard.head, head
        else:
            one, other, most = row.sounds, heard.sounds, whole
        # Each sound more or less costs 0.6, of a ㅎ 0.2: rows of another length need not be held against it.
        if most and abs(len(one) - len(other)) <= max(len(one), len(other)) / 3:
            unlike = unlikeness(one, other, at_most=min(most, limit * most)) / most
            if unlike < limit:
                limit, nearest, kind = unlike, phrase, row_kind
    if kind is None or (ends_in_past(said) and not ends_in_past(nearest)):
        return None
    return None if _NEGATED.search(said) and not _NEGATED.search(nearest) else kind
