"""Korean: final endings close, connectives, modifiers and particles hold.

Each row says why. Older people speak as their village did, so the dialects stand beside the standard. Where an ending
is a syllable that nouns end in as well (아이 and -이, 바다 and -다), the common nouns are named and nothing is said of
them; a rare one is judged wrongly, and costs a second of waiting, since the doubtful ones are those that hold.

Where to look a form up: 표준국어대사전 and 우리말샘 (국립국어원); for the dialects 한국방언자료집 (한국정신문화연구원).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from streaming.ending import Ending

Rows = tuple[tuple[Ending, str, str], ...]
"""(what it says, why, the forms)."""

WORDS: Rows = (
    (
        Ending.FILLER,
        "hesitations and what gives time to think",
        "그 저 에 아 음 으 으음 어어 음음 뭐 머 그게 저게 저기 그거 저거",
    ),
    (
        Ending.FILLER,
        "looking for a word",
        "뭐냐 뭐더라 뭐지 뭐랄까 뭐였더라 거시기 머시기 그뭐냐 뭐라그러지 뭐라고하나 있잖아 있잖아요 있지 에또",
    ),
    (
        Ending.FILLER,
        "gathering one's thoughts",
        "가만 가만있자 가만있어봐 어디보자 글쎄말이야 자 인자 이제 인제 막 그냥 마 고마",
    ),
    (
        Ending.FILLER,
        "'so' at the head of the next thing",
        "그러니까 그니까 그러니깐 긍께 그랑께 궁께 그랑게 그래가지고 그래갖고 그래가꼬",
    ),
    (
        Ending.HOLDS,
        "conjunctions",
        "그리고 그런데 근데 그래서 하지만 그렇지만 그러나 그러면 그라믄 그러다 그러다가 왜냐하면 또 또는 혹은",
    ),
    (Ending.HOLDS, "conjunctions, dialect", "근디 그란디 그란데 근데예 그라고 그래가 겐디 게난 경허고 경헌디"),
    (Ending.HOLDS, "conjunctions with the polite particle", "그런데요 근데요 그리고요 그래가지고요"),
    (
        Ending.HOLDS,
        "determiners",
        "이 우리 제 내 한 두 세 네다섯 어느 어떤 무슨 모든 여러 다른 그런 이런 저런 옛 첫 몇 맨 온",
    ),
    (
        Ending.HOLDS,
        "adverbs that want a verb",
        "너무 아주 정말로 참 더 안 못 다 잘 꼭 거의 아까 혹시 아마 만약 만일 제일 가장 매우 무척 별로 이렇게",
    ),
    (Ending.HOLDS, "adverbs of time", "그때 그날 어느날 하루는 옛날 옛날에 나중에 처음에 요새 지금 한번은"),
    (
        Ending.HOLDS,
        "nouns that only follow a modifier",
        "게 것 건 걸 거를 것을 수 줄 때문에 동안 데 만큼 대로 채 중에 도중에 적에",
    ),
    (Ending.HOLDS, "someone, sometime: an adverb or a subject", "누군가 언젠가 무언가 뭔가 왠지 뭔지"),
    (
        Ending.CLOSES,
        "a yes or a no is a sentence",
        "네 예 응 그래 그래요 그럼 그럼요 아니 아니요 아니야 아니에요 아뇨 맞아 맞아요 오냐 글쎄 글쎄요 됐어",
    ),
    (Ending.CLOSES, "yes, dialect", "하모 하모요 그라제 그라지 그려 기여 기라 아이다 아녀 아니여 기야"),
    (Ending.CLOSES, "a greeting", "안녕 고마워"),
    (
        Ending.CLOSES,
        "plain verbs that are whole by themselves",
        "안가 못가 안해 못해 안와 못와 몰라 알아 좋아 싫어 없어 있어 많아 같아 괜찮아 줘 봐 돼 그만 나와 들어와 올라와",
    ),
    (Ending.CLOSES, "-지, of these verbs not a noun", "하지 가지요 알지 많지"),
    (
        Ending.ASKS,
        "questions of one word",
        "왜 뭐라고 뭐라고요 뭐라꼬 뭣이여 뭐여 뭐고 뭣고 누고 뭐꼬 어데고 누구 누구요 어디요 언제요 와카노 와",
    ),
    (Ending.TRAILS, "so what, or and so", "그래서요"),
    (
        Ending.OPEN,
        "nouns in -다, -요, -네, -자, -니",
        "바다 판다 필요 중요 수요 담요 동네 그네 여자 남자 과자 의자 모자 감자 부자 혼자 둘이 어머니 할머니 언니",
    ),
    (
        Ending.OPEN,
        "whose house: -네",
        "언니네 오빠네 이모네 고모네 삼촌네 아들네 딸네 할머니네 친구네 큰집네 자네 우리네",
    ),
    (
        Ending.OPEN,
        "nouns in -지, -나, -라, -래, -대, -데",
        "편지 돼지 바지 반지 먼지 단지 휴지 토지 하나 누나 나라 노래 빨래 모래 고래 오래 원래 군대 침대 현대 가운데",
    ),
    (
        Ending.OPEN,
        "nouns in -고, -면, -서, -게, -유",
        "최고 창고 사고 라면 냉면 순서 가게 무게 지게 꽃게 우유 이유 여유 참여 자유 석유",
    ),
    (
        Ending.OPEN,
        "nouns in -이, -가, -을, -은, -도, -로, -과, -의",
        "아이 고양이 나이 놀이 많이 같이 높이 종이 오이 떡볶이 어린이 송이 사이 차이",
    ),
    (
        Ending.OPEN,
        "the same",
        "휴가 작가 화가 마을 가을 노을 고을 제주도 강원도 경상도 전라도 충청도 포도 파도 지도 기도 정도 도로 종로",
    ),
    (
        Ending.OPEN,
        "the same, and in -인, -한, -제",
        "서로 바로 따로 사과 결과 효과 회의 강의 주의 노인 부인 주인 군인 시인 북한 남한 어제 문제 축제 형제",
    ),
)
"""Words that are judged whole, before any ending is looked for. Two last words count as one: "가만 있자"."""

ENDINGS: Rows = (
    # --- closes ---
    (
        Ending.CLOSES,
        "polite and formal finals, and those between men of age",
        "요 다 죠 지요 시오 으오 하오 소 ㄹ세 으세 구려",
    ),
    (
        Ending.CLOSES,
        "plain finals after a tense, which no connective follows",
        "ㅆ어 ㅆ지 겠지 ㅆ네 ㅆ군 겠군 는군 이군 구나 구만 구먼 는걸",
    ),
    (
        Ending.CLOSES,
        "plain finals of common verbs",
        "없어 있어 싶어 싫어 좋아 많아 같아 몰라 알아 괜찮아 앉아 야 줘 봐 네",
    ),
    (Ending.CLOSES, "-지 after a verb's stem; the nouns are named above and below", "지 이지 렇지 맞지 거지"),
    (Ending.CLOSES, "asking and proposing", "세요 어라 거라 해라 가자 하자 먹자 보자 놀자 살자 말자 자꾸나"),
    (
        Ending.CLOSES,
        "promising, supposing, recalling, hearsay",
        "ㄹ게 ㄹ께 ㄹ걸 ㄹ래 더라 드라 더군 더구만 ㄴ대 는대 ㅆ대 ㄴ가봐 나봐",
    ),
    (
        Ending.CLOSES,
        "경상",
        "아예 어예 해예 지예 네예 라예 니더 심더 ㅂ니더 ㄴ기라 는기라 아이가 데이 래이 재이 ㅆ제 맞제 렇제 있제 구마",
    ),
    (Ending.CLOSES, "전라", "당께 랑께 단께 잉 지라 어라우 라우 ㅆ제 좋제 하제 야제 많제 드만 더만 부렀어 ㅆ쟤"),
    (
        Ending.CLOSES,
        "충청",
        "유 슈 쥬 여 ㄴ겨 는겨 ㅆ어야",
    ),
    (Ending.CLOSES, "제주 and the north", "ㅂ서 마씀 마씸 ㅆ저 ㅆ주 ㅆ수게 ㅂ주 시라우 라우요"),
    # --- asks ---
    (Ending.ASKS, "polite and formal questions", "ㄹ까 까요 ㅂ니까 ㅂ디까 나요 ㄴ가요 ㄹ래요 ㄹ까요"),
    (
        Ending.ASKS,
        "plain questions; -ㄴ가 is never a particle, which after a consonant is -이",
        "ㄴ가 ㅆ나 있나 없나 겠나 ㅆ니 있니 없니 겠니 하니 이니 뭐니 거니 냐",
    ),
    (
        Ending.ASKS,
        "dialect",
        "ㅂ니꺼 심니꺼 니껴 ㄴ교 는교 능교 능기요 ㅆ노 하노 있노 없노 가노 우야노 수과 우꽈 수광 ㅂ네까 ㄹ랑가 ㄴ감",
    ),
    # --- trails ---
    (
        Ending.TRAILS,
        "a background, politely",
        "는데요 ㄴ데요 던데요 는데예 ㄴ데예 는디요 ㄴ디요 는데유 ㄴ디유 더니요 서요",
    ),
    (
        Ending.TRAILS,
        "what the listener should know",
        "거든 거든요 거등 거등요 거든예 잖아 잖아요 잖여 잖어 자네요 다니까 라니까 다니깐 다니까요 다카이 카이",
    ),
    (
        Ending.TRAILS,
        "what the speaker saw, found or was told",
        "더라고 더라구 더라고요 더라구요 더라꼬 더라니까 ㄴ걸 ㄴ걸요 다던데 다네",
    ),
    (
        Ending.TRAILS,
        "a connective made polite: an afterthought",
        "고요 구요 고예 아서요 어서요 해서요 니까요 니깐요 지만요 려고요 면서요 면요 도요",
    ),
    (
        Ending.TRAILS,
        "a particle made polite: a breath in mid-sentence, or an answer",
        "에서요 에요서 한테요 는요 은요 랑요 까지요 부터요 로요 에는요 이는요",
    ),
    # --- holds ---
    (
        Ending.HOLDS,
        "background and contrast",
        "보니 으니 ㄴ데 는데 던데 ㄴ디 는디 던디 지만 지마는 ㅂ니다만 으나 더니 ㅆ더니",
    ),
    (
        Ending.HOLDS,
        "cause",
        "서 니까 니깐 길래 느라 느라고 므로 기에 ㄴ지라 니께 니께네 응께 ㅇ께 ㄴ께 ㅇ게 ㅇ게로 이까네 이끼네 까네",
    ),
    (Ending.HOLDS, "and, while, or, then", "고 며 면서 거나 든지 던지 다가 다간 려다 자마자 고서 고는 고도"),
    (
        Ending.HOLDS,
        "if, though, must, in order to",
        "면 믄 려면 도 ㅆ어도 어야 아야 해야 여야 위해 려고 려구 ㄹ라고 러 도록 고자 게 게끔 ㄹ수록 ㄹ까봐 듯이",
    ),
    (Ending.HOLDS, "not this but that; of writing", "아니라 이라 하여 되어"),
    (Ending.HOLDS, "having done", "가지고 갖고 가꼬 가이고 아가 어가 해가 아갖고"),
    (Ending.HOLDS, "whether: a question inside a sentence", "는지 은지 ㄴ지 ㄹ지 ㅆ는지"),
    (Ending.HOLDS, "what was said, before 'said'", "다고 라고 냐고 자고 다는 라는 다꼬 라꼬"),
    (
        Ending.HOLDS,
        "제주 and what 하고 is elsewhere",
        "으멍 허멍 하멍 가멍 보멍 허곡 하곡 먹곡 허당 하당 가당 먹당 허난 하난 으난 ㅆ난 허고 카고",
    ),
    (Ending.HOLDS, "modifiers before a noun", "는 은 던 한 된 할 될 ㄴ다는 같은 위한 대한 만난 지난 ㅆ을 중인"),
    (Ending.HOLDS, "subject, topic, object, of", "이 가 께서 을 를 의 꺼정 이랑 랑 와 과 하고 이며"),
    (
        Ending.HOLDS,
        "where, whence, with what, to whom",
        "에 에서 에다 에다가 에게 한테 헌티 께 으로 로 까지 부터 보다 보담 마다 밖에 조차 씩 처럼 맹키로 맨치로 만치",
    ),
    (Ending.HOLDS, "also, only, or", "만 도 라도 나마 이나 뿐만 마저"),
    (Ending.HOLDS, "when", "때 때는 때에 뒤에 후에 전에 다음에 날에"),
    # --- nothing known ---
    (Ending.OPEN, "kin and beasts in -지", "버지 강아지 송아지 망아지"),
    (Ending.OPEN, "-네, of a person's house", "희네 숙네 순네 옥네 자네"),
    (Ending.OPEN, "counted places and things", "군데 가지"),
)
"""Endings and particles, for words that are not judged whole; the longest that fits is taken."""

BELOW = {"ㄴ": "\u11ab", "ㄹ": "\u11af", "ㅂ": "\u11b8", "ㅆ": "\u11bb", "ㅇ": "\u11bc"}
"""A lone consonant at the head of an ending is one that stands below a syllable."""

AFTERTHOUGHTS = frozenset({"뭐", "머", "그치", "그지", "그죠", "응", "잉", "양", "아이가"})
"""Said after a sentence that is over: "그랬지 뭐"."""

YES_OR_WELL = "어"
"""A yes when it is all that was said, unless the voice hangs; a hesitation at the end of anything longer."""


def korean_ending(words: Sequence[str], *, hangs: bool) -> Ending:
    """How an utterance of these normalised words ends. `hangs`: a mark says that the voice did not fall."""
    last = words[-1]
    if last == YES_OR_WELL:
        return Ending.CLOSES if len(words) == 1 and not hangs else Ending.FILLER
    if len(words) > 1:
        before = korean_ending(words[:-1], hangs=False) if last in AFTERTHOUGHTS else Ending.OPEN
        if before in (Ending.CLOSES, Ending.TRAILS):
            return Ending.CLOSES
        if words[-2] + last in _WORDS:
            return _WORDS[words[-2] + last]
    return _WORDS.get(last) or _by_ending(last)


def _by_ending(word: str) -> Ending:
    letters = _letters(word)
    for length in range(min(len(letters), _LONGEST), 0, -1):
        found = _ENDINGS.get(letters[-length:])
        if found is not None:
            return found
    return Ending.OPEN


def _letters(form: str) -> str:
    return BELOW.get(form[:1], unicodedata.normalize("NFD", form[:1])) + unicodedata.normalize("NFD", form[1:])


def _forms(rows: Rows) -> Iterator[tuple[str, Ending]]:
    for ending, _, forms in rows:
        for form in forms.split():
            yield form, ending


_WORDS = dict(_forms(WORDS))
_ENDINGS = {_letters(form): ending for form, ending in _forms(ENDINGS)}
_LONGEST = max(map(len, _ENDINGS))
