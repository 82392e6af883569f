"""The verbs the listener knows, and every form in which people say them last. Data and its index.

`stem`, `stem:irregular`, `stem=honorific stem`. A verb missing here is never given back as a verb: the listener then
takes up a noun, so what it says stays grammatical.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from gpu_node.engines.reflective.conjugation import (
    Kind,
    Tense,
    Verb,
    before_n,
    declarative,
    formal,
    honorific,
    infinitive,
    open_stem,
    past,
    prospective,
)
from gpu_node.engines.reflective.particles import has_coda, with_coda
from gpu_node.hangul import decompose

_ACTS = """
가 오 다녀오 다녀가 다니 갔다오 나가 나오 나서 나다니 들어오 들어가 돌아오 돌아가 올라가 올라오 내려가 내려오 찾아가
찾아오 데려가 데려오 가져가 가져오 건너가 건너오 떠나 도망가 도망치 피난가 피란가 먹=드시 마시=드시 잡수=잡수시
자=주무시 일어나 앉 서 눕:ㅂ 걷:ㄷ 뛰 달리 타 보 바라보 쳐다보 듣:ㄷ 말하=말씀하시 떠들 부르:르 춤추 추 웃 울 배우
가르치 읽 쓰 그리 만들 짓:ㅅ 농사짓:ㅅ 심 뿌리 캐 따 뜯 거두 키우 기르:르 담그 담 끓이 삶 찌 굽:ㅂ 볶 지지 부치 썰
무치 절이 말리 빚 사 팔 주 드리 받 보내 빌리 갚 벌 모으 아끼 입 벗 신 씻 닦 빨 널 쓸 치우 고치 바꾸 열 닫 켜 끄 만나
사귀 헤어지 낳 놀 쉬 살 지내 태어나 자라 크 기다리 찾 잃어버리 잊어버리 잊 느끼 알 모르:르 참 견디 버티 싸우 돕:ㅂ
도와주 안 업 업히 잡 낚 던지 놓 두 넣 꺼내 메 짊어지 싸 풀 묶 꿰매 뜨 짜 바르:르 자르:르 깎 찍 틀 나누 믿 넘어지 다치
키워내 먹이 재우 입히 맞 걸리 얻 물려받 굶 헤매 숨 숨기 지키 보살피 돌보 모시 섬기 챙기 물리치 이기 쫓기 건너 넘
오르:르 모이 모여살 시집가 시집오 장가가 장가들 이사가 이사오 놀러가 놀러오 다투 화내 혼나 맡 맡기 빠지 들르 쐬 쬐
즐기 누리 겪 남기 꾸 피우 끊 마치 그만두 옮기 들여다보 떠올리 되돌아보 돌아다니 뛰어놀 부러지 삐 데이 신나 치 걸어다니
뛰어다니 넘기 물 신기 골라오 차리 쑤 빻 찧 까 줍:ㅂ 긷:ㄷ 묻:ㄷ 싣:ㄷ 깨 깨닫:ㄷ 붙이 뽑 밀 당기 끌 시키 들려주 알려주
빌 외우 익히 이루 꾸미 채우 세우 달래 안아주 맛보 들이 가지 물어보 알아보 지나가 지나오 걸어오 걸어가 뛰어가 뛰어오
날리 튕기 켜놓 앓 감 대 돌리 있=계시
""".split()
_EVENTS = """
내리 피 펴 지 나 되 들 끝나 시작되 변하 바뀌 없어지 생기 떨어지 열리 익 쑤시 저리 붓:ㅅ 결리 터지 무너지 늘 줄 울리
그치 개 불 얼 녹 어울리 잘되 생각나 기억나 떠오르:르 들리 보이 안되 쌓이 뜨 흐르:르 타오르:르 고장나 사라지 시들
자라나 돋 열 무르익 풀리 흐리 나빠지 좋아지 나아지 낫:ㅅ 심해지 추워지 더워지 걱정되 이해되 빠지 상하 물들 밀리
""".split()
_STATES = """
좋 나쁘 작 많 적 덥:ㅂ 춥:ㅂ 뜨겁:ㅂ 차갑:ㅂ 차 맵:ㅂ 짜 달 맛있 맛없 예쁘 이쁘 곱:ㅂ 아름답:ㅂ 귀엽:ㅂ 바쁘 아프 길
짧 높 낮 가깝:ㅂ 멀 어렵:ㅂ 쉽:ㅂ 힘들 무겁:ㅂ 가볍:ㅂ 넓 좁 깊 밝 어둡:ㅂ 맑 재미있 재미나 재미없 없 비싸 배고프
배부르:르 고프 젊 늦 빠르:르 느리 점잖 괜찮 얌전하 무덥:ㅂ 쌀쌀하 고되 멋있 싱겁:ㅂ 그렇:ㅎ 침침하 뻐근하
""".split()
_FEELINGS = """
외롭:ㅂ 그립:ㅂ 슬프 기쁘 즐겁:ㅂ 서럽:ㅂ 무섭:ㅂ 두렵:ㅂ 반갑:ㅂ 고맙:ㅂ 부럽:ㅂ 괴롭:ㅂ 아쉽:ㅂ 부끄럽:ㅂ
자랑스럽:ㅂ 싫 아깝:ㅂ 밉:ㅂ 가렵:ㅂ 어지럽:ㅂ 사랑스럽:ㅂ 고통스럽:ㅂ 안타깝:ㅂ 번거롭:ㅂ 귀찮
""".split()
HADA_FEELINGS = frozenset(
    "행복 서운 섭섭 속상 심심 답답 미안 궁금 피곤 억울 허전 쓸쓸 우울 뿌듯 불안 초조 편안 편 불편 창피"
    " 든든 시원섭섭 막막 허무 적적 흐뭇 울적 갑갑"
    " 서먹 따분 홀가분 죄송 황당 황송 비참".split()
)
HADA_STATES = frozenset(
    "건강 깨끗 조용 따뜻 시원 착 유명 비슷 똑똑 이상 대단 훌륭 불쌍 튼튼 복잡 친절 소중 간단 필요 한가"
    " 캄캄 부족 가난 넉넉 초라 씩씩 다정 무뚝뚝 자상"
    " 엄 얌전 쌀쌀 포근 화창 고소 구수 달콤 매콤 심 침침 뻐근 뻣뻣 성실 부지런 용 귀 중요 특별 당연 완벽"
    " 행 무사 가능 불가능 다양 적당 선선 훈훈 쌩쌩 멀쩡"
    " 말끔 말짱 촉촉 어색 지루 치열 순수 정직 못 급 흔 환 뚜렷 희미 선 뻔 뭐 어떠 어떻 그러 이러 저러 그 이 저".split()
)


def _parse(entries: list[str], kind: Kind) -> list[Verb]:
    verbs = []
    for entry in entries:
        rest, _, honorific = entry.partition("=")
        stem, _, irregular = rest.partition(":")
        verbs.append(Verb(stem, kind, irregular, honorific))
    return verbs


_BY_KIND = ((_ACTS, Kind.ACT), (_FEELINGS, Kind.FEELING), (_STATES, Kind.STATE), (_EVENTS, Kind.EVENT))
HADA = Verb("하", Kind.ACT)
ONE_SYLLABLE = frozenset("말 절 일 정 원 구 통 합 답 망 변 전 잘 못".split())
"""One-syllable nouns that make verbs with 하다; other lone syllables before it are mishearings."""
VERBS: tuple[Verb, ...] = tuple(verb for entries, kind in _BY_KIND for verb in _parse(entries, kind))

_PAST = (
    "어 어요 어유 어예 어잉 어라 습니다 슴니다 심더 심니더 다 다고 다고요 지 지요 죠 지유 쥬 제 제요 지예"
    " 네 네요 네유 거든 거든요 는데 는데요 는디 는디요"
    " 더라고 더라고요 더라구 더라구요 더라 구나 구먼 구만 당께 당게 당께요 데이 슈 시유 단다 답니다"
    " 다아이가 던데 던데요 어가지고 었어 었어요 었지 었지요 었는데"
    " 었는데요 었거든요 었습니다 더랬지 더랬어요 소 니라 응게 은께 능교 다카이 더라카이"
).split()
_ON_STEM = (
    "지 지요 죠 지유 쥬 제 제요 지예 거든 거든요 거든예 더라고 더라고요 더라구요 더라 당께 당게 데이 던데"
    " 던데요 고말고 기도해요 기도하고 겠어 겠어요 겠네 겠네요"
    " 겠습니다 겠지"
).split()
_PLANNED = (
    "거예요 거에요 꺼예요 꺼야 거야 겁니다 라고 라고요 려고 려고요 랍니다 게 게요 란다 거라 겨 거여 라구요 래 래요"
).split()
_BEFORE_N = "네 네요 네유 네예 는구나 는구먼 는구만 는데 는데요 는디 는디요 는겨 는거야 는거예요 니라 소 시더".split()
_REPORTED = (
    "대 대요 다네 다네요 다더라 다더라고요 다더라고 답니다 단다 다고해 다고해요 다고하네 다고하네요 댄다 다카더라"
).split()


@dataclass(frozen=True, slots=True)
class Final:
    """A verb as the last word of an utterance. `reported`: the speaker passes on what others said (온대요); `honours`:
    the speaker used -시- (오셨어요), so its subject is somebody else."""

    verb: Verb
    tense: Tense
    reported: bool = False
    honours: bool = False


_Heads = Callable[[Verb], set[str]]


def _past_heads(verb: Verb) -> set[str]:
    """갔; and where people may leave it uncontracted, that too: 되었, 보았, 하였."""
    heads = {past(verb)}
    if verb.stem.endswith("하"):
        heads.add(verb.stem + "였")
    elif not has_coda(verb.stem) and verb.stem[-1] not in "가오":
        heads |= {verb.stem + "었", verb.stem + "았"}
    return heads


def _only_if(condition: Callable[[Verb], bool], head: Callable[[Verb], str]) -> _Heads:
    return lambda verb: {head(verb)} if condition(verb) else set()


def _always(verb: Verb) -> bool:
    return True


def _is_describing(verb: Verb) -> bool:
    return verb.is_adjective and verb.stem not in ("있", "없")


def _is_doing(verb: Verb) -> bool:
    return not verb.is_adjective


_RULES: tuple[tuple[_Heads, frozenset[str], Tense, bool], ...] = (
    (_past_heads, frozenset(_PAST), Tense.PAST, False),
    (_past_heads, frozenset(_REPORTED), Tense.PAST, True),
    (_only_if(_always, infinitive), frozenset(("", "요", "유", "예", "잉")), Tense.PRESENT, False),
    (_only_if(_always, lambda verb: verb.stem), frozenset(_ON_STEM), Tense.PRESENT, False),
    (_only_if(_always, before_n), frozenset(_BEFORE_N), Tense.PRESENT, False),
    (_only_if(_always, declarative), frozenset(_REPORTED), Tense.PRESENT, True),
    (_only_if(_always, declarative), frozenset("다 다고 다고요 다니까 다니까요".split()), Tense.PRESENT, False),
    (_only_if(_always, formal), frozenset(("",)), Tense.PRESENT, False),
    (
        _only_if(_is_describing, lambda verb: with_coda(open_stem(verb), "ㄴ")),
        frozenset("데 데요 디 디요".split()),
        Tense.PRESENT,
        False,
    ),
    (_only_if(_is_describing, lambda verb: verb.stem), frozenset("구나 구먼 구만".split()), Tense.PRESENT, False),
    (_only_if(_is_doing, prospective), frozenset(_PLANNED), Tense.PLAN, False),
    (_only_if(_is_doing, open_stem), frozenset("려고 려고요 려고해요 려구요".split()), Tense.PLAN, False),
)


@cache
def _heads() -> tuple[dict[str, tuple[Verb, bool]], ...]:
    """For each rule: head -> verb, and whether that is its form in -시-. An earlier verb wins over a later one
    (들었어: 듣다 before 들다), a plain form over one in -시- (쑤셨어)."""
    tables: tuple[dict[str, tuple[Verb, bool]], ...] = tuple({} for _ in _RULES)
    plain = [(verb, verb, False) for verb in (*VERBS, HADA)]
    for form, verb, honours in plain + [(honorific(verb), verb, True) for verb in (*VERBS, HADA)]:
        for table, (heads, _, _, _) in zip(tables, _RULES, strict=True):
            for head in heads(form):
                table.setdefault(head, (verb, honours))
    return tables


def _known_final(word: str) -> Final | None:
    for at in range(len(word), 0, -1):
        head, tail = word[:at], word[at:]
        for table, (_, tails, tense, reported) in zip(_heads(), _RULES, strict=True):
            if tail in tails and head in table:
                verb, honours = table[head]
                return Final(verb, tense, reported, honours)
    return None


def final_verb(word: str) -> Final | None:
    """What verb `word` is a final form of; any noun may stand before 하다 (산책했어요)."""
    if found := _known_final(word):
        return found
    for at in range(1, len(word)):
        found = _known_final(word[at:])
        if (
            found is not None
            and found.verb is HADA
            and (at > 1 or word[:at] in HADA_STATES | HADA_FEELINGS | ONE_SYLLABLE)
        ):
            return Final(hada(word[:at]), found.tense, found.reported, found.honours)
    return _known_compound(word)


_SECOND_VERBS = frozenset("주 드리 보 오 가 놓 두 버리 내 먹 다니".split())


def _known_compound(word: str) -> Final | None:
    """Two verbs written as one: 보내줬어요 is 보내 주다."""
    for at in range(1, len(word)):
        first, second = linking_forms().get(word[:at]), _known_final(word[at:])
        if first is None or second is None or second.verb.stem not in _SECOND_VERBS or infinitive(first) != word[:at]:
            continue
        own = second.verb.honorific
        verb = Verb(f"{word[:at]} {second.verb.stem}", Kind.ACT, honorific=f"{word[:at]} {own}" if own else "")
        return Final(verb, second.tense, second.reported, second.honours)
    return None


_NO_LEAD = frozenset(
    "있 보 말하 알 모르 살 지내 자라 크 걸리 다치 넘어지 잊 믿 낳 싸우 태어나 헤어지 잃어버리 떠들 참 빠지 혼나".split()
)
"""Verbs whose clause gives a reason (딸이 미국에 살아서 …): what follows may have another subject."""


@cache
def clause_links() -> frozenset[str]:
    """Forms of what people do that lead into the next verb with the same subject: 잡고, 캐서, 일하다가, 사느라고."""
    links = set()
    for verb in (*VERBS, HADA):
        if verb.kind is Kind.ACT and verb.stem not in _NO_LEAD:
            base = infinitive(verb)
            links |= {verb.stem + "고", base + "서", verb.stem + "다가", open_stem(verb) + "면서"}
            links |= {before_n(verb) + "느라고", before_n(verb) + "느라", base + "가지고"}
    return frozenset(links) - {"하고", "두고", "가지고", "해서"}


def _purpose(verb: Verb) -> str:
    """먹으러, 놀러: ㄹ needs no 으."""
    return (verb.stem if decompose(verb.stem[-1])[2] == "ㄹ" else open_stem(verb)) + "러"


@cache
def linking_forms() -> dict[str, Verb]:
    """Forms that lean on the verb after them: 사 (사 주다), 가지 (가지 못하다), 먹고 (먹고 싶다)."""
    index: dict[str, Verb] = {}
    for verb in (*VERBS, HADA):
        for surface in (infinitive(verb), verb.stem + "지", verb.stem + "고", _purpose(verb)):
            index.setdefault(surface, verb)
    return index


NOT = Verb("않", Kind.ACT)
CANNOT = Verb("못하", Kind.ACT)


def hada(noun: str) -> Verb:
    """The verb that 하다 makes of `noun`: 산책하다, 심심하다."""
    kind = Kind.FEELING if noun in HADA_FEELINGS else Kind.STATE if noun in HADA_STATES else Kind.ACT
    honorific = "말씀하시" if noun == "말" else ""
    return Verb(noun + "하", kind, honorific=honorific)
