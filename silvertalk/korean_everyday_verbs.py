"""The commonest Korean verbs, so that a word that everybody knows is not taken for another one that was misheard. Pure.

The verbs of daily life, and what is asked of a listener: chosen by hand, and open. Each stands with the form that
`-아/어` gives it where the rules below do not. 살리다, 돕다 and 죽다 are not in it, nor what else a call for help
is made of (구급차를 부르다, 일일구에 전화하다): those are what others are mistaken for.
"""

from __future__ import annotations

import re
from typing import Literal

Form = Literal["joined", "stem", "ahead"]
"""Of a verb before an ending: `적어` (줘, 야지), `적` (고 싶어, 기 싫어, 는 게), `적을` (것 같아)."""

_REGULAR = (
    "가 가르치 가져가 가지 갈 감 갖 갚 개 걸리 견디 고치 골라내 구경하 권하 그리 그만두 긁 기다리 "
    "기억하 기도하 깎 깔 깨 깨우 꺼내 꽂 꾸 꿰매 끓 끓이 끝나 나 나가 나누 날 날리 남 남기 낮추 내 "
    "내리 내려가 내려놓 내보내 널 넘 넘기 넣 노래하 녹이 놀 놀라 높이 놓 놓치 놔두 눌러앉 늘 늘리 늦추 "
    "다니 다리 닦 닫 달 달래 달리 담 당기 대 더하 던지 데려가 데리 데우 덮 돌 돌보 돌리 돌아가 되 두 "
    "두드리 뒤집 드 드리 들 들어가 들리 들이 따 땋 때 때우 떠들 떨 떨어지 떼 뛰 뛰어가 뛰어놀 뛰놀 뜯 "
    "마시 막 만나 만들 만지 말 말리 말하 맞 맞추 맡 맡기 매 먹 먹이 멈추 메 모 모시 모이 무치 묶 "
    "물어보 묵 미 미루 밀 믿 바꾸 바라보 받 발 밟 배우 버리 버무리 벌 벗 벗기 베 보 보관하 보내 보이 "
    "볶 부치 부탁하 불 붙 붙이 비비 비우 비키 빌 빌리 빗 빠 빨 빼 빻 뽑 뿌리 사 사귀 사랑하 살펴보 "
    "살피 삶 삼키 서 섞 설명하 세 세우 소개하 숨기 쉬 시작하 시키 식히 신 실 심 싸 쌓 썰 쏘 쏟 "
    "쓰다듬 쓸 씹 씻 씻기 안 앉 앉히 알 알리 알아보 알아듣 야단치 얘기하 약속하 어루만지 얻 얼리 업 "
    "없애 열 엮 연락하 예약하 올라가 올리 옮기 외우 외치 욕하 용서하 울 울리 움직이 웃 웃기 원하 위로하 "
    "응원하 이기 이야기하 이해하 익히 인사하 일어나 일으키 일하 읽 잃 입 입히 잊 자 자라 자랑하 잘하 "
    "잠들 잡 잡수 재 재우 저축하 적 적시 전하 절이 접 정리하 정하 조심하 졸 주 주무시 주문하 줄 줄이 "
    "쥐 즐기 지 지나가 지내 지우 지키 짜 찌 찍 찢 찧 차 차리 참 찾 찾아가 찾아보 채우 챙기 청소하 추 "
    "축하하 출발하 취소하 치 치우 칠하 칭찬하 캐 켜 켜놓 키우 타 태우 털 틀 팔 펴 펴놓 풀 품 피 피우 "
    "하 해보 헤매 혼내 확인하 후회하 흉내내 흔들 흘리 만져보 먹어보 가보 해먹 사먹 물러서 물러나 넘겨보 "
    "모아두 적어두 적어놓 켜두 꺼두 놓아두 틀어놓 열어두 알아맞히 잡아당기 올려놓 내놓 들려오 보여주 알려주 "
    "들려주 사주 해주 빌려주 태워주 읽어주 불러주 가르쳐주 죽이 요리하 빨래하 설거지하 운동하 산책하 공부하 "
    "여행하 결혼하 이사하 생각하 대답하 준비하 번역하 추천하 계산하 포장하 저장하 반복하 계속하 쑤 들여놓 "
    "꼬 간추리 겪 고백하 놔 뛰어다니 누 쓰러뜨리 춤추 집 까 꿰 덜 몰 파 헤아리 붙들 접수하 통역하"
).split()
_IRREGULAR: dict[str, str] = dict(
    pair.split(":")
    for pair in (
        "가르:갈라 고르:골라 그러:그래 긋:그어 굽:구워 깨닫:깨달아 걷:걸어 눕:누워 듣:들어 "
        "돋우:돋워 따르:따라 마르:말라 모르:몰라 묻:물어 바르:발라 붓:부어 서두르:서둘러 싣:실어 "
        "오르:올라 이르:일러 자르:잘라 잇:이어 젓:저어 줍:주워 짓:지어 조르:졸라 주무르:주물러 "
        "지르:질러 찌르:찔러 흐르:흘러 누르:눌러 나르:날라 기르:길러 들르:들러 푸:퍼 오:와 "
        "나오:나와 들어오:들어와 돌아오:돌아와 데려오:데려와 가져오:가져와 놀러오:놀러와 다녀오:다녀와 "
        "내려오:내려와 올라오:올라와 찾아오:찾아와 다가오:다가와 끄:꺼 쓰:써 뜨:떠 크:커 담그:담가 "
        "잠그:잠가 모으:모아 따라오:따라와 나서:나서 솟:솟아 빼앗:빼앗아 얹:얹어 여쭙:여쭤"
    ).split()
)
_BARE = frozenset("갖다 가져다 사다 내려다 올려다 꺼내다 떠다 담아다 씻어다 태워다 모셔다 놔 놔둬 둬".split())
"""What stands before 줘 and is no `-아/어`."""

_FIRST = ord("가")
_JOINS = {0: "", 4: "", 1: "", 5: "", 6: "", 8: "ㅘ", 13: "ㅝ", 18: "ㅓ", 20: "ㅕ"}
"""A last vowel, by its number (ㅏㅐㅑㅒㅓㅔㅕㅖㅗ…), and what `-아/어` makes of it (of ㅏ, ㅐ, ㅓ, ㅔ, ㅕ nothing)."""
_NUMBER = {"ㅘ": 9, "ㅝ": 14, "ㅓ": 4, "ㅕ": 6}
_ADVERBS = re.compile(
    r"^(?:그만|다|이제|좀|또|자꾸|빨리|얼른|어서|내가|나|그냥|너무|한번|다시|이것|그것|저것|이거|그거|저거|잘|꼭|더)"
    r"(?=[가-힣])"
)


def is_everyday(words: str, form: Form) -> bool:
    """Whether the last of `words`, what stands before an ending, is a common verb in that form; also where it is
    written together with a word that may stand before any."""
    said = words.split()
    if not said:
        return False
    word, known = said[-1].strip(",.!?…"), _FORMS[form]
    while word not in known:
        shorter = _ADVERBS.sub("", word)
        if shorter == word:
            # 받아 적어, 잡아 당겨: of two verbs written together the last counts, where the first is one too
            return form == "joined" and any(word[:cut] in known and word[cut:] in known for cut in range(1, len(word)))
        word = shorter
    return True


def _joined(stem: str) -> tuple[str, ...]:
    """`-아/어` after a regular stem: 적어, 담아, 보여, 놔."""
    last = stem[-1]
    index = ord(last) - _FIRST
    vowel, coda = index % 588 // 28, index % 28
    if last == "하":
        return (f"{stem[:-1]}해",)
    if coda:
        return (f"{stem}{'아' if vowel in (0, 2, 8) else '어'}",)
    if vowel not in _JOINS:
        return (f"{stem}어",)
    number = _NUMBER.get(_JOINS[vowel], vowel)
    contracted = stem[:-1] + chr(_FIRST + index // 588 * 588 + number * 28)
    return (contracted, f"{stem}{'아' if vowel in (0, 8) else '어'}")


def _ahead(stem: str) -> str:
    """`-(으)ㄹ`: 갈, 적을, 만들."""
    index = ord(stem[-1]) - _FIRST
    if index % 28 == 0:
        return f"{stem[:-1]}{chr(ord(stem[-1]) + 8)}"
    return stem if index % 28 == 8 else f"{stem}을"


_STEMS = (*_REGULAR, *_IRREGULAR)
_FORMS: dict[Form, frozenset[str]] = {
    "joined": _BARE
    | frozenset(_IRREGULAR.values())
    | frozenset(joined for stem in _REGULAR for joined in _joined(stem)),
    "stem": frozenset(_STEMS),
    "ahead": frozenset(map(_ahead, _STEMS)),
}
